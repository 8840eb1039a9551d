//! Replies and error texts, to the letter; compared with a redis-server where there is one.

use std::net::TcpStream;
use std::process::{Command, Stdio};

use crate::harness::{Daemon, Guard, Wire, have, request, within};
use crate::talks::frame;

/// Requests and the replies that Redis gives, in one session.
const SESSION: &[(&str, &str)] = &[
    ("PING", "+PONG\r\n"),
    ("PING hello", "$5\r\nhello\r\n"),
    ("PING a b", "-ERR wrong number of arguments for 'ping' command\r\n"),
    ("ECHO", "-ERR wrong number of arguments for 'echo' command\r\n"),
    ("FOO a b", "-ERR unknown command 'FOO', with args beginning with: 'a' 'b' \r\n"),
    ("SELECT 0", "+OK\r\n"),
    ("SELECT 99", "-ERR DB index is out of range\r\n"),
    ("SELECT -1", "-ERR DB index is out of range\r\n"),
    ("SELECT 2147483648", "-ERR value is out of range, value must between -2147483648 and 2147483647\r\n"),
    ("SELECT x", "-ERR value is not an integer or out of range\r\n"),
    (
        "AUTH x",
        "-ERR AUTH <password> called without any password configured for the default user. Are you sure your \
         configuration is correct?\r\n",
    ),
    ("AUTH default x", "+OK\r\n"),
    ("AUTH foo x", "-WRONGPASS invalid username-password pair or user is disabled.\r\n"),
    ("AUTH a b c", "-ERR syntax error\r\n"),
    ("HELLO 4", "-NOPROTO unsupported protocol version\r\n"),
    ("HELLO x", "-ERR Protocol version is not an integer or out of range\r\n"),
    ("HELLO 2 FOO", "-ERR Syntax error in HELLO option 'FOO'\r\n"),
    ("HELLO 2 AUTH foo bar", "-WRONGPASS invalid username-password pair or user is disabled.\r\n"),
    ("SET a b", "+OK\r\n"),
    ("GET a", "$1\r\nb\r\n"),
    ("GET nothing", "$-1\r\n"),
    ("SET a", "-ERR wrong number of arguments for 'set' command\r\n"),
    ("SET a b EX", "-ERR syntax error\r\n"),
    ("SET a b EX 0", "-ERR invalid expire time in 'set' command\r\n"),
    ("SET a b PX -1", "-ERR invalid expire time in 'set' command\r\n"),
    ("SET a b EX x", "-ERR value is not an integer or out of range\r\n"),
    ("SET a b EX 9223372036854775807", "-ERR invalid expire time in 'set' command\r\n"),
    ("SET a b NX XX", "-ERR syntax error\r\n"),
    ("SET a b KEEPTTL EX 3", "-ERR syntax error\r\n"),
    ("SET a b EX 3 PX 4", "-ERR syntax error\r\n"),
    ("SET a c NX", "$-1\r\n"),
    ("SET a c NX GET", "$1\r\nb\r\n"),
    ("SET a c EX 10 EX 20 XX XX GET GET", "$1\r\nb\r\n"),
    ("TTL a", ":20\r\n"),
    ("GETEX a EX 10 EX 30", "$1\r\nc\r\n"),
    ("TTL a", ":30\r\n"),
    ("GETEX a PERSIST PERSIST", "$1\r\nc\r\n"),
    ("SET a b KEEPTTL KEEPTTL", "+OK\r\n"),
    ("TTL a", ":-1\r\n"),
    ("SET a b EX x FOO", "-ERR syntax error\r\n"),
    ("SET a \"q\\x41\\n\\\"\"", "+OK\r\n"),
    ("GET a", "$4\r\nqA\n\"\r\n"),
    ("SET a 'it\\'s'", "+OK\r\n"),
    ("GET 'a'", "$4\r\nit's\r\n"),
    ("SET a b", "+OK\r\n"),
    ("SET nothing c XX", "$-1\r\n"),
    ("SET a c XX GET", "$1\r\nb\r\n"),
    ("SET a d EX 100", "+OK\r\n"),
    ("TTL a", ":100\r\n"),
    ("SET a e KEEPTTL", "+OK\r\n"),
    ("TTL a", ":100\r\n"),
    ("PERSIST a", ":1\r\n"),
    ("PERSIST a", ":0\r\n"),
    ("TTL a", ":-1\r\n"),
    ("PTTL nothing", ":-2\r\n"),
    ("SET a f PXAT 1", "+OK\r\n"),
    ("EXISTS a", ":0\r\n"),
    ("SET a f EXAT 99999999999", "+OK\r\n"),
    ("SETEX a 0 b", "-ERR invalid expire time in 'setex' command\r\n"),
    ("PSETEX a -1 b", "-ERR invalid expire time in 'psetex' command\r\n"),
    ("SETEX a 100 b", "+OK\r\n"),
    ("PSETEX a 100000 b", "+OK\r\n"),
    ("TTL a", ":100\r\n"),
    ("SETNX a z", ":0\r\n"),
    ("SETNX fresh z", ":1\r\n"),
    ("GETSET fresh y", "$1\r\nz\r\n"),
    ("GETDEL fresh", "$1\r\ny\r\n"),
    ("GETDEL fresh", "$-1\r\n"),
    ("GETEX a", "$1\r\nb\r\n"),
    ("GETEX a PERSIST", "$1\r\nb\r\n"),
    ("TTL a", ":-1\r\n"),
    ("GETEX a EX 50", "$1\r\nb\r\n"),
    ("TTL a", ":50\r\n"),
    ("GETEX a EX 0", "-ERR invalid expire time in 'getex' command\r\n"),
    ("GETEX nothing EX 0", "$-1\r\n"),
    ("GETEX a FOO", "-ERR syntax error\r\n"),
    ("GETEX a PERSIST EX 1", "-ERR syntax error\r\n"),
    ("GETEX a PXAT 1", "$1\r\nb\r\n"),
    ("EXISTS a", ":0\r\n"),
    ("MSET a 1 b 2 c 3", "+OK\r\n"),
    ("MSET a", "-ERR wrong number of arguments for 'mset' command\r\n"),
    ("MSET a b c", "-ERR wrong number of arguments for 'mset' command\r\n"),
    ("MGET a b nothing a", "*4\r\n$1\r\n1\r\n$1\r\n2\r\n$-1\r\n$1\r\n1\r\n"),
    ("EXISTS a a nothing", ":2\r\n"),
    ("DEL a a nothing", ":1\r\n"),
    ("UNLINK b c", ":2\r\n"),
    ("APPEND a ab", ":2\r\n"),
    ("APPEND a cd", ":4\r\n"),
    ("STRLEN a", ":4\r\n"),
    ("STRLEN nothing", ":0\r\n"),
    ("INCR a", "-ERR value is not an integer or out of range\r\n"),
    ("INCR n", ":1\r\n"),
    ("INCRBY n 41", ":42\r\n"),
    ("DECR n", ":41\r\n"),
    ("DECRBY n 50", ":-9\r\n"),
    ("INCRBY n x", "-ERR value is not an integer or out of range\r\n"),
    ("SET n 9223372036854775807", "+OK\r\n"),
    ("INCR n", "-ERR increment or decrement would overflow\r\n"),
    ("DECRBY n -9223372036854775808", "-ERR decrement would overflow\r\n"),
    ("GET n", "$19\r\n9223372036854775807\r\n"),
    ("SET n \" 1\"", "+OK\r\n"),
    ("INCR n", "-ERR value is not an integer or out of range\r\n"),
    ("TYPE n", "+string\r\n"),
    ("TYPE nothing", "+none\r\n"),
    ("EXPIRE nothing 10", ":0\r\n"),
    ("EXPIRE nothing x", "-ERR value is not an integer or out of range\r\n"),
    ("EXPIRE n 9223372036854775807", "-ERR invalid expire time in 'expire' command\r\n"),
    ("EXPIRE n 1 FOO", "-ERR Unsupported option FOO\r\n"),
    ("EXPIRE n abc ZZ", "-ERR Unsupported option ZZ\r\n"),
    ("EXPIRE n abc GT LT", "-ERR GT and LT options at the same time are not compatible\r\n"),
    ("EXPIRE n abc NX", "-ERR value is not an integer or out of range\r\n"),
    ("EXPIRE n 1 NX XX", "-ERR NX and XX, GT or LT options at the same time are not compatible\r\n"),
    ("EXPIRE n 1 GT LT", "-ERR GT and LT options at the same time are not compatible\r\n"),
    ("EXPIRE n 10 XX", ":0\r\n"),
    ("EXPIRE n 10 GT", ":0\r\n"),
    ("EXPIRE n 100 NX", ":1\r\n"),
    ("EXPIRE n 50 GT", ":0\r\n"),
    ("EXPIRE n 50 LT", ":1\r\n"),
    ("PEXPIRE n 100000 XX", ":1\r\n"),
    ("TTL n", ":100\r\n"),
    ("EXPIRE n -1", ":1\r\n"),
    ("EXISTS n", ":0\r\n"),
    ("FLUSHALL FOO", "-ERR syntax error\r\n"),
    ("FLUSHALL ASYNC", "+OK\r\n"),
    ("DBSIZE", ":0\r\n"),
    ("KEYS *", "*0\r\n"),
    ("SET one 1", "+OK\r\n"),
    ("KEYS o?e", "*1\r\n$3\r\none\r\n"),
    ("KEYS [^o]ne", "*0\r\n"),
    ("FLUSHDB", "+OK\r\n"),
    ("CLIENT", "-ERR wrong number of arguments for 'client' command\r\n"),
    ("CLIENT FOO", "-ERR unknown subcommand 'FOO'. Try CLIENT HELP.\r\n"),
    ("CLIENT GETNAME", "$-1\r\n"),
    ("CLIENT SETNAME me", "+OK\r\n"),
    ("CLIENT GETNAME", "$2\r\nme\r\n"),
    (
        "CLIENT SETNAME \"a b\"",
        "-ERR Client names cannot contain spaces, newlines or special characters.\r\n",
    ),
    ("CLIENT KILL", "-ERR wrong number of arguments for 'client|kill' command\r\n"),
    ("CLIENT KILL ID 999", ":0\r\n"),
    ("CLIENT KILL ID x", "-ERR client-id should be greater than 0\r\n"),
    ("CLIENT KILL 1.2.3.4:1", "-ERR No such client\r\n"),
    ("CLIENT KILL FOO 1", "-ERR syntax error\r\n"),
    ("CLIENT LIST TYPE foo", "-ERR Unknown client type 'foo'\r\n"),
    ("CLIENT LIST TYPE master", "$0\r\n\r\n"),
    ("CLIENT LIST ID x", "-ERR Invalid client ID\r\n"),
    ("CLIENT LIST FOO", "-ERR syntax error\r\n"),
    ("CLIENT REPLY FOO", "-ERR syntax error\r\n"),
    ("CLIENT REPLY ON", "+OK\r\n"),
    ("CLIENT NO-EVICT FOO", "-ERR syntax error\r\n"),
    ("CLIENT NO-EVICT ON", "+OK\r\n"),
    ("CONFIG GET", "-ERR wrong number of arguments for 'config|get' command\r\n"),
    ("CONFIG GET maxclient?", "*2\r\n$10\r\nmaxclients\r\n$5\r\n10000\r\n"),
    ("CONFIG GET save", "*2\r\n$4\r\nsave\r\n$0\r\n\r\n"),
    ("CONFIG FOO", "-ERR unknown subcommand 'FOO'. Try CONFIG HELP.\r\n"),
    ("CONFIG SET foo 1", "-ERR Unknown option or number of arguments for CONFIG SET - 'foo'\r\n"),
    ("CONFIG SET timeout", "-ERR wrong number of arguments for 'config|set' command\r\n"),
    (
        "CONFIG SET timeout 1 timeout 2",
        "-ERR CONFIG SET failed (possibly related to argument 'timeout') - duplicate parameter\r\n",
    ),
    (
        "CONFIG SET timeout 1 TIMEOUT 2",
        "-ERR CONFIG SET failed (possibly related to argument 'TIMEOUT') - duplicate parameter\r\n",
    ),
    (
        "CONFIG SET databases 3",
        "-ERR CONFIG SET failed (possibly related to argument 'databases') - can't set immutable config\r\n",
    ),
    (
        "CONFIG SET timeout -1",
        "-ERR CONFIG SET failed (possibly related to argument 'timeout') - argument must be between 0 and 2147483647 \
         inclusive\r\n",
    ),
    (
        "CONFIG SET maxclients x",
        "-ERR CONFIG SET failed (possibly related to argument 'maxclients') - argument couldn't be parsed into an \
         integer\r\n",
    ),
    (
        "CONFIG SET maxclients 0",
        "-ERR CONFIG SET failed (possibly related to argument 'maxclients') - argument must be between 1 and \
         4294967295 inclusive\r\n",
    ),
    (
        "CONFIG SET loglevel x",
        "-ERR CONFIG SET failed (possibly related to argument 'loglevel') - argument(s) must be one of the following: \
         debug, verbose, notice, warning\r\n",
    ),
    (
        "CONFIG SET maxclients 50 TIMEOUT x",
        "-ERR CONFIG SET failed (possibly related to argument 'timeout') - argument couldn't be parsed into an \
         integer\r\n",
    ),
    ("CONFIG GET MaxClients", "*2\r\n$10\r\nMaxClients\r\n$5\r\n10000\r\n"),
    ("CONFIG SET timeout 77 maxclients 9999 save \"\" appendonly no", "+OK\r\n"),
    ("CONFIG GET maxclients", "*2\r\n$10\r\nmaxclients\r\n$4\r\n9999\r\n"),
    ("CONFIG GET timeout", "*2\r\n$7\r\ntimeout\r\n$2\r\n77\r\n"),
    ("CONFIG SET timeout 1 maxclients", "-ERR syntax error\r\n"),
    ("CONFIG SET loglevel verbose", "+OK\r\n"),
    ("CONFIG GET loglevel", "*2\r\n$8\r\nloglevel\r\n$7\r\nverbose\r\n"),
    ("CONFIG SET loglevel notice", "+OK\r\n"),
    ("CONFIG SET proto-max-bulk-len 1mb", "+OK\r\n"),
    ("CONFIG GET proto-max-bulk-len", "*2\r\n$18\r\nproto-max-bulk-len\r\n$7\r\n1048576\r\n"),
    ("CONFIG RESETSTAT", "+OK\r\n"),
    ("COMMAND FOO", "-ERR unknown subcommand 'FOO'. Try COMMAND HELP.\r\n"),
    ("COMMAND COUNT x", "-ERR wrong number of arguments for 'command|count' command\r\n"),
    ("COMMAND LIST FILTERBY foo bar", "-ERR syntax error\r\n"),
    ("COMMAND INFO nothing", "*1\r\n$-1\r\n"),
    ("COMMAND LIST FILTERBY PATTERN strle?", "*1\r\n$6\r\nstrlen\r\n"),
    ("FLUSHDB ASYNC", "+OK\r\n"),
    ("FLUSHALL SYNC", "+OK\r\n"),
    ("FLUSHALL NOW", "-ERR syntax error\r\n"),
    ("RANDOMKEY", "$-1\r\n"),
    ("SCAN 0", "*2\r\n$1\r\n0\r\n*0\r\n"),
    ("SET only 1", "+OK\r\n"),
    ("RANDOMKEY", "$4\r\nonly\r\n"),
    ("RANDOMKEY x", "-ERR wrong number of arguments for 'randomkey' command\r\n"),
    ("SCAN", "-ERR wrong number of arguments for 'scan' command\r\n"),
    ("SCAN 0", "*2\r\n$1\r\n0\r\n*1\r\n$4\r\nonly\r\n"),
    ("SCAN 0 MATCH on* COUNT 1000 TYPE STRING", "*2\r\n$1\r\n0\r\n*1\r\n$4\r\nonly\r\n"),
    ("SCAN 0 MATCH no* count 1000", "*2\r\n$1\r\n0\r\n*0\r\n"),
    ("SCAN 0 TYPE list", "*2\r\n$1\r\n0\r\n*0\r\n"),
    ("SCAN 0 TYPE list TYPE string", "*2\r\n$1\r\n0\r\n*1\r\n$4\r\nonly\r\n"),
    ("SCAN ''", "*2\r\n$1\r\n0\r\n*1\r\n$4\r\nonly\r\n"),
    ("SCAN x", "-ERR invalid cursor\r\n"),
    ("SCAN -", "-ERR invalid cursor\r\n"),
    ("SCAN ' 1'", "-ERR invalid cursor\r\n"),
    ("SCAN 18446744073709551616", "-ERR invalid cursor\r\n"),
    ("SCAN x COUNT 0", "-ERR invalid cursor\r\n"),
    ("SCAN 0 COUNT 0", "-ERR syntax error\r\n"),
    ("SCAN 0 COUNT -1", "-ERR syntax error\r\n"),
    ("SCAN 0 COUNT x", "-ERR value is not an integer or out of range\r\n"),
    ("SCAN 0 COUNT", "-ERR syntax error\r\n"),
    ("SCAN 0 FOO bar", "-ERR syntax error\r\n"),
    ("SCAN 0 COUNT 1 COUNT 1000", "*2\r\n$1\r\n0\r\n*1\r\n$4\r\nonly\r\n"),
    ("TIME x", "-ERR wrong number of arguments for 'time' command\r\n"),
    ("INFO nothing", "$0\r\n\r\n"),
    ("SHUTDOWN FOO", "-ERR syntax error\r\n"),
    ("SHUTDOWN ABORT", "-ERR No shutdown in progress.\r\n"),
    ("RESET", "+RESET\r\n"),
    ("CLIENT GETNAME", "$-1\r\n"),
];

