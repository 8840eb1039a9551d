//! Tidegate: an in-memory key-value daemon that speaks RESP, in one thread, over a reactor.
//!
//! # One tick
//!
//! ```text
//! wait     block until an edge or the nearest deadline; do not block if work is left over
//! hear     stamp the time; edges become remembered readiness; a signal changes the stage
//! turns    64 connections at a time: all receive; the keys they ask for are fetched together; then each has one
//!          visit: a fenced service turn, after which its pushes to other connections are delivered
//! flush    run one write loop for each connection that is owed bytes
//! sweep    condemn connections whose deadline has passed; remove expired keys; end a pause that is over
//! reap     free the condemned connections; no other phase frees a slot
//! admit    accept newcomers, up to a budget; at `maxclients` refuse them or leave them in the backlog
//! settle   while the server stops: move the stage on if no connection is left or the deadline has passed
//! ```
//!
//! # The rooms
//!
//! In reading order:
//!
//! - [`server`] has the tick, which is [`Server::tick`](server::Server::tick).
//! - [`reactor`] moves bytes and knows time.
//! - [`service`] turns requests into replies. It uses [`resp`] (the protocol), [`store`] (the keyspace) and [`rdb`] (values
//!   as `DUMP` writes them and `RESTORE` reads them).
//! - [`config`] has every limit, and [`stats`] has the counters.
//! - [`stage`] says where the server is in its life.
//! - [`fence`] catches the panic of one client's turn.
//! - [`logging`] writes the log, and [`allocator`] makes glibc give memory back to the system. [`process`] goes to the
//!   background, writes the pid file and tells systemd.
//! - [`base`] has the small types that all rooms use.
//!
//! Imports go one way. `server` may import every room except `allocator`, `resp`, `store` and `rdb`. `service` may
//! import only `resp`, `store`, `rdb`, `base`, `config` and `stats`. `reactor` may import only `base`, `config` and
//! `stats`. `store`, `resp` and `rdb` may import only `base`. A test reads the sources and fails if a room imports
//! anything else.

#![deny(unsafe_code)]
#![warn(missing_docs)]

pub mod allocator;
pub mod base;
pub mod config;
pub mod fence;
pub mod logging;
pub mod process;
pub mod rdb;
pub mod reactor;
pub mod resp;
pub mod script;
pub mod server;
pub mod service;
pub mod stage;
pub mod stats;
pub mod store;
