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
/// How often the kernel is asked for more of them before deadlines are judged: enough for some
/// 64,000 connections that all became ready while the process was stopped, and an end to it.
pub const POLLS_PER_WAIT_MAX: u32 = 64;
/// Longest single wait, seconds: some kqueues take longer ones for an error, and waking early does
/// no harm.
pub const WAIT_MAX_S: u64 = 1_000_000;
/// Descriptors for everything but connections and listeners: the standard ones, the poll, the signals,
/// the log and its successor, a look at /proc, and a few that may have been open before the start.
pub const DESCRIPTORS_RESERVED: u64 = 14;
/// Interrupted calls in a row before a turn is given up; the connection stays ready.
pub const INTERRUPTS_MAX: u32 = 16;
/// Late input of a connection that is ending is read and dropped in pieces of this size. On the
/// stack: to let somebody go must not need memory.
pub const SCRAP_BYTES: usize = 4096;
/// How often a drain says how many clients are left, milliseconds.
pub const DRAIN_PROGRESS_MS: u64 = 1_000;
/// Panics told in a minute, each with its backtrace; the others are only counted.
pub const BACKTRACES_PER_MINUTE: u32 = 10;
/// A warning about HTTP on our port comes at most this often, seconds.
pub const CROSS_PROTOCOL_LOG_S: u64 = 60;
/// Longest log line, bytes. A pipe with any room takes this much at once (Linux's PIPE_BUF).
pub const LOG_LINE_MAX: usize = 4096;
/// Room that is made for a reply before its command runs. Nothing that fits into it, as each status,
/// number and error text does, can fail for want of memory after the command has had its effect.
pub const REPLY_HEADROOM_BYTES: usize = 1024;
/// Of commands that are not known to take long, the first so many calls are timed.
pub const TIMED_CALLS: u64 = 64;
/// After them, one in so many.
pub const TIMED_EVERY: u64 = 1024;
/// A request with more arguments than this may take long, so it is timed.
pub const LONG_REQUEST_ARGS: usize = 64;
/// A request with more bytes than this may take long, so it is timed.
pub const LONG_REQUEST_BYTES: usize = 16 << 10;
/// Messages that commands may have published before the server delivers them. Only a transaction can come
/// near it.
pub const PUSHES_PENDING_MAX: usize = 1 << 20;
/// Fields that one `HRANDFIELD` picks with repetitions, at most: some 70 ms' worth.
pub const RANDOM_PICKS_MAX: usize = 1 << 17;
/// Room that `EXEC` makes for the reply of each command before it runs the first of them: enough to say
/// that there is no memory for more.
pub const EXEC_REPLY_BYTES: usize = 256;
/// Longest `DEBUG SLEEP`, seconds.
pub const DEBUG_SLEEP_MAX_S: f64 = 60.0;
/// Longest name a client may give itself or its library. Every client pays for its own.
pub const LABEL_BYTES_MAX: usize = 256;
/// Distinct sets of such names that are shared among clients; past it a client keeps its own.
pub const SHARED_LABELS_MAX: usize = 64;
/// Longest glob pattern. To match one of that length takes a millisecond for a key of 64 KiB, within
/// one turn.
pub const PATTERN_BYTES_MAX: usize = 1024;
/// Patterns of one `CONFIG GET`, in begun pieces of 64 bytes: some 100 microseconds' worth.
pub const CONFIG_GET_PIECES_MAX: usize = 64;
/// What a larger `COUNT` of `SCAN` is taken for: about 100 microseconds' worth of keys. More
/// calls reach the end just as well, and others are served between them.
pub const SCAN_COUNT_MAX: usize = 1_000;
/// A call of `SCAN` ends behind the key with which it has spent so many steps, of about a nanosecond.
pub const SCAN_STEPS_MAX: usize = 100_000;
/// Steps that any key of a `SCAN` takes, however short.
pub const SCAN_STEPS_PER_KEY: usize = 50;

/// Cells of the table that `LCS` fills, at most: the product of the lengths of both strings. They take 16 MiB
/// and a few milliseconds, in which no other client is served.
pub const LCS_CELLS_MAX: usize = 1 << 22;

/// Memory of a parser that is kept for the next request, bytes: 8,000 arguments. One that had more
/// to remember is made anew.
pub const PARSER_KEPT_MAX: usize = 64 << 10;

/// What happens to a newcomer when `maxclients` are being served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtMaxclients {
    /// Accept it, say `-ERR max number of clients reached`, close. What Redis does.
    Reject,
    /// Leave it in the kernel's backlog until somebody leaves.
    Wait,
}

/// Who may use the `DEBUG` command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DebugCommand {
    /// Nobody.
    No,
    /// Everybody.
    Yes,
    /// Clients from a loopback address.
    Local,
}