/// Plays the session and returns each whole reply, a PING between them marking the end of each.
fn play(wire: &mut Wire) -> Vec<String> {
    SESSION
        .iter()
        .map(|(request, _)| {
            wire.send(format!("{request}\r\nECHO --end--\r\n"));
            let mut reply = String::new();
            while !reply.ends_with("$7\r\n--end--\r\n") {
                reply += &wire.line();
                reply += "\r\n";
            }
            reply.trim_end_matches("$7\r\n--end--\r\n").to_owned()
        })
        .collect()
}

#[test]
fn every_reply_is_rediss_to_the_letter() {
    every_reply_in_a_session_is_as_expected(&mut Daemon::start(&[]).connect());
}

/// Plays the session above; panics at the first reply that differs.
pub fn every_reply_in_a_session_is_as_expected(wire: &mut Wire) {
    for ((request, expected), reply) in SESSION.iter().zip(play(wire)) {
        assert!(
            reply == *expected || !expected.ends_with("\r\n") && reply.starts_with(expected),
            "{request}: {reply:?}"
        );
    }
}

/// Starts a redis-server on a port of its own.
pub fn start_redis(options: &[&str]) -> (Guard, Wire, u16) {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let child = Command::new("redis-server")
        .args(["--port", &port.to_string(), "--save", "", "--databases", "16"])
        .args(options)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let redis = Guard(child);
    let stream = within("redis-server to listen", || TcpStream::connect(("127.0.0.1", port)).ok());
    (redis, Wire::new(stream), port)
}

