//! Small types that every room may use. They import no other room.

pub mod buf;
mod clock;
pub mod fault;
mod id;
pub mod memory;
mod moment;
mod number;
pub mod output;
mod peer;
mod reason;
mod shared;
mod wire;
pub mod words;

pub use buf::Buf;
pub use clock::Clock;
pub use id::ConnId;
pub use memory::OutOfMemory;
pub use moment::{Moment, Now};
pub use number::parse_i64;
pub use output::Output;
pub use peer::{Address, Peer};
pub use reason::Reason;
pub use shared::{Owned, Shared, outliving_bytes};
pub use wire::Wire;
