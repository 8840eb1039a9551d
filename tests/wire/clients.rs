//! Clients that people use, as they come.

use std::io::Write;
use std::process::{Command, Stdio};

use redis::{Commands, ErrorKind, ProtocolVersion, ServerErrorKind, Value};

use crate::harness::{Daemon, have, skipped, within};

#[test]
fn a_client_library_works_in_both_protocol_versions() {
    let daemon = Daemon::start(&[]);
    for (query, version) in [("", ProtocolVersion::RESP2), ("?protocol=resp3", ProtocolVersion::RESP3)] {
        let mut client = daemon.client(query);
        let () = client.set("key", "value").unwrap();
        assert_eq!(client.get::<_, String>("key").unwrap(), "value", "{version:?}");
        assert_eq!(client.get::<_, Option<String>>("nothing").unwrap(), None);
        assert_eq!(client.incr::<_, _, i64>("count", 5).unwrap() % 5, 0);
        let (a, b): (i64, Vec<Option<String>>) =
            redis::pipe().del("gone").cmd("MGET").arg("key").arg("gone").query(&mut client).unwrap();
        assert_eq!((a, b), (0, vec![Some("value".to_owned()), None]));
        let config: Value = redis::cmd("CONFIG").arg("GET").arg("maxclients").query(&mut client).unwrap();
        match version {
            ProtocolVersion::RESP3 => assert!(matches!(config, Value::Map(_)), "{config:?}"),
            _ => assert!(matches!(config, Value::Array(_)), "{config:?}"),
        }
        let error = redis::cmd("GET").query::<Value>(&mut client).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Server(ServerErrorKind::ResponseError), "{error}");
    }
}

#[test]
fn redis_cli_works_and_knows_the_commands() {
    if !have("redis-cli", "--version") {
        return;
    }
    let daemon = Daemon::start(&[]);
    let cli = |words: &[&str]| {
        let output = Command::new("redis-cli").args(["-p", &daemon.port()]).args(words).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(cli(&["SET", "key", "a value", "EX", "100"]), "OK\n");
    assert_eq!(cli(&["GET", "key"]), "a value\n");
    assert_eq!(cli(&["-3", "GET", "nothing"]), "\n");
    assert_eq!(
        cli(&["--raw", "COMMAND", "COUNT"]),
        format!("{}\n", tidegate::service::catalog::COMMANDS.len())
    );
    assert!(cli(&["COMMAND", "DOCS", "get"]).contains("Get the value of a key"));
}

#[test]
fn nc_can_talk_to_it_line_by_line() {
    if !have("nc", "-h") {
        return;
    }
    let daemon = Daemon::start(&[]);
    let mut nc = Command::new("nc")
        .args(["127.0.0.1", &daemon.port()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = nc.stdin.take().unwrap();
    stdin.write_all(b"PING\nSET greeting \"hello world\"\nGET greeting\nQUIT\n").unwrap();
    drop(stdin);
    within("nc to end", || nc.try_wait().unwrap());
    let output = nc.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "+PONG\r\n+OK\r\n$11\r\nhello world\r\n+OK\r\n");
}

/// Runs a script of another language's client, if that client is installed.
fn script(interpreter: &str, check: &[&str], code: &str) {
    let installed = Command::new(interpreter)
        .args(check)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !installed {
        skipped(&format!("{interpreter} has no redis client"));
        return;
    }
    let daemon = Daemon::start(&[]);
    let flag = if interpreter == "node" { "-e" } else { "-c" };
    let output = Command::new(interpreter).args([flag, code]).env("PORT", daemon.port()).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && out.trim() == "right", "{interpreter} said {out}{err}");
}

#[test]
fn redis_py_works_with_its_defaults() {
    script(
        "python3",
        &["-c", "import redis"],
        r#"
import os, redis
r = redis.Redis(port=int(os.environ["PORT"]), socket_timeout=20)
assert r.set("k", "v", ex=100) and r.get("k") == b"v" and r.ttl("k") == 100
assert r.info()["redis_version"].startswith("7.")
assert r.config_get("maxclients") == {"maxclients": "10000"}
assert any(c["lib-name"].startswith("redis-py") for c in r.client_list()), r.client_list()
p = r.pipeline(transaction=False)
for i in range(1000): p.set(f"k{i}", i)
assert p.execute() == [True] * 1000
assert r.mget("k1", "k999", "none") == [b"1", b"999", None]
assert len(r.keys("k*")) == 1001 and r.dbsize() == 1001
try: r.execute_command("GET")
except redis.ResponseError as e: assert "wrong number of arguments" in str(e)
else: assert False
print("right")
"#,
    );
}

#[test]
fn node_redis_works_with_its_defaults() {
    script(
        "node",
        &["-e", "require('redis')"],
        r#"
const { createClient } = require('redis');
(async () => {
  const c = createClient({ url: 'redis://127.0.0.1:' + process.env.PORT, socket: { reconnectStrategy: false } });
  c.on('error', e => { console.log(e); process.exit(1); });
  await c.connect();
  const all = [await c.set('n', '1'), await c.get('n'), await c.incr('n'), await c.get('none'), await c.ping()];
  await c.quit();
  console.log(JSON.stringify(all) === '["OK","1",2,null,"PONG"]' ? 'right' : JSON.stringify(all));
})();
"#,
    );
}