/// The table above is what Redis says, not what we think it says.
#[test]
fn a_redis_server_says_the_same() {
    if !have("redis-server", "--version") {
        return;
    }
    let (_redis, mut wire, _) = start_redis(&[]);
    for ((request, expected), reply) in SESSION.iter().zip(play(&mut wire)) {
        assert_eq!(reply, *expected, "{request}");
    }
}

/// A client of a redis-server and one of the daemon, with their servers.
pub struct Both {
    pub theirs: redis::Connection,
    pub ours: redis::Connection,
    _servers: (Guard, Daemon),
}

impl Both {
    pub fn start() -> Both {
        let (redis, _, port) = start_redis(&[]);
        let client = redis::Client::open(format!("redis://127.0.0.1:{port}/")).unwrap();
        let daemon = Daemon::start(&[]);
        let ours = daemon.client("");
        Both { theirs: client.get_connection().unwrap(), ours, _servers: (redis, daemon) }
    }
}

/// Arity, flags, key positions, categories, tips and key specifications of every command that Redis 7.0 has.
#[test]
fn a_redis_server_describes_its_commands_alike() {
    use redis::Value;
    use tidegate::service::catalog::everything;
    if !have("redis-server", "--version") {
        return;
    }
    let mut both = Both::start();
    let describe = |client: &mut redis::Connection, name: &str| -> Option<Vec<String>> {
        let reply: Vec<Value> = redis::cmd("COMMAND").arg("INFO").arg(name).query(client).unwrap();
        let Value::Array(fields) = &reply[0] else { return None };
        let sorted = |field: &Value| {
            let mut words: Vec<String> = redis::from_redis_value(field.clone()).unwrap();
            words.sort();
            // Since Redis 7.2, scripts may run commands that wait.
            let may_wait = words.iter().any(|word| word == "blocking");
            words.retain(|word| !(may_wait && word == "noscript"));
            words.join(" ")
        };
        let plain = |field: &Value| format!("{field:?}");
        // The notes of key specifications are texts of our own.
        let unnoted = |mut text: String| {
            while let Some((before, after)) = text.split_once("bulk-string('\"notes\"')") {
                let rest = after.split_once("bulk-string('\"flags\"')").map_or("", |(_, rest)| rest);
                text = format!("{before}bulk-string('\"flags\"'){rest}");
            }
            text
        };
        let show = |at: usize| match at {
            2 | 6 => sorted(&fields[at]),
            _ => unnoted(plain(&fields[at])),
        };
        Some((0..9).map(show).collect())
    };
    let mut compared = 0;
    // These have one more argument in 7.2.
    let newer = ["zrank", "zrevrank"];
    let same = |name: &str| !name.ends_with("help") && !name.starts_with("debug") && !newer.contains(&name);
    for command in everything().filter(|command| same(command.name)) {
        if let Some(expected) = describe(&mut both.theirs, command.name) {
            assert_eq!(describe(&mut both.ours, command.name), Some(expected), "{}", command.name);
            compared += 1;
        }
    }
    assert!(compared > 55, "only {compared} commands were compared");
}

