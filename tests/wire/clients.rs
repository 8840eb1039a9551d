//! Clients that people use, unmodified.

use std::io::{BufRead, BufReader, Write};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};

use redis::{Commands, ErrorKind, ProtocolVersion, ServerErrorKind, Value};

use crate::harness::{Daemon, Guard, have, skipped, within};

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

/// A redis-cli that is spoken to line by line.
struct Cli {
    child: Guard,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Cli {
    fn start(daemon: &Daemon) -> Cli {
        let mut command = Command::new("redis-cli");
        command.args(["-p", &daemon.port()]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Cli { child: Guard(child), stdin, stdout: BufReader::new(stdout) }
    }

    fn say(&mut self, line: &str) {
        writeln!(self.stdin, "{line}").unwrap();
    }

    /// The next lines that it prints and that are not empty.
    fn hears(&mut self, lines: &[&str]) {
        for expected in lines {
            let mut line = String::new();
            while line.trim().is_empty() {
                line.clear();
                assert!(self.stdout.read_line(&mut line).unwrap() > 0, "it ended before {expected}");
            }
            assert_eq!(line.trim_end(), *expected);
        }
    }
}

#[test]
fn two_of_redis_cli_chat_and_one_of_two_wins_a_watched_key() {
    if !have("redis-cli", "--version") {
        return;
    }
    let daemon = Daemon::start(&[]);
    let (mut ann, mut bob) = (Cli::start(&daemon), Cli::start(&daemon));
    ann.say("SUBSCRIBE chat");
    ann.hears(&["subscribe", "chat", "1"]);
    bob.say("PUBLISH chat hello");
    bob.hears(&["1"]);
    ann.hears(&["message", "chat", "hello"]);
    bob.say("PUBLISH chat \"how are you?\"");
    bob.hears(&["1"]);
    ann.hears(&["message", "chat", "how are you?"]);
    drop(ann);

    let mut ann = Cli::start(&daemon);
    for cli in [&mut ann, &mut bob] {
        cli.say("WATCH seat");
        cli.hears(&["OK"]);
        cli.say("MULTI");
        cli.hears(&["OK"]);
        cli.say("INCR seat");
        cli.hears(&["QUEUED"]);
    }
    bob.say("EXEC");
    bob.hears(&["1"]);
    ann.say("EXEC");
    // A null prints as nothing.
    ann.say("GET seat");
    ann.hears(&["1"]);
    drop((ann.child, bob.child));
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

#[test]
fn redis_py_chats_and_loses_a_watched_key() {
    script(
        "python3",
        &["-c", "import redis"],
        r#"
import os, redis
connect = lambda **options: redis.Redis(port=int(os.environ["PORT"]), socket_timeout=20, **options)
for options in ({}, {"protocol": 2}, {"protocol": 3}):
    ann, bob = connect(**options), connect(**options)
    chat = ann.pubsub()
    chat.subscribe("chat"); chat.psubscribe("c*")
    def hears(kind, pattern, channel, data):
        heard = chat.get_message(timeout=20)
        assert heard == {"type": kind, "pattern": pattern, "channel": channel, "data": data}, heard
    hears("subscribe", None, b"chat", 1)
    hears("psubscribe", None, b"c*", 2)
    assert bob.publish("chat", "hello") == 2
    hears("message", None, b"chat", b"hello")
    hears("pmessage", b"c*", b"chat", b"hello")
    assert bob.pubsub_numsub("chat") == [(b"chat", 1)] and bob.pubsub_channels() == [b"chat"]
    chat.ping(); assert chat.get_message(timeout=20)["type"] == "pong"
    chat.unsubscribe(); hears("unsubscribe", None, b"chat", 1)
    chat.punsubscribe(); hears("punsubscribe", None, b"c*", 0)

    ann.set("seat", 0)
    with ann.pipeline() as p:
        p.watch("seat")
        seat = int(p.get("seat"))
        p.multi()
        p.set("seat", seat + 1)
        assert p.execute() == [True]
        p.watch("seat")
        p.multi()
        p.set("seat", "ann")
        bob.set("seat", "bob")
        try: p.execute()
        except redis.WatchError: pass
        else: assert False, "both have the seat"
    assert ann.get("seat") == b"bob"
    # Its pipelines are transactions by default, and errors inside them are told apart.
    assert ann.pipeline().set("n", 1).incr("n").get("n").execute() == [True, 2, b"2"]
    try: ann.pipeline().incr("seat").incr("n").execute()
    except redis.ResponseError as e: assert "not an integer" in str(e), e
    else: assert False
    assert ann.get("n") == b"3"
print("right")
"#,
    );
}

#[test]
fn node_redis_chats_and_loses_a_watched_key() {
    script(
        "node",
        &["-e", "require('redis')"],
        r#"
const { createClient, WatchError } = require('redis');
const assert = require('assert');
const connect = async RESP => {
  const c = createClient({ RESP, url: 'redis://127.0.0.1:' + process.env.PORT, socket: { reconnectStrategy: false } });
  c.on('error', e => { console.log(e); process.exit(1); });
  return c.connect();
};
(async () => {
  for (const RESP of [2, 3]) {
    const [ann, bob] = [await connect(RESP), await connect(RESP)];
    assert.deepEqual(await ann.multi().set('n', '1').incr('n').get('n').exec(), ['OK', 2, '2']);
    await ann.watch('seat');
    await bob.set('seat', 'bob');
    await assert.rejects(ann.multi().set('seat', 'ann').exec(), WatchError);
    assert.equal(await ann.get('seat'), 'bob');

    const heard = [];
    let enough;
    const all = new Promise(resolve => { enough = resolve; });
    const hear = (message, channel) => { heard.push(channel + ':' + message); if (heard.length == 4) enough(); };
    await ann.subscribe('chat', hear);
    await ann.pSubscribe('c*', hear);
    assert.equal(await bob.publish('chat', 'hello'), 2);
    assert.equal(await bob.publish('chat', 'bye'), 2);
    await all;
    assert.deepEqual(heard, ['chat:hello', 'chat:hello', 'chat:bye', 'chat:bye']);
    assert.deepEqual({ ...await bob.pubSubNumSub(['chat']) }, { chat: 1 });
    await ann.unsubscribe(); await ann.pUnsubscribe();
    await ann.quit(); await bob.quit();
  }
  console.log('right');
})().catch(e => { console.log(e); process.exit(1); });
"#,
    );
}

#[test]
fn redis_cli_keeps_a_hash() {
    if !have("redis-cli", "--version") {
        return;
    }
    let daemon = Daemon::start(&[]);
    let mut cli = Cli::start(&daemon);
    cli.say("HSET user name ann age 41");
    cli.hears(&["2"]);
    cli.say("HINCRBY user age 1");
    cli.hears(&["42"]);
    cli.say("HGETALL user");
    cli.hears(&["name", "ann", "age", "42"]);
    cli.say("TYPE user");
    cli.hears(&["hash"]);
    cli.say("GET user");
    cli.hears(&["WRONGTYPE Operation against a key holding the wrong kind of value"]);
}

#[test]
fn redis_py_keeps_a_hash() {
    script(
        "python3",
        &["-c", "import redis"],
        r#"
import os, redis
for protocol in (2, 3):
    r = redis.Redis(port=int(os.environ["PORT"]), socket_timeout=20, protocol=protocol, decode_responses=True)
    r.flushall()
    assert r.hset("user", mapping={"name": "ann", "age": 41}) == 2
    assert r.hincrby("user", "age", 1) == 42 and float(r.hincrbyfloat("user", "age", 0.5)) == 42.5
    assert r.hgetall("user") == {"name": "ann", "age": "42.5"} and r.hmget("user", "name", "none") == ["ann", None]
    assert r.hdel("user", "age") == 1 and r.hkeys("user") == ["name"] and r.type("user") == "hash"
    many = {f"field:{n}": str(n) for n in range(5000)}
    assert r.hset("many", mapping=many) == 5000 and r.hlen("many") == 5000
    assert dict(r.hscan_iter("many", count=100)) == many and dict(r.hscan_iter("many", match="*99")).keys() < many.keys()
    assert set(r.hrandfield("many", 10)) < set(many) and len(r.hrandfield("many", 3, withvalues=True)) in (3, 6)
    assert sorted(r.scan_iter(_type="hash")) == ["many", "user"]
print("right")
"#,
    );
}

#[test]
fn node_redis_keeps_a_hash() {
    script(
        "node",
        &["-e", "require('redis')"],
        r#"
const { createClient } = require('redis');
(async () => {
  const c = createClient({ url: 'redis://127.0.0.1:' + process.env.PORT, socket: { reconnectStrategy: false } });
  c.on('error', e => { console.log(e); process.exit(1); });
  await c.connect();
  const all = [await c.hSet('user', { name: 'ann', age: '41' }), await c.hIncrBy('user', 'age', 1), await c.hGetAll('user'),
    await c.hmGet('user', ['name', 'none']), await c.hExists('user', 'age'), await c.hDel('user', ['age', 'name']),
    await c.exists('user')];
  await c.quit();
  const said = JSON.stringify(all);
  console.log(said === '[2,42,{"name":"ann","age":"42"},["ann",null],1,2,0]' ? 'right' : said);
})();
"#,
    );
}

/// Some of the programs that `.ci/programs` runs, where their libraries are installed anyway.
#[test]
fn programs_of_client_libraries_work() {
    let daemon = Daemon::start(&[]);
    let port = daemon.address.port();
    for (interpreter, check, program) in [
        ("python3", ["-c", "import redis.cache"], "redis_py.py"),
        ("node", ["-e", "require('redis')"], "node_redis.js"),
        ("node", ["-e", "require('ioredis')"], "ioredis.js"),
    ] {
        let installed = Command::new(interpreter).args(check).output().is_ok_and(|out| out.status.success());
        if !installed {
            skipped(&format!("the library of {program} is not installed"));
            continue;
        }
        let path = format!("tests/programs/{program}");
        let out = Command::new(interpreter).args([&path, &port.to_string()]).output().expect("it runs");
        assert!(out.status.success(), "{program}: {}", String::from_utf8_lossy(&out.stderr));
    }
}
