//! Every limit and timeout, with its unit in its name and its reason beside it.
//!
//! This room owns the numbers; it knows neither sockets nor commands. What a user may set, and how
//! it is spelled, is the table in [`options`].

pub mod options;
mod values;

/// Addresses listened on at most; a connection remembers its listener in one byte.
pub const LISTENERS_MAX: usize = 255;
/// Events taken from the kernel at once.
pub const EVENTS_MAX: usize = 1024;
/// How often the kernel is asked for more events before deadlines are judged. It is enough for about 64,000
/// connections that became ready while the process was stopped, and it bounds the loop.
pub const POLLS_PER_WAIT_MAX: u32 = 64;
/// Longest single wait, seconds. Some kqueues refuse longer ones, and to wake up early does no harm.
pub const WAIT_MAX_S: u64 = 1_000_000;
/// Descriptors for everything but connections and listeners: the standard ones, the poll, the signals,
/// the log and its successor, a look at /proc, and a few that may have been open before the start.
pub const DESCRIPTORS_RESERVED: u64 = 14;
/// Interrupted calls in a row before a turn is given up; the connection stays ready.
pub const INTERRUPTS_MAX: u32 = 16;
/// Late input of a connection that is ending is read and dropped in pieces of this size, bytes. They lie on the
/// stack, because to let a client go must not need memory.
pub const SCRAP_BYTES: usize = 4096;
/// How often a drain says how many clients are left, milliseconds.
pub const DRAIN_PROGRESS_MS: u64 = 1_000;
/// Panics logged in a minute, each with its backtrace. The others are only counted.
pub const BACKTRACES_PER_MINUTE: u32 = 10;
/// A warning about HTTP on our port comes at most this often, seconds.
pub const CROSS_PROTOCOL_LOG_S: u64 = 60;
/// Longest log line, bytes. A pipe with any room takes this much at once (Linux's PIPE_BUF).
pub const LOG_LINE_MAX: usize = 4096;
/// Bytes reserved for a reply before its command runs. Every status, number and error text fits into them, so such
/// a reply cannot fail for lack of memory after the command has taken effect.
pub const REPLY_HEADROOM_BYTES: usize = 1024;
/// Of a command that is not known to take long, this many calls are timed at first.
pub const TIMED_CALLS: u64 = 64;
/// After them, one call in this many is timed.
pub const TIMED_EVERY: u64 = 1024;
/// A request with more arguments than this may take long, so it is timed.
pub const LONG_REQUEST_ARGS: usize = 64;
/// A request with more bytes than this may take long, so it is timed.
pub const LONG_REQUEST_BYTES: usize = 16 << 10;
/// Messages that may wait until the server delivers them. Only a transaction can come near it.
pub const PUSHES_PENDING_MAX: usize = 1 << 20;
/// Most fields that one `HRANDFIELD` picks with repetitions. They take about 70 ms.
pub const RANDOM_PICKS_MAX: usize = 1 << 17;
/// Bytes that `EXEC` reserves for the reply of each command before it runs the first one. An error about missing
/// memory fits into them.
pub const EXEC_REPLY_BYTES: usize = 256;
/// Longest `DEBUG SLEEP`, seconds.
pub const DEBUG_SLEEP_MAX_S: f64 = 60.0;
/// Longest name a client may give itself or its library. Every client pays for its own.
pub const LABEL_BYTES_MAX: usize = 256;
/// Distinct sets of such names that clients share. If there are more, a client keeps its own.
pub const SHARED_LABELS_MAX: usize = 64;
/// Longest glob pattern. To match one of that length takes a millisecond for a key of 64 KiB, within
/// one turn.
pub const PATTERN_BYTES_MAX: usize = 1024;
/// Most patterns of one `CONFIG GET`; a long pattern counts once for each 64 bytes it begins. They take about 100
/// microseconds.
pub const CONFIG_GET_PIECES_MAX: usize = 64;
/// A larger `COUNT` of `SCAN` counts as this many keys, which take about 100 microseconds. More calls reach the end
/// as well, and other clients are served between them.
pub const SCAN_COUNT_MAX: usize = 1_000;
/// A call of `SCAN` ends after the key with which it has spent this many steps. A step takes about a nanosecond.
pub const SCAN_STEPS_MAX: usize = 100_000;
/// Steps that a key of a `SCAN` takes at least.
pub const SCAN_STEPS_PER_KEY: usize = 50;

/// Cells of the table that `LCS` fills, at most: the product of the lengths of both strings. They take 16 MiB
/// and a few milliseconds, in which no other client is served.
pub const LCS_CELLS_MAX: usize = 1 << 22;

