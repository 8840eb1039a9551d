//! Instructions per request, counted by callgrind. Other programs on the machine do not change this figure.
//! So if it changes, the code has changed.
//!
//! `cargo run --release -p instructions` prints the counts and compares them with the expected ones in
//! `expected.txt`. With `-- --check` it fails if a count has grown by more than 2 %. With
//! `-- --record` it writes the file again. The file names the compiler that its counts are for; with another
//! compiler, nothing is compared. The benchmark needs valgrind, and stops with a message if it is not there.
//!
//! For each count, the program runs itself twice under `valgrind --tool=callgrind`: with few requests and
//! with many. The difference is the cost of the requests without the cost of starting. The counts of one
//! build are exactly the same each time.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::hint::black_box;
use std::net::SocketAddr;
use std::process::{Command, ExitCode, Stdio};

use tidegate::base::{Clock, ConnId, Output, Peer};
use tidegate::config::Config;
use tidegate::service::Service;
use tidegate::service::turn::{Progress, Turn};
use tidegate::service::wires::NoWires;

/// How many requests a client sends together.
const PIPELINES: [usize; 3] = [1, 16, 100];
/// Requests that come before those that are counted. When they are done, the tables have grown.
const FEW: usize = 4_000;
/// Requests that are counted.
const COUNTED: usize = 16_000;
/// Number of keys. Each request is about the next one.
const KEYS: usize = 1_000;
/// A count may differ from the expected one by this many percent.
const TOLERANCE: f64 = 2.0;

/// Tells glibc to use the `memcpy` that every x86-64 processor has. Otherwise glibc chooses one that fits the
/// processor, and that one aligns blocks to 32 bytes. Then the counts depend on the lengths of the program's
/// path and of the environment, which lie above the stack: they changed a `SET` by 1 %.
const PLAIN_MEMCPY: (&str, &str) =
    ("GLIBC_TUNABLES", "glibc.cpu.hwcaps=-AVX2,-AVX512VL,-AVX_Fast_Unaligned_Load,-ERMS,-SSSE3");

/// The file of expected counts.
const EXPECTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/expected.txt");
/// How the file of expected counts begins. A line with the compiler follows, and then the table.
const PREAMBLE: &str = "\
# Instructions a request: one service turn (parse, look up, execute, reply), counted by callgrind.
# `cargo run --release -p instructions -- --check` fails if one grows by more than 2 %.
# `cargo run --release -p instructions -- --record` writes this file. The commit that changes it says why.
";

/// One row of the table.
struct Row {
    /// What the table calls it.
    name: &'static str,
    /// A request that another connection sends at the start, for each number below [`KEYS`]. That connection
    /// stays open.
    before: fn(usize) -> Vec<u8>,
    /// The request with this number.
    request: fn(usize) -> Vec<u8>,
}

/// The value of every key.
const VALUE: &str = "0123456789abcdef0123456789abcdef";
/// The rows of the table.
const ROWS: &[Row] = &[
    Row { name: "PING", before: |_| Vec::new(), request: |_| words(&["PING"]) },
    Row { name: "GET", before: |n| words(&["SET", &key(n), VALUE]), request: |n| words(&["GET", &key(n)]) },
    Row { name: "SET", before: |_| Vec::new(), request: |n| words(&["SET", &key(n), VALUE]) },
    Row { name: "MGET", before: |n| words(&["SET", &key(n), VALUE]), request: mget_of_ten },
    Row {
        name: "INCR",
        before: |n| words(&["SET", &key(n), "1000"]),
        request: |n| words(&["INCR", &key(n)]),
    },
    Row {
        name: "HGET",
        before: |n| words(&["HSET", "hash", &key(n), VALUE]),
        request: |n| words(&["HGET", "hash", &key(n)]),
    },
    Row {
        name: "HSET",
        before: |n| words(&["HSET", "hash", &key(n), VALUE]),
        request: |n| words(&["HSET", "hash", &key(n), VALUE]),
    },
    Row {
        name: "ZADD",
        before: two_members,
        request: |n| words(&["ZADD", "zset", &(n * 7 % 4_000).to_string(), &key(n)]),
    },
    Row { name: "ZSCORE", before: two_members, request: |n| words(&["ZSCORE", "zset", &key(n)]) },
    Row { name: "ZRANK", before: two_members, request: |n| words(&["ZRANK", "zset", &key(n)]) },
    Row {
        name: "PUBLISH",
        before: |n| words(&["SUBSCRIBE", &key(n)]),
        request: |n| words(&["PUBLISH", &key(n), VALUE]),
    },
    Row { name: "MULTI", before: |_| Vec::new(), request: transaction_of_two },
];

/// Adds two members to a sorted set, which so gets twice as many as there are keys.
fn two_members(n: usize) -> Vec<u8> {
    let other = format!("other:{n}");
    words(&["ZADD", "zset", &(2 * n).to_string(), &key(n), &(2 * n + 1).to_string(), &other])
}

