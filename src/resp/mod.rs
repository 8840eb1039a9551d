//! The RESP protocol: requests in, replies out. Pure: bytes and numbers, no sockets, no commands.
//!
//! The server and any other transport (the async twins, the fuzz targets) share this room.

mod args;
mod inline;
mod number;
mod reply;
mod request;

pub use args::Args;
pub use number::parse_i64;
pub use reply::{Proto, Reply};
pub use request::{Broken, Limits, Parser, Refusal, Step};
