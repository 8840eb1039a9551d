//! `cargo bench --bench versus` compares the daemon with its twins, with the servers that people use, and
//! with the floor, which is the least that a server can cost. All are measured in one run on one machine.
//!
//! The parts:
//!
//! - [`contenders`] lists who takes part, and starts and stops the servers.
//! - [`twins`] has the daemon's core behind other transports. [`floor`] is the server that does the least.
//! - [`scenarios`] is the table of questions. [`script`] has the bytes that ask them.
//! - [`load`], [`client`], [`churn`] and [`fanout`] are the generator, which plays the clients.
//! - [`usage`] reads what the kernel says about a process.
//! - [`measure`] measures one scenario on one server. [`run`] decides the order of the whole run.
//! - [`figures`] collects the results. [`report`], [`page`] and [`plots`] show them.
//! - [`check`] compares the replies of the twins with those of the daemon.

mod check;
mod churn;
mod client;
mod contenders;
mod cores;
mod fanout;
mod figures;
mod floor;
mod load;
mod measure;
mod page;
mod plots;
mod report;
mod run;
mod scenarios;
mod script;
mod twins;
mod usage;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use cores::Cores;
use floor::Exchange;
use measure::Pace;
use report::Report;
use run::{FLOOR, Plan, Run};
use scenarios::SCENARIOS;

/// The pace of a quick run, which takes under two minutes in all.
const QUICK: Pace = Pace {
    warm: Duration::from_millis(20),
    window: Duration::from_millis(80),
    open: Duration::from_millis(150),
    churns: 1_000,
    rounds: 3,
};
/// The pace of a run whose figures are to be published.
const FULL: Pace = Pace {
    warm: Duration::from_millis(50),
    window: Duration::from_millis(400),
    open: Duration::from_millis(1_000),
    churns: 4_000,
    rounds: 5,
};

fn main() -> ExitCode {
    let matches = arguments().get_matches();
    let done = match matches.subcommand() {
        Some(("serve", options)) => serve(options),
        Some(("check", _)) => check_twins(),
        _ => compare(&matches),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("versus: {why}");
            ExitCode::FAILURE
        }
    }
}

/// The command line.
fn arguments() -> Command {
    let list = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_delimiter(',').value_name("NAMES").help(help)
    };
    let number = |name: &'static str| Arg::new(name).long(name).value_parser(value_parser!(usize));
    let serve = Command::new("serve")
        .about("Serves as a twin or as the floor")
        .arg(Arg::new("twin").required(true))
        .arg(Arg::new("port").long("port").value_parser(value_parser!(u16)).default_value("0"))
        .arg(number("request-bytes").default_value("14"))
        .arg(number("reply-bytes").default_value("7"));
    Command::new("versus")
        .about("Compares the daemon with its twins, with the servers that people use, and with the floor")
        .arg(Arg::new("quick").long("quick").action(ArgAction::SetTrue).help("Take under two minutes in all"))
        .arg(Arg::new("list").long("list").action(ArgAction::SetTrue).help("List contenders and scenarios"))
        .arg(list("only", "Run only these scenarios"))
        .arg(list("against", "Compare the daemon with these contenders only"))
        .arg(
            Arg::new("before")
                .long("before")
                .value_name("PATH")
                .value_parser(value_parser!(PathBuf))
                .help("Another build of the daemon to compare with; its name is 'before'"),
        )
        .arg(number("rounds").help("How often each contender is measured in a scenario"))
        .arg(
            Arg::new("out")
                .long("out")
                .value_name("DIR")
                .value_parser(value_parser!(PathBuf))
                .default_value(concat!(env!("CARGO_TARGET_TMPDIR"), "/../versus"))
                .help("The folder for the report"),
        )
        // Cargo gives this option to every benchmark.
        .arg(Arg::new("bench").long("bench").action(ArgAction::SetTrue).hide(true))
        .subcommand(serve)
        .subcommand(Command::new("check").about("Compares the replies of the twins with those of the daemon"))
}

/// Becomes a twin or the floor.
fn serve(options: &ArgMatches) -> Result<(), String> {
    let size = |name| options.get_one::<usize>(name).copied().unwrap_or(1).max(1);
    let port = options.get_one::<u16>("port").copied().unwrap_or_default();
    let name = options.get_one::<String>("twin").map_or("", String::as_str);
    let served = match name {
        FLOOR => {
            let exchange =
                Exchange { request_bytes: size("request-bytes"), reply_bytes: size("reply-bytes") };
            floor::serve(port, exchange)
        }
        twin => twins::serve(twin, port),
    };
    served.map_err(|error| format!("{name}: {error}"))
}

