//! Every limit and timeout, with its unit in its name and its reason beside it.
//!
//! This room owns the numbers. It knows neither sockets nor commands. The table in [`options`] lists the settings that
//! a user may change, and how each is written.
//!
//! - `options` and the files that it joins: the table; `values` and `choices`: how values are read and shown
//! - `sources`: the command line (`arguments`) over the environment over a `file`; `foreign`: options of Redis that are
//!   none here; `names`: old names, and the one that may have been meant
//! - `reload` and `rewrite`: how a file is read again and written; `report`: what `--check` shows

pub mod arguments;
mod bounds;
mod choices;
mod encodings;
mod events;
pub mod file;
mod foreign;
mod maxmemory;
mod names;
mod network;
pub mod options;
mod process;
mod reload;
mod report;
pub mod rewrite;
mod scripts;
mod setting;
mod sources;
mod values;

pub use bounds::Bounds;
pub use choices::{AtMaxclients, DebugCommand};
pub use encodings::Encodings;
pub use events::{EventClass, Events};
pub use maxmemory::{EvictionPolicy, MaxMemory, Part, system_memory};
pub use process::Supervised;
pub use reload::Reload;
pub use report::report;
pub use setting::{Origin, Setting};
pub use sources::{Reading, Sources, environment};

/// Most listeners of a server. A connection remembers the number of its listener in one byte.
pub const LISTENERS_MAX: usize = 255;
/// Most events that one call takes from the kernel.
pub const EVENTS_MAX: usize = 1024;
/// How often one wait asks the kernel for events, at most. Deadlines are judged after the wait, so it must hear
/// everything that has arrived. This number is enough for about 64,000 connections that became ready while the process
/// was stopped, and it bounds the loop.
pub const POLLS_PER_WAIT_MAX: u32 = 64;
/// Longest single wait, seconds. Some kqueues refuse longer waits, and an early wake-up does no harm.
pub const WAIT_MAX_S: u64 = 1_000_000;
/// The version that clients are told. Commands and texts follow Redis 7.2, but redis-py uses client-side caching only from
/// 7.4 on.
pub const REDIS_VERSION: &str = "7.4.0";
/// Number of descriptors kept for everything but connections and listeners: standard input and output, stderr, the
/// poll, the signals, the log file and the one that replaces it, a look at /proc, the configuration file while it is read or
/// written, and a few that may have been open before the start.
pub const DESCRIPTORS_RESERVED: u64 = 14;
/// After this many interrupted calls in a row, the server stops trying for this turn. The connection stays ready.
pub const INTERRUPTS_MAX: u32 = 16;
/// Late input of a connection that is ending is read and dropped in pieces of this size, bytes. The buffer for them is
/// on the stack: a connection must be able to end when there is no memory.
pub const SCRAP_BYTES: usize = 4096;
/// How often the log says how many clients are left while the server stops, milliseconds.
pub const DRAIN_PROGRESS_MS: u64 = 1_000;
/// How often a drain looks at what is left, and parts with clients that are idle, milliseconds.
pub const DRAIN_LOOK_MS: u64 = 100;
/// Most connections that such a look asks whether they are idle, besides those that it closes.
pub const DRAIN_ASKED_MAX: usize = 1_000;
/// Most panics logged in a minute, each with its backtrace. Further panics are only counted.
pub const BACKTRACES_PER_MINUTE: u32 = 10;
/// Shortest time between two warnings that a client speaks HTTP, seconds.
pub const CROSS_PROTOCOL_LOG_S: u64 = 60;
/// Longest log line, bytes, the line end included. This is Linux's PIPE_BUF: a pipe that says it has room takes that
/// much in one write.
pub const LOG_LINE_MAX: usize = 4096;
/// Bytes reserved for a reply before its command runs. Every status, number and error text fits into them. So when a
/// command has taken effect, a reply of that kind cannot fail for lack of memory.
pub const REPLY_HEADROOM_BYTES: usize = 1024;
/// A command that needs the exact time takes the time that was read for another one in the same turn, if that was fewer commands ago
/// than this. Nearly all commands take a few microseconds, and after one that may take long the clocks are read again.
pub const CLOCK_COMMANDS: u64 = 16;
/// Number of calls of each command that are timed before sampling starts. Calls that may take long are always timed.
pub const TIMED_CALLS: u64 = 64;
/// After the first [`TIMED_CALLS`], one call in this many is timed. A power of two.
pub const TIMED_EVERY: u64 = 1024;
/// A request with more arguments than this may take long, so it is timed.
pub const LONG_REQUEST_ARGS: usize = 64;
/// A request with more bytes than this may take long, so it is timed.
pub const LONG_REQUEST_BYTES: usize = 16 << 10;
/// Most messages that may wait in the outbox until the server delivers them. Only a transaction can come near this
/// number.
pub const PUSHES_PENDING_MAX: usize = 1 << 20;
/// Most fields that one `HRANDFIELD` picks with repetitions. To pick that many takes about 70 ms.
pub const RANDOM_PICKS_MAX: usize = 1 << 17;
/// Bytes that `EXEC` reserves for the reply of each command before it runs the first one. They hold at least the error
/// that memory has run out.
pub const EXEC_REPLY_BYTES: usize = 256;
/// Longest `DEBUG SLEEP`, seconds.
pub const DEBUG_SLEEP_MAX_S: f64 = 60.0;
/// Longest name that a client may give itself or its library, bytes. Names take memory for each client.
pub const LABEL_BYTES_MAX: usize = 256;
/// Most distinct sets of these names that clients share. A client with a further set keeps a copy of its own.
pub const SHARED_LABELS_MAX: usize = 64;
/// Longest glob pattern, bytes. To match a pattern of that length against a key of 64 KiB takes a millisecond, and no
/// other client is served meanwhile.
pub const PATTERN_BYTES_MAX: usize = 1024;
/// Most patterns of one `CONFIG GET`. A long pattern counts as one for every 64 bytes. To match that many takes about
/// 100 microseconds.
pub const CONFIG_GET_PIECES_MAX: usize = 64;
/// A larger `COUNT` of `SCAN` counts as this many keys, which take about 100 microseconds. The client then needs more
/// calls to reach the end, but other clients are served between the calls.
pub const SCAN_COUNT_MAX: usize = 1_000;
/// A call of `SCAN` ends once it has spent this many steps. A step takes about a nanosecond.
pub const SCAN_STEPS_MAX: usize = 100_000;
/// Fewest steps that a `SCAN` spends on one key.
pub const SCAN_STEPS_PER_KEY: usize = 50;

