//! Scripts: what they may do, how they answer, and how they end.

mod same;

use redis::{Connection, RedisResult, Value, cmd};

use crate::commands::start_redis;
use crate::harness::{Daemon, have, skipped};
use crate::talks::{Talk, talk, talk_in, talk_since};
use same::SAME;

const TIMES_UP: &str = "the script ran for";

pub const TALKS: &[Talk] = &[
    talk(
        "a script runs commands with its keys and arguments",
        &[
            ("a", "EVAL 'return redis.call(\"SET\", KEYS[1], ARGV[1])' 1 k v", "+OK"),
            ("b", "GET k", "'v'"),
            ("a", "EVAL 'return {KEYS[1], ARGV[1], ARGV[2], KEYS[2]}' 1 x y z", "*['x' 'y' 'z']"),
            ("a", "EVAL 'return 1' -1", "-ERR Number of keys can't be negative"),
            ("a", "EVAL 'return 1' 1", "-ERR Number of keys can't be greater than number of args"),
            ("a", "EVAL 'return 1' x", "-ERR value is not an integer or out of range"),
        ],
    ),
    talk(
        "a script is known by its name",
        &[
            (
                "a",
                "EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0",
                "-NOSCRIPT No matching script. Please use EVAL.",
            ),
            ("a", "EVALSHA x 0", "-NOSCRIPT No matching script. Please use EVAL."),
            ("a", "SCRIPT LOAD 'return 1'", "'e0e1f9fabfc9d4800c877a703b823ac0578ff8db'"),
            ("b", "EVALSHA E0E1F9FABFC9D4800C877A703B823AC0578FF8DB 0", ":1"),
            ("b", "SCRIPT EXISTS e0e1f9fabfc9d4800c877a703b823ac0578ff8db x", "*[:1 :0]"),
            ("b", "SCRIPT FLUSH later", "-ERR SCRIPT FLUSH only support SYNC|ASYNC option"),
            ("b", "SCRIPT FLUSH", "+OK"),
            ("a", "SCRIPT EXISTS e0e1f9fabfc9d4800c877a703b823ac0578ff8db", "*[:0]"),
            ("a", "SCRIPT KILL", "-NOTBUSY No scripts in execution right now."),
        ],
    ),
    talk(
        "an error that a script does not catch ends it, and what it did before stands",
        &[
            ("a", "SET s text", "+OK"),
            (
                "a",
                "EVAL 'redis.call(\"SET\",\"k\",1) redis.call(\"INCR\",\"s\")' 0",
                "-ERR value is not an integer or out of range script: 73ff884e06452e54c8945c637cb70503dfc67455, on \
                 @user_script:1.",
            ),
            ("a", "GET k", "'1'"),
        ],
    ),
    talk(
        "a script selects a database for itself alone",
        &[
            ("a", "EVAL 'redis.call(\"SELECT\",1) return redis.call(\"SET\",\"k\",1)' 0", "+OK"),
            ("a", "EXISTS k", ":0"),
            ("a", "SELECT 1", "+OK"),
            ("a", "GET k", "'1'"),
        ],
    ),
    talk(
        "a watched key that a script changes makes EXEC fail, and a script runs inside a transaction",
        &[
            ("a", "WATCH k", "+OK"),
            ("b", "EVAL 'return redis.call(\"SET\",\"k\",1)' 0", "+OK"),
            ("a", "MULTI", "+OK"),
            ("a", "GET k", "+QUEUED"),
            ("a", "EXEC", "*nil"),
            ("a", "MULTI", "+OK"),
            ("a", "EVAL 'return redis.call(\"INCR\",KEYS[1])' 1 k", "+QUEUED"),
            ("a", "GET k", "+QUEUED"),
            ("a", "EXEC", "*[:2 '2']"),
        ],
    ),
    talk(
        "a client that waits for a key is served when the script has ended",
        &[
            ("a", "BLPOP q 0", ""),
            ("b", "EVAL 'redis.call(\"RPUSH\",\"q\",\"x\") return redis.call(\"LLEN\",\"q\")' 0", ":1"),
            ("a", "", "*['q' 'x']"),
            ("b", "LLEN q", ":0"),
        ],
    ),
    talk(
        "a script publishes",
        &[
            ("a", "SUBSCRIBE c", ">['subscribe' 'c' :1]"),
            ("b", "EVAL 'return redis.call(\"PUBLISH\",\"c\",\"m\")' 0", ":1"),
            ("a", "", ">['message' 'c' 'm']"),
        ],
    ),
    talk_in(
        &[3],
        "a script asks for values of RESP3",
        &[
            ("a", "EVAL 'redis.setresp(3) return {true, false, {double=1.5}}' 0", "*[#t #f ,1.5]"),
            ("a", "EVAL 'return {true, false}' 0", "*[:1 $nil]"),
        ],
    ),
    talk_since(
        (8, 0),
        "the text of a script",
        &[
            ("a", "SCRIPT LOAD 'return 1'", "'e0e1f9fabfc9d4800c877a703b823ac0578ff8db'"),
            ("a", "SCRIPT SHOW e0e1f9fabfc9d4800c877a703b823ac0578ff8db", "'return 1'"),
        ],
    ),
];

