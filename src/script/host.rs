//! What a script needs of its host: the one who runs it.

use crate::base::Output;
use crate::resp::{Args, Proto};

/// Runs the commands of a script, and decides how long it may run.
pub trait Host {
    /// Runs a command and writes its reply, or an error, to `reply`, which is empty. Returns true if it may have taken long.
    fn call(&mut self, request: Args<'_>, proto: Proto, reply: &mut Output) -> bool;

    /// True if there is a command of this name, which the script may call.
    fn knows(&self, request: Args<'_>) -> bool;

    /// Whether the script must stop now. The interpreter asks about every [`ASK_EVERY`] steps of the script, and often while
    /// a library works on something long.
    fn must_stop(&mut self) -> Option<Stop>;

    /// Writes a line to the log. `level` is one of `redis.LOG_DEBUG` and its like: 0 to 3.
    fn log(&mut self, level: u8, message: &[u8]);
}

/// How many steps of a script may pass before the interpreter asks whether it must stop. A step is one turn of a loop, or
/// one call of a function.
pub const ASK_EVERY: u32 = 1_000;

/// Why a script was stopped. No script can catch that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// It has run too long.
    Time,
    /// It has asked for too much memory.
    Memory,
    /// An operator has ended it.
    Killed,
    /// The server stops, and waits no longer.
    Shutdown,
}

scoped_tls_hkt::scoped_thread_local! {
    /// The host of the script that runs in this thread.
    pub(super) static mut HOST: for<'a> &'a mut (dyn Host + 'a)
}
