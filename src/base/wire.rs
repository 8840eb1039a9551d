//! The facts about connections that other clients may see. The reactor has them, and `CLIENT LIST` shows them.

/// The memory of one connection, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wire {
    /// Input that the server has received and not yet served.
    pub input: usize,
    /// Output that the client has not yet taken.
    pub output: usize,
    /// Memory held for the connection: both buffers, and what the service holds for the client.
    pub memory: usize,
}
