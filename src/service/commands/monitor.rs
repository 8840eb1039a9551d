//! `MONITOR`: lets the caller see every command that runs.

use crate::service::cx::{Cx, Failure, Outcome};

/// `MONITOR`: from now on the caller is sent a line for each command, until it leaves or says `RESET`.
pub fn monitor(cx: &mut Cx<'_>) -> Outcome {
    if cx.inside {
        return Err(Failure::text("ERR MONITOR isn't allowed for DENY BLOCKING client"));
    }
    cx.reply.assure();
    cx.world.monitor(cx.me, true);
    cx.reply.ok();
    Ok(())
}
