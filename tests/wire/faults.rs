//! System calls that fail on the real binary, injected by strace: a client may lose its connection,
//! never gets a wrong reply, and the daemon goes on and leaks nothing.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use crate::harness::{DEADLINE, Daemon, skipped, within};

/// Commands that must succeed, over as many connections as it takes.
const COMMANDS: usize = 400;
/// A connection is given up after this many commands, so that the test also exercises accepting.
const COMMANDS_PER_CONNECTION: usize = 10;

/// Which call fails how, how often.
const FAULTS: &[&str] = &[
    "accept4:error=EMFILE:when=2+5",
    "accept4:error=ENFILE:when=2+5",
    "accept4:error=ECONNABORTED:when=1+3",
    "accept4:error=EINTR:when=1+2",
    "accept4:error=EPERM:when=1+3",
    "accept4:error=ENOBUFS:when=2+5",
    "accept4:error=EPROTO:when=2+5",
    "recvfrom:error=EINTR:when=1+3",
    "recvfrom:error=ECONNRESET:when=5+7",
    "recvfrom:error=ETIMEDOUT:when=5+7",
    "recvfrom:error=EHOSTUNREACH:when=5+7",
    "sendto:error=EINTR:when=1+3",
    "sendto:error=EPIPE:when=5+7",
    "sendto:error=ECONNRESET:when=5+7",
    "sendto:error=ENOBUFS:when=5+7",
    "epoll_wait:error=EINTR:when=1+2",
    "epoll_ctl:error=ENOMEM:when=5+4",
    "epoll_ctl:error=ENOSPC:when=5+4",
    "shutdown:error=ENOTCONN:when=1+2",
    // The first ones are those of the dynamic loader, which ends the process if one fails.
    "close:error=EIO:when=8+3",
    "recvfrom:delay_exit=2000:when=1+9",
];

fn strace_may_trace() -> bool {
    let tried = Command::new("strace")
        .args(["-D", "-o", "/dev/null", "-e", "inject=getpid:error=EPERM", "true"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    tried.is_ok_and(|status| status.success())
}

#[test]
fn failing_system_calls_cost_a_connection_at_most() {
    if !strace_may_trace() {
        skipped("strace is not installed or may not trace");
        return;
    }
    for fault in FAULTS {
        let call = fault.split(':').next().unwrap();
        // strace runs as a detached tracer, so the daemon stays our own child.
        let mut traced = Command::new("strace");
        traced.args([
            "-D",
            "-f",
            "-o",
            "/dev/null",
            "-e",
            &format!("trace={call}"),
            "-e",
            &format!("inject={fault}"),
        ]);
        traced.arg(env!("CARGO_BIN_EXE_tidegate")).args(["--port", "0"]);
        traced.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let daemon = Daemon::spawn(traced);
        let lost = hammer(&daemon, fault);
        // All clients are gone, and so is what they held.
        let at_rest = within("all descriptors to be free again", || {
            let count = daemon.descriptors();
            // A close that is made to fail is never made at all.
            (count <= 12 || call == "close").then_some(count)
        });
        println!("{fault}: {COMMANDS} right replies, {lost} connections lost, {at_rest} descriptors at rest");
    }
}

/// Sets and reads back until enough has succeeded; returns how many connections that cost.
fn hammer(daemon: &Daemon, fault: &str) -> usize {
    let (mut done, mut lost) = (0, 0);
    while done < COMMANDS {
        assert!(lost < 20 * COMMANDS, "{fault}: nobody gets through");
        let Ok(mut stream) = TcpStream::connect(daemon.address) else {
            lost += 1;
            continue;
        };
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        for _ in 0..COMMANDS_PER_CONNECTION {
            match set_and_get(&mut stream, done) {
                Ok(reply) => {
                    let number = done.to_string();
                    assert_eq!(reply, format!("+OK\r\n${}\r\n{number}\r\n", number.len()), "{fault}");
                    done += 1;
                }
                Err(error) => {
                    let waited_in_vain =
                        matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut);
                    assert!(!waited_in_vain, "{fault}: a client was left without an answer");
                    lost += 1;
                    break;
                }
            }
        }
    }
    lost
}

fn set_and_get(stream: &mut TcpStream, number: usize) -> std::io::Result<String> {
    stream.write_all(format!("SET k {number}\r\nGET k\r\n").as_bytes())?;
    let len = number.to_string().len();
    let mut reply = vec![0; 5 + 4 + len + 2];
    stream.read_exact(&mut reply)?;
    Ok(String::from_utf8(reply).expect("text"))
}