/// A parser with at most this much memory, bytes, is kept for the next request. It is room for 8,000 arguments.
pub const PARSER_KEPT_MAX: usize = 64 << 10;

/// What happens to a newcomer when `maxclients` are being served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtMaxclients {
    /// Accept it, say `-ERR max number of clients reached`, close. What Redis does.
    Reject,
    /// Leave it in the kernel's backlog until a client leaves.
    Wait,
}

/// Who may use the `DEBUG` command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DebugCommand {
    /// No client.
    No,
    /// Every client.
    Yes,
    /// Clients from a loopback address or a Unix domain socket.
    Local,
}

/// How much output a client may leave untaken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputLimit {
    /// A client with more than this is ended at once, bytes; 0 = no limit.
    pub hard_bytes: usize,
    /// A client with more than this for `soft_ms` is ended, bytes; 0 = no limit.
    pub soft_bytes: usize,
    /// How long a client may exceed `soft_bytes`, milliseconds; 0 = for ever.
    pub soft_ms: u64,
}

/// All settings of one server. [`Config::default`] is what the daemon starts with.
#[derive(Clone, Debug)]
pub struct Config {
    /// Addresses to listen on.
    pub bind: Vec<String>,
    /// TCP port; 0 lets the kernel pick one.
    pub port: u16,
    /// Path of a Unix domain socket to listen on as well; empty = none.
    pub unixsocket: String,
    /// Permissions of that socket's file; 0 = the umask decides.
    pub unixsocketperm: u32,
    /// Length of the kernel's queue of connections not yet accepted.
    pub tcp_backlog: u32,
    /// Seconds of silence before the kernel probes whether a peer still exists; 0 = never.
    pub tcp_keepalive_s: u32,

    /// Clients served at once.
    pub maxclients: u32,
    /// What `maxclients` can be raised to under the process's descriptor limit.
    pub maxclients_ceiling: u32,
    /// What happens to a newcomer when `maxclients` are being served.
    pub at_maxclients: AtMaxclients,

    /// A client silent in both directions for this long is closed; 0 = never.
    pub timeout_ms: u64,
    /// A request must be complete this long after its first byte; 0 = never.
    pub request_timeout_ms: u64,
    /// A client that takes none of its pending replies for this long is closed; 0 = never.
    pub write_timeout_ms: u64,
    /// How long a drain waits for clients to leave by themselves.
    pub shutdown_timeout_ms: u64,
    /// How long, after that, clients may take to read their last replies.
    pub shutdown_flush_timeout_ms: u64,

    /// Longest key, bytes. A command hashes and compares whole keys within one turn. At 64 KiB that takes tens of
    /// microseconds, and ordinary keys are much shorter.
    pub max_key_bytes: usize,
    /// Longest single argument of a request, a value included.
    pub proto_max_bulk_len: usize,
    /// Most arguments of a request.
    pub max_request_args: usize,
    /// Longest inline request.
    pub max_inline_bytes: usize,
    /// Longest request, framing included.
    pub max_request_bytes: usize,
    /// Most input held for one client.
    pub client_query_buffer_limit: usize,
    /// Longest reply of one command.
    pub max_reply_bytes: usize,
    /// Most buffer memory held for all clients together; 0 = no limit.
    pub maxmemory_clients: usize,
    /// What a subscriber may leave untaken of what others send it.
    pub pubsub_output_limit: OutputLimit,

    /// Least severe log line that is written.
    pub loglevel: log::LevelFilter,
    /// File to log to; empty = stderr.
    pub logfile: String,
    /// Who may use `DEBUG`.
    pub enable_debug_command: DebugCommand,

    /// Bounds that no option changes.
    pub bounds: Bounds,
}

