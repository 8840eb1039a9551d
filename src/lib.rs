//! Tidegate: an in-memory key-value daemon that speaks RESP, in one thread, over a reactor.
//!
//! # One tick
//!
//! ```text
//! wait     until an edge, the nearest deadline, or not at all if work is left over
//! hear     stamp the time; edges become remembered readiness; a signal becomes a stage
//! turns    64 at a time: each receives, what they ask for is fetched together, then each has one visit: a
//!          fenced service turn, and what it pushed to others is delivered
//! flush    for each that is owed bytes: one write loop
//! sweep    condemn connections whose deadline has passed; remove expired keys; end a pause that is over
//! reap     free the condemned; nothing else frees
//! admit    accept, up to a budget, as far as there is room
//! settle   while draining: move on if no client is left, or if the deadline has passed
//! ```
//!
//! # The rooms
//!
//! In reading order: [`server`] has the tick, which is [`Server::tick`](server::Server::tick). [`reactor`] moves
//! bytes and knows time. [`service`] turns requests into replies, over [`resp`] (the protocol) and [`store`] (the
//! keyspace). [`config`] has every limit, [`stage`] the life of the server, [`fence`] the panic fence, [`stats`] the
//! counters, [`logging`] the log's sink, [`allocator`] how memory is given back, [`base`] the nouns that all of them
//! use.
//!
//! Who may import whom: `server` all of them; `reactor` only `base`, `config` and `stats`;
//! `service` only `resp`, `store`, `base`, `config` and `stats`; `store` and `resp` only `base`.
//! A test reads the sources and holds these arrows.

#![deny(unsafe_code)]
#![warn(missing_docs)]

pub mod allocator;
pub mod base;
pub mod config;
pub mod fence;
pub mod logging;
pub mod reactor;
pub mod resp;
pub mod server;
pub mod service;
pub mod stage;
pub mod stats;
pub mod store;
