//! The commands, group by group. A command works on what it sees (`cx`). It need not know whether a turn or
//! a transaction runs it.

pub mod admin;
pub mod bitfield;
pub mod bits;
pub mod client;
pub mod clients;
pub mod combine;
pub mod connection;
pub mod counters;
pub mod debug;
pub mod dump;
pub mod expiry;
pub mod getkeys;
pub mod hashes;
pub mod info;
pub mod introspect;
pub mod keys;
pub mod list_moves;
pub mod lists;
pub mod master;
pub mod monitor;
pub mod objects;
pub mod pubsub;
pub mod ranges;
pub mod scan;
pub mod sets;
pub mod settings;
pub mod slowlog;
pub mod strings;
pub mod tracking;
pub mod transactions;