/// Scripts that never end, or want all memory, each in its own way.
const HOSTILE: &[&str] = &[
    "while true do end",
    "while true do pcall(function() while true do end end) end",
    "while true do xpcall(function() while true do end end, function() while true do end end) end",
    "while true do coroutine.resume(coroutine.create(function() while true do end end)) end",
    "while true do pcall(coroutine.wrap(function() while true do end end)) end",
    "local function f() return pcall(f) end while true do f() end",
    "local function f() return (string.gsub('x', 'x', f)) end while true do pcall(f) end",
    "local t t = setmetatable({}, {__tostring = function() return tostring(t) end}) while true do pcall(tostring, t) end",
    "return string.find(string.rep('a', 40), string.rep('a?', 40) .. string.rep('a', 40))",
    "return string.find(string.rep('a', 100000), '.-.-.-.-b')",
    "while true do string.gsub(string.rep('a', 100000), '.', 'b') end",
    "local s = string.rep('x', 1000000) while true do s = s .. s end",
    "local t = {} for i = 1, 1e7 do t[i] = 'xxxxxxxxxxxx' end return table.concat(t)",
    "local t = {} for i = 1, 1000 do t[i] = string.rep('x', 1000000) end return #table.concat(t)",
    "local t = {} for i = 1, 300000 do t[i] = i end table.sort(t, function(a, b) return true end) while true do end",
    "local t = {} while true do t[#t + 1] = {} end",
    "while true do pcall(function() local t = {} while true do t[#t + 1] = {} end end) end",
    "while true do redis.call('GET', 'k') end",
    "while true do redis.pcall('NOSUCH') end",
    "local t = {} while true do t[#t + 1] = redis.call('LRANGE', 'l', 0, -1) end",
    "while true do select('#', unpack({}, 1, 7000)) end",
    "while true do loadstring('return 1') end",
    "while true do cjson.decode(cjson.encode({{{}}})) end",
    "local t = {} for i = 1, 1000000 do t[i] = 0 end while true do cjson.encode(t) end",
    "local t = {} for i = 1, 1000000 do t[i] = 0 end while true do cmsgpack.pack(t) end",
    "while true do collectgarbage() end",
    "local s = string.rep('a', 2e6) while true do string.find(s, string.rep('a', 1e6) .. 'b', 1, true) end",
    "local s = string.rep('(', 3e6) while true do string.find(s, '%b()') end",
    "local a = string.rep('x', 4e6) .. 'a' local b = string.rep('x', 4e6) .. 'b' while true do if a > b then end end",
    "local s = string.rep('1', 2e6) while true do local n = s + 1 end",
    "local s = string.rep('x', 2e6) while true do redis.sha1hex(s) end",
    "local s = 'return ' .. string.rep('1,', 3e4) .. '1' while true do loadstring(s) end",
    "local t = {} t[1] = t t[2] = t return t",
    "local t = {} for i = 1, 1e6 do t[i] = coroutine.create(function() end) end",
    "return {xpcall(function() local t = {} while true do t[#t + 1] = {} end end, function(e) return e end)}",
    "local i = 0 while true do i = i + 1 redis.call('RPUSH', 'big', string.rep('y', 1000)) end",
];