/// What `COMMAND DOCS` says of the arguments, without what is only text: since when they are there.
fn plain_arguments(value: &redis::Value) -> String {
    use redis::Value;
    let word = |value: &Value| redis::from_redis_value::<String>(value.clone()).unwrap_or_default();
    let Value::Array(items) = value else { return word(value) };
    let is_map = items.first().is_some_and(|first| word(first) == "name");
    let shown: Vec<String> = if is_map {
        let known = ["name", "type", "key_spec_index", "token", "flags", "arguments"];
        let pairs = items.chunks_exact(2).filter(|pair| known.contains(&word(&pair[0]).as_str()));
        pairs.map(|pair| format!("{}={}", word(&pair[0]), plain_arguments(&pair[1]))).collect()
    } else {
        items.iter().map(plain_arguments).collect()
    };
    format!("[{}]", shown.join(" "))
}

/// The arguments of every command that Redis 7.0 has, but those of `SET`, which has more here, and of
/// two that have more in 7.2.
#[test]
fn a_redis_server_documents_the_arguments_of_its_commands_alike() {
    use redis::Value;
    use tidegate::service::catalog::everything;
    if !have("redis-server", "--version") {
        return;
    }
    let mut both = Both::start();
    let told = |client: &mut redis::Connection, name: &str| -> Option<String> {
        let reply: Value = redis::cmd("COMMAND").arg("DOCS").arg(name).query(client).unwrap();
        let Value::Array(found) = reply else { return None };
        let Value::Array(docs) = found.get(1)? else { return None };
        let is_arguments = |pair: &&[Value]| pair[0] == Value::BulkString(b"arguments".to_vec());
        docs.chunks_exact(2).find(is_arguments).map(|pair| plain_arguments(&pair[1]))
    };
    let mut compared = 0;
    for command in everything().filter(|command| !["set", "zrank", "zrevrank"].contains(&command.name)) {
        if let Some(expected) = told(&mut both.theirs, command.name) {
            assert_eq!(told(&mut both.ours, command.name), Some(expected), "{}", command.name);
            compared += 1;
        }
    }
    assert!(compared > 90, "only {compared} commands were compared");
}

