//! The cores of a run. If there are two, the measured server runs on one and the generator on the other. So
//! neither takes time from the other.

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// The two cores of a run, by number.
#[derive(Clone, Copy, Debug)]
pub struct Cores {
    /// The core of the measured server.
    pub server: usize,
    /// The core of the generator.
    pub generator: usize,
}

impl Cores {
    /// The first two cores that this process may use. The same one twice if there is only one.
    ///
    /// # Errors
    /// If the system does not say which cores they are.
    pub fn choose() -> std::io::Result<Cores> {
        let allowed = sched_getaffinity(Pid::from_raw(0))?;
        let mut cores = (0..CpuSet::count()).filter(|&core| allowed.is_set(core).unwrap_or(false));
        let server = cores.next().unwrap_or(0);
        Ok(Cores { server, generator: cores.next().unwrap_or(server) })
    }

    /// Runs `start` on the server's core. The processes that it starts stay there.
    pub fn on_server<T>(self, start: impl FnOnce() -> T) -> T {
        pin(self.server);
        let started = start();
        pin(self.generator);
        started
    }

    /// True if generator and server must share a core.
    pub fn shared(self) -> bool {
        self.server == self.generator
    }
}

/// Keeps this thread on one core. Ignores a refusal: the figures are only noisier then.
pub fn pin(core: usize) {
    let mut set = CpuSet::new();
    if set.set(core).is_ok() {
        let _ = sched_setaffinity(Pid::from_raw(0), &set);
    }
}
