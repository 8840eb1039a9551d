//! The budgets and sizes that no user sets. Tests and the simulator set them, so that their edges are reached often.

/// Budgets of a tick and sizes of queues. They keep one client from making the others wait.
///
/// They are not options, because operators have no reason to change them. The simulator changes them.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// Most bytes read from one connection in a turn: so many that a request with a value of 64 KiB is whole after one turn. With
    /// 64 KiB it took two, and a `SET` of that length cost 3 % more.
    pub read_bytes_per_turn: usize,
    /// If a turn has at least this many bytes of input, a value that fills nearly all of the input buffer stays there: the
    /// store keeps the memory of the buffer and copies nothing. A reply does not copy a string of this length either.
    pub kept_bytes_min: usize,
    /// Most commands run for one connection in a turn.
    pub commands_per_turn: u32,
    /// A turn ends when its commands have put this many asks into the outbox. Most asks are pushes. A single command
    /// may exceed the number.
    pub asks_per_turn: usize,
    /// Most connections that receive before the first of them is served. Each of them holds its input until it is
    /// served. More than 64 gain nothing.
    pub turns_together: usize,
    /// When connections have received so many bytes together, they are served before the next one receives: what they have
    /// received should still be in the processor's cache.
    pub bytes_together: u64,
    /// A connection that is owed this many bytes is flushed at the end of its turn already. In the flush phase its
    /// output would no longer be in the processor's cache.
    pub flush_early_bytes: usize,
    /// Most bytes written to one connection in a flush. A connection has two flushes in a tick at most.
    pub bytes_per_flush: usize,
    /// Most connections accepted from one listener in a tick. Ten, as in Redis (`max-new-connections-per-cycle`): a
    /// flood of connections must not stall the clients that are served.
    pub accepts_per_tick: u32,
    /// A client with this many bytes of untaken replies is not served until it takes some.
    pub output_pause_bytes: usize,
    /// Size of a lent buffer, bytes. One read fills it with some 800 small requests, or with a pipeline of 16 requests
    /// that carry 1 KiB each. At half the size, a SET of such a pipeline cost 1.64 us instead of 1.19.
    pub lent_bytes: usize,
    /// Most bytes of spare buffers that the pool keeps for the next connections.
    pub pool_spare_bytes_max: usize,
    /// Most connections that are refused at `maxclients` and linger until their clients have read why. Beyond that
    /// number a refusal is brief: one read, one write, and a close.
    pub refusals_max: usize,
    /// How long a connection lingers, milliseconds: its late input is discarded, because a reset could eat its last
    /// reply.
    pub linger_ms: u64,
    /// How long the server waits before it accepts again after descriptors ran out, milliseconds. The close of a
    /// connection ends the wait early.
    pub accept_retry_ms: u64,
    /// Shortest time between two sweeps of expired keys, milliseconds. A sweep that used its whole budget is followed
    /// by another one at once.
    pub expire_interval_ms: u64,
    /// Most expired keys that a sweep removes in a tick; a look at the keys of a segment counts as 16.
    pub expiries_per_tick: usize,
    /// Most steps in which a tick frees discarded keyspaces and large values. A step gives up to a mebibyte back to the system,
    /// which takes from 100 microseconds to more than 300 on a busy virtual machine. With 8 steps, one tick in a hundred took 2
    /// milliseconds there.
    pub reclaims_per_tick: usize,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds {
            read_bytes_per_turn: 80 << 10,
            kept_bytes_min: 64 << 10,
            commands_per_turn: 1_000,
            asks_per_turn: 10_000,
            turns_together: 64,
            bytes_together: 256 << 10,
            flush_early_bytes: 16 << 10,
            bytes_per_flush: 256 << 10,
            accepts_per_tick: 10,
            output_pause_bytes: 1 << 20,
            lent_bytes: 32 << 10,
            pool_spare_bytes_max: 8 << 20,
            refusals_max: 64,
            linger_ms: 1_000,
            accept_retry_ms: 50,
            expire_interval_ms: 100,
            expiries_per_tick: 1_000,
            reclaims_per_tick: 3,
        }
    }
}