#[test]
fn the_table_can_be_asked_for_in_every_way() {
    let daemon = Daemon::start(&[]);
    let mut wire = daemon.connect();
    let count = tidegate::service::catalog::COMMANDS.len();
    wire.ask("COMMAND COUNT\r\n", format!(":{count}\r\n"));
    wire.send("COMMAND\r\nECHO --end--\r\n");
    assert_eq!(wire.line(), format!("*{count}"));
    while wire.line() != "--end--" {}
    wire.send("COMMAND DOCS client|id nothing\r\n");
    wire.expect("*2\r\n$9\r\nclient|id\r\n*8\r\n$7\r\nsummary\r\n");
    while wire.line() != "O(1)" {}
    wire.send("COMMAND LIST FILTERBY ACLCAT dangerous\r\nECHO --end--\r\n");
    let mut listed = Vec::new();
    while listed.last().is_none_or(|line| line != "--end--") {
        listed.push(wire.line());
    }
    assert!(listed.contains(&"flushall".to_owned()) && !listed.contains(&"get".to_owned()), "{listed:?}");
    wire.send("CLIENT HELP\r\n");
    let lines: usize = wire.line().trim_start_matches('*').parse().unwrap();
    let help: Vec<String> = (0..lines).map(|_| wire.line()).collect();
    assert!(help.contains(&"+KILL".to_owned()), "{help:?}");
}

