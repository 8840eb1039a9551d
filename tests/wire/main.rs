//! The real binary, real sockets, real clients: every promise of the README by name.

mod adversity;
mod clients;
mod commands;
mod connections;
mod drain;
mod faults;
#[path = "../harness/mod.rs"]
mod harness;
mod logging;
mod origin;
mod panics;
mod readme;
mod sources;
