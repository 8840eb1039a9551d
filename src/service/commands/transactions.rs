//! `MULTI`, `EXEC`, `DISCARD`, `WATCH`, `UNWATCH`. The requests between `MULTI` and `EXEC` do not come
//! here: `gate` queues them.

use crate::base::memory;
use crate::config::{EXEC_REPLY_BYTES, REPLY_HEADROOM_BYTES};
use crate::service::cx::{Cx, Failure, Outcome};
use crate::service::run::{Call, check};
use crate::service::transaction::{Transaction, WATCH_BYTES};

/// `MULTI`: begins a transaction.
pub fn multi(cx: &mut Cx<'_>) -> Outcome {
    if cx.session().transaction().is_some() {
        return Err(Failure::text("ERR MULTI calls can not be nested"));
    }
    cx.reply.assure();
    cx.session().extras().transaction = Some(Transaction::default());
    cx.reply.ok();
    Ok(())
}

/// `DISCARD`: ends the transaction without running it, and ends all watches.
pub fn discard(cx: &mut Cx<'_>) -> Outcome {
    if cx.session().transaction().is_none() {
        return Err(Failure::text("ERR DISCARD without MULTI"));
    }
    cx.reply.assure();
    cx.world.end_transaction(cx.me);
    cx.reply.ok();
    Ok(())
}

/// `WATCH key [key ...]`: if one of the keys changes before the next `EXEC`, that `EXEC` runs nothing.
pub fn watch(cx: &mut Cx<'_>) -> Outcome {
    if cx.session().transaction().is_some() {
        return Err(Failure::text("ERR WATCH inside MULTI is not allowed"));
    }
    memory::charge(cx.args.from(1).map(|key| key.len() + WATCH_BYTES).sum())?;
    cx.reply.assure();
    for key in cx.args.from(1) {
        cx.world.watch(cx.me, key);
    }
    cx.reply.ok();
    Ok(())
}

/// `UNWATCH`: ends all watches of the client.
pub fn unwatch(cx: &mut Cx<'_>) -> Outcome {
    cx.reply.assure();
    cx.world.unwatch(cx.me);
    cx.reply.ok();
    Ok(())
}

/// `EXEC`: runs the queued commands. Each of them is complete by itself. If one panics, the commands before
/// it keep their effects, the commands after it do not run, and the connection ends without a reply to `EXEC`.
pub fn exec(cx: &mut Cx<'_>) -> Outcome {
    if cx.session().transaction().is_none() {
        return Err(Failure::text("ERR EXEC without MULTI"));
    }
    // All commands of the transaction, and the check of the watched keys, use this time.
    cx.exact_unix_ms();
    let touched = cx.world.has_watched_change(cx.me);
    let Some(transaction) = cx.world.end_transaction(cx.me) else { return Ok(()) };
    if transaction.aborted {
        return Err(Failure::text("EXECABORT Transaction discarded because of previous errors."));
    }
    if touched {
        cx.reply.null_array();
        return Ok(());
    }
    // With this room, each command can be answered at least with the error that memory has run out.
    cx.reply.reserve(transaction.len() * EXEC_REPLY_BYTES + REPLY_HEADROOM_BYTES)?;
    cx.reply.array(transaction.len());
    let header_end = cx.reply.pending();
    for (args, command) in transaction.iter() {
        let written = cx.reply.pending() - header_end;
        let max = cx.world.config.max_reply_bytes.saturating_sub(written);
        let proto = cx.session().proto;
        let mut reply = cx.reply.inside(proto, max);
        if let Err(failure) = check(command, args, &cx.world.config, &cx.world.sessions, cx.me)
            .and_then(|()| Ok(reply.reserve(REPLY_HEADROOM_BYTES)?))
        {
            cx.world.stats.per_command[command.id].rejected += 1;
            cx.world.stats.count_error(&failure.0);
            reply.error(&failure.0);
            continue;
        }
        let call = Call { me: cx.me, args, command, memory: None, wires: &mut *cx.wires, inside: true };
        let close = cx.world.run(call, cx.runs, reply);
        cx.close = cx.close.or(close);
    }
    Ok(())
}