/// Instructions per request, by row and pipeline.
type Counts = BTreeMap<(String, usize), u64>;

/// What the program does with the counts.
enum Mode {
    /// It prints how they differ from the expected ones.
    Compare,
    /// It does the same, and fails if a count has grown too much.
    Check,
    /// It writes them to the file of expected counts.
    Record,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mode = match words.as_slice() {
        [] => Mode::Compare,
        ["--check"] => Mode::Check,
        ["--record"] => Mode::Record,
        ["nothing"] => return ExitCode::SUCCESS,
        ["run", name, pipeline, requests] => {
            let size = |word: &str| word.parse().expect("a number");
            serve(ROWS.iter().find(|row| row.name == *name).expect("a row"), size(pipeline), size(requests));
            return ExitCode::SUCCESS;
        }
        _ => {
            eprintln!("instructions: give it --check, --record or no argument, not {words:?}");
            return ExitCode::FAILURE;
        }
    };
    if let Err(why) = collected(&["nothing"]) {
        println!("SKIPPED: this benchmark needs valgrind, which does not run here ({why})");
        return ExitCode::SUCCESS;
    }
    let counts = count_all();
    print!("{}", table(&counts));
    let done = match mode {
        Mode::Record => record(&counts).map(|()| true),
        Mode::Compare => compare(&counts).map(|_| true),
        Mode::Check => compare(&counts),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("instructions: {why}");
            ExitCode::FAILURE
        }
    }
}

/// Runs this program with these arguments under callgrind. Returns how many instructions it took in all, as
/// callgrind prints on its last lines.
fn collected(arguments: &[&str]) -> Result<i64, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(program).args(arguments);
    let output = valgrind.env(PLAIN_MEMCPY.0, PLAIN_MEMCPY.1).output().map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&output.stderr);
    let count = said.lines().find_map(|line| line.split("Collected :").nth(1)?.trim().parse().ok());
    count.filter(|_| output.status.success()).ok_or_else(|| format!("{}: {}", output.status, said.trim()))
}

/// Counts all rows with all pipelines.
fn count_all() -> Counts {
    let mut counts = Counts::new();
    for row in ROWS {
        for pipeline in PIPELINES {
            let run = |requests: usize| {
                collected(&["run", row.name, &pipeline.to_string(), &requests.to_string()])
                    .unwrap_or_else(|why| panic!("{} at pipeline {pipeline}: {why}", row.name))
            };
            // A run serves only whole batches.
            let counted = (FEW + COUNTED) / pipeline * pipeline - FEW / pipeline * pipeline;
            let each = (run(FEW + COUNTED) - run(FEW)) as f64 / counted as f64;
            counts.insert((row.name.into(), pipeline), each.round() as u64);
        }
    }
    counts
}

/// The table as it is printed and as it is written to the file.
fn table(counts: &Counts) -> String {
    let mut text = format!("{:12}", "pipeline");
    PIPELINES.iter().for_each(|pipeline| _ = write!(text, "{pipeline:>8}"));
    for row in ROWS {
        _ = write!(text, "\n{:12}", row.name);
        PIPELINES
            .iter()
            .for_each(|&pipeline| _ = write!(text, "{:>8}", counts[&(row.name.into(), pipeline)]));
    }
    text + "\n"
}

/// The compiler and the system that it compiles for, in one line.
fn compiler() -> Result<String, String> {
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    let output = Command::new(&rustc).arg("-vV").stderr(Stdio::null()).output();
    let said = output.map_err(|error| format!("{rustc} does not run: {error}"))?.stdout;
    let said = String::from_utf8_lossy(&said).into_owned();
    let host = said.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or("unknown host");
    Ok(format!("{} for {host}", said.lines().next().unwrap_or("an unknown compiler")))
}

/// Writes the file of expected counts.
fn record(counts: &Counts) -> Result<(), String> {
    let text = format!("{PREAMBLE}{}\n\n{}", compiler()?, table(counts));
    std::fs::write(EXPECTED, text).map_err(|error| format!("{EXPECTED}: {error}"))?;
    println!("written to {EXPECTED}");
    Ok(())
}

/// Reads the file of expected counts. Returns the compiler that they are for, and the counts.
fn expected() -> Result<(String, Counts), String> {
    let text = std::fs::read_to_string(EXPECTED).map_err(|error| format!("{EXPECTED}: {error}"))?;
    let broken = |line: &str| format!("{EXPECTED}: --record does not write such a line: {line}");
    let mut lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let compiler = lines.next().unwrap_or_default().to_owned();
    let mut table = lines.map(|line| line.split_whitespace().collect::<Vec<_>>());
    let head = table.next().unwrap_or_default();
    let mut counts = Counts::new();
    for row in table {
        if row.len() != head.len() {
            return Err(broken(&row.join(" ")));
        }
        for (pipeline, count) in head.iter().zip(&row).skip(1) {
            let (Ok(pipeline), Ok(count)) = (pipeline.parse(), count.parse()) else {
                return Err(broken(&row.join(" ")));
            };
            counts.insert((row[0].into(), pipeline), count);
        }
    }
    Ok((compiler, counts))
}

