//! Scripts: what they may do, how they answer, and how they end.

mod random;
mod same;

use redis::{Connection, RedisResult, Value, cmd};

use crate::commands::Both;
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
    let mut both = Both::start();
    let (theirs, ours) = (&mut both.theirs, &mut both.ours);
    for script in SAME {
        let (theirs, ours) = (shown(eval(theirs, script)), shown(eval(ours, script)));
        assert_eq!(ours, theirs, "{script}");
    }
}

/// What `INFO` says of errors after a script with an error: how many of each code, and how often `EVAL` and `LPUSH` have
/// failed.
fn errors_counted(client: &mut Connection, script: &str) -> Vec<String> {
    let _: () = cmd("CONFIG").arg("RESETSTAT").query(client).unwrap();
    let _: () = cmd("SET").arg("x").arg(1).query(client).unwrap();
    let _ = eval(client, script);
    let info: String = cmd("INFO").arg("everything").query(client).unwrap();
    let counts = info.lines().filter_map(|line| match line.split_once(':')? {
        (name, _) if name.starts_with("errorstat_") || name == "total_error_replies" => Some(line.to_owned()),
        (name @ ("cmdstat_eval" | "cmdstat_lpush"), of) => Some(format!("{name} {}", of.rsplit_once(',')?.1)),
        _ => None,
    });
    let mut counts: Vec<String> = counts.collect();
    counts.sort();
    counts
}

