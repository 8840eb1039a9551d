//! The RESP protocol: requests in, replies out. Pure: bytes and numbers, no sockets, no commands.
//!
//! The server and any other transport (the async twins, the fuzz targets) share this room.

mod inline;
mod number;
mod reply;
mod request;

pub use number::parse_i64;
pub use reply::{Proto, Reply};
pub use request::{Args, Broken, Limits, Parser, Refusal, Step};
