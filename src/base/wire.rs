//! The facts about connections that other clients may see. The reactor has them, and `CLIENT LIST` shows them.

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

/// Shows the buffers of all connections.
pub trait Wires {
    /// The connection in `slot`; empty buffers if there is none.
    fn wire(&self, slot: u32) -> Wire;
}

/// A transport that shows nothing of its connections.
pub struct NoWires;

impl Wires for NoWires {
    fn wire(&self, _: u32) -> Wire {
        Wire::default()
    }
}
