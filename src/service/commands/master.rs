//! The commands of replication, clusters, persistence and modules. There is none of these here: the server answers as a
//! single master without replicas, or refuses clearly.

use crate::resp::parse_i64;
use crate::service::cx::{Cx, Failure, NOT_INTEGER, Outcome, SYNTAX, is};

/// Redis's answer where there is no cluster.
const NO_CLUSTER: Failure = Failure::text("ERR This instance has cluster support disabled");

/// `WAIT numreplicas timeout`: 0 replicas have all writes. There are none and none can come, so there is nothing to wait
/// for.
pub fn wait(cx: &mut Cx<'_>) -> Outcome {
    cx.int(1)?;
    check_timeout(cx.arg(2))?;
    cx.reply.int(0);
    Ok(())
}

/// `WAITAOF numlocal numreplicas timeout`: no log on disk and no replica has any write.
pub fn waitaof(cx: &mut Cx<'_>) -> Outcome {
    let numlocal = cx.int(1)?;
    if !(0..=1).contains(&numlocal) {
        return Err(Failure::text("ERR value is out of range, value must between 0 and 1"));
    }
    let numreplicas = cx.int(2)?;
    if numreplicas < 0 {
        return Err(Failure::text("ERR value is out of range, must be positive"));
    }
    check_timeout(cx.arg(3))?;
    if numlocal > 0 {
        return Err(Failure::text(
            "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.",
        ));
    }
    cx.reply.array(2);
    cx.reply.int(0);
    cx.reply.int(0);
    Ok(())
}

fn check_timeout(word: &[u8]) -> Outcome {
    match parse_i64(word) {
        Some(0..) => Ok(()),
        Some(_) => Err(Failure::text("ERR timeout is negative")),
        None => Err(Failure::text("ERR timeout is not an integer or out of range")),
    }
}

/// `ROLE`: a master at offset 0 without replicas.
pub fn role(cx: &mut Cx<'_>) -> Outcome {
    cx.reply.array(3);
    cx.reply.bulk(b"master");
    cx.reply.int(0);
    cx.reply.array(0);
    Ok(())
}

/// `REPLCONF option value [option value ...]`: what a replica says of itself. It is accepted and means nothing.
pub fn replconf(cx: &mut Cx<'_>) -> Outcome {
    if cx.args.len().is_multiple_of(2) {
        return Err(SYNTAX);
    }
    for at in (1..cx.args.len()).step_by(2) {
        let (option, value) = (cx.arg(at), cx.arg(at + 1));
        if is(option, "listening-port") {
            parse_i64(value).ok_or(NOT_INTEGER)?;
        } else if !["ip-address", "capa", "version", "rdb-only", "rdb-filter-only"]
            .iter()
            .any(|name| is(option, name))
        {
            return Err(Failure::quoting("ERR Unrecognized REPLCONF option: ", option, ""));
        }
    }
    cx.reply.ok();
    Ok(())
}

/// `LASTSAVE`: when the data were last saved, in Unix seconds. As in Redis, that is the start if they never were.
pub fn lastsave(cx: &mut Cx<'_>) -> Outcome {
    cx.reply.int((cx.world.started.unix_ms / 1_000) as i64);
    Ok(())
}

/// `FAILOVER [TO host port [FORCE]] [ABORT] [TIMEOUT milliseconds]`: there are no replicas.
pub fn failover(cx: &mut Cx<'_>) -> Outcome {
    match (cx.args.len(), cx.args.get(1)) {
        (2, Some(word)) if is(word, "ABORT") => Err(Failure::text("ERR No failover in progress.")),
        (1, _) => Err(Failure::text("ERR FAILOVER requires connected replicas.")),
        (3.., Some(word)) if is(word, "TO") || is(word, "TIMEOUT") => {
            Err(Failure::text("ERR FAILOVER requires connected replicas."))
        }
        _ => Err(SYNTAX),
    }
}

/// `REPLICAOF NO ONE | host port`, also `SLAVEOF`: the server is a master, and cannot be anything else.
pub fn replicaof(cx: &mut Cx<'_>) -> Outcome {
    let (host, port) = (cx.arg(1), cx.arg(2));
    if is(host, "NO") && is(port, "ONE") {
        cx.reply.ok();
        return Ok(());
    }
    match parse_i64(port) {
        Some(0..=65535) => {
            Err(Failure::text("ERR REPLICAOF is not supported: this server has no replication"))
        }
        _ => Err(Failure::text("ERR Invalid master port")),
    }
}

/// `CLUSTER`, `READONLY`, `READWRITE` and `ASKING`: there is no cluster.
pub fn no_cluster(_: &mut Cx<'_>) -> Outcome {
    Err(NO_CLUSTER)
}

/// `SAVE`, `BGSAVE` and `BGREWRITEAOF`: there is nothing on disk.
pub fn no_disk(cx: &mut Cx<'_>) -> Outcome {
    let name = cx.command.name.to_ascii_uppercase();
    Err(Failure::telling(format!("ERR {name} is not supported: this server keeps its data in memory only")))
}

/// `MODULE LIST`: no modules.
pub fn no_modules(cx: &mut Cx<'_>) -> Outcome {
    cx.reply.array(0);
    Ok(())
}

/// `MODULE LOAD`, `LOADEX` and `UNLOAD`: as in a Redis in which modules are not allowed.
pub fn no_module(_: &mut Cx<'_>) -> Outcome {
    Err(Failure::text(
        "ERR MODULE command not allowed. If the enable-module-command option is set to \"local\", you can run it from a \
         local connection, otherwise you need to set this option in the configuration file, and then restart the server.",
    ))
}
