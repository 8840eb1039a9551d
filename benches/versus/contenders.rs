//! The contenders: the daemon, its twins, the floor, and the servers that people use, if they are installed.
//! This file knows how to start and stop each of them, and nothing about what is measured.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::cores::Cores;
use super::floor::Exchange;
use super::script::{Protocol, Script};
use super::twins::TWINS;

/// How long a started server may take until it answers.
const START: Duration = Duration::from_secs(10);
/// Pause between two tries to reach a server that does not answer yet.
const TRY_EVERY: Duration = Duration::from_micros(200);

/// A server that takes part.
#[derive(Clone, Debug)]
pub struct Contender {
    /// What `--against` and the report call it.
    pub name: String,
    /// What it is, with its version.
    pub about: String,
    /// The protocol that it speaks.
    pub protocol: Protocol,
    /// A request that it answers as soon as it is ready.
    hello: Vec<u8>,
    how: How,
}

/// How a server is started: its program, and its arguments.
#[derive(Clone, Debug)]
enum How {
    /// It also gets `--port 0`, and prints the address at which it listens.
    Says(PathBuf, Vec<String>),
    /// It also gets this port option with a free port, and does not say when it listens.
    Silent(PathBuf, Vec<String>, &'static str),
}

/// A running server. It is killed when this is dropped.
pub struct Running {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    /// Time from the start of its process until it had answered once.
    pub ready_in: Duration,
}

/// All contenders that can take part on this machine, without the floor; and why others cannot.
pub fn present() -> (Vec<Contender>, Vec<String>) {
    let about = format!("this daemon, {}, one thread, mio", env!("CARGO_PKG_VERSION"));
    let mut all = vec![daemon("tidegate", about, env!("CARGO_BIN_EXE_tidegate").into())];
    let mut missing = Vec::new();
    for (name, about) in TWINS {
        all.push(ours(name, about, vec!["serve".into(), (*name).into()]));
    }
    for installed in [redis("redis-server"), redis("valkey-server"), memcached(), pogocache(), goroutines()] {
        match installed {
            Ok(contender) => all.push(contender),
            Err(why) => missing.push(why),
        }
    }
    (all, missing)
}

/// Another build of the daemon, to see what a change gains.
pub fn before(program: PathBuf) -> Contender {
    daemon("before", format!("another build of the daemon, {}", program.display()), program)
}

/// A build of the daemon.
fn daemon(name: &str, about: String, program: PathBuf) -> Contender {
    Contender {
        name: name.into(),
        about,
        protocol: Protocol::Resp,
        hello: hello(Protocol::Resp),
        how: How::Says(program, Vec::new()),
    }
}

/// The floor for requests and replies of these sizes.
pub fn floor(exchange: Exchange) -> Contender {
    let Exchange { request_bytes, reply_bytes } = exchange;
    let options = ["serve", "floor", "--request-bytes", &request_bytes.to_string(), "--reply-bytes"];
    let mut args: Vec<String> = options.map(str::to_owned).into();
    args.push(reply_bytes.to_string());
    let about = "an epoll loop that parses nothing and answers each N bytes with a constant";
    // The floor knows a request only by its length, so any bytes will do.
    Contender { hello: vec![b'x'; request_bytes], ..ours("floor", about, args) }
}

/// A request that every server of this protocol answers.
fn hello(protocol: Protocol) -> Vec<u8> {
    Script::ping(protocol).batch(0).to_owned()
}

/// A server that this program itself becomes.
fn ours(name: &str, about: &str, args: Vec<String>) -> Contender {
    let program = std::env::current_exe().unwrap_or_default();
    Contender {
        name: name.into(),
        about: about.into(),
        protocol: Protocol::Resp,
        hello: hello(Protocol::Resp),
        how: How::Says(program, args),
    }
}

/// Redis or Valkey.
fn redis(program: &'static str) -> Result<Contender, String> {
    let said = version(program, "--version")?;
    let number = said.split_whitespace().find_map(|word| word.strip_prefix("v=")).unwrap_or("?");
    let args = ["--save", "", "--appendonly", "no", "--bind", "127.0.0.1"].map(str::to_owned).into();
    Ok(Contender {
        name: program.trim_end_matches("-server").into(),
        about: format!("{program} {number}, no persistence"),
        protocol: Protocol::Resp,
        hello: hello(Protocol::Resp),
        how: How::Silent(program.into(), args, "--port"),
    })
}

fn memcached() -> Result<Contender, String> {
    let said = version("memcached", "--version")?;
    // Run by root, memcached refuses to start without this.
    let args = ["-t", "1", "-m", "4096", "-c", "20000", "-l", "127.0.0.1", "-u", "root"];
    Ok(Contender {
        name: "memcached".into(),
        about: format!("{}, one thread, its own text protocol", said.trim()),
        protocol: Protocol::Memcached,
        hello: hello(Protocol::Memcached),
        how: How::Silent("memcached".into(), args.map(str::to_owned).into(), "-p"),
    })
}

fn pogocache() -> Result<Contender, String> {
    let said = version("pogocache", "--version")?;
    // By default it accepts only 1,024 connections.
    let args = ["-h", "127.0.0.1", "--threads", "1", "--maxconns", "20000"];
    Ok(Contender {
        name: "pogocache".into(),
        about: format!("{}, one thread", said.trim()),
        protocol: Protocol::Resp,
        hello: hello(Protocol::Resp),
        how: How::Silent("pogocache".into(), args.map(str::to_owned).into(), "-p"),
    })
}

/// The origin's design in Go. It is built if there is a Go compiler.
fn goroutines() -> Result<Contender, String> {
    let said = version("go", "version")?;
    let number = said.split_whitespace().nth(2).unwrap_or("go?");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/versus/go/main.go");
    let built = Path::new(env!("CARGO_TARGET_TMPDIR")).join("versus-go");
    let mut build = Command::new("go");
    build.args(["build", "-o"]).arg(&built).arg(source).env("GOFLAGS", "-mod=mod").env("GO111MODULE", "off");
    let output = build.output().map_err(|error| format!("go: {error}"))?;
    if !output.status.success() {
        return Err(format!(
            "the go server does not build: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        ));
    }
    Ok(Contender {
        name: "go".into(),
        about: format!("the origin's design: {number}, one goroutine per connection, a map behind a mutex"),
        protocol: Protocol::Resp,
        hello: hello(Protocol::Resp),
        how: How::Says(built, Vec::new()),
    })
}

/// The first line that `program` prints with this option.
fn version(program: &str, option: &str) -> Result<String, String> {
    let output = Command::new(program).arg(option).stdin(Stdio::null()).output();
    let output = output.map_err(|_| format!("{program} is not installed"))?;
    Ok(String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_owned())
}

impl Contender {
    /// Starts it on the server's core and waits until it answers.
    ///
    /// # Errors
    /// If it does not start, or does not answer in time.
    pub fn start(&self, cores: Cores) -> io::Result<Running> {
        let mut command;
        let mut port = 0;
        match &self.how {
            How::Says(program, args) => {
                command = Command::new(program);
                command.args(args).args(["--port", "0"]).stdout(Stdio::piped());
            }
            How::Silent(program, args, option) => {
                port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
                command = Command::new(program);
                command.args(args).args([option, port.to_string().as_str()]).stdout(Stdio::null());
            }
        }
        command.stdin(Stdio::null()).stderr(Stdio::null()).current_dir(env!("CARGO_TARGET_TMPDIR"));
        let begin = Instant::now();
        let child = cores.on_server(|| command.spawn())?;
        let mut running =
            Running { child, address: SocketAddr::from(([127, 0, 0, 1], port)), ready_in: Duration::ZERO };
        if port == 0 {
            running.hear_address()?;
        }
        running.await_answer(&self.hello, begin)?;
        running.ready_in = begin.elapsed();
        Ok(running)
    }
}

impl Running {
    /// The number of its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Reads the address that it prints.
    fn hear_address(&mut self) -> io::Result<()> {
        let mut line = String::new();
        if let Some(stdout) = self.child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        let address = line.trim().strip_prefix("listening on ").and_then(|address| address.parse().ok());
        self.address = address
            .ok_or_else(|| io::Error::other(format!("the server printed {line:?} instead of its address")))?;
        Ok(())
    }

    /// Connects and asks again and again, until it answers.
    fn await_answer(&self, hello: &[u8], begin: Instant) -> io::Result<()> {
        loop {
            let answered = TcpStream::connect(self.address).and_then(|mut stream| {
                stream.set_read_timeout(Some(START))?;
                stream.write_all(hello)?;
                stream.read_exact(&mut [0])
            });
            match answered {
                Ok(()) => return Ok(()),
                Err(error) if begin.elapsed() > START => return Err(error),
                Err(_) => std::thread::sleep(TRY_EVERY),
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
