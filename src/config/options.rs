//! The options a user may set: name, default, help, and how each is read and shown.
//!
//! The command line, `CONFIG GET`, `CONFIG SET` and the README's table all come from [`OPTIONS`].
//! Names are Redis's where Redis has the option; sizes and error texts are Redis's too.

use super::{AtMaxclients, Config, DebugCommand};

/// One option.
pub struct Opt {
    /// As written on the command line (after `--`) and in `CONFIG`.
    pub name: &'static str,
    /// What kind of value it takes, for `--help`.
    pub value: &'static str,
    /// One line for `--help` and the README.
    pub help: &'static str,
    /// True if `CONFIG SET` can change it while clients are served.
    pub live: bool,
    /// The present value, as `CONFIG GET` shows it.
    pub get: fn(&Config) -> String,
    /// Reads a value, or says in Redis's words why it cannot.
    pub set: fn(&mut Config, &str) -> Result<(), String>,
}

/// Finds an option by name, in any case.
pub fn find(name: &[u8]) -> Option<&'static Opt> {
    OPTIONS.iter().find(|opt| opt.name.as_bytes().eq_ignore_ascii_case(name))
}

/// Settings that do not exist here but that clients and benchmarks ask for, with the values that
/// describe what this server does.
pub const CONSTANTS: &[(&str, &str)] = &[
    ("appendonly", "no"),
    ("databases", "1"),
    ("maxmemory", "0"),
    ("maxmemory-policy", "noeviction"),
    ("replica-read-only", "yes"),
    ("save", ""),
    ("slave-read-only", "yes"),
];

const SECONDS: &str = "seconds";
const BYTES: &str = "bytes";
/// Offsets inside a request are kept in 32 bits.
const REQUEST_MAX: usize = u32::MAX as usize;

macro_rules! bytes {
    ($field:ident, $min:expr, $max:expr) => {
        (|c| c.$field.to_string(), |c, text| parse_bytes(text, $min, $max).map(|n| c.$field = n))
    };
}

macro_rules! duration {
    ($field:ident) => {
        (|c| show_ms(c.$field), |c, text| parse_ms(text).map(|ms| c.$field = ms))
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

type Access = (fn(&Config) -> String, fn(&mut Config, &str) -> Result<(), String>);

const fn live(name: &'static str, value: &'static str, access: Access, help: &'static str) -> Opt {
    Opt { name, value, help, live: true, get: access.0, set: access.1 }
}

const fn at_start(name: &'static str, value: &'static str, access: Access, help: &'static str) -> Opt {
    Opt { name, value, help, live: false, get: access.0, set: access.1 }
}

/// Every option, in the order of `--help`.
pub const OPTIONS: &[Opt] = &[
    at_start(
        "bind",
        "addresses",
        (
            |c| c.bind.join(" "),
            |c, text| {
                c.bind = text.split_whitespace().map(str::to_owned).collect();
                if c.bind.is_empty() { Err("at least one address is needed".into()) } else { Ok(()) }
            },
        ),
        "Addresses to listen on, IPv4 or IPv6",
    ),
    at_start("port", "number", number!(port, 0, u16::MAX), "TCP port; 0 picks a free one"),
    at_start(
        "tcp-backlog",
        "number",
        number!(tcp_backlog, 1, i32::MAX),
        "Connections the kernel queues until they are accepted",
    ),
    at_start(
        "tcp-keepalive",
        SECONDS,
        number!(tcp_keepalive_s, 0, 32767),
        "Silence before the kernel probes a peer; 0 = never",
    ),
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
        (
            |c| choice_of(&AT_MAXCLIENTS, c.at_maxclients),
            |c, text| parse_choice(&AT_MAXCLIENTS, text).map(|v| c.at_maxclients = v),
        ),
        "Past that: refuse with an error, or leave in the backlog",
    ),
    live("timeout", SECONDS, duration!(timeout_ms), "Close a client silent for this long; 0 = never"),
    live(
        "request-timeout",
        SECONDS,
        duration!(request_timeout_ms),
        "A request begun must be complete within this; 0 = never",
    ),
    live(
        "write-timeout",
        SECONDS,
        duration!(write_timeout_ms),
        "Close a client that takes none of its replies for this long; 0 = never",
    ),
    live(
        "shutdown-timeout",
        SECONDS,
        duration!(shutdown_timeout_ms),
        "How long a shutdown waits for clients to leave",
    ),
    live(
        "shutdown-flush-timeout",
        SECONDS,
        duration!(shutdown_flush_timeout_ms),
        "How long, after that, clients may take to read the last replies",
    ),
    live("max-key-bytes", BYTES, bytes!(max_key_bytes, 1, REQUEST_MAX), "Longest key"),
    live(
        "proto-max-bulk-len",
        BYTES,
        bytes!(proto_max_bulk_len, 1, REQUEST_MAX),
        "Longest single argument, a value included",
    ),
    live("max-request-args", "number", number!(max_request_args, 1, i32::MAX), "Most arguments of a request"),
    live("max-inline-bytes", BYTES, bytes!(max_inline_bytes, 64, REQUEST_MAX), "Longest inline request"),
    live(
        "max-request-bytes",
        BYTES,
        bytes!(max_request_bytes, 64, REQUEST_MAX),
        "Longest request, framing included",
    ),
    live(
        "client-query-buffer-limit",
        BYTES,
        bytes!(client_query_buffer_limit, 64, REQUEST_MAX),
        "Most input held for one client",
    ),
    live("max-reply-bytes", BYTES, bytes!(max_reply_bytes, 64, usize::MAX), "Longest reply of one command"),
    live(
        "maxmemory-clients",
        BYTES,
        bytes!(maxmemory_clients, 0, usize::MAX),
        "Most buffer memory held for all clients together; 0 = no limit",
    ),
    live(
        "loglevel",
        "debug|verbose|notice|warning",
        (
            |c| choice_of(&LOGLEVELS, c.loglevel),
            |c, text| parse_choice(&LOGLEVELS, text).map(|v| c.loglevel = v),
        ),
        "Least severe line that is logged",
    ),
    at_start(
        "logfile",
        "path",
        (
            |c| c.logfile.clone(),
            |c, text| {
                c.logfile = text.to_owned();
                Ok(())
            },
        ),
        "Where to log; empty = stderr",
    ),
    at_start(
        "enable-debug-command",
        "no|yes|local",
        (
            |c| choice_of(&DEBUG_COMMAND, c.enable_debug_command),
            |c, text| parse_choice(&DEBUG_COMMAND, text).map(|v| c.enable_debug_command = v),
        ),
        "Who may use DEBUG",
    ),
];

const AT_MAXCLIENTS: [(&str, AtMaxclients); 2] =
    [("reject", AtMaxclients::Reject), ("wait", AtMaxclients::Wait)];

const DEBUG_COMMAND: [(&str, DebugCommand); 3] =
    [("no", DebugCommand::No), ("yes", DebugCommand::Yes), ("local", DebugCommand::Local)];

/// Redis's four names. Clients' comings and goings are told at `verbose`, as there, and at `debug`.
const LOGLEVELS: [(&str, log::LevelFilter); 4] = [
    ("debug", log::LevelFilter::Trace),
    ("verbose", log::LevelFilter::Debug),
    ("notice", log::LevelFilter::Info),
    ("warning", log::LevelFilter::Warn),
];

fn choice_of<T: PartialEq>(choices: &[(&str, T)], value: T) -> String {
    choices.iter().find(|(_, v)| *v == value).map(|(name, _)| (*name).to_owned()).unwrap_or_default()
}

fn parse_choice<T: Copy>(choices: &[(&str, T)], text: &str) -> Result<T, String> {
    choices.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, v)| *v).ok_or_else(|| {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        format!("argument(s) must be one of the following: {}", names.join(", "))
    })
}