/// Most cells of the table that `LCS` fills: one for each pair of bytes of the two strings. That many take 16 MiB and
/// up to 50 milliseconds, in which no other client is served.
pub const LCS_CELLS_MAX: usize = 1 << 22;

/// If `slowlog-log-slower-than` is less than this, microseconds, the time of every command is taken. Otherwise only of those
/// that may take long, and of samples.
pub const TIMED_ALL_BELOW_US: i64 = 5_000;
/// Most scripts that are kept although no `SCRIPT LOAD` has brought them. Then the one that was not used for the longest
/// time is forgotten. Redis 7.4 keeps as many.
pub const SCRIPTS_KEPT_MAX: usize = 500;
/// While a script runs, the server hears signals each time that this many milliseconds have passed, and the other clients
/// if it has run long.
pub const SCRIPT_HEARS_EVERY_MS: u64 = 5;
/// Most libraries of functions.
pub const LIBRARIES_MAX: usize = 1_000;
/// Longest time that a library may take to load, in milliseconds: that of Redis.
pub const LIBRARY_LOAD_LIMIT_MS: u64 = 500;
/// Most entries that the slow log may have.
pub const SLOWLOG_LEN_MAX: usize = 100_000;
/// Fewest keys that a sweep may remove in a tick, however many clients hear of each.
pub const EXPIRIES_TOLD_MIN: usize = 20;
/// Bytes above the limit that a tick may leave to its end. The evicted keys of a part of the table give their memory back
/// together, when the part is packed: it has about as many bytes.
pub const EVICTION_DELAYED_BYTES: usize = 64 << 10;
/// Most keys that are evicted before one command if the tick has added more than that, besides one for each
/// [`EVICTED_BYTES_MIN`] of its request.
pub const EVICTIONS_PER_COMMAND: usize = 16;
/// If the memory is above the limit by more than this part of it (an eighth), or if as much waits to be freed, a command that
/// adds to it first evicts up to [`EVICTIONS_WHEN_FAR`] keys, and frees what is more.
pub const EXCESS_PART_MAX: usize = 8;
/// Most keys that are evicted before one command then. They take some milliseconds.
pub const EVICTIONS_WHEN_FAR: usize = 5_000;
/// Each key that is evicted gives back at least about this many bytes.
pub const EVICTED_BYTES_MIN: usize = 64;
/// Most keys that are evicted in a tick beyond what commands need for themselves. They take about a millisecond.
pub const EVICTIONS_PER_TICK: usize = 500;
/// Shortest time between two looks at the resident memory, milliseconds. A look takes some ten microseconds.
pub const RESIDENT_LOOK_PAUSE_MS: u64 = 100;
/// What the allocator wastes counts up to this part of `maxmemory`: an eighth. Evicting keys does not always help against
/// waste, so waste must not evict all keys.
pub const WASTE_PART_MAX: usize = 8;

