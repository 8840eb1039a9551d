//! The daemon behind a Unix domain socket, beside its TCP addresses.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;

use crate::harness::{DEADLINE, Daemon, command};

/// A path of its own for each test, free when the test begins and when it ends.
struct Path(PathBuf);

impl Path {
    fn new(name: &str) -> Path {
        let path = std::env::temp_dir().join(format!("tidegate-{}-{name}.sock", std::process::id()));
        let _ = fs::remove_file(&path);
        Path(path)
    }

    fn text(&self) -> &str {
        self.0.to_str().unwrap()
    }

    fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(&self.0).expect("the daemon accepts");
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream
    }
}

impl Drop for Path {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn ask(stream: &mut UnixStream, request: &str, reply: &str) {
    stream.write_all(request.as_bytes()).unwrap();
    let mut heard = vec![0; reply.len()];
    stream.read_exact(&mut heard).unwrap();
    assert_eq!(String::from_utf8(heard).unwrap(), reply);
}

#[test]
fn clients_of_both_kinds_are_served_side_by_side() {
    let path = Path::new("both");
    let daemon = Daemon::start(&["--unixsocket", path.text(), "--unixsocketperm", "700"]);
    assert_eq!(fs::metadata(&path.0).unwrap().permissions().mode() & 0o777, 0o700);
    let (mut near, mut far) = (path.connect(), daemon.connect());
    ask(&mut near, "SET k near\r\n", "+OK\r\n");
    far.ask("GET k\r\n", "$4\r\nnear\r\n");
    // A reply of megabytes crosses it as well.
    let value = "v".repeat(4 << 20);
    ask(&mut near, &format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n${}\r\n{value}\r\n", value.len()), "+OK\r\n");
    ask(&mut near, "GET k\r\n", &format!("${}\r\n{value}\r\n", value.len()));
    far.send("CLIENT LIST\r\n");
    let list = String::from_utf8(far.bulk()).unwrap();
    let shown = format!("addr={0}:0 laddr={0}:0 ", path.text());
    let line =
        list.lines().find(|line| line.contains(&shown)).unwrap_or_else(|| panic!("no {shown} in {list}"));
    assert!(line.contains(" flags=U "), "{line}");
    far.ask(format!("CLIENT KILL ADDR {}:0\r\n", path.text()), ":1\r\n");
    assert_eq!(near.read(&mut [0; 1]).unwrap(), 0, "it was killed");
    drop(far);
    daemon.signal("TERM");
    assert_eq!(daemon.exit().0, Some(0));
    assert!(!path.0.exists(), "the socket's file is gone with its server");
}

#[test]
fn half_closed_and_draining_it_is_like_tcp() {
    let path = Path::new("drain");
    let daemon = Daemon::start(&["--unixsocket", path.text(), "--shutdown-timeout", "0"]);
    let mut leaving = path.connect();
    leaving.write_all(b"PING\r\nECHO last").unwrap();
    leaving.shutdown(std::net::Shutdown::Write).unwrap();
    let mut heard = String::new();
    leaving.read_to_string(&mut heard).unwrap();
    assert_eq!(heard, "+PONG\r\n", "half a request at the end is nobody's");
    let mut staying = path.connect();
    ask(&mut staying, "PING\r\n", "+PONG\r\n");
    daemon.signal("TERM");
    assert_eq!(staying.read(&mut [0; 1]).unwrap(), 0);
    assert_eq!(daemon.exit().0, Some(0));
    assert!(UnixStream::connect(&path.0).is_err());
}

#[test]
fn a_stale_file_is_replaced_and_nothing_else_is() {
    let path = Path::new("stale");
    // A listener that dies without removing its file.
    drop(UnixListener::bind(&path.0).unwrap());
    assert!(path.0.exists());
    let daemon = Daemon::start(&["--unixsocket", path.text()]);
    ask(&mut path.connect(), "PING\r\n", "+PONG\r\n");
    let refused = |why: &str| {
        let output = command(&["--unixsocket", path.text()]).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(path.text()) && said.contains(why), "{said}");
    };
    refused("a running process listens there");
    ask(&mut path.connect(), "PING\r\n", "+PONG\r\n");
    drop(daemon);
    let _ = fs::remove_file(&path.0);
    fs::write(&path.0, "somebody's letter").unwrap();
    refused("it is no socket");
    assert_eq!(fs::read_to_string(&path.0).unwrap(), "somebody's letter");
}

#[test]
fn a_file_that_is_somebody_elses_by_now_stays() {
    let path = Path::new("elses");
    let first = Daemon::start(&["--unixsocket", path.text()]);
    fs::remove_file(&path.0).unwrap();
    let _second = Daemon::start(&["--unixsocket", path.text()]);
    first.signal("TERM");
    assert_eq!(first.exit().0, Some(0));
    ask(&mut path.connect(), "PING\r\n", "+PONG\r\n");
}
