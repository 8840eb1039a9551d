//! `MONITOR`: lets the caller see every command that runs.

use crate::service::cx::{Cx, Outcome};

/// `MONITOR`: from now on the caller is sent a line for each command, until it leaves or says `RESET`.
pub fn monitor(cx: &mut Cx<'_>) -> Outcome {
    cx.reply.assure();
    cx.world.monitor(cx.me, true);
    cx.reply.ok();
    Ok(())
}