#[test]
fn statistics_can_be_reset_and_sections_asked_for_by_name() {
    let daemon = Daemon::start(&[]);
    let mut wire = daemon.connect();
    wire.ask("GET a\r\nCONFIG RESETSTAT\r\n", "$-1\r\n+OK\r\n");
    assert_eq!(wire.info("keyspace_misses"), "0");
    assert_eq!(wire.info("connected_clients"), "1");
    wire.send("INFO cluster keyspace\r\n");
    let text = String::from_utf8(wire.bulk()).unwrap();
    assert_eq!(text, "# Cluster\r\ncluster_enabled:0\r\n\r\n# Keyspace\r\n");
    wire.send("TIME\r\n");
    assert_eq!(wire.line(), "*2");
    let (seconds, micros) = (wire.bulk(), wire.bulk());
    let number = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().parse::<u64>().unwrap();
    assert!(number(seconds) > 1_700_000_000 && number(micros) < 1_000_000);
}

#[test]
fn labels_and_patterns_have_a_limit() {
    let daemon = Daemon::start(&[]);
    let mut wire = daemon.connect();
    let long = "x".repeat(257);
    wire.ask(format!("CLIENT SETNAME {long}\r\n"), "-ERR Client names cannot be longer than 256 bytes.\r\n");
    wire.ask(
        format!("CLIENT SETINFO LIB-NAME {long}\r\n"),
        "-ERR lib-name cannot be longer than 256 bytes.\r\n",
    );
    wire.ask(
        "CLIENT SETINFO LIB-VER \"a b\"\r\n",
        "-ERR lib-ver cannot contain spaces, newlines or special characters.\r\n",
    );
    wire.ask("CLIENT SETINFO LIB-FOO x\r\n", "-ERR Unrecognized option 'LIB-FOO'\r\n");
    wire.ask("CLIENT NO-TOUCH FOO\r\n", "-ERR syntax error\r\n");
    wire.ask("CLIENT NO-TOUCH ON\r\n", "+OK\r\n");
    wire.ask(
        format!("KEYS {}\r\n", "*".repeat(1025)),
        "-ERR pattern of 1025 bytes exceeds the limit of 1024\r\n",
    );
}

#[test]
fn hello_3_switches_to_resp3() {
    let daemon = Daemon::start(&[]);
    let mut wire = daemon.connect();
    let hello = |mark: &str, proto: u8| {
        format!(
            "{mark}\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$5\r\n7.4.0\r\n$5\r\nproto\r\n:{proto}\r\n$2\r\nid\r\n:1\r\n\
             $4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules\r\n*0\r\n"
        )
    };
    wire.ask("HELLO 3 AUTH default x SETNAME me\r\n", hello("%7", 3));
    wire.ask("GET nothing\r\n", "_\r\n");
    wire.ask("CLIENT GETNAME\r\n", "$2\r\nme\r\n");
    wire.ask("CONFIG GET maxclients\r\n", "%1\r\n$10\r\nmaxclients\r\n$5\r\n10000\r\n");
    wire.ask("INFO nothing\r\n", "=4\r\ntxt:\r\n");
    wire.send("COMMAND INFO get\r\n");
    assert!(frame(&mut wire).ends_with(" ~[]]]"), "a command without subcommands has an empty set of them");
    wire.ask("HELLO 2\r\n", hello("*14", 2));
    wire.ask("GET nothing\r\n", "$-1\r\n");
}

