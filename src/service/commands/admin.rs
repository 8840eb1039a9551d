//! The commands about the server as a whole.

use super::info::render;
use crate::base::Reason;
use crate::service::cx::{Cx, Failure, Outcome, SYNTAX, is};
use crate::service::outbox::Ask;

/// `DBSIZE`: the number of keys. It includes keys that have expired but have not been removed yet.
pub fn dbsize(cx: &mut Cx<'_>) -> Outcome {
    cx.reply.int(cx.world.store.len() as i64);
    Ok(())
}

/// `TIME`: the Unix time in seconds, and the microseconds within the second. It is the wall clock as it was
/// last read: when the tick began, or later.
pub fn time(cx: &mut Cx<'_>) -> Outcome {
    let us = cx.world.now.unix_us;
    cx.reply.array(2);
    cx.reply.bulk(itoa::Buffer::new().format(us / 1_000_000).as_bytes());
    cx.reply.bulk(itoa::Buffer::new().format(us % 1_000_000).as_bytes());
    Ok(())
}

/// `FLUSHALL [ASYNC | SYNC]`: removes all keys of all databases. The store frees their memory piece by piece afterwards,
/// whatever the word says.
pub fn flushall(cx: &mut Cx<'_>) -> Outcome {
    check_how(cx)?;
    cx.reply.assure();
    cx.world.store.clear_all();
    cx.reply.ok();
    Ok(())
}

/// `FLUSHDB [ASYNC | SYNC]`: removes all keys of the selected database.
pub fn flushdb(cx: &mut Cx<'_>) -> Outcome {
    check_how(cx)?;
    cx.reply.assure();
    cx.world.store.clear();
    cx.reply.ok();
    Ok(())
}

/// Checks the word that may follow a flush.
fn check_how(cx: &Cx<'_>) -> Outcome {
    match cx.args.get(1) {
        None => Ok(()),
        Some(word) if cx.args.len() == 2 && (is(word, "ASYNC") || is(word, "SYNC")) => Ok(()),
        Some(_) => Err(SYNTAX),
    }
}

/// `SWAPDB index index`: swaps two databases.
pub fn swapdb(cx: &mut Cx<'_>) -> Outcome {
    // Redis reads both numbers before it looks whether there are such databases.
    for (index, text) in [(1, "ERR invalid first DB index"), (2, "ERR invalid second DB index")] {
        let number = cx.int(index).ok().filter(|number| i32::try_from(*number).is_ok());
        number.ok_or(Failure::text(text))?;
    }
    let (one, other) = (cx.database(1)?, cx.database(2)?);
    cx.reply.assure();
    cx.world.store.swap_databases(one, other)?;
    cx.reply.ok();
    Ok(())
}

/// `INFO [section ...]`: facts about the server.
pub fn info(cx: &mut Cx<'_>) -> Outcome {
    let sections: Vec<&[u8]> = cx.args.from(1).collect();
    let text = render(&sections, cx.world);
    cx.reply.verbatim(&text);
    Ok(())
}

/// `SHUTDOWN ABORT`: goes back to serving, if newcomers are still let in.
fn abort_shutdown(cx: &mut Cx<'_>) -> Outcome {
    let stage = cx.world.stats.present.stage;
    if stage.abort() == stage {
        let serving = stage.admits();
        return Err(Failure::text(if serving {
            "ERR No shutdown in progress."
        } else {
            "ERR It is too late to abort the shutdown: newcomers are refused already."
        }));
    }
    cx.reply.ok();
    cx.world.outbox.asks.push(Ask::Stay);
    Ok(())
}

/// `SHUTDOWN [NOSAVE | SAVE] [NOW] [FORCE] [ABORT]`: stops the server. There is nothing to save, so only
/// `NOW` makes a difference.
///
/// As in Redis there is no reply; the connection ends.
pub fn shutdown(cx: &mut Cx<'_>) -> Outcome {
    let (mut now, mut abort, mut save, mut nosave) = (false, false, false, false);
    for word in cx.args.from(1) {
        match word {
            _ if is(word, "NOW") => now = true,
            _ if is(word, "ABORT") => abort = true,
            _ if is(word, "SAVE") => save = true,
            _ if is(word, "NOSAVE") => nosave = true,
            _ if is(word, "FORCE") => {}
            _ => return Err(SYNTAX),
        }
    }
    if save && nosave || abort && cx.args.len() > 2 {
        return Err(SYNTAX);
    }
    if abort {
        return abort_shutdown(cx);
    }
    cx.world.outbox.asks.push(Ask::Quit { now });
    cx.close = Some(Reason::Drained);
    Ok(())
}
