//! The options that a user may set: name, default, help, and how each is read and shown.
//!
//! The command line, `CONFIG GET`, `CONFIG SET` and the table of docs/operate.md all come from [`OPTIONS`].
//! Where Redis has an option, the name is Redis's. The units of sizes and the error texts are Redis's too, where Redis
//! has them.

use super::choices::{
    AT_MAXCLIENTS, DEBUG_COMMAND, LOGLEVELS, YES_NO, parse_choice, set_output_limits, show_output_limits,
};
use super::encodings;
use super::maxmemory::{POLICIES, POLICY_NAMES};
use super::network;
use super::process::{self, text};
use super::scripts;
use super::values::{parse_bytes, parse_host_and_port, parse_ms, parse_number, parse_signed, show_ms};
use super::{Config, DATABASES_MAX, Events, MaxMemory, REPLY_HEADROOM_BYTES, SLOWLOG_LEN_MAX};

/// One option.
#[derive(Clone, Copy)]
pub struct Opt {
    /// The name, as written in `CONFIG` and after `--` on the command line.
    pub name: &'static str,
    /// The kind of value that it takes, for `--help`.
    pub value: &'static str,
    /// What it does, in one line. `--help` and docs/operate.md show it.
    pub help: &'static str,
    /// True if `CONFIG SET` can change it while clients are served.
    pub live: bool,
    /// Shows the present value, as `CONFIG GET` does.
    pub get: fn(&Config) -> String,
    /// Reads a value into the settings. The error says what is wrong with the value, in Redis's words where Redis has
    /// them.
    pub set: fn(&mut Config, &str) -> Result<(), String>,
}

impl Opt {
    /// The words that it takes, if it takes only certain words.
    pub fn choices(&self) -> impl Iterator<Item = &'static str> {
        let words = if self.name == "maxmemory-policy" { POLICY_NAMES } else { self.value };
        words.split('|').filter(|_| words.contains('|'))
    }

    /// The value as a file would have it. `CONFIG GET` shows the same, but for a part of the memory that there is.
    pub fn written(&self, config: &Config) -> String {
        match config.maxmemory.part {
            Some(part) if self.name == "maxmemory" => format!("{}%", part.percent),
            _ => (self.get)(config),
        }
    }

    /// True if its value may have several words.
    pub fn takes_words(&self) -> bool {
        matches!(self.name, "bind" | "client-output-buffer-limit")
    }
}

/// Finds an option by name, in any case.
pub fn find(name: &[u8]) -> Option<&'static Opt> {
    OPTIONS.iter().find(|opt| opt.name.as_bytes().eq_ignore_ascii_case(name))
}

/// Names and values of settings that are not options here. Clients and benchmarks ask for them, so `CONFIG GET` answers
/// with the values that describe this server.
pub const CONSTANTS: &[(&str, &str)] =
    &[("appendonly", "no"), ("replica-read-only", "yes"), ("save", ""), ("slave-read-only", "yes")];

pub(super) const SECONDS: &str = "seconds";
pub(super) const BYTES: &str = "bytes";
/// Largest limit on input, bytes. Offsets inside a request are kept in 32 bits.
const REQUEST_MAX: usize = u32::MAX as usize;

// The smallest values of limits. Even then an operator can connect and change a limit back by CONFIG SET.

/// Smallest `max-request-args`: a `CONFIG SET` of seven options fits.
const ARGS_MIN: usize = 16;
/// Smallest `proto-max-bulk-len`, bytes: the longest name of an option fits, and the longest word of `CLIENT KILL`.
const ARGUMENT_MIN: usize = 64;
/// Smallest `max-inline-bytes`: a `CONFIG SET` of one option fits.
const LINE_MIN: usize = 64;
/// Smallest limit on a request and on held input, bytes: a `CONFIG SET` of seven options fits.
const REQUEST_MIN: usize = 1 << 10;
/// Smallest `max-reply-bytes`: every status, every error and the `CONFIG GET` of one option fit.
const REPLY_MIN: usize = REPLY_HEADROOM_BYTES;
/// Smallest timeout that ends a client, milliseconds: ample time for a round trip.
const PATIENCE_MIN_MS: u64 = 100;

