//! The twins of `cargo bench --bench versus` really are twins of the daemon: they give the same answers, they take as
//! many clients, and they drain.

#[path = "../../benches/versus/check.rs"]
mod check;
#[path = "../../benches/versus/twins/mod.rs"]
mod twins;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const DEADLINE: Duration = Duration::from_secs(20);
/// Says which twin this test binary is to be, when it starts itself.
const TWIN: &str = "TIDEGATE_TWIN";

/// A server that ends with the test.
struct Running {
    child: Child,
    address: SocketAddr,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Running {
    fn daemon() -> Running {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        command.args(["--port", "0"]);
        Running::spawn(command)
    }

    fn twin(name: &str) -> Running {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["serves_as_the_twin_it_is_told_to_be", "--exact", "--ignored", "--nocapture"]);
        command.env(TWIN, name);
        Running::spawn(command)
    }

    fn spawn(mut command: Command) -> Running {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("it starts");
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        // The test runner has a few words of its own to say first.
        let address = lines.filter_map(|line| line.strip_prefix("listening on ")?.parse().ok()).next();
        Running { child, address: address.expect("it says where it listens") }
    }

    fn exit(mut self) -> ExitStatus {
        let deadline = Instant::now() + DEADLINE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "waited in vain for the exit");
            std::thread::yield_now();
        }
    }
}

fn ask(mut stream: &TcpStream, request: &str, reply: &str) {
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut got = vec![0; reply.len()];
    stream.read_exact(&mut got).unwrap();
    assert_eq!(got.escape_ascii().to_string(), reply.as_bytes().escape_ascii().to_string());
}

#[test]
#[ignore = "is no test but the process that the others start"]
fn serves_as_the_twin_it_is_told_to_be() {
    let name = std::env::var(TWIN).expect("somebody says which");
    let served = twins::serve(&name, 0);
    // The process must not go back into the test runner, because no test reads what it would print.
    std::process::exit(i32::from(served.is_err()));
}

#[test]
fn every_twin_answers_what_the_daemon_answers() {
    let expected = check::transcript(Running::daemon().address).unwrap();
    for (name, _) in twins::TWINS {
        let told = check::transcript(Running::twin(name).address);
        let told = told.unwrap_or_else(|error| panic!("{name}: {error}"));
        for (index, (told, expected)) in told.iter().zip(&expected).enumerate() {
            let shown = |bytes: &[u8]| bytes[..bytes.len().min(200)].escape_ascii().to_string();
            assert!(
                told == expected,
                "{name}, conversation {index}: {} bytes {} instead of {} bytes {}",
                told.len(),
                shown(told),
                expected.len(),
                shown(expected)
            );
        }
    }
}

#[test]
fn every_twin_serves_who_is_there_and_takes_nobody_new_once_it_is_told_to_stop() {
    for (name, _) in twins::TWINS {
        let twin = Running::twin(name);
        let client = TcpStream::connect(twin.address).unwrap();
        ask(&client, "PING\r\n", "+PONG\r\n");
        kill(Pid::from_raw(twin.child.id() as i32), Signal::SIGTERM).unwrap();
        let deadline = Instant::now() + DEADLINE;
        while TcpStream::connect(twin.address).is_ok() {
            assert!(Instant::now() < deadline, "{name} still accepts");
        }
        ask(&client, "ECHO still\r\n", "$5\r\nstill\r\n");
        drop(client);
        assert!(twin.exit().success(), "{name}");
    }
}
