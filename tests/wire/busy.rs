//! What others get while a script runs long, and how it is ended from outside.

use std::net::TcpStream;

use crate::harness::{Daemon, Wire, request, within};

const BUSY: &str =
    "-BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.\r\n";
const NOT_BUSY: &str = "-NOTBUSY No scripts in execution right now.\r\n";

/// A server that says `BUSY` soon, and whose scripts may run for ever.
fn daemon(options: &[&str]) -> Daemon {
    let ours = ["--busy-reply-threshold", "20", "--script-time-limit", "0"];
    Daemon::start(&[&ours, options].concat())
}

fn eval(script: &str) -> Vec<u8> {
    request(&[b"EVAL", script.as_bytes(), b"0"])
}

/// Runs a script that never ends, and returns when others hear of that.
fn begin(daemon: &Daemon, script: &str) -> Wire {
    let mut client = daemon.connect();
    client.send(eval(&format!("{script} while true do end")));
    let mut other = daemon.connect();
    within("the server to be busy", || {
        other.send("GET k\r\n");
        other.line().starts_with("-BUSY").then_some(())
    });
    client
}

#[test]
fn while_a_script_runs_long_others_read_busy_and_anyone_may_end_it() {
    let daemon = daemon(&[]);
    let (mut early, mut watcher) = (daemon.connect(), daemon.connect());
    early.ask("SET k before\r\nSCRIPT KILL\r\n", format!("+OK\r\n{NOT_BUSY}"));
    watcher.ask("WATCH k\r\nMULTI\r\n", "+OK\r\n+OK\r\n");
    let mut runner = begin(&daemon, "redis.call('SET','k','after') redis.call('RPUSH','l',1)");
    early.ask(
        "GET k\r\nPING\r\nNOSUCH\r\n",
        [BUSY, BUSY, "-ERR unknown command 'NOSUCH', with args beginning with: \r\n"].concat(),
    );
    watcher.ask(
        "GET k\r\nEXEC\r\n",
        format!("{BUSY}-EXECABORT Transaction discarded because of: {}", &BUSY[1..]),
    );
    watcher.ask(
        "SELECT 1\r\nWATCH k\r\nUNWATCH\r\nMULTI\r\nDISCARD\r\n",
        format!("{BUSY}+OK\r\n+OK\r\n+OK\r\n+OK\r\n"),
    );
    // A newcomer comes in, is greeted, sends half a request and then the rest of it.
    let mut newcomer = daemon.connect();
    newcomer.send("HELLO 3\r\n");
    assert!(newcomer.line().starts_with('%'));
    let mut killer = daemon.connect();
    killer.send("SCRIPT KI");
    killer.ask("LL", "");
    killer.ask("\r\nRESET\r\nQUIT\r\n", "+OK\r\n+RESET\r\n+OK\r\n");
    killer.expect_end();
    let told = runner.line();
    assert!(told.starts_with("-ERR Script killed by user with SCRIPT KILL"), "{told}");
    assert!(told.ends_with("nothing was changed"), "{told}");
    early.ask("GET k\r\nEXISTS l\r\nSCRIPT KILL\r\n", format!("$6\r\nbefore\r\n:0\r\n{NOT_BUSY}"));
}

#[test]
fn a_busy_server_skips_one_reply_and_shows_who_ended_a_script() {
    let daemon = daemon(&[]);
    let (mut quiet, mut monitor) = (daemon.connect(), daemon.connect());
    monitor.ask("MONITOR\r\n", "+OK\r\n");
    quiet.send("CLIENT REPLY SKIP\r\n");
    quiet.ask("PING\r\nPING\r\n", "+PONG\r\n");
    quiet.ask("CLIENT REPLY SKIP\r\nPING\r\nECHO ready\r\n", "$5\r\nready\r\n");
    let runner = begin(&daemon, "");
    quiet.ask("UNWATCH\r\nSCRIPT KILL\r\n", "+OK\r\n+OK\r\n");
    drop(runner);
    let shown = |what: &str, monitor: &mut Wire| loop {
        let line = monitor.line();
        if line.contains(what) {
            return line;
        }
    };
    assert!(!shown("EVAL", &mut monitor).contains("lua]"));
    assert!(!shown("KILL", &mut monitor).contains("lua]"));
}

