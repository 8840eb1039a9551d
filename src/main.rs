//! The daemon: arguments, bind, tick until stopped, exit code.

#![forbid(unsafe_code)]

use std::hash::{BuildHasher, RandomState};
use std::io::Write;
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command};
use tidegate::allocator;
use tidegate::base::Address;
use tidegate::config::Config;
use tidegate::config::options::OPTIONS;
use tidegate::logging;
use tidegate::reactor::os::{OsNet, provide_descriptors};
use tidegate::server::{Exit, Server};

/// Every client got all its replies.
const EXIT_CLEAN: u8 = 0;
/// The server could not start, or it could no longer wait for events.
const EXIT_FAILED: u8 = 1;
/// The replies of at least one client were cut off.
const EXIT_CUT: u8 = 3;

fn main() -> ExitCode {
    allocator::fix_thresholds();
    match run() {
        Ok(Exit::Clean) => ExitCode::from(EXIT_CLEAN),
        Ok(Exit::Cut) => ExitCode::from(EXIT_CUT),
        Err(why) => {
            let _ = writeln!(std::io::stderr(), "tidegate: {why}");
            ExitCode::from(EXIT_FAILED)
        }
    }
}

fn run() -> Result<Exit, String> {
    let matches = match arguments().try_get_matches() {
        Ok(matches) => matches,
        Err(asked) if !asked.use_stderr() => {
            // `--help` and `--version` are not errors.
            let _ = asked.print();
            return Ok(Exit::Clean);
        }
        Err(error) => return Err(one_line(&error)),
    };
    let mut config = configure(&matches)?;
    logging::start(&config)?;
    let lowered_from = provide_descriptors(&mut config);
    let net = OsNet::new(&config)?;
    let addresses = net.addresses();
    if let Some(Address::Tcp(first)) = addresses.first() {
        config.port = first.port();
    }
    let shown = addresses.iter().map(|address| match address {
        Address::Tcp(peer) => peer.to_string(),
        Address::Unix(path) => path.clone(),
    });
    let shown = shown.collect::<Vec<String>>().join(" ");
    log::info!("tidegate {} listening on {shown}", env!("CARGO_PKG_VERSION"));
    // The program that started us may have closed stdout. That must not stop the server.
    let _ = writeln!(std::io::stdout(), "listening on {shown}");
    if let Some(wanted) = lowered_from {
        log::warn!(
            "maxclients lowered from {wanted} to {}: the limit on open descriptors allows no more",
            config.maxclients
        );
    }
    if addresses.iter().any(|address| matches!(address, Address::Tcp(peer) if !peer.is_local())) {
        log::warn!(
            "reachable from other hosts, and there is no password: anyone who can connect can do anything"
        );
    }
    // The standard library seeds its hasher from the system's entropy.
    let seed = RandomState::new().hash_one(std::process::id());
    let mut server = Server::new(net, config, seed, addresses);
    server.service().world.log_maxmemory();
    loop {
        match server.tick() {
            Ok(None) => {}
            Ok(Some(exit)) => return Ok(exit),
            Err(error) => return Err(format!("waiting for events failed: {error}")),
        }
    }
}

/// The first line of clap's error. The usage lines after it are left out.
fn one_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default();
    format!("{}; see --help", first.trim_start_matches("error: "))
}

fn arguments() -> Command {
    let defaults = Config::default();
    let options = OPTIONS.iter().map(|opt| {
        let default = (opt.get)(&defaults);
        let help = if default.is_empty() {
            opt.help.to_owned()
        } else {
            format!("{} [default: {default}]", opt.help)
        };
        let is_list = opt.name == "bind";
        Arg::new(opt.name)
            .long(opt.name)
            .value_name(opt.value)
            .help(help)
            // A negative number must reach the option, because the option says what is wrong with it. For
            // `bind` a word with a hyphen must not count as an address: it is the next option.
            .allow_hyphen_values(!is_list)
            .num_args(if is_list { 1..=usize::MAX } else { 1..=1 })
            .action(ArgAction::Append)
    });
    Command::new("tidegate")
        .version(env!("CARGO_PKG_VERSION"))
        .about("An in-memory key-value daemon that speaks RESP, the Redis protocol")
        .after_help(
            "Seconds may be written as 250ms, 90s or 5m, bytes as 64kb, 16mb or 1gb.\n\
             SIGINT and SIGTERM drain; a second one stops at once. SIGHUP reopens the log file.\n\
             Exit codes: 0 everything was delivered, 1 could not start, 3 a client was cut off.",
        )
        .args(options)
}

fn configure(matches: &ArgMatches) -> Result<Config, String> {
    let mut config = Config::default();
    for opt in OPTIONS {
        if let Some(values) = matches.get_many::<String>(opt.name) {
            let words: Vec<&str> = values.map(String::as_str).collect();
            // If an option is repeated, the last one counts, as in most programs; only addresses add up.
            let value = if opt.name == "bind" {
                words.join(" ")
            } else {
                words.last().copied().unwrap_or_default().to_owned()
            };
            (opt.set)(&mut config, &value).map_err(|why| format!("--{} {value}: {why}", opt.name))?;
        }
    }
    config.check()?;
    Ok(config)
}
