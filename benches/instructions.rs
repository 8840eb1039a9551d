//! Instructions a request, counted by callgrind: a figure that no neighbour on the machine changes,
//! so a step in it is a step in the code.
//!
//! `cargo bench --bench instructions`. The program runs itself under `valgrind --tool=callgrind`
//! twice for each case, with few and with many repetitions; the difference is what the repetitions
//! cost, without start-up. Nothing but valgrind itself is needed; without it, it says so and stops.

use std::hint::black_box;
use std::net::SocketAddr;
use std::process::{Command, ExitCode, Stdio};

use tidegate::base::{Buf, Clock, ConnId, NoWires, Peer};
use tidegate::config::Config;
use tidegate::service::Service;
use tidegate::service::turn::{Progress, Turn};

const PIPELINES: [usize; 3] = [1, 16, 100];
/// Requests that come before those that count: the tables have grown, the paths are taken.
const FEW: usize = 4_000;
/// Requests that count.
const COUNTED: usize = 16_000;
/// Keys the store holds; each request is about another one.
const KEYS: usize = 1_000;

const COMMANDS: [&str; 4] = ["PING", "GET", "SET", "MGET"];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    if let [mode, command, pipeline, requests] = words.as_slice()
        && mode == "run"
    {
        let size = |word: &str| word.parse().expect("a number");
        serve(command, size(pipeline), size(requests));
        return ExitCode::SUCCESS;
    }
    if let Err(error) = Command::new("valgrind").arg("--version").stdout(Stdio::null()).status() {
        println!("SKIPPED: instructions are counted by valgrind, and it does not run: {error}");
        return ExitCode::SUCCESS;
    }
    println!("instructions a request, one service turn (parse, look up, execute, reply)");
    println!("{:10}{:>12}{:>12}{:>12}", "", "pipeline 1", "16", "100");
    for command in COMMANDS {
        print!("{command:10}");
        for pipeline in PIPELINES {
            let counted = count(command, pipeline, FEW + COUNTED) - count(command, pipeline, FEW);
            print!("{:>12.0}", counted as f64 / COUNTED as f64);
        }
        println!();
    }
    ExitCode::SUCCESS
}

/// Instructions of a whole run, as callgrind says on its last lines.
fn count(command: &str, pipeline: usize, requests: usize) -> i64 {
    let program = std::env::current_exe().expect("a program knows where it is");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args(["run", command, &pipeline.to_string(), &requests.to_string()])
        .output()
        .expect("valgrind runs");
    let said = String::from_utf8_lossy(&output.stderr);
    said.lines()
        .find_map(|line| line.split("Collected :").nth(1)?.trim().parse().ok())
        .unwrap_or_else(|| panic!("callgrind said {said}"))
}

fn request(words: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len());
    for word in words {
        bytes += &format!("${}\r\n{word}\r\n", word.len());
    }
    bytes.into_bytes()
}

/// The request number `index` of a command.
fn numbered(command: &str, index: usize) -> Vec<u8> {
    let key = |index: usize| format!("key:{:012}", index % KEYS);
    match command {
        "GET" => request(&["GET", &key(index)]),
        "SET" => request(&["SET", &key(index), "0123456789abcdef0123456789abcdef"]),
        "MGET" => {
            let keys: Vec<String> = (index..index + 10).map(key).collect();
            let words: Vec<&str> = std::iter::once("MGET").chain(keys.iter().map(String::as_str)).collect();
            request(&words)
        }
        _ => request(&["PING"]),
    }
}

/// What is counted. Input is prepared for all keys beforehand, so that its making is in both runs.
fn serve(command: &str, pipeline: usize, requests: usize) {
    let mut service = Service::new(1, Config::default(), Clock::default(), Vec::new());
    let me = ConnId { slot: 0, serial: 1 };
    service.open(me, Peer::from(SocketAddr::from(([127, 0, 0, 1], 1))), 0);
    let mut output = Buf::default();
    let mut turn = |input: &[u8]| {
        output.clear();
        let mut progress = Progress::default();
        let turn = Turn { me, input: black_box(input), output: &mut output, wires: &NoWires };
        service.turn(turn, &mut progress);
        assert_eq!(progress.consumed, input.len(), "the turn has served it all");
    };
    (0..KEYS).for_each(|index| turn(&numbered("SET", index)));
    let batches: Vec<Vec<u8>> = (0..KEYS / pipeline)
        .map(|batch| (0..pipeline).flat_map(|place| numbered(command, batch * pipeline + place)).collect())
        .collect();
    for batch in 0..requests / pipeline {
        turn(&batches[batch % batches.len()]);
    }
}