macro_rules! bytes {
    ($field:ident, $min:expr, $max:expr) => {
        (|c| c.$field.to_string(), |c, text| parse_bytes(text, $min, $max).map(|n| c.$field = n))
    };
}

macro_rules! duration {
    ($field:ident, $min_ms:expr) => {
        (|c| show_ms(c.$field), |c, text| parse_ms(text, $min_ms).map(|ms| c.$field = ms))
    };
}

macro_rules! number {
    ($field:ident, $min:expr, $max:expr) => {
        (
            |c| c.$field.to_string(),
            |c, text| parse_number(text, $min as u64, $max as u64).map(|n| c.$field = n as _),
        )
    };
}

/// Access to a field that has one of the values of a table.
macro_rules! choice {
    ($field:ident, $choices:ident) => {
        (
            |c| $crate::config::choices::choice_of(&$choices, c.$field),
            |c, text| $crate::config::choices::parse_choice(&$choices, text).map(|value| c.$field = value),
        )
    };
}

pub(super) use {bytes, choice, number};

pub(super) type Access = (fn(&Config) -> String, fn(&mut Config, &str) -> Result<(), String>);

pub(super) const fn live(name: &'static str, value: &'static str, access: Access, help: &'static str) -> Opt {
    Opt { name, value, help, live: true, get: access.0, set: access.1 }
}

pub(super) const fn at_start(
    name: &'static str,
    value: &'static str,
    access: Access,
    help: &'static str,
) -> Opt {
    Opt { name, value, help, live: false, get: access.0, set: access.1 }
}

/// Every option, in the order of `--help`.
pub const OPTIONS: &[Opt] = &joined::<{ FIRST.len() + SPECIAL.len() }>(FIRST, SPECIAL);

const FIRST: &[Opt] = &joined::<{ network::OPTIONS.len() + GENERAL.len() }>(network::OPTIONS, GENERAL);

/// The options that have files of their own.
const SPECIAL: &[Opt] = &joined::<{ PROCESS_AND_SCRIPTS.len() + encodings::OPTIONS.len() }>(
    PROCESS_AND_SCRIPTS,
    encodings::OPTIONS,
);
const PROCESS_AND_SCRIPTS: &[Opt] =
    &joined::<{ process::OPTIONS.len() + scripts::OPTIONS.len() }>(process::OPTIONS, scripts::OPTIONS);

/// Both lists, one behind the other.
const fn joined<const N: usize>(one: &[Opt], other: &[Opt]) -> [Opt; N] {
    let mut all = [one[0]; N];
    let mut at = 0;
    while at < N {
        all[at] = if at < one.len() { one[at] } else { other[at - one.len()] };
        at += 1;
    }
    all
}