#[test]
fn requests_that_came_together_with_a_long_script_do_not_wait_for_it() {
    let daemon = daemon(&[]);
    let (mut runner, mut others) = (daemon.connect(), [daemon.connect(), daemon.connect(), daemon.connect()]);
    runner.ask("SET k v\r\n", "+OK\r\n");
    daemon.while_stopped(|| {
        runner.send([eval("while true do end"), b"GET k\r\n".to_vec()].concat());
        others.iter_mut().for_each(|other| other.send("GET k\r\nGET k\r\n"));
    });
    // Those that the server has served before the script have their values.
    let first: Vec<String> = others.iter_mut().map(Wire::line).collect();
    for (other, first) in others.iter_mut().zip(&first) {
        match first.as_str() {
            "$1" => other.expect("v\r\n$1\r\nv\r\n"),
            _ => other.expect(BUSY),
        }
    }
    daemon.connect().ask("SCRIPT KILL\r\n", "+OK\r\n");
    assert!(runner.line().contains("nothing was changed"));
    runner.expect("$1\r\nv\r\n");
    others[0].ask("GET k\r\n", "$1\r\nv\r\n");
}

#[test]
fn a_client_that_leaves_while_a_script_runs_loses_no_element() {
    let daemon = daemon(&[]);
    let (mut waiter, mut runner, mut control) = (daemon.connect(), daemon.connect(), daemon.connect());
    waiter.send("BLPOP q 0\r\n");
    crate::waiting::until_waiting(&mut control, 1);
    runner.send(eval(
        "redis.call('RPUSH','q','x') repeat until string.find(redis.call('INFO','clients'),'blocked_clients:0')",
    ));
    within("the server to be busy", || {
        control.send("GET k\r\n");
        control.line().starts_with("-BUSY").then_some(())
    });
    drop(waiter);
    runner.expect("$-1\r\n");
    control.ask("LRANGE q 0 -1\r\n", "*1\r\n$1\r\nx\r\n");
}

#[test]
fn a_client_that_takes_no_answers_does_not_fill_the_memory_of_a_busy_server() {
    let daemon = daemon(&[]);
    let runner = begin(&daemon, "");
    let mut flood = daemon.connect();
    flood.stream.set_nonblocking(true).unwrap();
    let requests = "GET k\r\n".repeat(10_000);
    let mut sent = 0;
    // The server stops reading when the client does not read.
    while std::io::Write::write(&mut flood.stream, requests.as_bytes()).is_ok_and(|count| {
        sent += count;
        true
    }) && sent < 64 << 20
    {
        daemon.connect().ask("PING\r\n", BUSY);
    }
    assert!(sent < 64 << 20);
    daemon.connect().ask("SCRIPT KILL\r\n", "+OK\r\n");
    drop(runner);
    assert!(daemon.status_bytes("VmRSS") < 64 << 20);
}