/// Ways out of the sandbox. Each ends in an error, or in nil.
const LOCKED: &[&str] = &[
    "return os.execute('true')",
    "return io.open('/etc/passwd')",
    "return require('os')",
    "return debug.getregistry()",
    "return getfenv(1)",
    "return setfenv(1, {})",
    "return newproxy()",
    "return dofile('/etc/passwd')",
    "return loadfile('/etc/passwd')",
    "return string.dump(function() end)",
    "return loadstring('\\27Lua')()",
    "_G.leak = 1",
    "leak = 1",
    "rawset(_G, 'leak', 1)",
    "setmetatable(_G, {})",
    "getmetatable(_G).__index = nil",
    "string.leak = 1",
    "rawset(string, 'leak', 1)",
    "getmetatable('').__index = {}",
    "getmetatable('').leak = 1",
    "redis.call = nil",
    "cjson.encode = nil",
    "math.random = nil",
    "return package.path",
    "return buffer.create(1)",
];

fn eval(client: &mut Connection, script: &str) -> RedisResult<Value> {
    cmd("EVAL").arg(script).arg(0).query(client)
}

/// A reply or an error as text.
fn shown(answer: RedisResult<Value>) -> String {
    match answer {
        Ok(value) => format!("{value:?}"),
        Err(error) => format!("error {error}"),
    }
}

#[test]
fn scripts_answer_as_those_of_redis_do() {
    if !have("redis-server", "--version") {
        return skipped("no redis-server to compare scripts with");
    }
    let daemon = Daemon::start(&[]);
    let (_guard, _, port) = start_redis(&[]);
    let theirs = redis::Client::open(format!("redis://127.0.0.1:{port}")).unwrap();
    let (mut theirs, mut ours) = (theirs.get_connection().unwrap(), daemon.client(""));
    for script in SAME {
        let (theirs, ours) = (shown(eval(&mut theirs, script)), shown(eval(&mut ours, script)));
        assert_eq!(ours, theirs, "{script}");
    }
}

#[test]
fn a_script_that_spends_its_budget_is_undone() {
    let daemon = Daemon::start(&["--script-time-limit", "60", "--script-memory-limit", "16mb"]);
    let mut client = daemon.client("");
    let before =
        "redis.call('SET','k','before') for i=1,2000 do redis.call('RPUSH','l',string.rep('y',100)) end";
    eval(&mut client, &format!("{before} redis.call('PEXPIRE','l',100000000)")).unwrap();
    let state = |client: &mut Connection| -> (String, usize, usize, bool) {
        let ttl: i64 = cmd("PTTL").arg("l").query(client).unwrap();
        let value = cmd("GET").arg("k").query(client).unwrap();
        let keys = cmd("DBSIZE").query(client).unwrap();
        (value, cmd("LLEN").arg("l").query(client).unwrap(), keys, ttl > 0)
    };
    let expected = state(&mut client);
    for script in HOSTILE {
        let writes = "redis.call('SET','k','after') redis.call('DEL','l') redis.call('HSET','h','f','v') \
                      redis.call('PUBLISH','c','m') for i=1,2000 do redis.call('RPUSH','l','z') end ";
        let told = eval(&mut client, &format!("{writes} {script}")).expect_err(script).to_string();
        assert!(told.contains("nothing was changed"), "{script}: {told}");
        assert_eq!(state(&mut client), expected, "{script}");
    }
}

