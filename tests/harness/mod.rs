//! Starts the real binary on a port of its own choosing and talks to it over real sockets.
//!
//! Shared by the tests of the wire and the hostile suite. Every wait has a deadline, and nothing
//! sleeps to let something happen.

#![allow(dead_code)] // Compiled into each of them, and none uses all of it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a wait may take before the test fails.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// A running daemon; it ends with the test.
pub struct Daemon {
    pub child: Child,
    pub address: SocketAddr,
    /// What it logs, until it is taken.
    stderr: Option<ChildStderr>,
}

pub fn command(options: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.args(["--port", "0"]).args(options).stdin(Stdio::null());
    command
}

/// The same command under a limit of the shell's `ulimit`, such as `-n 200`.
pub fn limited(limits: &str, options: &[&str]) -> Command {
    let mut shell = Command::new("sh");
    let script = format!(r#"ulimit {limits} && exec "$0" "$@""#);
    shell.args(["-c", &script, env!("CARGO_BIN_EXE_tidegate"), "--port", "0"]).args(options);
    shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    shell
}

impl Daemon {
    pub fn start(options: &[&str]) -> Daemon {
        let mut command = command(options);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Daemon::spawn(command)
    }

    /// Spawns a command whose stdout is piped and says where it listens.
    pub fn spawn(mut command: Command) -> Daemon {
        let mut child = command.spawn().expect("the daemon starts");
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        stdout.read_line(&mut line).expect("stdout can be read");
        let address = line
            .strip_prefix("listening on ")
            .and_then(|rest| rest.split_whitespace().next())
            .and_then(|address| address.parse().ok())
            .unwrap_or_else(|| panic!("instead of an address it said {line:?}"));
        let stderr = child.stderr.take();
        Daemon { child, address, stderr }
    }

    pub fn port(&self) -> String {
        self.address.port().to_string()
    }

    pub fn connect(&self) -> Wire {
        Wire::new(TcpStream::connect(self.address).expect("the daemon accepts"))
    }

    pub fn client(&self, query: &str) -> redis::Connection {
        let url = format!("redis://{}/{query}", self.address);
        redis::Client::open(url).unwrap().get_connection_with_timeout(DEADLINE).expect("a client connects")
    }

    /// One field of INFO, asked over a connection of its own.
    pub fn info(&self, field: &str) -> String {
        self.connect().info(field)
    }

    /// Descriptors it has open; 0 where there is no /proc to tell.
    pub fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).map_or(0, Iterator::count)
    }

    /// The state of the process (R, S, T, Z, ...), if there is a /proc.
    pub fn state(&self) -> Option<char> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).ok()?;
        stat.rsplit(") ").next()?.chars().next()
    }

    /// A number of KiB from /proc/PID/status, such as VmHWM, in bytes; 0 where there is no /proc to tell.
    pub fn status_bytes(&self, field: &str) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<usize>().ok());
        kib.unwrap_or_default() << 10
    }

    /// Stops the daemon, so everything that happens meanwhile reaches it in one wake.
    pub fn while_stopped(&self, meanwhile: impl FnOnce()) {
        self.signal("STOP");
        within("it to stop", || (self.state().is_none_or(|state| state == 'T')).then_some(()));
        meanwhile();
        self.signal("CONT");
    }

    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let status = Command::new("kill").args(["-s", name, &pid]).status().expect("kill runs");
        assert!(status.success(), "kill -s {name} {pid}");
    }

    /// Waits for the daemon to exit; returns its exit code and what it has logged.
    pub fn exit(mut self) -> (Option<i32>, String) {
        let mut log = String::new();
        let stderr = self.stderr.take();
        let status = within("the daemon to exit", || self.child.try_wait().expect("it can be waited for"));
        if let Some(mut stderr) = stderr {
            stderr.read_to_string(&mut log).expect("the log is text");
        }
        (status.code(), log)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A process of ours that ends with the test.
pub struct Guard(pub Child);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Repeats `attempt` until it returns a value, or until the deadline.
pub fn within<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(answer) = attempt() {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::yield_now();
    }
}

/// True if a program can be run; says so if not, for tests that then skip.
pub fn have(program: &str, argument: &str) -> bool {
    let found =
        Command::new(program).arg(argument).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !found {
        skipped(&format!("{program} is not installed"));
    }
    found
}

/// Makes sure that this process may open that many sockets; says so if it may not.
pub fn have_descriptors(count: u64) -> bool {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    let enough = soft >= count || hard >= count && setrlimit(Resource::RLIMIT_NOFILE, count, hard).is_ok();
    if !enough {
        skipped(&format!("{count} descriptors are needed and {hard} allowed"));
    }
    enough
}

/// Prints why a test skips. Not with `println!`, because the test runner would hide that.
pub fn skipped(why: &str) {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {why}");
}

/// A raw connection.
pub struct Wire {
    pub stream: TcpStream,
}

impl Wire {
    pub fn new(stream: TcpStream) -> Wire {
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Wire { stream }
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).expect("the daemon takes it");
    }

    /// Reads exactly this.
    pub fn expect(&mut self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        let mut got = vec![0; bytes.len()];
        let mut filled = 0;
        while filled < got.len() {
            match self.stream.read(&mut got[filled..]) {
                Ok(count) if count > 0 && bytes.starts_with(&got[..filled + count]) => filled += count,
                Ok(count) => {
                    let got = got[..filled + count].escape_ascii();
                    panic!("expected {}, got {got} and then {count} bytes", bytes.escape_ascii());
                }
                Err(error) => {
                    panic!(
                        "expected {}, got {}: {error}",
                        bytes.escape_ascii(),
                        got[..filled].escape_ascii()
                    );
                }
            }
        }
    }

    pub fn ask(&mut self, request: impl AsRef<[u8]>, reply: impl AsRef<[u8]>) {
        self.send(request);
        self.expect(reply);
    }

    /// All bytes up to the end of the stream. The end must not be a reset.
    pub fn rest(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        self.stream.read_to_end(&mut all).expect("an orderly end, no reset");
        all
    }

    pub fn expect_end(&mut self) {
        assert_eq!(self.rest().escape_ascii().to_string(), "", "expected the end");
    }

    pub fn half_close(&mut self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    pub fn line(&mut self) -> String {
        let mut line = Vec::new();
        let mut byte = [0];
        while !line.ends_with(b"\r\n") {
            self.stream.read_exact(&mut byte).expect("a line");
            line.push(byte[0]);
        }
        line.truncate(line.len() - 2);
        String::from_utf8(line).expect("text")
    }

    /// A bulk string.
    pub fn bulk(&mut self) -> Vec<u8> {
        let header = self.line();
        let len: usize = header.strip_prefix('$').and_then(|len| len.parse().ok()).expect("a bulk string");
        let mut bytes = vec![0; len + 2];
        self.stream.read_exact(&mut bytes).expect("its bytes");
        bytes.truncate(len);
        bytes
    }

    pub fn info(&mut self, field: &str) -> String {
        self.send("INFO everything\r\n");
        let text = String::from_utf8(self.bulk()).expect("text");
        let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        line.unwrap_or_else(|| panic!("INFO has no {field}")).to_owned()
    }
}

/// A request as client libraries send it.
pub fn request(words: &[&[u8]]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend(*word);
        bytes.extend(b"\r\n");
    }
    bytes
}
