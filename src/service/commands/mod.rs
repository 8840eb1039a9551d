//! The commands, group by group. Each file knows what a command sees (`cx`) and nothing of how it came
//! to be run.

pub mod admin;
pub mod client;
pub mod connection;
pub mod info;
pub mod introspect;
pub mod keys;
pub mod scan;
pub mod settings;
pub mod strings;