#[test]
fn nobody_hears_of_a_script_that_is_undone() {
    let daemon = Daemon::start(&["--script-time-limit", "50", "--notify-keyspace-events", "KEA"]);
    let (mut watcher, mut reader, mut waiter) = (daemon.connect(), daemon.connect(), daemon.connect());
    let mut client = daemon.client("");
    watcher.ask("SET k v\r\nWATCH k\r\nMULTI\r\nGET k\r\n", "+OK\r\n+OK\r\n+OK\r\n+QUEUED\r\n");
    reader.send("PSUBSCRIBE *\r\n");
    reader.expect("*3\r\n$10\r\npsubscribe\r\n$1\r\n*\r\n:1\r\n");
    waiter.send("BLPOP q 0\r\n");
    crate::waiting::until_waiting(&mut daemon.connect(), 1);
    let script = "redis.call('SET','k','w') redis.call('RPUSH','q','x') redis.call('PUBLISH','c','m') while true do end";
    let told = eval(&mut client, script).unwrap_err().to_string();
    assert!(told.contains(TIMES_UP), "{told}");
    watcher.ask("EXEC\r\n", "*1\r\n$1\r\nv\r\n");
    // The first thing that each of them hears comes after the script.
    let _: () = cmd("RPUSH").arg("q").arg("later").query(&mut client).unwrap();
    waiter.expect("*2\r\n$1\r\nq\r\n$5\r\nlater\r\n");
    reader.expect("*4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$16\r\n__keyspace@0__:q\r\n$5\r\nrpush\r\n");
}

#[test]
fn a_script_finds_no_way_out_and_leaves_nothing_behind() {
    let daemon = Daemon::start(&[]);
    let mut client = daemon.client("");
    for script in LOCKED {
        let answer = eval(&mut client, script);
        assert!(matches!(answer, Err(_) | Ok(Value::Nil)), "{script}: {answer:?}");
    }
    let globals = "local n = 0 for k in pairs(_G) do n = n + 1 end return n";
    let before = shown(eval(&mut client, globals));
    let _ = eval(&mut client, "KEYS.leak = 1 ARGV.leak = 1 math.randomseed(7) return cjson.encode({})");
    assert_eq!(shown(eval(&mut client, globals)), before);
    assert_eq!(
        shown(eval(&mut client, "return tostring(KEYS.leak) .. tostring(ARGV.leak)")),
        "bulk-string('\"nilnil\"')"
    );
    // A new server begins with these numbers, as Redis does, and no script sees the seed of another one.
    let mut random = || shown(eval(&mut client, "return tostring(math.random())"));
    let drawn = [random(), random(), random()];
    let expected = ["0.39646477363839", "0.84048536971234", "0.35333609737146"];
    assert_eq!(drawn, expected.map(|number| format!("bulk-string('\"{number}\"')")));
}

#[test]
fn each_script_sees_its_own_keys_and_arguments() {
    let daemon = Daemon::start(&[]);
    let mut client = daemon.client("");
    let script = "local seen = {} for name, value in pairs(KEYS) do seen[#seen + 1] = name .. '=' .. value end \
                  seen[#seen + 1] = #ARGV .. '/' .. #KEYS .. tostring(getmetatable(ARGV)) .. tostring(ARGV[3]) \
                  KEYS.leak = 1 KEYS[9] = 1 setmetatable(ARGV, {__index = function() return 'leak' end}) return seen";
    let mut run = |words: &[&str], keys: usize| {
        let mut command = cmd("EVAL");
        command.arg(script).arg(keys).arg(words);
        command.query::<Vec<String>>(&mut client).unwrap()
    };
    assert_eq!(run(&["a", "b", "c", "d"], 3), ["1=a", "2=b", "3=c", "1/3nilnil"]);
    assert_eq!(run(&["x"], 0), ["1/0nilnil"]);
    assert_eq!(run(&["y", "z"], 2), ["1=y", "2=z", "0/2nilnil"]);
    // Many arguments take no memory for ever.
    let many = vec!["word"; 500_000];
    run(&many, 0);
    let used: usize = daemon.info("used_memory_vm_eval").parse().unwrap();
    run(&["a"], 1);
    let less: usize = daemon.info("used_memory_vm_eval").parse().unwrap();
    assert!(used > 8_000_000 && less < used - 7_000_000, "{used} and then {less} bytes");
}

#[test]
fn commands_of_scripts_are_counted_and_timed_as_any_others() {
    let daemon = Daemon::start(&["--slowlog-log-slower-than", "0"]);
    let mut client = daemon.client("");
    eval(
        &mut client,
        "redis.pcall('GET') redis.pcall('GET', 'k', 'too many') return redis.call('SET', 'k', 'v')",
    )
    .unwrap();
    assert!(daemon.info("cmdstat_get").starts_with("calls=0,"), "{}", daemon.info("cmdstat_get"));
    assert!(daemon.info("cmdstat_get").contains("rejected_calls=2,failed_calls=0"));
    assert!(daemon.info("cmdstat_set").starts_with("calls=1,"));
    let logged: Vec<(Value, Value, Value, Vec<String>, Value, Value)> =
        cmd("SLOWLOG").arg("GET").arg(-1).query(&mut client).unwrap();
    let at = |name: &str| logged.iter().position(|entry| entry.3[0] == name);
    assert_eq!(logged[at("SET").unwrap()].3, ["SET", "k", "v"]);
    assert_eq!(at("EVAL").map(|at| at + 1), at("SET"), "the script ends after its command");
}