/// Compares the replies of every twin with those of the daemon.
fn check_twins() -> Result<(), String> {
    let cores = Cores::choose().map_err(|error| error.to_string())?;
    let (contenders, _) = contenders::present();
    let ask = |name: &str| {
        let contender = contenders.iter().find(|one| one.name == name).ok_or("there is no such contender")?;
        let server = contender.start(cores).map_err(|error| error.to_string())?;
        check::transcript(server.address).map_err(|error| error.to_string())
    };
    let expected = ask("tidegate")?;
    for (name, _) in twins::TWINS {
        let same = ask(name).map_err(|why| format!("{name}: {why}"))? == expected;
        println!("{name}: {}", if same { "answers as the daemon does" } else { "ANSWERS DIFFER" });
        if !same {
            return Err(format!("{name} does not answer as the daemon does"));
        }
    }
    Ok(())
}

/// Runs the comparison and writes the report.
fn compare(matches: &ArgMatches) -> Result<(), String> {
    let (contenders, mut notes) = contenders::present();
    if matches.get_flag("list") {
        contenders.iter().for_each(|one| println!("{:24} {}", one.name, one.about));
        SCENARIOS.iter().for_each(|one| println!("{:24} {}", one.name, one.about));
        return Ok(());
    }
    let cores = Cores::choose().map_err(|error| error.to_string())?;
    cores::pin(cores.generator);
    if cores.shared() {
        notes.push("this machine has only one core: server and generator share it".into());
    }
    provide_descriptors();
    let plan = plan(matches, contenders, cores)?;
    let (begin, others) = (Instant::now(), usage::taken_by_others());
    let mut run = Run::new(&plan);
    run.all();
    let others = usage::taken_by_others().saturating_sub(others).as_secs_f64();
    notes.push(format!(
        "during the {:.0} s of the run, other processes took {others:.0} s of CPU time; \
         if the machine was busy, compare only CPU times, and only within a scenario",
        begin.elapsed().as_secs_f64()
    ));
    notes.append(&mut run.trouble);
    let report = Report { plan: &plan, results: &run.results, notes: &notes };
    print!("{}", report.text());
    let out = matches.get_one::<PathBuf>("out").cloned().unwrap_or_default();
    report.write(&out).map_err(|error| format!("{}: {error}", out.display()))
}

/// What the command line asks for.
fn plan(
    matches: &ArgMatches,
    mut contenders: Vec<contenders::Contender>,
    cores: Cores,
) -> Result<Plan, String> {
    let quick = matches.get_flag("quick");
    let names = |option| matches.get_many::<String>(option).map(|names| names.cloned().collect::<Vec<_>>());
    let mut scenarios = SCENARIOS.to_vec();
    // Filling two million keys takes long, and shows little that one million does not.
    scenarios.retain(|one| !quick || one.name != "keys-2m" || matches.contains_id("only"));
    if let Some(only) = names("only") {
        if let Some(unknown) = only.iter().find(|name| !SCENARIOS.iter().any(|one| one.name == *name)) {
            return Err(format!("there is no scenario '{unknown}'; see --list"));
        }
        scenarios.retain(|one| only.iter().any(|name| one.name == name));
    }
    let mut with_floor = true;
    if let Some(against) = names("against") {
        let known = |name: &String| name == FLOOR || contenders.iter().any(|one| one.name == *name);
        if let Some(unknown) = against.iter().find(|name| !known(name)) {
            return Err(format!("there is no contender '{unknown}' here; see --list"));
        }
        with_floor = against.iter().any(|name| name == FLOOR);
        contenders.retain(|one| one.name == "tidegate" || against.contains(&one.name));
    }
    if let Some(program) = matches.get_one::<PathBuf>("before") {
        let program = program.canonicalize().map_err(|error| format!("{}: {error}", program.display()))?;
        contenders.insert(1, contenders::before(program));
    }
    let mut pace = if quick { QUICK } else { FULL };
    if let Some(&rounds) = matches.get_one::<usize>("rounds") {
        pace.rounds = rounds.max(1);
    }
    Ok(Plan { contenders, scenarios, with_floor, quick, pace, cores })
}

/// Raises the limit on open files, because the generator needs a descriptor for each client.
fn provide_descriptors() {
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}
