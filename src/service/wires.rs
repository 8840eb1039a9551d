//! The other clients, as a command may see and hear them. The transport has the facts, and the server brings them here.

use super::world::World;
use crate::base::{ConnId, Wire};

/// What a command may ask of the transport.
pub trait Wires {
    /// The facts about the connection in `slot`; all zero if there is no connection. While the buffers of the client whose
    /// turn it is are lent, they look empty here.
    fn wire(&self, slot: u32) -> Wire;

    /// Hears what has happened since the turn of `me` began, because its script runs long. This is the only way from a
    /// command to the other clients. It hears signals, and if [`World::is_busy`] says so, it also answers the requests of
    /// others by [`World::serve_while_busy`]. It tells the world if the script must stop.
    fn hear(&mut self, me: ConnId, world: &mut World);
}

/// For a transport that does not show its connections: all facts are zero, and nothing is heard.
pub struct NoWires;

impl Wires for NoWires {
    fn wire(&self, _: u32) -> Wire {
        Wire::default()
    }

    fn hear(&mut self, _: ConnId, _: &mut World) {}
}
