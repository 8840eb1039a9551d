//! `cargo bench --bench versus`: the daemon measured against its asynchronous twins, the servers
//! people run, and the kernel's floor, in one run on one machine.
//!
//! Rooms: [`contenders`] who takes part; [`twins`] the daemon's core behind other transports;
//! [`floor`] what no server can do without;
//! [`scenarios`] what is asked; [`script`] the bytes of it; [`load`], [`client`],
//! [`churn`] and [`fanout`] the generator; [`usage`] what
//! the kernel says of a process; [`measure`] one scenario on one server; [`run`] the order of it
//! all; [`figures`] what was found; [`report`], [`page`] and [`plots`] how it is shown.

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

/// A look: under two minutes in all.
const QUICK: Pace = Pace {
    warm: Duration::from_millis(20),
    window: Duration::from_millis(80),
    open: Duration::from_millis(150),
    churns: 1_000,
    rounds: 3,
};
/// Figures to publish.
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
        .about("Measures the daemon against its twins, the servers people run, and the floor")
        .arg(Arg::new("quick").long("quick").action(ArgAction::SetTrue).help("Under two minutes in all"))
        .arg(Arg::new("list").long("list").action(ArgAction::SetTrue).help("Names who and what there is"))
        .arg(list("only", "Scenarios to run"))
        .arg(list("against", "Contenders beside the daemon"))
        .arg(
            Arg::new("before")
                .long("before")
                .value_name("PATH")
                .value_parser(value_parser!(PathBuf))
                .help("Another build of the daemon, which takes part as 'before'"),
        )
        .arg(number("rounds").help("Turns that each contender takes in a scenario"))
        .arg(
            Arg::new("out")
                .long("out")
                .value_name("DIR")
                .value_parser(value_parser!(PathBuf))
                .default_value(concat!(env!("CARGO_TARGET_TMPDIR"), "/../versus"))
                .help("Where the report goes"),
        )
        // Cargo says so to every benchmark.
        .arg(Arg::new("bench").long("bench").action(ArgAction::SetTrue).hide(true))
        .subcommand(serve)
        .subcommand(Command::new("check").about("Compares what the twins and the daemon answer"))
}

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

fn check_twins() -> Result<(), String> {
    let cores = Cores::choose().map_err(|error| error.to_string())?;
    let (contenders, _) = contenders::present();
    let ask = |name: &str| {
        let contender = contenders.iter().find(|one| one.name == name).ok_or("it is not there")?;
        let server = contender.start(cores).map_err(|error| error.to_string())?;
        check::transcript(server.address).map_err(|error| error.to_string())
    };
    let expected = ask("tidegate")?;
    for (name, _) in twins::TWINS {
        let same = ask(name).map_err(|why| format!("{name}: {why}"))? == expected;
        println!("{name}: {}", if same { "answers as the daemon does" } else { "DIFFERS" });
        if !same {
            return Err(format!("{name} is no twin"));
        }
    }
    Ok(())
}

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
        notes.push("there is only one core: server and generator share it".into());
    }
    provide_descriptors();
    let plan = plan(matches, contenders, cores)?;
    let (begin, others) = (Instant::now(), usage::taken_by_others());
    let mut run = Run::new(&plan);
    run.all();
    let others = usage::taken_by_others().saturating_sub(others).as_secs_f64();
    notes.push(format!(
        "during the {:.0} s of the run other processes took {others:.0} s of CPU time; from a busy machine compare \
         CPU time within a scenario, and nothing else",
        begin.elapsed().as_secs_f64()
    ));
    notes.append(&mut run.trouble);
    let report = Report { plan: &plan, results: &run.results, notes: &notes };
    print!("{}", report.text());
    let out = matches.get_one::<PathBuf>("out").cloned().unwrap_or_default();
    report.write(&out).map_err(|error| format!("{}: {error}", out.display()))
}

fn plan(
    matches: &ArgMatches,
    mut contenders: Vec<contenders::Contender>,
    cores: Cores,
) -> Result<Plan, String> {
    let quick = matches.get_flag("quick");
    let names = |option| matches.get_many::<String>(option).map(|names| names.cloned().collect::<Vec<_>>());
    let mut scenarios = SCENARIOS.to_vec();
    // The second million takes long and says little more.
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
            return Err(format!("'{unknown}' cannot take part; see --list"));
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

/// The generator holds a descriptor for each client.
fn provide_descriptors() {
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}