const GENERAL: &[Opt] = &[
    live(
        "maxclients",
        "number",
        (
            |c| c.maxclients.to_string(),
            |c, text| {
                let wanted = parse_number(text, 1, u32::MAX as u64)? as u32;
                if wanted > c.maxclients_ceiling {
                    return Err(format!(
                        "The operating system is not able to handle the specified number of clients, try with {}",
                        c.maxclients_ceiling
                    ));
                }
                c.maxclients = wanted;
                Ok(())
            },
        ),
        "Clients served at once",
    ),
    live(
        "at-maxclients",
        "reject|wait",
        choice!(at_maxclients, AT_MAXCLIENTS),
        "What the server does with a client beyond maxclients: refuse it, or leave it in the backlog",
    ),
    live(
        "timeout",
        SECONDS,
        duration!(timeout_ms, PATIENCE_MIN_MS),
        "Close a client that is silent for this long; 0 = never",
    ),
    live(
        "request-timeout",
        SECONDS,
        duration!(request_timeout_ms, PATIENCE_MIN_MS),
        "Time in which a client must complete a request that it has begun; 0 = no limit",
    ),
    live(
        "write-timeout",
        SECONDS,
        duration!(write_timeout_ms, PATIENCE_MIN_MS),
        "Close a client that takes none of its replies for this long; 0 = never",
    ),
    live(
        "lame-duck-seconds",
        SECONDS,
        duration!(lame_duck_ms, 0),
        "How long newcomers are still let in after a request to stop",
    ),
    live(
        "shutdown-timeout",
        SECONDS,
        duration!(shutdown_timeout_ms, 0),
        "How long a shutdown waits for clients to leave",
    ),
    live(
        "shutdown-flush-timeout",
        SECONDS,
        duration!(shutdown_flush_timeout_ms, 0),
        "How long, after that, clients may take to read the last replies",
    ),
    live(
        "drain-announce-addr",
        "host:port",
        (
            |c| c.drain_announce_addr.clone(),
            |c, text| parse_host_and_port(text).map(|addr| c.drain_announce_addr = addr),
        ),
        "Where clients go that have asked to be told of the end; empty = they are told of no address",
    ),
    live("max-key-bytes", BYTES, bytes!(max_key_bytes, 1, REQUEST_MAX), "Longest key"),
    live(
        "proto-max-bulk-len",
        BYTES,
        bytes!(proto_max_bulk_len, ARGUMENT_MIN, REQUEST_MAX),
        "Longest single argument, a value included",
    ),
    live(
        "max-request-args",
        "number",
        number!(max_request_args, ARGS_MIN, i32::MAX),
        "Most arguments of a request",
    ),
    live(
        "max-inline-bytes",
        BYTES,
        bytes!(max_inline_bytes, LINE_MIN, REQUEST_MAX),
        "Longest inline request",
    ),
    live(
        "max-request-bytes",
        BYTES,
        bytes!(max_request_bytes, REQUEST_MIN, REQUEST_MAX),
        "Longest request, framing included",
    ),
    live(
        "client-query-buffer-limit",
        BYTES,
        bytes!(client_query_buffer_limit, REQUEST_MIN, REQUEST_MAX),
        "Most input held for one client",
    ),
    live(
        "max-reply-bytes",
        BYTES,
        bytes!(max_reply_bytes, REPLY_MIN, usize::MAX),
        "Longest reply of one command",
    ),
    live(
        "maxmemory-clients",
        BYTES,
        (
            |c| c.maxmemory_clients.to_string(),
            |c, text| {
                let bytes = parse_bytes(text, 0, usize::MAX)?;
                // A client needs this much while it sends a request and receives the reply.
                let least = 2 * c.bounds.lent_bytes;
                if bytes != 0 && bytes < least {
                    return Err(format!("argument must be 0 or at least {least}"));
                }
                c.maxmemory_clients = bytes;
                Ok(())
            },
        ),
        "Most buffer memory held for all clients together; 0 = no limit",
    ),
    live(
        "client-output-buffer-limit",
        "class hard soft seconds",
        (show_output_limits, |c, text| set_output_limits(c, text)),
        "Bytes of messages that a subscriber may leave untaken: hard limit, soft limit, seconds above the soft limit",
    ),
    live(
        "notify-keyspace-events",
        "letters",
        (
            |c| c.notify_keyspace_events.show(),
            |c, text| Events::parse(text).map(|events| c.notify_keyspace_events = events),
        ),
        "Events of keys that are published, by their letters as in Redis; empty = none",
    ),
    live(
        "slowlog-log-slower-than",
        "microseconds",
        (
            |c| c.slowlog_log_slower_than.to_string(),
            |c, text| parse_signed(text, -1).map(|us| c.slowlog_log_slower_than = us),
        ),
        "Commands that take so long or longer go to the slow log; -1 = none",
    ),
    live(
        "slowlog-max-len",
        "number",
        number!(slowlog_max_len, 0, SLOWLOG_LEN_MAX),
        "Most entries of the slow log",
    ),
    live(
        "latency-monitor-threshold",
        "milliseconds",
        number!(latency_monitor_threshold_ms, 0, u32::MAX),
        "Commands that take so long or longer are samples of LATENCY; 0 = none",
    ),
    live(
        "latency-tracking",
        "yes|no",
        choice!(latency_tracking, YES_NO),
        "Whether the time of every command is taken, and not only of samples",
    ),
    live(
        "maxmemory",
        "bytes or percent",
        (|c| c.maxmemory.show(), |c, text| MaxMemory::parse(text).map(|max| c.maxmemory = max)),
        "Most memory used, or the part of it that there is (75%); 0 = no limit",
    ),
    live(
        "maxmemory-policy",
        "policy",
        (
            |c| c.maxmemory_policy.name().to_owned(),
            |c, text| parse_choice(&POLICIES, text).map(|v| c.maxmemory_policy = v),
        ),
        "Which keys are evicted when maxmemory is used up, by Redis's names",
    ),
    live("maxmemory-samples", "number", number!(maxmemory_samples, 1, i32::MAX), "Accepted and not used"),
    live(
        "tracking-table-max-keys",
        "number",
        number!(tracking_table_max_keys, 0, usize::MAX),
        "Most keys remembered for clients that keep copies of them; 0 = no limit",
    ),
    at_start("databases", "number", number!(databases, 1, DATABASES_MAX), "Number of databases"),
    live(
        "loglevel",
        "debug|verbose|notice|warning",
        choice!(loglevel, LOGLEVELS),
        "Least severe line that is logged",
    ),
    at_start("logfile", "path", text!(logfile), "Where to log; empty = stderr"),
    at_start(
        "enable-debug-command",
        "no|yes|local",
        choice!(enable_debug_command, DEBUG_COMMAND),
        "Who may use DEBUG",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_a_value_its_own_option_accepts() {
        let defaults = Config::default();
        for opt in OPTIONS {
            let mut config = Config::default();
            let shown = (opt.get)(&defaults);
            (opt.set)(&mut config, &shown).unwrap_or_else(|why| panic!("{} {shown}: {why}", opt.name));
            assert_eq!((opt.get)(&config), shown, "{}", opt.name);
        }
    }

    /// Even with the smallest value of each limit, `CONFIG SET` can change the limit again.
    #[test]
    fn no_limit_can_be_so_small_that_config_set_does_not_get_through() {
        let names = OPTIONS.iter().filter(|opt| opt.live && opt.value == BYTES).map(|opt| opt.name);
        let words =
            ["CONFIG", "SET"].into_iter().chain(names.flat_map(|name| [name, "18446744073709551615"]));
        let words: Vec<&str> = words.take(ARGS_MIN).collect();
        assert!(words.iter().all(|word| word.len() <= ARGUMENT_MIN));
        let framed: usize = words.iter().map(|word| "$18\r\n\r\n".len() + word.len()).sum();
        assert!("*16\r\n".len() + framed <= REQUEST_MIN);
        let longest = OPTIONS.iter().map(|opt| opt.name.len()).max().unwrap();
        assert!("CONFIG SET  18446744073709551615\r".len() + longest <= LINE_MIN);
        for (name, least) in [
            ("max-request-args", ARGS_MIN),
            ("proto-max-bulk-len", ARGUMENT_MIN),
            ("max-inline-bytes", LINE_MIN),
            ("max-request-bytes", REQUEST_MIN),
            ("client-query-buffer-limit", REQUEST_MIN),
            ("max-reply-bytes", REPLY_MIN),
            ("maxmemory-clients", 2 * Config::default().bounds.lent_bytes),
        ] {
            let set = find(name.as_bytes()).unwrap().set;
            assert_eq!(set(&mut Config::default(), &least.to_string()), Ok(()), "{name}");
            assert!(set(&mut Config::default(), &(least - 1).to_string()).is_err(), "{name}");
        }
    }

    #[test]
    fn options_that_contradict_each_other_are_named() {
        for (name, value, expected) in [
            (
                "max-key-bytes",
                "600mb",
                "max-key-bytes (629145600) must not exceed proto-max-bulk-len (536870912)",
            ),
            (
                "proto-max-bulk-len",
                "2gb",
                "proto-max-bulk-len (2147483648) must not exceed max-request-bytes (1073741824)",
            ),
            (
                "max-inline-bytes",
                "2gb",
                "max-inline-bytes (2147483648) must not exceed max-request-bytes (1073741824)",
            ),
        ] {
            let mut config = Config::default();
            assert_eq!(config.check(), Ok(()));
            (find(name.as_bytes()).unwrap().set)(&mut config, value).unwrap();
            assert_eq!(config.check(), Err(expected.to_owned()));
        }
    }

    #[test]
    fn a_bad_value_leaves_the_old_one() {
        for opt in OPTIONS {
            let mut config = Config::default();
            let before = (opt.get)(&config);
            if (opt.set)(&mut config, "no such value!").is_err() {
                assert_eq!((opt.get)(&config), before, "{}", opt.name);
            }
        }
    }
}