/// Most that `databases` can be. A database that was once used keeps about 7 KB, even if it is empty.
pub const DATABASES_MAX: u16 = 256;
/// Most prefixes that one client may track.
pub const TRACKED_PREFIXES_MAX: usize = 256;
/// Most tracked keys that are forgotten in one go. They take about half a millisecond.
pub const TRACKED_FORGOTTEN_MAX: usize = 2_000;

/// A parser with at most this much memory, bytes, is kept for the next request. That is room for 8,000 arguments.
pub const PARSER_KEPT_MAX: usize = 64 << 10;

/// How much output a client may leave untaken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputLimit {
    /// Hard limit, bytes; 0 = no limit. The server ends a client with more output than this at once.
    pub hard_bytes: usize,
    /// Soft limit, bytes; 0 = no limit. The server ends a client that has more output than this for `soft_ms`.
    pub soft_bytes: usize,
    /// How long a client may exceed `soft_bytes`, milliseconds; 0 = for ever.
    pub soft_ms: u64,
}

impl OutputLimit {
    /// No limit at all.
    pub const NONE: OutputLimit = OutputLimit { hard_bytes: 0, soft_bytes: 0, soft_ms: 0 };
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
    /// Permissions of that socket's file, as for chmod(2); 0 = the umask decides.
    pub unixsocketperm: u32,
    /// Length of the kernel's queue of connections not yet accepted.
    pub tcp_backlog: u32,
    /// Seconds of silence before the kernel probes whether a peer still exists; 0 = never.
    pub tcp_keepalive_s: u32,

    /// Most clients served at once.
    pub maxclients: u32,
    /// Most that `maxclients` can be set to. The process's limit on open descriptors allows no more.
    pub maxclients_ceiling: u32,
    /// What happens to a newcomer when `maxclients` are being served.
    pub at_maxclients: AtMaxclients,

    /// The server closes a client when no byte has moved in either direction for this long, milliseconds; 0 = never.
    pub timeout_ms: u64,
    /// How long a client may take to complete a request after its first bytes have arrived, milliseconds; 0 = no limit.
    pub request_timeout_ms: u64,
    /// The server closes a client that takes none of its pending replies for this long, milliseconds; 0 = never.
    pub write_timeout_ms: u64,
    /// How long the server still lets newcomers in after it has been told to stop, milliseconds.
    pub lame_duck_ms: u64,
    /// How long a drain waits for clients to leave by themselves, milliseconds.
    pub shutdown_timeout_ms: u64,
    /// How long, after that, clients may take to read their last replies, milliseconds.
    pub shutdown_flush_timeout_ms: u64,
    /// The address to which clients are sent that have asked to be told of the end; empty = none.
    pub drain_announce_addr: String,

    /// Longest key, bytes. A command hashes and compares whole keys within one turn. At 64 KiB that takes tens of
    /// microseconds, and ordinary keys are much shorter.
    pub max_key_bytes: usize,
    /// Longest single argument of a request, bytes. A value is an argument too.
    pub proto_max_bulk_len: usize,
    /// Most arguments of a request.
    pub max_request_args: usize,
    /// Longest inline request, bytes.
    pub max_inline_bytes: usize,
    /// Longest request, bytes, framing included.
    pub max_request_bytes: usize,
    /// Most input held for one client, bytes.
    pub client_query_buffer_limit: usize,
    /// Longest reply of one command, bytes.
    pub max_reply_bytes: usize,
    /// Most memory held for all clients together, bytes; 0 = no limit.
    pub maxmemory_clients: usize,
    /// How much output a subscriber may leave untaken. Most of it is messages from other clients.
    pub pubsub_output_limit: OutputLimit,