#[test]
fn errors_of_scripts_are_counted_as_in_redis() {
    if !have("redis-server", "--version") {
        return skipped("no redis-server to compare scripts with");
    }
    let mut both = Both::start();
    let (theirs, ours) = (&mut both.theirs, &mut both.ours);
    for script in [
        "return 1",
        "return redis.error_reply('MYERR z')",
        "return {err='QQ z'}",
        "return {1, {err='QQ z'}, {err='QQ y'}}",
        "error({err='QQ z'})",
        "error('text')",
        "return redis.call('lpush','x','y')",
        "redis.call('nosuch')",
        "redis.pcall('lpush','x','y') return 1",
        "return redis.pcall('lpush','x','y')",
        "return redis.pcall('nosuch')",
        "local told = redis.pcall('lpush','x','y') error(told)",
        "local told = redis.pcall('lpush','x','y') return told.ignore_error_stats_update and {err='QQ z'}",
    ] {
        assert_eq!(errors_counted(ours, script), errors_counted(theirs, script), "{script}");
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
fn events_and_messages_of_a_script_come_in_the_order_in_which_they_were_made() {
    let daemon = Daemon::start(&["--script-time-limit", "50", "--notify-keyspace-events", "EA"]);
    let mut reader = daemon.connect();
    let mut client = daemon.client("");
    reader.ask("PSUBSCRIBE *\r\n", "*3\r\n$10\r\npsubscribe\r\n$1\r\n*\r\n:1\r\n");
    let message = |channel: &str, text: &str| {
        let framed = |word: &str| format!("${}\r\n{word}\r\n", word.len());
        ["*4\r\n".to_owned(), framed("pmessage"), framed("*"), framed(channel), framed(text)].concat()
    };
    let work = "redis.call('SET','k','v') redis.call('PUBLISH','c','1') redis.call('DEL','k') redis.call('SET','x','v') \
                redis.call('PUBLISH','c','2') redis.pcall('PUBLISH','c') redis.call('DEL','x') ";
    let told = [
        message("__keyevent@0__:set", "k"),
        message("c", "1"),
        message("__keyevent@0__:del", "k"),
        message("__keyevent@0__:set", "x"),
        message("c", "2"),
        message("__keyevent@0__:del", "x"),
    ]
    .concat();
    // A script that is undone has told nothing, and one that fails has told all.
    eval(&mut client, &format!("{work} while true do end")).unwrap_err();
    eval(&mut client, work).unwrap();
    reader.expect(told.as_str());
    eval(&mut client, &format!("{work} error('own')")).unwrap_err();
    reader.expect(told.as_str());
    let _: Value = redis::pipe()
        .atomic()
        .cmd("SET")
        .arg("k")
        .arg("v")
        .cmd("EVAL")
        .arg(work)
        .arg(0)
        .query(&mut client)
        .unwrap();
    reader.expect(format!("{}{told}", message("__keyevent@0__:set", "k")).as_str());
}

#[test]
fn a_script_leaves_nothing_behind() {
    let daemon = Daemon::start(&[]);
    let mut client = daemon.client("");
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
    // Many arguments take no memory when the script is over.
    run(&["a"], 1);
    let before: usize = daemon.info("used_memory_vm_eval").parse().unwrap();
    run(&vec!["word"; 800_000], 0);
    let after: usize = daemon.info("used_memory_vm_eval").parse().unwrap();
    assert!(after < before + 2_000_000, "{before} and then {after} bytes");
}

#[test]
fn what_one_script_was_given_leaves_the_next_one_its_memory() {
    let daemon = Daemon::start(&["--script-memory-limit", "8mb"]);
    let mut client = daemon.client("");
    for given in [vec!["x".repeat(20_000_000)], vec!["y".repeat(3_000); 1_000]] {
        let ran: Result<i64, _> = cmd("EVAL").arg("return 1").arg(0).arg(&given).query(&mut client);
        assert!(ran.is_err() || ran == Ok(1), "{ran:?}");
        let holds = "local t = {} for n = 1, 5 do t[n] = string.rep(tostring(n), 1000000) end return #t";
        assert_eq!(shown(eval(&mut client, holds)), "int(5)");
    }
    let filled = "for n = 1, 50000 do KEYS['k' .. n] = true end return 1";
    eval(&mut client, filled).unwrap();
    assert_eq!(shown(eval(&mut client, "return next(KEYS) == nil")), "int(1)");
}

/// What is stopped, or fails, takes little memory while that happens, and none afterwards.
#[test]
fn answers_logs_and_garbage_have_bounds() {
    let daemon = Daemon::start(&["--script-time-limit", "1000", "--script-memory-limit", "64mb"]);
    let mut client = daemon.client("");
    let loops = "local t = {} for i = 2, 1000000 do t[i] = 1 end t[1] = t return t";
    let told = shown(eval(&mut client, loops));
    assert!(told.contains("nothing was changed"), "{told}");
    let logs = "local s, t = string.rep('1', 8000000), {} for i = 1, 250 do t[i] = s end redis.log(2, unpack(t)) return 1";
    assert_eq!(shown(eval(&mut client, logs)), "int(1)");
    assert!(daemon.status_bytes("VmHWM") < 200 << 20, "{} bytes", daemon.status_bytes("VmHWM"));
    let garbage = "local x = {} while true do x[#x + 1] = string.rep('a', 4000000 + #x) end";
    let told = shown(eval(&mut client, garbage));
    assert!(told.contains("nothing was changed"), "{told}");
    let left: usize = daemon.info("used_memory_vm_eval").parse().unwrap();
    assert!(left < 3_000_000, "{left} bytes are left");
    // Garbage is no reason to stop.
    let wastes =
        "local s = string.rep('1', 4000000) for i = 1, 25 do local x = string.reverse(s) end return 1";
    assert_eq!(shown(eval(&mut client, wastes)), "int(1)");
    // Too deep for the handler of errors: a mistake of the script, and no lack of memory.
    let deep = "redis.call('SET', 'w', '1') local function g(n) if n == 0 then error({err = 'My deep'}) end \
                return (string.gsub('a', 'a', function() return g(n - 1) end)) end return g(197)";
    let told = shown(eval(&mut client, deep));
    assert!(!told.contains("nothing was changed"), "{told}");
    let kept: Option<String> = cmd("GET").arg("w").query(&mut client).unwrap();
    assert_eq!(kept.as_deref(), Some("1"));
}

#[test]
fn a_long_first_line_is_refused_before_it_is_read() {
    let daemon = Daemon::start(&[]);
    let text = format!("#!lua {}\nreturn 1", "a ".repeat(5_000_000));
    let told = eval(&mut daemon.client(""), &text).unwrap_err().to_string();
    assert!(told.contains("Invalid script shebang"), "{told}");
    assert!(daemon.status_bytes("VmHWM") < 100 << 20);
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
