//! `MULTI`, `EXEC`, `DISCARD`, `WATCH`, `UNWATCH`. What comes between `MULTI` and `EXEC` is queued by the
//! turn.

use crate::config::{EXEC_REPLY_BYTES, REPLY_HEADROOM_BYTES};
use crate::service::cx::{Cx, Failure, Outcome};
use crate::service::run::{Call, check};
use crate::service::transaction::Transaction;

/// `MULTI`
pub fn multi(cx: &mut Cx<'_>) -> Outcome {
    if cx.session().transaction().is_some() {
        return Err(Failure::text("ERR MULTI calls can not be nested"));
    }
    cx.reply.assure();
    cx.session().extras().transaction = Some(Transaction::default());
    cx.reply.ok();
    Ok(())
}

/// `DISCARD`
pub fn discard(cx: &mut Cx<'_>) -> Outcome {
    if cx.session().transaction().is_none() {
        return Err(Failure::text("ERR DISCARD without MULTI"));
    }
    cx.reply.assure();
    cx.world.end_transaction(cx.me);
    cx.reply.ok();
    Ok(())
}

/// `WATCH key [key ...]`
pub fn watch(cx: &mut Cx<'_>) -> Outcome {
    if cx.session().transaction().is_some() {
        return Err(Failure::text("ERR WATCH inside MULTI is not allowed"));
    }
    for key in cx.args.from(1) {
        cx.world.watch(cx.me, key)?;
    }
    cx.reply.ok();
    Ok(())
}

/// `UNWATCH`
pub fn unwatch(cx: &mut Cx<'_>) -> Outcome {
    cx.reply.assure();
    cx.world.unwatch(cx.me);
    cx.reply.ok();
    Ok(())
}

/// `EXEC`. Each command of the transaction is complete by itself: should one panic, those before it stand,
/// those behind it do not run, and the client ends.
pub fn exec(cx: &mut Cx<'_>) -> Outcome {
    if cx.session().transaction().is_none() {
        return Err(Failure::text("ERR EXEC without MULTI"));
    }
    // From here on time stands still.
    cx.exact_unix_ms();
    cx.world.expire_watched(cx.me);
    let (transaction, touched) = cx.world.end_transaction(cx.me);
    let Some(transaction) = transaction else { return Ok(()) };
    if transaction.aborted {
        return Err(Failure::text("EXECABORT Transaction discarded because of previous errors."));
    }
    if touched {
        cx.reply.null_array();
        return Ok(());
    }
    // So that each command can at least be told that there is no memory for its reply.
    cx.reply.reserve(transaction.len() * EXEC_REPLY_BYTES + REPLY_HEADROOM_BYTES)?;
    cx.reply.array(transaction.len());
    for (args, command) in transaction.iter() {
        let max = cx.world.config.max_reply_bytes.saturating_sub(cx.reply.len());
        let proto = cx.session().proto;
        let mut reply = cx.reply.inside(proto, max);
        if let Err(failure) = check(command, args, &cx.world.config, &cx.world.sessions, cx.me)
            .and_then(|()| Ok(reply.reserve(REPLY_HEADROOM_BYTES)?))
        {
            cx.world.stats.per_command[command.id].rejected += 1;
            cx.world.stats.errors += 1;
            reply.error(&failure.0);
            continue;
        }
        let call = Call { me: cx.me, args, command, wires: cx.wires, inside: true };
        let close = cx.world.run(call, cx.runs, reply);
        cx.close = cx.close.or(close);
    }
    Ok(())
}