#[test]
fn what_is_too_long_is_skipped_and_the_connection_lives() {
    let limits = "--max-key-bytes 1000 --proto-max-bulk-len 1000 --max-request-args 100 \
                  --max-inline-bytes 10kb --max-request-bytes 100kb";
    let limits: Vec<&str> = limits.split_whitespace().collect();
    let daemon = Daemon::start(&limits);
    let mut wire = daemon.connect();
    let long = "x".repeat(5000);
    wire.send(format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5000\r\n{long}\r\nPING\r\n"));
    wire.expect("-ERR argument of 5000 bytes exceeds proto-max-bulk-len (1000)\r\n+PONG\r\n");
    let args = "$1\r\nx\r\n".repeat(101);
    wire.ask(
        format!("*101\r\n{args}PING\r\n"),
        "-ERR 101 arguments exceed max-request-args (100)\r\n+PONG\r\n",
    );
    let args = format!("$1000\r\n{}\r\n", "x".repeat(1000)).repeat(99);
    wire.send(format!("*100\r\n$4\r\nMGET\r\n{args}PING\r\n"));
    wire.expect("*99\r\n");
    for _ in 0..99 {
        wire.expect("$-1\r\n");
    }
    wire.expect("+PONG\r\n");
    wire.ask("CONFIG SET max-request-bytes 50kb\r\n", "+OK\r\n");
    wire.send(format!("*100\r\n$4\r\nMGET\r\n{args}PING\r\n"));
    wire.expect("-ERR request exceeds max-request-bytes (51200)\r\n+PONG\r\n");
}

#[test]
fn a_command_whose_reply_does_not_fit_has_no_effect() {
    let daemon = Daemon::start(&[]);
    let mut wire = daemon.connect();
    let value = [b'v'; 5_000];
    wire.ask(request(&[b"SET", b"k", &value]), "+OK\r\n");
    wire.ask("CONFIG SET max-reply-bytes 1kb\r\n", "+OK\r\n");
    for command in ["SET k new GET", "GETSET k new", "GETDEL k", "GETEX k EX 1000"] {
        wire.send(format!("{command}\r\n"));
        assert!(wire.line().starts_with("-ERR reply exceeds max-reply-bytes (1024)"), "{command}");
        wire.ask("STRLEN k\r\nTTL k\r\n", ":5000\r\n:-1\r\n");
    }
}

#[test]
fn a_client_decides_which_commands_are_answered() {
    let daemon = Daemon::start(&[]);
    let mut wire = daemon.connect();
    wire.ask("CLIENT REPLY SKIP\r\nPING a\r\nPING b\r\n", "$1\r\nb\r\n");
    wire.ask("CLIENT REPLY SKIP\r\nCLIENT REPLY ON\r\nPING b\r\n", "+OK\r\n$1\r\nb\r\n");
    wire.ask(
        "CLIENT REPLY OFF\r\nPING a\r\nNOSUCH\r\nGET\r\nCLIENT REPLY ON\r\nPING b\r\n",
        "+OK\r\n$1\r\nb\r\n",
    );
}

#[test]
fn keys_expire_by_themselves() {
    let daemon = Daemon::start(&[]);
    let mut wire = daemon.connect();
    for n in 0..3000 {
        wire.send(format!("SET k{n} v PX 50\r\n"));
    }
    for _ in 0..3000 {
        wire.expect("+OK\r\n");
    }
    within("nobody to ask and all to be gone", || {
        wire.send("DBSIZE\r\n");
        (wire.line() == ":0").then_some(())
    });
    assert_eq!(wire.info("expired_keys"), "3000");
}

/// One step of a scan: the cursor to go on from, and the keys.
fn scan(wire: &mut Wire, request: &str) -> (String, Vec<Vec<u8>>) {
    wire.send(format!("{request}\r\n"));
    wire.expect("*2\r\n");
    let cursor = String::from_utf8(wire.bulk()).unwrap();
    let count: usize = wire.line().trim_start_matches('*').parse().unwrap();
    (cursor, (0..count).map(|_| wire.bulk()).collect())
}

#[test]
fn a_scan_returns_every_key_that_stays_while_others_come_and_go() {
    let daemon = Daemon::start(&[]);
    let (mut wire, mut other) = (daemon.connect(), daemon.connect());
    let stays: Vec<String> = (0..3_000).map(|n| format!("stays:{n}")).collect();
    for key in &stays {
        wire.send(format!("SET {key} v\r\n"));
    }
    for _ in &stays {
        wire.expect("+OK\r\n");
    }
    let (mut cursor, mut seen, mut steps) = ("0".to_owned(), std::collections::BTreeSet::new(), 0);
    loop {
        let (next, keys) = scan(&mut wire, &format!("SCAN {cursor} MATCH stays:* COUNT 50"));
        seen.extend(keys);
        if next == "0" {
            break;
        }
        cursor = next;
        // It grows for a while, then it shrinks.
        for n in 0..100 {
            match steps {
                0..30 => other.ask(format!("SET {steps}:{n} v\r\n"), "+OK\r\n"),
                30..60 => other.ask(format!("DEL {}:{n}\r\n", steps - 30), ":1\r\n"),
                _ => {}
            }
        }
        steps += 1;
    }
    assert!(steps >= 59, "{steps} steps");
    assert!(stays.iter().all(|key| seen.contains(key.as_bytes())), "{} of 3000 were seen", seen.len());
}

#[test]
fn one_step_of_a_scan_is_bounded_whatever_its_count() {
    let daemon = Daemon::start(&[]);
    let mut wire = daemon.connect();
    let pairs: String = (0..5_000).map(|n| format!(" {n} v")).collect();
    wire.ask(format!("MSET{pairs}\r\n"), "+OK\r\n");
    let (cursor, keys) = scan(&mut wire, "SCAN 0 COUNT 1000000");
    assert_ne!(cursor, "0");
    assert!((1..=tidegate::config::SCAN_COUNT_MAX + 1).contains(&keys.len()), "{} keys", keys.len());
}

#[test]
fn a_step_of_a_scan_ends_once_matching_has_cost_enough() {
    let daemon = Daemon::start(&[]);
    let mut wire = daemon.connect();
    for n in 0..100 {
        let key = format!("{n:03}{}", "a".repeat(65_000));
        wire.ask(request(&[b"SET", key.as_bytes(), b"v"]), "+OK\r\n");
    }
    let run = "a".repeat(1_022);
    // A pattern that never matches costs as much as one that always matches. Only the latter can be counted.
    for (pattern, all) in [(format!("*{run}b"), 0), (format!("*{run}a"), 100), ("*a".to_owned(), 100)] {
        let (mut cursor, mut seen, mut steps) = ("0".to_owned(), std::collections::BTreeSet::new(), 0);
        loop {
            let (next, keys) = scan(&mut wire, &format!("SCAN {cursor} COUNT 1000 MATCH {pattern}"));
            assert!(keys.len() <= 4, "{} keys of 64 KiB in one step", keys.len());
            seen.extend(keys);
            steps += 1;
            cursor = next;
            if cursor == "0" {
                break;
            }
        }
        assert_eq!(seen.len(), all);
        assert!(steps >= 25, "{steps} steps");
    }
}

#[test]
fn what_is_flushed_gives_its_memory_back_while_nobody_asks() {
    let daemon = Daemon::start(&[]);
    let mut wire = daemon.connect();
    let value = "x".repeat(1_000);
    for n in 0..20_000 {
        wire.send(format!("SET {n} {}\r\n", if n % 2 == 0 { "small" } else { &value }));
    }
    for _ in 0..20_000 {
        wire.expect("+OK\r\n");
    }
    let held = |wire: &mut Wire| wire.info("used_memory_dataset").parse::<usize>().unwrap();
    assert!(held(&mut wire) > 10_000_000);
    wire.ask("FLUSHALL\r\nDBSIZE\r\n", "+OK\r\n:0\r\n");
    within("the memory to be freed", || (held(&mut wire) < 10_000).then_some(()));
}

#[test]
fn info_names_both_versions_and_counts_commands() {
    let daemon = Daemon::start(&[]);
    let mut wire = daemon.connect();
    wire.ask("GET nothing\r\nGET\r\n", "$-1\r\n-ERR wrong number of arguments for 'get' command\r\n");
    assert!(wire.info("redis_version").starts_with("7."));
    assert_eq!(wire.info("tidegate_version"), env!("CARGO_PKG_VERSION"));
    assert_eq!(wire.info("role"), "master");
    assert_eq!(wire.info("loading"), "0");
    assert_eq!(wire.info("maxmemory_policy"), "noeviction");
    let counted = wire.info("cmdstat_get");
    let fields: Vec<&str> = counted.split(',').map(|field| field.split('=').next().unwrap()).collect();
    assert_eq!(fields, ["calls", "usec", "usec_per_call", "rejected_calls", "failed_calls"], "{counted}");
    assert!(counted.starts_with("calls=1,usec=") && counted.ends_with("rejected_calls=1,failed_calls=0"));
    assert_eq!(wire.info("keyspace_misses"), "1");
    wire.send("CLIENT LIST\r\n");
    let list = String::from_utf8(wire.bulk()).unwrap();
    assert!(list.contains("id=1 addr=127.0.0.1:") && list.contains("cmd=client|list"), "{list}");
}

#[test]
fn client_list_shows_what_a_half_request_holds() {
    let daemon = Daemon::start(&[]);
    let (mut half, mut judge) = (daemon.connect(), daemon.connect());
    half.send("*1\r\n$100\r\nabc");
    let mut shown = |qbuf: &str| {
        within("the half request to be shown", || {
            judge.send("CLIENT LIST\r\n");
            String::from_utf8(judge.bulk()).unwrap().contains(qbuf).then_some(())
        });
    };
    shown("qbuf=13 ");
    half.send("defg");
    shown("qbuf=17 ");
}

#[test]
fn a_key_or_field_that_is_named_a_thousand_times_is_one() {
    let daemon = Daemon::start(&[]);
    let mut wire = daemon.connect();
    let pairs: String = (0..1_000).map(|n| format!(" k {n}")).collect();
    wire.ask(format!("MSET{pairs}\r\nGET k\r\nDBSIZE\r\n"), "+OK\r\n$3\r\n999\r\n:1\r\n");
    let fields: String = (0..1_000).map(|n| format!(" field:{n} {n}")).collect();
    wire.ask(format!("HSET h{fields}\r\nHSET h{pairs}\r\nHGET h k\r\n"), ":1000\r\n:1\r\n$3\r\n999\r\n");
}
