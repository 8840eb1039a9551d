//! What one client may learn of another's connection. The reactor has these facts, and `CLIENT LIST`
//! shows them.

/// The buffers of a connection, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wire {
    /// Input that has been received and not yet served.
    pub input: usize,
    /// Replies that have not yet been delivered.
    pub output: usize,
    /// Memory of both buffers.
    pub memory: usize,
}

/// All connections, to be looked at.
pub trait Wires {
    /// The connection in `slot`; empty buffers if there is none.
    fn wire(&self, slot: u32) -> Wire;
}

/// For a transport that shows nothing of its connections.
pub struct NoWires;

impl Wires for NoWires {
    fn wire(&self, _: u32) -> Wire {
        Wire::default()
    }
}
