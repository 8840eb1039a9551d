//! The name of a connection.

use std::fmt;

/// Names one connection for as long as the process lives.
///
/// The slot says where the connection is. Another connection takes the slot after this one is reaped. The serial is
/// never used again, so an id that outlives its connection matches no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConnId {
    /// Index in the reactor's slab.
    pub slot: u32,
    /// Counts accepted connections from 1. It is what `CLIENT ID` answers.
    pub serial: u64,
}

impl fmt::Display for ConnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "id={}", self.serial)
    }
}
