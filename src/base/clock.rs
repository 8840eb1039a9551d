//! A clock as a value.

use std::fmt;
use std::sync::Arc;

use super::Now;

/// Reads both clocks. The reactor's world makes it, so the service can ask for the time and does not depend on the
/// operating system.
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
