//! The name of a connection.

use std::fmt;

/// Names one connection for as long as the process lives.
///
/// The slot says where it is and is used again after the connection is reaped; the serial is never
/// used again, so an id that outlives its connection matches nobody.
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
