//! A clock that can be handed from room to room.

use std::fmt;
use std::sync::Arc;

use super::Now;

/// Reads the monotonic clock and the wall clock. The reactor's world makes it. So the service can ask for the time
/// without a call to the operating system of its own, and the simulator can give it a simulated time.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Now + Send + Sync>);

impl Clock {
    /// A clock that calls `read` for the time.
    pub fn new(read: impl Fn() -> Now + Send + Sync + 'static) -> Clock {
        Clock(Arc::new(read))
    }

    /// Reads both clocks now.
    pub fn now(&self) -> Now {
        (self.0)()
    }
}

impl Default for Clock {
    /// A clock that stands still at zero.
    fn default() -> Clock {
        Clock::new(Now::default)
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}