/// How much output a client may leave untaken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputLimit {
    /// More than this, bytes, ends it at once; 0 = no limit.
    pub hard_bytes: usize,
    /// More than this, bytes, ends it if it lasts; 0 = no limit.
    pub soft_bytes: usize,
    /// So long may it last, milliseconds; 0 = for ever.
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
    /// Permissions of its file; 0 = as the umask has it.
    pub unixsocketperm: u32,
    /// Length of the kernel's queue of connections not yet accepted.
    pub tcp_backlog: u32,
    /// Seconds of silence before the kernel probes whether a peer still exists; 0 = never.
    pub tcp_keepalive_s: u32,

    /// Clients served at once.
    pub maxclients: u32,
    /// What `maxclients` can be raised to under the process's descriptor limit.
    pub maxclients_ceiling: u32,
    /// What happens to the next one.
    pub at_maxclients: AtMaxclients,

    /// A client silent in both directions for this long is closed; 0 = never.
    pub timeout_ms: u64,
    /// A request must be complete this long after its first byte; 0 = never.
    pub request_timeout_ms: u64,
    /// A client that takes none of its pending replies for this long is closed; 0 = never.
    pub write_timeout_ms: u64,
    /// How long a drain waits for clients to leave by themselves.
    pub shutdown_timeout_ms: u64,
    /// How long, after that, the replies to what has arrived by then may take to leave.
    pub shutdown_flush_timeout_ms: u64,

    /// Longest key. Every command hashes and compares its keys whole and inside one turn; at 64 KiB
    /// that stays in the tens of microseconds, and no key in ordinary use comes near it.
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

    /// The bounds that are nobody's business but the reactor's.
    pub bounds: Bounds,
}

/// Budgets of a tick and sizes of queues: what keeps one client from making the others wait.
///
/// These are no options, because no operator has a reason to change them; the simulator does.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// Bytes read from one connection in a turn.
    pub read_bytes_per_turn: usize,
    /// Commands run for one connection in a turn.
    pub commands_per_turn: u32,
    /// What the commands of a turn may have asked of others before the turn ends: pushes, above all. A
    /// single command may exceed it.
    pub asks_per_turn: usize,
    /// Connections that receive before the first of them is served. Each holds what it has
    /// received for as long, and past 64 nothing more is gained.
    pub turns_together: usize,
    /// A connection that is owed so much is flushed at the end of its turn: what is left for the end of
    /// the tick is out of the cache by then.
    pub flush_early_bytes: usize,
    /// Bytes written to one connection in a flush, of which a tick has two at most.
    pub bytes_per_flush: usize,
    /// Connections accepted from one listener in a tick. Ten, as Redis has it
    /// (`max-new-connections-per-cycle`): a connect flood must not stall those in service.
    pub accepts_per_tick: u32,
    /// A client that owes us the reading of this many bytes is not served until it takes some.
    pub output_pause_bytes: usize,
    /// Size of a lent buffer. One read fills it with some 800 small requests, or with a pipeline of
    /// 16 that carry 1 KiB each; at half the size a SET of these cost 1.64 us instead of 1.19.
    pub lent_bytes: usize,
    /// Bytes of lent buffers kept for the next borrower.
    pub pool_spare_bytes_max: usize,
    /// Connections refused at the cap that are still being told so; past it a refusal is brief.
    pub refusals_max: usize,
    /// How long a closed connection's late input is discarded so that no reset eats its last reply.
    pub linger_ms: u64,
    /// Pause before accepting again when descriptors ran out; a close ends it early.
    pub accept_retry_ms: u64,
    /// Expired keys that nobody asks for are removed at most this often.
    pub expire_interval_ms: u64,
    /// Expired keys removed in a tick.
    pub expiries_per_tick: usize,
    /// Steps of some 100 microseconds in which a tick frees what `FLUSHALL` has discarded.
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
    /// Checks the relations between the options: no limit is above one that everything within it has
    /// to pass as well, or a user would raise it and wonder.
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
        // A budget of nothing would be leftover work for ever.
        assert!(b.read_bytes_per_turn > 0 && b.commands_per_turn > 0 && b.asks_per_turn > 0);
        assert!(b.turns_together > 0 && b.flush_early_bytes > 0);
        assert!(b.bytes_per_flush > 0 && b.accepts_per_tick > 0);
        assert!(b.expiries_per_tick > 0 && b.reclaims_per_tick > 0);
        // A turn must be able to start from an empty output buffer.
        assert!(b.output_pause_bytes > 0);
        // The pool exists so that small requests never allocate.
        assert!(b.lent_bytes >= 64);
        // Without pauses these retries would be busy loops.
        assert!(b.accept_retry_ms > 0 && b.expire_interval_ms > 0);
    }
}