#[test]
fn read_only_scripts_change_nothing() {
    let daemon = Daemon::start(&[]);
    let mut client = daemon.client("");
    let refused = "Write commands are not allowed from read-only scripts.";
    let told = cmd("EVAL_RO").arg("return redis.call('SET','k',1)").arg(0).query::<Value>(&mut client);
    assert!(told.unwrap_err().to_string().contains(refused));
    let told = eval(&mut client, "#!lua flags=no-writes\nreturn redis.call('SET','k',1)");
    assert!(told.unwrap_err().to_string().contains(refused));
    let told = cmd("EVAL_RO").arg("#!lua\nreturn 1").arg(0).query::<Value>(&mut client);
    assert!(
        told.unwrap_err()
            .to_string()
            .contains("Can not execute a script with write flag using *_ro command.")
    );
}

#[test]
fn there_is_no_interpreter_before_the_first_script() {
    let daemon = Daemon::start(&[]);
    let mut client = daemon.client("");
    let _: () = cmd("SET").arg("k").arg("v").query(&mut client).unwrap();
    assert_eq!(daemon.info("used_memory_vm_eval"), "0");
    eval(&mut client, "return 1").unwrap();
    assert_ne!(daemon.info("used_memory_vm_eval"), "0");
    assert_eq!(daemon.info("number_of_cached_scripts"), "1");
    let _: () = cmd("SCRIPT").arg("FLUSH").query(&mut client).unwrap();
    assert_eq!(
        (daemon.info("used_memory_vm_eval"), daemon.info("number_of_cached_scripts")),
        ("0".into(), "0".into())
    );
}

#[test]
fn scripts_that_no_load_has_brought_are_forgotten_in_turn() {
    let daemon = Daemon::start(&[]);
    let mut client = daemon.client("");
    let loaded: String = cmd("SCRIPT").arg("LOAD").arg("return 'loaded'").query(&mut client).unwrap();
    for number in 0..600 {
        eval(&mut client, &format!("return {number}")).unwrap();
    }
    assert_eq!(daemon.info("number_of_cached_scripts"), "501");
    assert_eq!(daemon.info("evicted_scripts"), "100");
    let known: Vec<i64> = cmd("SCRIPT").arg("EXISTS").arg(loaded).query(&mut client).unwrap();
    assert_eq!(known, [1]);
}

#[test]
fn a_full_memory_refuses_what_a_script_writes() {
    let daemon = Daemon::start(&["--maxmemory", "1"]);
    let mut client = daemon.client("");
    let told = eval(&mut client, "return redis.call('SET','k','v')").unwrap_err().to_string();
    assert!(told.contains("command not allowed when used memory > 'maxmemory'."), "{told}");
    let told = eval(&mut client, "#!lua\nreturn 1").unwrap_err().to_string();
    assert!(told.contains("command not allowed when used memory > 'maxmemory'."), "{told}");
    eval(&mut client, "#!lua flags=allow-oom\nreturn redis.call('SET','k','v')").unwrap();
    eval(&mut client, "return redis.call('GET','k')").unwrap();
}

#[test]
fn monitors_see_a_script_and_then_what_it_calls() {
    let daemon = Daemon::start(&[]);
    let mut monitor = daemon.connect();
    monitor.ask("MONITOR\r\n", "+OK\r\n");
    daemon.connect().ask("EVAL \"return redis.call('GET','k')\" 0\r\n", "$-1\r\n");
    assert!(monitor.line().ends_with("\"EVAL\" \"return redis.call('GET','k')\" \"0\""));
    assert!(monitor.line().ends_with("[0 lua] \"GET\" \"k\""));
}
