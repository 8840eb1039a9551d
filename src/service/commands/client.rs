//! `CLIENT`: what a client says about itself, and how it wants to be treated.

use super::connection::checked_label;
use crate::resp::{Proto, parse_i64};
use crate::service::cx::{Cx, Failure, Outcome, SYNTAX, is};
use crate::service::errors::wrong_arguments;
use crate::service::moving::Moves;
use crate::service::pause::Held;
use crate::service::session::{Labels, ReplyMode};

/// What a client may call the kind of address that it wants.
const ADDRESS_KINDS: [&str; 4] = ["INTERNAL-IP", "INTERNAL-FQDN", "EXTERNAL-IP", "EXTERNAL-FQDN"];

/// `CLIENT ID`: the caller's id.
pub fn id(cx: &mut Cx<'_>) -> Outcome {
    cx.reply.int(cx.me.serial as i64);
    Ok(())
}

/// `CLIENT GETNAME`: the caller's name, or null.
pub fn getname(cx: &mut Cx<'_>) -> Outcome {
    let name = match cx.world.sessions.get(cx.me.slot) {
        Some(session) if !session.labels().name.is_empty() => Some(&*session.labels().name),
        _ => None,
    };
    cx.reply.bulk_or_null(name);
    Ok(())
}

/// `CLIENT SETNAME name`: names the caller. An empty name removes it.
pub fn setname(cx: &mut Cx<'_>) -> Outcome {
    let name = checked_label(cx.arg(2), "Client names")?;
    let labels = Labels { name: name.into(), ..cx.session().labels().clone() };
    cx.reply.ok();
    cx.world.sessions.relabel(cx.me.slot, labels);
    Ok(())
}

/// `CLIENT SETINFO LIB-NAME name | LIB-VER version`: says which library the caller uses.
pub fn setinfo(cx: &mut Cx<'_>) -> Outcome {
    let (what, value) = (cx.arg(2), cx.arg(3));
    let mut labels = cx.session().labels().clone();
    if is(what, "LIB-NAME") {
        labels.lib_name = checked_label(value, "lib-name")?.into();
    } else if is(what, "LIB-VER") {
        labels.lib_ver = checked_label(value, "lib-ver")?.into();
    } else {
        return Err(Failure::quoting("ERR Unrecognized option '", what, "'"));
    }
    cx.reply.ok();
    cx.world.sessions.relabel(cx.me.slot, labels);
    Ok(())
}

/// `CLIENT NO-EVICT ON | OFF`: says whether the caller is spared when client memory runs out.
pub fn no_evict(cx: &mut Cx<'_>) -> Outcome {
    let on = on_or_off(cx.arg(2))?;
    cx.reply.ok();
    cx.session().no_evict = on;
    Ok(())
}

/// `CLIENT NO-TOUCH ON | OFF`: says whether the caller's commands count as uses of keys, for eviction.
pub fn no_touch(cx: &mut Cx<'_>) -> Outcome {
    let on = on_or_off(cx.arg(2))?;
    cx.reply.ok();
    cx.session().no_touch = on;
    Ok(())
}

/// `CLIENT MAINT_NOTIFICATIONS ON | OFF [MOVING-ENDPOINT-TYPE type]`: says whether the server tells the caller when it is
/// about to stop, and whether the caller wants to hear of an address then. There is one address for all types but `none`.
pub fn maint_notifications(cx: &mut Cx<'_>) -> Outcome {
    let on = on_or_off(cx.arg(2))?;
    let kind = match (cx.args.get(3), cx.args.get(4)) {
        (None, _) => None,
        (Some(word), Some(kind)) if is(word, "MOVING-ENDPOINT-TYPE") && cx.args.len() == 5 => Some(kind),
        _ => return Err(SYNTAX),
    };
    let moves = match kind {
        _ if !on => Moves::Untold,
        Some(kind) if is(kind, "NONE") => Moves::ToSame,
        None => Moves::ToAddress,
        Some(kind) if ADDRESS_KINDS.iter().any(|known| is(kind, known)) => Moves::ToAddress,
        Some(_) => return Err(Failure::text("ERR Invalid moving-endpoint-type")),
    };
    if on && cx.session().proto == Proto::Resp2 {
        return Err(Failure::text("ERR Maintenance notifications need RESP3"));
    }
    if moves == Moves::ToAddress && cx.world.config.drain_announce_addr.is_empty() {
        return Err(Failure::text(
            "ERR There is no address to send clients to: set drain-announce-addr, or ask for moving-endpoint-type none",
        ));
    }
    cx.reply.ok();
    cx.session().moves = moves;
    cx.world.tell_newcomer_moving(cx.me, moves);
    Ok(())
}

fn on_or_off(word: &[u8]) -> Result<bool, Failure> {
    match word {
        _ if is(word, "ON") => Ok(true),
        _ if is(word, "OFF") => Ok(false),
        _ => Err(SYNTAX),
    }
}

/// `CLIENT REPLY ON | OFF | SKIP`: says which commands of the caller get a reply.
pub fn reply(cx: &mut Cx<'_>) -> Outcome {
    let word = cx.arg(2);
    let mode = match word {
        _ if is(word, "ON") => ReplyMode::On,
        _ if is(word, "OFF") => ReplyMode::Off,
        _ if is(word, "SKIP") => ReplyMode::SkipNext,
        _ => return Err(SYNTAX),
    };
    match mode {
        ReplyMode::On => cx.reply.ok(),
        // With `OFF` the next command gets no reply in any case, and `SKIP` must not end `OFF`.
        ReplyMode::SkipNext if cx.session().reply == ReplyMode::Off => return Ok(()),
        ReplyMode::Off | ReplyMode::SkipNext | ReplyMode::Skipping => {}
    }
    cx.session().reply = mode;
    Ok(())
}

/// `CLIENT PAUSE milliseconds [WRITE | ALL]`: holds the commands of all clients for that time.
pub fn pause(cx: &mut Cx<'_>) -> Outcome {
    let held = match cx.args.get(3) {
        None => Held::All,
        Some(word) if cx.args.len() == 4 && is(word, "ALL") => Held::All,
        Some(word) if cx.args.len() == 4 && is(word, "WRITE") => Held::Writes,
        Some(_) if cx.args.len() == 4 => {
            return Err(Failure::text("ERR CLIENT PAUSE mode must be WRITE or ALL"));
        }
        Some(_) => return Err(wrong_arguments("CLIENT", cx.arg(1))),
    };
    let Some(ms) = parse_i64(cx.arg(2)) else {
        return Err(Failure::text("ERR timeout is not an integer or out of range"));
    };
    let Ok(ms) = u64::try_from(ms) else { return Err(Failure::text("ERR timeout is negative")) };
    cx.reply.assure();
    let until = cx.world.now.at.plus_ms(ms);
    cx.world.pause.begin(until, held);
    cx.reply.ok();
    Ok(())
}

/// `CLIENT UNPAUSE`: ends the pause, and serves the commands that have waited.
pub fn unpause(cx: &mut Cx<'_>) -> Outcome {
    cx.reply.assure();
    cx.world.end_pause();
    cx.reply.ok();
    Ok(())
}