#[test]
fn a_function_is_ended_by_its_own_command_and_others_see_it() {
    let daemon = daemon(&[]);
    let mut runner = daemon.connect();
    let library = "#!lua name=lib\nredis.register_function('endless', function(keys) redis.call('SET', keys[1], 'x') \
                   while true do end end)";
    runner.ask(request(&[b"FUNCTION", b"LOAD", library.as_bytes()]), "$3\r\nlib\r\n");
    runner.send("FCALL endless 1 k\r\n");
    let mut other = daemon.connect();
    let busy = BUSY.replace("SCRIPT", "FUNCTION");
    within("the server to be busy", || {
        other.send("GET k\r\n");
        let answer = other.line();
        answer.starts_with("-BUSY").then(|| assert_eq!(answer + "\r\n", busy))
    });
    other.ask("SCRIPT KILL\r\n", &busy);
    other.ask(
        "FUNCTION STATS\r\n",
        "*4\r\n$14\r\nrunning_script\r\n*6\r\n$4\r\nname\r\n$7\r\nendless\r\n$7\r\ncommand\r\n*4\r\n$5\r\nFCALL\r\n$7\r\n\
         endless\r\n$1\r\n1\r\n$1\r\nk\r\n$11\r\nduration_ms\r\n:",
    );
    assert!(other.line().parse::<u64>().unwrap() >= 20);
    other.expect("$7\r\nengines\r\n*2\r\n$3\r\nLUA\r\n*4\r\n$15\r\nlibraries_count\r\n:1\r\n$15\r\nfunctions_count\r\n:1\r\n");
    other.ask("FUNCTION KILL\r\n", "+OK\r\n");
    assert!(runner.line().ends_with("nothing was changed"));
    other.ask("GET k\r\nFUNCTION KILL\r\n", format!("$-1\r\n{NOT_BUSY}"));
    // While a script runs, its client has another command to end it, and there are no facts about it.
    let scripted = begin(&daemon, "");
    other.ask("FUNCTION STATS\r\nFUNCTION KILL\r\nSCRIPT KILL\r\n", format!("{BUSY}{BUSY}+OK\r\n"));
    drop(scripted);
}

#[test]
fn a_drain_that_begins_while_a_script_runs_refuses_newcomers_at_once() {
    for signal in [true, false] {
        let daemon = daemon(&[]);
        let (mut other, mut waiting) = (daemon.connect(), daemon.connect());
        other.ask("PING\r\n", "+PONG\r\n");
        let mut runner = begin(&daemon, "");
        if signal {
            daemon.signal("TERM")
        } else {
            waiting.send("SHUTDOWN NOSAVE\r\n")
        }
        within("newcomers to be refused", || TcpStream::connect(daemon.address).is_err().then_some(()));
        other.ask("GET k\r\nSCRIPT KILL\r\nQUIT\r\n", format!("{BUSY}+OK\r\n+OK\r\n"));
        assert!(runner.line().contains("Script killed by user"));
        drop((other, waiting, runner));
        let (code, log) = daemon.exit();
        assert_eq!(code, Some(0), "{log}");
    }
}

#[test]
fn a_second_signal_stops_a_server_whose_script_never_ends() {
    let daemon = daemon(&["--shutdown-timeout", "1000"]);
    let mut runner = begin(&daemon, "redis.call('SET','k','after')");
    daemon.signal("TERM");
    daemon.signal("INT");
    let told = runner.line();
    assert!(told.contains("the server is shutting down") && told.ends_with("nothing was changed"), "{told}");
    let (code, log) = daemon.exit();
    assert_eq!(code, Some(0), "{log}");
}

#[test]
fn a_drain_waits_for_no_script_past_its_deadline() {
    for end in ["SHUTDOWN NOSAVE\r\n", "SHUTDOWN NOW NOSAVE\r\n", ""] {
        let now = end.contains("NOW");
        let daemon = daemon(&["--shutdown-timeout", if now { "1000" } else { "1" }]);
        let mut runner = begin(&daemon, "redis.call('SET','k','after')");
        let mut other = daemon.connect();
        other.ask("SHUTDOWN\r\nSHUTDOWN NOW\r\n", [BUSY, BUSY].concat());
        if end.is_empty() {
            daemon.signal("TERM");
        } else {
            other.send(end);
        }
        let told = runner.line();
        assert!(told.contains("the server is shutting down"), "{told}");
        let (code, log) = daemon.exit();
        assert_eq!(code, Some(0), "{log}");
    }
}

#[test]
fn a_threshold_of_zero_lets_others_wait() {
    let daemon = Daemon::start(&["--busy-reply-threshold", "0", "--script-time-limit", "100"]);
    let mut runner = daemon.connect();
    runner.send(eval("while true do end"));
    daemon.connect().ask("PING\r\n", "+PONG\r\n");
    assert!(runner.line().contains("script-time-limit"));
    runner.ask(
        "CONFIG SET lua-time-limit 7\r\nCONFIG GET busy-reply-threshold\r\n",
        "+OK\r\n*2\r\n$20\r\nbusy-reply-threshold\r\n$1\r\n7\r\n",
    );
}
