//! A clock that can be handed on.

use std::fmt;
use std::sync::Arc;

use super::Now;

/// Reads both clocks. The world of the reactor makes it, so that the service can ask for the time
/// without knowing where time comes from.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Now + Send + Sync>);

impl Clock {
    /// A clock that `read` reads.
    pub fn new(read: impl Fn() -> Now + Send + Sync + 'static) -> Clock {
        Clock(Arc::new(read))
    }

    /// The time.
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
