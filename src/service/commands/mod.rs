//! The commands, group by group. Each file knows what a command sees (`cx`) and nothing of how it came
//! to be run.

pub mod admin;
pub mod client;
pub mod clients;
pub mod connection;
pub mod hashes;
pub mod info;
pub mod introspect;
pub mod keys;
pub mod pubsub;
pub mod scan;
pub mod settings;
pub mod strings;
pub mod transactions;
