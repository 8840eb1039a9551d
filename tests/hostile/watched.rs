//! A daemon that is compared with itself. After a hostile situation, everything that it held for clients that have left
//! must be free again.

use std::ops::Deref;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::harness::{Daemon, Wire, within};

/// Freed memory that the C library may keep for later, MiB.
pub const KEPT_MIB: u64 = 72;

/// What the daemon itself may say that it holds for clients when there is only one, bytes: a full
/// pool of lent buffers, and what that one uses.
const HELD_AT_REST_MAX: u64 = (8 << 20) + (64 << 10);

/// A daemon and what it held before anybody came.
pub struct Watched {
    daemon: Daemon,
    descriptors: usize,
    resident: u64,
}

impl Deref for Watched {
    type Target = Daemon;

    fn deref(&self) -> &Daemon {
        &self.daemon
    }
}

impl Watched {
    pub fn start(options: &[&str]) -> Watched {
        Watched::over(Daemon::start(options))
    }

    pub fn spawn(command: Command) -> Watched {
        Watched::over(Daemon::spawn(command))
    }

    fn over(daemon: Daemon) -> Watched {
        // The first client makes it allocate what it keeps.
        let mut first = daemon.connect();
        let resident = count(&mut first, "used_memory_rss");
        let descriptors = daemon.descriptors().saturating_sub(1);
        Watched { daemon, descriptors, resident }
    }

    /// A newcomer is served.
    pub fn serves(&self) {
        self.connect().ask("PING\r\n", "+PONG\r\n");
    }

    /// Only the client that asks is left, all descriptors are free again, memory has grown by less than this many MiB,
    /// and the process does not spin. Returns a line that says so.
    pub fn is_unharmed(&self, grown_mib_max: u64) -> String {
        let mut judge = self.connect();
        within("everybody to be gone", || (judge.info("connected_clients") == "1").then_some(()));
        let grown = count(&mut judge, "used_memory_rss").saturating_sub(self.resident) >> 20;
        assert!(grown < grown_mib_max, "resident memory has grown by {grown} MiB");
        let held = count(&mut judge, "mem_clients_normal");
        assert!(held < HELD_AT_REST_MAX, "{held} bytes are held for one client");
        assert_asleep(&mut judge);
        drop(judge);
        within("all descriptors to be free again", || {
            (self.daemon.descriptors() <= self.descriptors).then_some(())
        });
        format!("nothing left behind, +{grown} MiB")
    }

    /// Ends it politely; returns its exit code and its log.
    pub fn stop(self) -> (Option<i32>, String) {
        self.signal("TERM");
        self.exit()
    }

    pub fn exit(self) -> (Option<i32>, String) {
        self.daemon.exit()
    }

    /// True if it cannot even be asked any more.
    pub fn has_died(&mut self) -> bool {
        self.daemon.child.try_wait().expect("it can be waited for").is_some()
    }
}

fn assert_asleep(wire: &mut Wire) {
    const ASKED: u64 = 20;
    let before = count(wire, "ticks");
    for _ in 1..ASKED {
        count(wire, "ticks");
    }
    let ticks = count(wire, "ticks") - before;
    assert!(ticks <= 5 * ASKED, "{ticks} ticks for {ASKED} requests: it spins");
}

/// A number of INFO.
pub fn count(wire: &mut Wire, field: &str) -> u64 {
    wire.info(field).parse().expect("a number")
}

/// Lets time pass; for promises about what does not happen meanwhile, or only after it.
pub fn pass(since: Instant, time: Duration) {
    while let Some(left) = time.checked_sub(since.elapsed()).filter(|left| !left.is_zero()) {
        std::thread::park_timeout(left);
    }
}

/// Closes without a goodbye: the peer gets a reset instead of an end.
pub fn reset(wire: Wire) {
    socket2::SockRef::from(&wire.stream).set_linger(Some(Duration::ZERO)).expect("it can be reset");
}