/// Budgets of a tick and sizes of queues. They keep one client from making the others wait.
///
/// They are no options, because operators have no reason to change them. The simulator changes them.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// Bytes read from one connection in a turn.
    pub read_bytes_per_turn: usize,
    /// Commands run for one connection in a turn.
    pub commands_per_turn: u32,
    /// A turn ends after its commands have asked for this many things about other connections, mostly pushes. A
    /// single command may exceed it.
    pub asks_per_turn: usize,
    /// Connections that receive before the first of them is served. Each holds its input for that long. More than 64
    /// gain nothing.
    pub turns_together: usize,
    /// A connection that is owed this many bytes is flushed at the end of its turn. At the end of the tick its output
    /// would no longer be in the cache.
    pub flush_early_bytes: usize,
    /// Bytes written to one connection in a flush. A connection has two flushes in a tick at most.
    pub bytes_per_flush: usize,
    /// Connections accepted from one listener in a tick. Ten, as in Redis (`max-new-connections-per-cycle`): a flood of
    /// connections must not stall the clients that are served.
    pub accepts_per_tick: u32,
    /// A client with this many bytes of untaken replies is not served until it takes some.
    pub output_pause_bytes: usize,
    /// Size of a lent buffer. One read fills it with some 800 small requests, or with a pipeline of
    /// 16 that carry 1 KiB each; at half the size a SET of these cost 1.64 us instead of 1.19.
    pub lent_bytes: usize,
    /// Bytes of lent buffers kept for the next borrower.
    pub pool_spare_bytes_max: usize,
    /// Connections that are refused at `maxclients` and still read why. If there are more, a refusal is brief: one
    /// read, one write, and a close.
    pub refusals_max: usize,
    /// How long late input of a closed connection is discarded, so that no reset eats its last reply.
    pub linger_ms: u64,
    /// Pause before accepting again when descriptors ran out; a close ends it early.
    pub accept_retry_ms: u64,
    /// Expired keys that nobody asks for are removed at most this often.
    pub expire_interval_ms: u64,
    /// Expired keys removed in a tick.
    pub expiries_per_tick: usize,
    /// Steps of about 100 microseconds in which a tick frees discarded keyspaces and large hashes.
    pub reclaims_per_tick: usize,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            bind: vec!["127.0.0.1".to_owned()],
            port: 8080,
            unixsocket: String::new(),
            unixsocketperm: 0,
            tcp_backlog: 511,
            tcp_keepalive_s: 300,
            maxclients: 10_000,
            maxclients_ceiling: u32::MAX,
            at_maxclients: AtMaxclients::Reject,
            timeout_ms: 3_600_000,
            request_timeout_ms: 30_000,
            write_timeout_ms: 60_000,
            shutdown_timeout_ms: 10_000,
            shutdown_flush_timeout_ms: 1_000,
            max_key_bytes: 64 << 10,
            proto_max_bulk_len: 512 << 20,
            max_request_args: 1 << 20,
            max_inline_bytes: 64 << 10,
            max_request_bytes: 1 << 30,
            client_query_buffer_limit: 1 << 30,
            max_reply_bytes: 1 << 30,
            maxmemory_clients: 2 << 30,
            pubsub_output_limit: OutputLimit { hard_bytes: 32 << 20, soft_bytes: 8 << 20, soft_ms: 60_000 },
            loglevel: log::LevelFilter::Info,
            logfile: String::new(),
            enable_debug_command: DebugCommand::No,
            bounds: Bounds::default(),
        }
    }
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds {
            read_bytes_per_turn: 64 << 10,
            commands_per_turn: 1_000,
            asks_per_turn: 10_000,
            turns_together: 64,
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
            reclaims_per_tick: 8,
        }
    }
}

impl Config {
    /// Checks the relations between the options: a limit on a part must not exceed the limit on the whole, or an
    /// operator would raise it without effect.
    ///
    /// # Errors
    /// A text that names two options which contradict each other, and their values.
    pub fn check(&self) -> Result<(), String> {
        let key = ("max-key-bytes", self.max_key_bytes);
        let argument = ("proto-max-bulk-len", self.proto_max_bulk_len);
        let line = ("max-inline-bytes", self.max_inline_bytes);
        let request = ("max-request-bytes", self.max_request_bytes);
        for ((inner, less), (outer, more)) in [(key, argument), (argument, request), (line, request)] {
            if less > more {
                return Err(format!("{inner} ({less}) must not exceed {outer} ({more})"));
            }
        }
        Ok(())
    }

    /// Asserts the relations between the bounds, once, where a server is made.
    ///
    /// # Panics
    /// If a bound is zero or two contradict each other: that is a mistake in the program, since no
    /// option reaches them.
    pub fn assert_bounds(&self) {
        let b = &self.bounds;
        // With a budget of 0, work would be left over for ever.
        assert!(b.read_bytes_per_turn > 0 && b.commands_per_turn > 0 && b.asks_per_turn > 0);
        assert!(b.turns_together > 0 && b.flush_early_bytes > 0);
        assert!(b.bytes_per_flush > 0 && b.accepts_per_tick > 0);
        assert!(b.expiries_per_tick > 0 && b.reclaims_per_tick > 0);
        // A turn must be able to start from an empty output buffer.
        assert!(b.output_pause_bytes > 0);
        // A lent buffer must hold a small request.
        assert!(b.lent_bytes >= 64);
        // Without pauses these retries would be busy loops.
        assert!(b.accept_retry_ms > 0 && b.expire_interval_ms > 0);
    }
}
