//! Hit ratios of a cache in front of a slow source: `cargo bench --bench eviction`.
//!
//! Each trace asks for one key after the other. A key that is not there is written. Tidegate and, where one is installed,
//! redis-server get the same trace at the same `maxmemory`; then Redis gets so much memory that both hold the same number
//! of keys. Keys have 16 bytes and values 32. `REQUESTS=n` changes the length of a trace.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// Keys that a trace asks for.
const KEYS: usize = 250_000;
/// Memory that both servers get.
const MAXMEMORY: usize = 6 << 20;
/// Requests that are sent together.
const TOGETHER: usize = 100;
const VALUE: [u8; 32] = [b'v'; 32];
/// Exponent of Zipf's law. Measured traces of web caches have 0.64 to 0.83 (Breslau and others, 1999).
const EXPONENT: f64 = 0.8;

fn main() {
    let requests = std::env::var("REQUESTS").map_or(2_000_000, |text| text.parse().expect("a number"));
    let redis = Command::new("redis-server").arg("--version").stdout(Stdio::null()).status().is_ok();
    if !redis {
        println!("redis-server is not installed, so its columns are missing");
    }
    println!("hit ratio in percent, {requests} requests, {MAXMEMORY} bytes; (keys held)\n");
    println!("| trace | policy | Tidegate | Redis, same memory | Redis, same number of keys |");
    println!("|---|---|---|---|---|");
    for trace in [Trace::Zipf, Trace::Scans, Trace::Shifting] {
        for policy in ["allkeys-lru", "allkeys-lfu"] {
            let mut server = Server::tidegate();
            server.limit(MAXMEMORY, policy);
            let ours = server.run(trace, requests);
            let mut row = vec![ours.show()];
            if redis {
                let mut server = Server::redis();
                server.limit(MAXMEMORY, policy);
                row.push(server.run(trace, requests).show());
                let mut server = Server::redis();
                let bytes = server.bytes_for(ours.keys);
                server.limit(bytes, policy);
                row.push(server.run(trace, requests).show());
            }
            println!("| {} | {policy} | {} |", trace.name(), row.join(" | "));
        }
    }
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trace {
    /// Zipf's law: the key of rank n is asked for in proportion to 1/n^0.8.
    Zipf,
    /// The same, and two of five requests go over other keys in order, as a backup or a report does.
    Scans,
    /// The same as the first, but now and then a tenth of the keys change places with others.
    Shifting,
}

impl Trace {
    fn name(self) -> &'static str {
        match self {
            Trace::Zipf => "Zipf",
            Trace::Scans => "Zipf, 40 % scans",
            Trace::Shifting => "shifting Zipf",
        }
    }

    /// The keys, one after the other.
    fn keys(self, requests: usize) -> impl Iterator<Item = String> {
        let mut sums: Vec<f64> = Vec::with_capacity(KEYS);
        for rank in 1..=KEYS {
            sums.push(sums.last().copied().unwrap_or_default() + (rank as f64).powf(-EXPONENT));
        }
        let (mut rng, mut scanned) = (StdRng::seed_from_u64(1), 0);
        (0..requests).map(move |nth| {
            if self == Trace::Scans && rng.random_bool(0.4) {
                scanned += 1;
                return format!("scan:{:011}", scanned % KEYS);
            }
            let total = sums[KEYS - 1];
            let rolled = rng.random_range(0.0..total);
            let rank = sums.partition_point(|sum| *sum < rolled);
            let phase = if self == Trace::Shifting { nth * 10 / requests } else { 0 };
            // In each phase another tenth of the ranks belongs to new keys.
            let renamed = (1..=phase).filter(|at| rank % 10 == at % 10).count();
            format!("key:{renamed:02}:{rank:09}")
        })
    }
}

/// What came of a trace.
struct Outcome {
    hits: usize,
    requests: usize,
    keys: usize,
}

impl Outcome {
    fn show(&self) -> String {
        format!("{:.1} ({})", self.hits as f64 * 100.0 / self.requests as f64, self.keys)
    }
}

