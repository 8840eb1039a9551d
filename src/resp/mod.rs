//! The RESP protocol: this room reads requests and writes replies. It works on bytes and numbers only; it
//! knows neither sockets nor commands.
//!
//! - [`Parser`] reads requests that may arrive in pieces. [`Batch`] reads whole requests, and faster.
//! - [`Args`] are the arguments of one request. [`Kept`] holds copies of requests.
//! - [`Reply`] writes replies, in the protocol version that the client has chosen.
//!
//! The daemon, the async twins under `benches/versus` and the fuzz targets all use this room.

mod args;
mod batch;
mod double;
mod kept;
mod line;
mod reply;
mod request;
mod step;

pub use crate::base::parse_i64;
pub use args::Args;
pub use batch::{Batch, sole_key};
pub use double::{
    DoubleText, exponent_len, format_f64, mantissa_len, parse_bound, parse_c_number, parse_f64,
};
pub use kept::Kept;
pub use reply::{Proto, Reply, null_array};
pub use request::Parser;
pub use step::{Broken, Limits, Refusal, Step};
