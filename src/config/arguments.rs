//! The command line: a file, and options by the names that they have everywhere.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, ArgMatches, Command};

use super::names::{ALIASES, nearest_name};
use super::options::{OPTIONS, Opt, find};
use super::setting::{Origin, Setting};
use super::{Config, foreign};

const FILE: &str = "FILE";
const CHECK: &str = "check";

/// What the command line asks for.
#[derive(Debug)]
pub struct Arguments {
    /// The configuration file; `-` is standard input.
    pub file: Option<String>,
    /// The options.
    pub settings: Vec<Setting>,
    /// True if the settings are to be checked and shown, and nothing else.
    pub check: bool,
}

/// Why there is nothing to start.
#[derive(Debug)]
pub enum Stop {
    /// The command line asked for this text: the help or the version.
    Shown(String),
    /// The command line is wrong.
    Wrong(String),
}

/// Reads the command line. The first of `words` is the name of the program.
///
/// # Errors
/// If there is nothing to start.
pub fn parse(words: impl Iterator<Item = OsString>) -> Result<Arguments, Stop> {
    let matches = command().try_get_matches_from(gathered(words)).map_err(|error| {
        if error.use_stderr() { Stop::Wrong(one_line(&error)) } else { Stop::Shown(error.to_string()) }
    })?;
    let ours = OPTIONS.iter().flat_map(|opt| settings_of(&matches, opt.name));
    let foreign = hidden().flat_map(|name| settings_of(&matches, name));
    Ok(Arguments {
        file: matches.get_one::<String>(FILE).cloned(),
        settings: ours.chain(foreign).collect(),
        check: matches.get_flag(CHECK),
    })
}

/// The same words, but the values of an option that takes several are one word with it. As in redis-server, they go up to the
/// next word that begins with two hyphens: an address may begin with one.
fn gathered(words: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut all: Vec<OsString> = Vec::new();
    let mut is_list = false;
    for word in words {
        let text = word.to_str().unwrap_or_default();
        match text.strip_prefix("--") {
            Some(name) => is_list = takes_words(name),
            None if is_list => {
                let option = all.last_mut().expect("the option came before");
                let has_value = option.to_string_lossy().contains('=');
                option.push(if has_value { " " } else { "=" });
                option.push(&word);
                continue;
            }
            None => {}
        }
        all.push(word);
    }
    all
}

fn takes_words(name: &str) -> bool {
    foreign::is_wordy(name) || find(name.as_bytes()).is_some_and(Opt::takes_words)
}

/// The settings of one option: one for each time that it was given. Only the addresses add up.
fn settings_of(matches: &ArgMatches, name: &'static str) -> Vec<Setting> {
    let Some(given) = matches.get_occurrences::<String>(name) else { return Vec::new() };
    let mut values: Vec<String> =
        given.map(|words| words.map(String::as_str).collect::<Vec<&str>>().join(" ")).collect();
    if name == "bind" {
        values = vec![values.join(" ")];
    }
    let setting = |value| Setting { origin: Origin::Arguments, name: name.to_owned(), value, count: 1 };
    values.into_iter().map(setting).collect()
}

/// The first line of clap's error, and the name that may have been meant. The usage lines after it are left out.
fn one_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
    let wrong = match (error.kind(), error.get(ContextKind::InvalidArg)) {
        (ErrorKind::UnknownArgument, Some(ContextValue::String(wrong))) => wrong.strip_prefix("--"),
        _ => None,
    };
    match wrong.and_then(nearest_name) {
        Some(name) => format!("{first}; the nearest is --{name}; see --help"),
        None => format!("{first}; see --help"),
    }
}

fn command() -> Command {
    let defaults = Config::default();
    let options = OPTIONS.iter().map(|opt| {
        let default = (opt.get)(&defaults);
        let help = if default.is_empty() {
            opt.help.to_owned()
        } else {
            format!("{} [default: {default}]", opt.help)
        };
        option(opt.name).value_name(opt.value).help(help)
    });
    let foreign = hidden().map(|name| option(name).hide(true));
    Command::new("tidegate")
        .version(env!("CARGO_PKG_VERSION"))
        .about("An in-memory key-value daemon that speaks RESP, the Redis protocol")
        .after_help(
            "An option counts more on the command line than in the environment (TIDEGATE_MAXMEMORY=1gb), and more\n\
             there than in FILE. FILE has a name and its value on each line, as redis.conf has.\n\
             Seconds may be written as 250ms, 90s or 5m, bytes as 64kb, 16mb or 1gb.\n\
             SIGINT and SIGTERM drain; a second one stops at once. SIGHUP reopens the log file and reads FILE again.\n\
             Exit codes: 0 everything was delivered, 1 could not start, 3 a client was cut off.",
        )
        .arg(Arg::new(FILE).help("Configuration file in Redis's format; - reads standard input"))
        .arg(
            Arg::new(CHECK)
                .long(CHECK)
                .help("Check the settings, show what results from them, and exit")
                .action(ArgAction::SetTrue),
        )
        .args(options)
        .args(foreign)
}

/// The names that the help leaves out: those that only Redis has, and old ones.
fn hidden() -> impl Iterator<Item = &'static str> {
    foreign::names().chain(ALIASES.iter().map(|(old, _)| *old))
}

fn option(name: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        // A negative number must reach the option, because the option says what is wrong with it. A list
        // has its values in one word with its name, so what follows is the next option.
        .allow_hyphen_values(!takes_words(name))
        .action(ArgAction::Append)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &str) -> Result<Arguments, Stop> {
        parse(std::iter::once("tidegate").chain(words.split(' ')).map(OsString::from))
    }

    #[test]
    fn lists_go_up_to_the_next_option() {
        let asked = read("file --bind 127.0.0.1 -::1 --port 7 --save 900 1 --save --bind ::2 --timeout -1");
        let shown = |all: Vec<Setting>| -> Vec<String> {
            all.into_iter().map(|setting| format!("{} {}", setting.name, setting.value)).collect()
        };
        assert!(matches!(asked, Err(Stop::Wrong(why)) if why.contains("a value is required for '--save")));
        let asked =
            read("file --bind 127.0.0.1 -::1 --port 7 --save 900 1 --save 1 2 --bind ::2 --timeout -1")
                .unwrap();
        assert_eq!(asked.file.as_deref(), Some("file"));
        let expected = ["bind 127.0.0.1 -::1 ::2", "port 7", "timeout -1", "save 900 1", "save 1 2"];
        assert_eq!(shown(asked.settings), expected);
        let asked = read("--client-output-buffer-limit pubsub 1 2 3 --port=8 --check -").unwrap();
        assert_eq!((asked.file.as_deref(), asked.check), (Some("-"), true));
        assert_eq!(shown(asked.settings), ["port 8", "client-output-buffer-limit pubsub 1 2 3"]);
    }
}
