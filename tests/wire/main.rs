//! The real binary, real sockets, real clients: every promise of README.md and docs/ by name. What hostile
//! clients do is the list of `tests/hostile`.

mod adversity;
mod busy;
mod clients;
mod commands;
mod connections;
mod databases;
mod differ;
mod drain;
mod dump;
mod dump_streams;
mod events;
mod faults;
mod fields;
mod functions;
#[path = "../harness/mod.rs"]
mod harness;
mod hashes;
mod hyperloglogs;
mod keys;
mod limits;
mod logging;
mod long_values;
mod maxmemory;
mod memory;
mod operators;
mod origin;
mod pages;
mod panics;
mod pauses;
mod pubsub;
mod scripts;
mod settings;
mod sources;
mod stream_removals;
mod strings;
mod talks;
mod time;
mod tracking;
mod transactions;
mod types;
mod unixsocket;
mod waiting;
