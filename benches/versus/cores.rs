//! Which core the server under test runs on, and which one the generator: not the same, if there
//! are two, so that neither takes time from the other.

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// The two cores of a run.
#[derive(Clone, Copy, Debug)]
pub struct Cores {
    pub server: usize,
    pub generator: usize,
}

impl Cores {
    /// The first two that we may use; twice the same if it is only one.
    ///
    /// # Errors
    /// If the system does not say.
    pub fn choose() -> std::io::Result<Cores> {
        let allowed = sched_getaffinity(Pid::from_raw(0))?;
        let mut cores = (0..CpuSet::count()).filter(|&core| allowed.is_set(core).unwrap_or(false));
        let server = cores.next().unwrap_or(0);
        Ok(Cores { server, generator: cores.next().unwrap_or(server) })
    }

    /// Runs `start` on the server's core: children that it spawns stay there.
    pub fn on_server<T>(self, start: impl FnOnce() -> T) -> T {
        pin(self.server);
        let started = start();
        pin(self.generator);
        started
    }

    /// True if generator and server have to share.
    pub fn shared(self) -> bool {
        self.server == self.generator
    }
}

/// Keeps this thread on one core. Where that is not allowed the figures are noisier, no more.
pub fn pin(core: usize) {
    let mut set = CpuSet::new();
    if set.set(core).is_ok() {
        let _ = sched_setaffinity(Pid::from_raw(0), &set);
    }
}