/// A server that this program has started, and a connection to it.
struct Server {
    _child: Started,
    wire: BufReader<TcpStream>,
}

/// A process that ends when this is dropped.
struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Server {
    fn tidegate() -> Server {
        Server::start(env!("CARGO_BIN_EXE_tidegate"), &[])
    }

    fn redis() -> Server {
        Server::start("redis-server", &["--save", "", "--appendonly", "no"])
    }

    fn start(program: &str, options: &[&str]) -> Server {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = free.expect("a free port").port().to_string();
        let child = Command::new(program)
            .args(["--port", &port])
            .args(options)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map(Started)
            .expect("the server starts");
        for _ in 0..100 {
            if let Ok(stream) = TcpStream::connect(("127.0.0.1", port.parse().expect("a port"))) {
                stream.set_nodelay(true).expect("a socket option");
                return Server { _child: child, wire: BufReader::new(stream) };
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("{program} does not listen");
    }

    fn ask(&mut self, request: &str) -> String {
        self.wire.get_mut().write_all(format!("{request}\r\n").as_bytes()).expect("it reads");
        self.line()
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.wire.read_line(&mut line).expect("it answers");
        line.trim_end().to_owned()
    }

    fn limit(&mut self, bytes: usize, policy: &str) {
        let set = format!("CONFIG SET maxmemory {bytes} maxmemory-policy {policy}");
        assert_eq!(self.ask(&set), "+OK");
    }

    /// How much memory it uses with so many keys. Removes them again.
    fn bytes_for(&mut self, keys: usize) -> usize {
        let names: Vec<String> = (0..keys).map(|n| format!("fill{n:012}")).collect();
        names.chunks(TOGETHER).for_each(|names| self.set(names.iter()));
        self.wire.get_mut().write_all(b"INFO memory\r\n").expect("it reads");
        let header = self.line();
        let mut text = vec![0; header[1..].parse::<usize>().expect("a length") + 2];
        self.wire.read_exact(&mut text).expect("its bytes");
        let text = String::from_utf8_lossy(&text).into_owned();
        let field = text.lines().find_map(|line| line.strip_prefix("used_memory:")).expect("a field");
        let bytes = field.parse().expect("a number");
        assert_eq!(self.ask("FLUSHALL"), "+OK");
        bytes
    }

    fn set<'a>(&mut self, names: impl Iterator<Item = &'a String> + Clone) {
        let mut requests = Vec::new();
        for name in names.clone() {
            requests.extend(format!("*3\r\n$3\r\nSET\r\n$16\r\n{name}\r\n$32\r\n").into_bytes());
            requests.extend([&VALUE[..], b"\r\n"].concat());
        }
        self.wire.get_mut().write_all(&requests).expect("it reads");
        for _ in names {
            assert_eq!(self.line(), "+OK");
        }
    }

    fn run(&mut self, trace: Trace, requests: usize) -> Outcome {
        let keys: Vec<String> = trace.keys(requests).collect();
        // The first half fills the cache, and the second one counts.
        let (mut hits, counted) = (0, requests / 2);
        for (nth, names) in keys.chunks(TOGETHER).enumerate() {
            let gets: String =
                names.iter().map(|name| format!("*2\r\n$3\r\nGET\r\n$16\r\n{name}\r\n")).collect();
            self.wire.get_mut().write_all(gets.as_bytes()).expect("it reads");
            let mut missing = Vec::new();
            let mut value = [0; VALUE.len() + 2];
            for name in names {
                if self.line() == "$-1" {
                    missing.push(name);
                } else {
                    self.wire.read_exact(&mut value).expect("the value");
                    hits += usize::from(nth * TOGETHER >= requests - counted);
                }
            }
            self.set(missing.into_iter());
        }
        let keys = self.ask("DBSIZE")[1..].parse().expect("a number");
        Outcome { hits, requests: counted, keys }
    }
}