/// Prints how the counts differ from the expected ones. Returns false if a count has grown too much, or if
/// the file has a count too few or too many.
fn compare(counts: &Counts) -> Result<bool, String> {
    let (theirs, mut expected) = expected()?;
    let ours = compiler()?;
    if ours != theirs {
        println!("NOT COMPARED: the expected counts are for {theirs}, and this is {ours}");
        return Ok(true);
    }
    let (mut good, mut shrunk) = (true, false);
    for (at, &count) in counts {
        let (name, pipeline) = at;
        let Some(expected) = expected.remove(at) else {
            println!("{name} at pipeline {pipeline} has no expected count: use --record to add it");
            good = false;
            continue;
        };
        let change = (count as f64 / expected as f64 - 1.0) * 100.0;
        if change.abs() > TOLERANCE {
            let verb = if change > 0.0 { "GREW" } else { "shrank" };
            println!("{name} at pipeline {pipeline} {verb} from {expected} to {count}, by {change:+.1} %");
            good &= change < 0.0;
            shrunk |= change < 0.0;
        }
    }
    for (name, pipeline) in expected.keys() {
        println!("{name} at pipeline {pipeline} has an expected count but no row: use --record to drop it");
        good = false;
    }
    if shrunk {
        println!(
            "use --record for counts that shrank by more than {TOLERANCE} %: they must not grow back unseen"
        );
    }
    if good {
        println!("no count is more than {TOLERANCE} % above the expected one");
    }
    Ok(good)
}

/// A request in RESP.
fn words(words: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len());
    words.iter().for_each(|word| _ = write!(bytes, "${}\r\n{word}\r\n", word.len()));
    bytes.into_bytes()
}

/// Key number `n`, of 16 bytes.
fn key(n: usize) -> String {
    format!("key:{:012}", n % KEYS)
}

/// A transaction of two commands. Its four requests count as one.
fn transaction_of_two(n: usize) -> Vec<u8> {
    let (set, get) = (words(&["SET", &key(n), VALUE]), words(&["GET", &key(n)]));
    [words(&["MULTI"]), set, get, words(&["EXEC"])].concat()
}

/// An `MGET` of ten keys.
fn mget_of_ten(n: usize) -> Vec<u8> {
    let keys: Vec<String> = (n..n + 10).map(key).collect();
    words(&std::iter::once("MGET").chain(keys.iter().map(String::as_str)).collect::<Vec<_>>())
}

/// A service without a server.
struct Bench {
    service: Service,
    output: Output,
}

impl Bench {
    /// Runs one service turn, which must serve all of `input`.
    fn turn(&mut self, me: ConnId, input: &[u8]) {
        // No reply here is long enough to have another part than its own bytes.
        self.output.own_mut().clear();
        let mut progress = Progress::default();
        let turn =
            Turn { me, input: black_box(input), memory: None, output: &mut self.output, wires: &mut NoWires };
        self.service.turn(turn, &mut progress);
        // A server would deliver these pushes now. Nobody reads them here, and they must not pile up.
        drop(self.service.world.outbox.take());
        assert_eq!(progress.consumed, input.len(), "the turn has not served all of its input");
    }

    /// Asserts that the last reply is no error. An error would cost other instructions than the command.
    fn assert_no_error(&self) {
        assert!(!self.output.front().starts_with(b"-"), "{}", self.output.front().escape_ascii());
    }
}

/// Serves requests: this is what callgrind counts. It makes the input for all keys first, so that both runs
/// pay for that, and the difference does not.
fn serve(row: &Row, pipeline: usize, requests: usize) {
    let service = Service::new(1, Config::default(), Clock::default(), Vec::new());
    let mut bench = Bench { service, output: Output::default() };
    let [other, me] = [1, 2].map(|serial| ConnId { slot: serial as u32 - 1, serial });
    for id in [other, me] {
        bench.service.open(id, Peer::from(SocketAddr::from(([127, 0, 0, 1], 1))), 0);
    }
    for n in 0..KEYS {
        bench.turn(other, &(row.before)(n));
        bench.assert_no_error();
    }
    let batches: Vec<Vec<u8>> = (0..KEYS / pipeline)
        .map(|batch| (0..pipeline).flat_map(|place| (row.request)(batch * pipeline + place)).collect())
        .collect();
    for batch in 0..requests / pipeline {
        bench.turn(me, &batches[batch % batches.len()]);
    }
    bench.assert_no_error();
}
