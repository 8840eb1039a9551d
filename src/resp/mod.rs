//! The RESP protocol: requests in, replies out. Pure: bytes and numbers, no sockets, no commands.
//!
//! The server and any other transport (the async twins, the fuzz targets) share this room.

mod args;
mod batch;
mod inline;
mod kept;
mod line;
mod number;
mod reply;
mod request;
mod step;

pub use args::Args;
pub use batch::{Batch, sole_key};
pub use kept::Kept;
pub use number::parse_i64;
pub use reply::{Proto, Reply};
pub use request::Parser;
pub use step::{Broken, Limits, Refusal, Step};
