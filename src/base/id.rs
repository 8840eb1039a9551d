//! The name of a connection.

use std::fmt;

/// Names one connection for as long as the process lives.
///
/// The slot says where the connection is. After the connection is reaped, another connection may take the slot. The
/// serial number is never used again, so an id that outlives its connection matches no other connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConnId {
    /// Index in the reactor's slab.
    pub slot: u32,
    /// Serial number of the connection, counted from 1. `CLIENT ID` answers with it.
    pub serial: u64,
}

impl fmt::Display for ConnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "id={}", self.serial)
    }
}
