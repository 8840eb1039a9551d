//! Options whose value is one of several words, or several words: how they are read and shown.

use super::values::{parse_bytes, parse_ms, show_ms};
use super::{Config, OutputLimit};

/// What happens to a newcomer when `maxclients` are being served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtMaxclients {
    /// The server accepts it, answers `-ERR max number of clients reached` and closes it, as Redis does.
    Reject,
    /// The server leaves it in the kernel's backlog until a client leaves.
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

/// Redis's classes of clients whose limits cannot be changed here, with the limits shown for them. A normal client
/// needs no limit: if it takes no replies, the server stops serving it. And there are no replicas.
pub(super) const FIXED_OUTPUT_LIMITS: [(&str, &str); 2] =
    [("normal", "0 0 0"), ("slave", "268435456 67108864 60")];

pub(super) fn show_output_limits(config: &Config) -> String {
    let OutputLimit { hard_bytes, soft_bytes, soft_ms } = config.pubsub_output_limit;
    let fixed = FIXED_OUTPUT_LIMITS.map(|(class, limit)| format!("{class} {limit}")).join(" ");
    format!("{fixed} pubsub {hard_bytes} {soft_bytes} {}", show_ms(soft_ms))
}

pub(super) fn set_output_limits(config: &mut Config, text: &str) -> Result<(), String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    if words.is_empty() || !words.len().is_multiple_of(4) {
        return Err("Wrong number of arguments in buffer limit configuration.".into());
    }
    let mut wanted = config.pubsub_output_limit;
    for group in words.chunks_exact(4) {
        let class = group[0].to_ascii_lowercase();
        let invalid =
            || "Error in hard, soft or soft_seconds setting in buffer limit configuration.".to_owned();
        let limit = OutputLimit {
            hard_bytes: parse_bytes(group[1], 0, usize::MAX).map_err(|_| invalid())?,
            soft_bytes: parse_bytes(group[2], 0, usize::MAX).map_err(|_| invalid())?,
            soft_ms: parse_ms(group[3], 0).map_err(|_| invalid())?,
        };
        let shown = format!("{} {} {}", limit.hard_bytes, limit.soft_bytes, show_ms(limit.soft_ms));
        match class.as_str() {
            "pubsub" => wanted = limit,
            "normal" if shown != FIXED_OUTPUT_LIMITS[0].1 => {
                return Err(
                    "the class normal has no limit: its clients are served when they take their replies"
                        .into(),
                );
            }
            "slave" | "replica" if shown != FIXED_OUTPUT_LIMITS[1].1 => {
                return Err("there are no replicas".into());
            }
            "normal" | "slave" | "replica" => {}
            _ => return Err("Invalid client class specified in buffer limit configuration.".into()),
        }
    }
    config.pubsub_output_limit = wanted;
    Ok(())
}

pub(super) const AT_MAXCLIENTS: [(&str, AtMaxclients); 2] =
    [("reject", AtMaxclients::Reject), ("wait", AtMaxclients::Wait)];

pub(super) const YES_NO: [(&str, bool); 2] = [("yes", true), ("no", false)];

pub(super) const DEBUG_COMMAND: [(&str, DebugCommand); 3] =
    [("no", DebugCommand::No), ("yes", DebugCommand::Yes), ("local", DebugCommand::Local)];

/// Redis's four names of log levels. As in Redis, `verbose` and `debug` also log each client that comes or goes.
pub(super) const LOGLEVELS: [(&str, log::LevelFilter); 4] = [
    ("debug", log::LevelFilter::Trace),
    ("verbose", log::LevelFilter::Debug),
    ("notice", log::LevelFilter::Info),
    ("warning", log::LevelFilter::Warn),
];

pub(super) fn choice_of<T: PartialEq>(choices: &[(&str, T)], value: T) -> String {
    choices.iter().find(|(_, v)| *v == value).map(|(name, _)| (*name).to_owned()).unwrap_or_default()
}

pub(super) fn parse_choice<T: Copy>(choices: &[(&str, T)], text: &str) -> Result<T, String> {
    choices.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, v)| *v).ok_or_else(|| {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        format!("argument(s) must be one of the following: {}", names.join(", "))
    })
}
