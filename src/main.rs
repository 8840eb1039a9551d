//! The daemon: arguments, bind, tick until stopped, exit code.

#![forbid(unsafe_code)]

use std::hash::{BuildHasher, RandomState};
use std::io::Write;
use std::process::ExitCode;

use tidegate::allocator;
use tidegate::base::Address;
use tidegate::config::arguments::{self, Arguments, Stop};
use tidegate::config::{self, Config, Sources};
use tidegate::logging;
use tidegate::process::{self, PidFile};
use tidegate::reactor::os::{OsNet, descriptors_allowed, provide_descriptors};
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
    let Arguments { file, settings, check } = match arguments::parse(std::env::args_os()) {
        Ok(asked) => asked,
        Err(Stop::Wrong(why)) => return Err(why),
        Err(Stop::Shown(text)) => {
            let _ = write!(std::io::stdout(), "{text}");
            return Ok(Exit::Clean);
        }
    };
    let environment = config::environment(std::env::vars_os())?;
    let (sources, reading) = Sources::open(file.as_deref(), environment, settings)?;
    let mut config = reading.config.clone();
    process::enter_directory(&mut config)?;
    if check {
        let lowered_from = provide_descriptors(&mut config);
        let text = config::report(&reading, &config, lowered_from, descriptors_allowed());
        let _ = write!(std::io::stdout(), "{text}");
        return Ok(Exit::Clean);
    }
    logging::start(&config)?;
    let lowered_from = provide_descriptors(&mut config);
    let net = OsNet::new(&config)?;
    let addresses = net.addresses();
    if let Some(Address::Tcp(first)) = addresses.first() {
        config.port = first.port();
    }
    let mut pidfile = PidFile::open(&config)?;
    let shown = addresses.iter().map(|address| match address {
        Address::Tcp(peer) => peer.to_string(),
        Address::Unix(path) => path.clone(),
    });
    let shown = shown.collect::<Vec<String>>().join(" ");
    log::info!("tidegate {} listening on {shown}", env!("CARGO_PKG_VERSION"));
    // The program that started us may have closed stdout. That must not stop the server.
    let _ = writeln!(std::io::stdout(), "listening on {shown}");
    log_start(&config, &reading.unused, lowered_from, &addresses);
    if process::wants_background(&config) {
        process::go_to_background()?;
    }
    if let Some(pidfile) = &mut pidfile {
        pidfile.write()?;
    }
    process::tell_ready(&config);
    // The standard library seeds its hasher from the system's entropy.
    let seed = RandomState::new().hash_one(std::process::id());
    let mut server = Server::new(net, config, seed, addresses);
    server.service().world.sources = sources;
    server.service().world.log_maxmemory();
    serve(server)
}

/// Ticks until the server has stopped.
fn serve(mut server: Server<OsNet>) -> Result<Exit, String> {
    let mut is_stopping = false;
    loop {
        let exit = server.tick().map_err(|error| format!("waiting for events failed: {error}"))?;
        // A lame duck may go on serving, so the service manager does not hear of it.
        if !is_stopping && !server.stage().admits() {
            is_stopping = true;
            process::tell_stopping(server.config());
        }
        if let Some(exit) = exit {
            return Ok(exit);
        }
    }
}

/// Logs what an operator should know of the settings.
fn log_start(config: &Config, unused: &[&str], lowered_from: Option<u32>, addresses: &[Address]) {
    if !unused.is_empty() {
        log::info!("options of Redis that have no meaning here: {}", unused.join(" "));
    }
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
}
