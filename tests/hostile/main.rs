//! One list of everything that a network, a kernel or a client can do to a daemon, against the real
//! binary over real sockets. Each entry says what is expected and what was seen:
//!
//! ```sh
//! cargo test --test hostile -- --nocapture
//! ```

#[path = "../harness/mod.rs"]
mod harness;

mod crowds;
mod framing;
mod limits;
mod meaning;
mod memory;
mod neighbours;
mod partings;
mod patience;
mod report;
mod rows;
mod scratch;
mod scripts;
mod signals;
mod sinks;
mod starts;
mod watched;

use report::Report;

#[test]
fn no_hostile_situation_harms_the_daemon_or_its_other_clients() {
    let mut report = Report::default();
    rows::run(&mut report, "bytes that are no request", &[], &framing::rows());
    rows::run(&mut report, "requests that mean mischief", &[], &meaning::rows());
    rows::run(&mut report, "requests beyond the limits", limits::SMALL, &limits::rows());
    rows::run(&mut report, "requests among requests", &[], &neighbours::rows());
    report.run("clients that take their time", patience::SITUATIONS);
    report.run("comings and goings", partings::SITUATIONS);
    report.run("too many at once", crowds::SITUATIONS);
    report.run("those who want memory", memory::SITUATIONS);
    report.run("those for whom others would pay", neighbours::SITUATIONS);
    scripts::run(&mut report);
    report.run("signals and the end", signals::SITUATIONS);
    report.run("starts and clocks", starts::SITUATIONS);
    report.run("logs and panics", sinks::SITUATIONS);
    report.conclude();
}