    /// Which events of keys are published.
    pub notify_keyspace_events: Events,
    /// Commands that take this many microseconds or more go to the slow log; negative = none.
    pub slowlog_log_slower_than: i64,
    /// Most entries of the slow log.
    pub slowlog_max_len: usize,
    /// A script that runs for this many milliseconds is stopped and undone; 0 = no limit.
    pub script_time_limit_ms: u64,
    /// A script that runs longer than this many milliseconds makes others read `BUSY`; 0 = never.
    pub busy_reply_threshold_ms: u64,
    /// A script that needs more bytes than this is stopped and undone: for its values, and for what it takes to undo it.
    pub script_memory_limit: usize,
    /// Commands that take this many milliseconds or more are samples of `LATENCY`; 0 = none.
    pub latency_monitor_threshold_ms: u64,
    /// True if the time of every command is taken, for `LATENCY HISTOGRAM`.
    pub latency_tracking: bool,
    /// Most memory that the server uses.
    pub maxmemory: MaxMemory,
    /// Which keys are evicted when that is used up.
    pub maxmemory_policy: EvictionPolicy,
    /// Accepted and not used: the server looks at all keys of a bucket.
    pub maxmemory_samples: u32,
    /// Most keys that the server remembers for clients that keep copies of them; 0 = no limit.
    pub tracking_table_max_keys: usize,
    /// How values are encoded, and what `OBJECT ENCODING` says of it.
    pub encodings: Encodings,
    /// Number of databases.
    pub databases: u16,

    /// Least severe log line that is written.
    pub loglevel: log::LevelFilter,
    /// File to log to; empty = stderr.
    pub logfile: String,
    /// Who may use `DEBUG`.
    pub enable_debug_command: DebugCommand,

    /// True if the server must not listen on an address that other hosts can reach.
    pub protected_mode: bool,
    /// True if the server goes to the background.
    pub daemonize: bool,
    /// Who is told that the server is ready.
    pub supervised: Supervised,
    /// File to write the number of the process to; empty = none.
    pub pidfile: String,
    /// Working directory.
    pub dir: String,

    /// Bounds that no option changes.
    pub bounds: Bounds,
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
            lame_duck_ms: 0,
            shutdown_timeout_ms: 10_000,
            shutdown_flush_timeout_ms: 1_000,
            drain_announce_addr: String::new(),
            max_key_bytes: 64 << 10,
            proto_max_bulk_len: 512 << 20,
            max_request_args: 1 << 20,
            max_inline_bytes: 64 << 10,
            max_request_bytes: 1 << 30,
            client_query_buffer_limit: 1 << 30,
            max_reply_bytes: 1 << 30,
            maxmemory_clients: 2 << 30,
            pubsub_output_limit: OutputLimit { hard_bytes: 32 << 20, soft_bytes: 8 << 20, soft_ms: 60_000 },
            notify_keyspace_events: Events::default(),
            slowlog_log_slower_than: 10_000,
            slowlog_max_len: 128,
            script_time_limit_ms: 5_000,
            busy_reply_threshold_ms: 5_000,
            script_memory_limit: 64 << 20,
            latency_monitor_threshold_ms: 0,
            latency_tracking: false,
            maxmemory: MaxMemory::default(),
            maxmemory_policy: EvictionPolicy::NoEviction,
            maxmemory_samples: 5,
            tracking_table_max_keys: 1_000_000,
            encodings: Encodings::default(),
            databases: 16,
            loglevel: log::LevelFilter::Info,
            logfile: String::new(),
            enable_debug_command: DebugCommand::No,
            protected_mode: false,
            daemonize: false,
            supervised: Supervised::No,
            pidfile: String::new(),
            dir: "./".to_owned(),
            bounds: Bounds::default(),
        }
    }
}

impl Config {
    /// Checks the relations between the options. A limit on a part must not exceed the limit on the whole: an operator
    /// could raise it, and nothing would change.
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
        self.check_process()
    }

    /// Asserts that the bounds make sense. The server calls it once, when it is made.
    ///
    /// # Panics
    /// If a bound that must be positive is zero, or a lent buffer is smaller than 64 bytes. That is a mistake in the
    /// program, because no option changes the bounds.
    pub fn assert_bounds(&self) {
        let b = &self.bounds;
        // With a budget of 0, work would be left over for ever.
        assert!(b.read_bytes_per_turn > 0 && b.commands_per_turn > 0 && b.asks_per_turn > 0);
        assert!(b.turns_together > 0 && b.bytes_together > 0 && b.flush_early_bytes > 0);
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