fn parse_number(text: &str, min: u64, max: u64) -> Result<u64, String> {
    let number: i128 = text.parse().map_err(|_| "argument couldn't be parsed into an integer".to_owned())?;
    between(number, min, max)
}

fn between(number: i128, min: u64, max: u64) -> Result<u64, String> {
    match u64::try_from(number) {
        Ok(n) if (min..=max).contains(&n) => Ok(n),
        _ => Err(format!("argument must be between {min} and {max} inclusive")),
    }
}

/// Redis's memory units: `k` is a thousand, `kb` 1,024, and so on; a plain number is bytes.
fn parse_bytes(text: &str, min: usize, max: usize) -> Result<usize, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let unit: i128 = match text[digits..].to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" => 1_000,
        "kb" => 1 << 10,
        "m" => 1_000_000,
        "mb" => 1 << 20,
        "g" => 1_000_000_000,
        "gb" => 1 << 30,
        _ => return Err("argument must be a memory value".into()),
    };
    let number: i128 = text[..digits].parse().map_err(|_| "argument must be a memory value".to_owned())?;
    let bytes = number.checked_mul(unit).ok_or_else(|| "argument must be a memory value".to_owned())?;
    between(bytes, min as u64, max as u64).map(|n| n as usize)
}

/// The longest time-out: Redis's 2^31-1 seconds.
const TIMEOUT_MAX_S: u64 = i32::MAX as u64;

/// A plain number is seconds, as in Redis; `250ms`, `90s` or `5m` are understood too.
fn parse_ms(text: &str) -> Result<u64, String> {
    if let Ok(seconds) = text.parse::<i128>() {
        return between(seconds, 0, TIMEOUT_MAX_S).map(|s| s * 1_000);
    }
    let duration = humantime::parse_duration(text)
        .map_err(|_| "argument couldn't be parsed into an integer".to_owned())?;
    between(duration.as_millis() as i128, 0, TIMEOUT_MAX_S * 1_000)
}

fn show_ms(ms: u64) -> String {
    if ms.is_multiple_of(1_000) { (ms / 1_000).to_string() } else { format!("{ms}ms") }
}

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

    #[test]
    fn sizes_have_the_units_of_redis() {
        for (text, bytes) in [("7", 7), ("2k", 2_000), ("2kb", 2_048), ("1Mb", 1 << 20), ("3GB", 3 << 30)] {
            assert_eq!(parse_bytes(text, 0, usize::MAX), Ok(bytes), "{text}");
        }
        for bad in ["", "mb", "-1", "1tb", "1.5mb", "99999999999999999999999999999999999999999gb"] {
            assert!(parse_bytes(bad, 0, usize::MAX).is_err(), "{bad}");
        }
    }

    #[test]
    fn durations_are_seconds_unless_they_name_a_unit() {
        for (text, ms) in [("0", 0), ("30", 30_000), ("250ms", 250), ("5m", 300_000)] {
            assert_eq!(parse_ms(text), Ok(ms), "{text}");
        }
        for bad in ["", "-1", "soon", "2147483648"] {
            assert!(parse_ms(bad).is_err(), "{bad}");
        }
        assert_eq!(show_ms(30_000), "30");
        assert_eq!(show_ms(250), "250ms");
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
