//! Functions: how libraries are loaded and kept, what functions may do, and how they end.

mod same;

use std::net::TcpStream;

use redis::{Connection, RedisResult, Value, cmd};

use crate::commands::start_redis;
use crate::harness::{Daemon, Wire, have, request, skipped};
use crate::talks::{Talk, frame, talk, talk_in};
use same::{CALLS, LIBRARIES, LIBRARY, TEXTS};

pub const TALKS: &[Talk] = &[
    talk(
        "a library is loaded, its functions are called, and it goes",
        &[
            ("a", "FUNCTION FLUSH", "+OK"),
            (
                "a",
                "FUNCTION LOAD \"#!lua name=lib\\nredis.register_function('f', function(k, a) return {k, a} end)\"",
                "'lib'",
            ),
            ("b", "FCALL f 1 key arg", "*[*['key'] *['arg']]"),
            ("b", "FCALL F 0", "*[*[] *[]]"),
            ("b", "FCALL g 0", "-ERR Function not found"),
            ("b", "FCALL f x", "-ERR Bad number of keys provided"),
            ("b", "FCALL f 1", "-ERR Number of keys can't be greater than number of args"),
            ("b", "FCALL f -1", "-ERR Number of keys can't be negative"),
            ("b", "FCALL_RO f 0", "-ERR Can not execute a script with write flag using *_ro command."),
            (
                "b",
                "FUNCTION LOAD \"#!lua name=lib\\nredis.register_function('f', function() end)\"",
                "-ERR Library 'lib' already exists",
            ),
            (
                "b",
                "FUNCTION LOAD \"#!lua name=other\\nredis.register_function('F', function() end)\"",
                "-ERR Function F already exists",
            ),
            (
                "b",
                "FUNCTION LOAD REPLACE \"#!lua name=lib\\nredis.register_function('g', function() return 2 end)\"",
                "'lib'",
            ),
            ("a", "FCALL f 0", "-ERR Function not found"),
            ("a", "FLUSHALL", "+OK"),
            ("a", "SCRIPT FLUSH", "+OK"),
            ("a", "FCALL g 0", ":2"),
            (
                "a",
                "FUNCTION LOAD REPLACE \"#!lua name=lib\\nnope()\"",
                "-ERR Error registering functions: ERR user_function:2: Script attempted to access nonexistent global variable 'nope'",
            ),
            ("a", "FCALL g 0", ":2"),
            ("a", "FUNCTION DELETE LIB", "-ERR Library not found"),
            ("a", "FUNCTION DELETE lib", "+OK"),
            ("a", "FCALL g 0", "-ERR Function not found"),
            ("a", "FUNCTION LIST", "*[]"),
        ],
    ),
    talk(
        "the errors of FUNCTION",
        &[
            ("a", "FUNCTION", "-ERR wrong number of arguments for 'function' command"),
            ("a", "FUNCTION FOO", "-ERR unknown subcommand 'FOO'. Try FUNCTION HELP."),
            ("a", "FUNCTION LOAD", "-ERR wrong number of arguments for 'function|load' command"),
            ("a", "FUNCTION LOAD OTHER x", "-ERR Unknown option given: OTHER"),
            ("a", "FUNCTION LOAD REPLACE", "-ERR Missing library metadata"),
            ("a", "FUNCTION LIST OTHER", "-ERR Unknown argument OTHER"),
            ("a", "FUNCTION LIST WITHCODE WITHCODE", "-ERR Unknown argument WITHCODE"),
            ("a", "FUNCTION LIST LIBRARYNAME", "-ERR library name argument was not given"),
            ("a", "FUNCTION LIST LIBRARYNAME a LIBRARYNAME b", "-ERR Unknown argument LIBRARYNAME"),
            ("a", "FUNCTION FLUSH LATER", "-ERR FUNCTION FLUSH only supports SYNC|ASYNC option"),
            (
                "a",
                "FUNCTION FLUSH SYNC SYNC",
                "-ERR unknown subcommand or wrong number of arguments for 'FLUSH'. Try FUNCTION HELP.",
            ),
            ("a", "FUNCTION RESTORE x", "-ERR DUMP payload version or checksum are wrong"),
            (
                "a",
                "FUNCTION RESTORE x OTHER",
                "-ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.",
            ),
            (
                "a",
                "FUNCTION RESTORE x FLUSH x",
                "-ERR unknown subcommand or wrong number of arguments for 'RESTORE'. Try FUNCTION HELP.",
            ),
            ("a", "FUNCTION KILL", "-NOTBUSY No scripts in execution right now."),
            ("a", "FUNCTION FLUSH ASYNC", "+OK"),
            ("a", "FUNCTION DUMP", "'\n\0]\u{fffd}\\@\u{f}\u{7f}\u{fffd}\u{fffd}'"),
        ],
    ),
    talk_in(
        &[2],
        "libraries are listed and counted",
        &[
            ("a", "FUNCTION FLUSH", "+OK"),
            (
                "a",
                "FUNCTION LOAD \"#!lua name=lib\\nredis.register_function{function_name='f', callback=function() end, flags={'allow-stale', 'no-writes'}, description='what'}\"",
                "'lib'",
            ),
            (
                "a",
                "FUNCTION LIST",
                "*[*['library_name' 'lib' 'engine' 'LUA' 'functions' *[*['name' 'f' 'description' 'what' 'flags' *[+no-writes +allow-stale]]]]]",
            ),
            ("a", "FUNCTION LIST LIBRARYNAME x*", "*[]"),
            (
                "a",
                "FUNCTION STATS",
                "*['running_script' $nil 'engines' *['LUA' *['libraries_count' :1 'functions_count' :1]]]",
            ),
        ],
    ),
    talk_in(
        &[3],
        "libraries are listed and counted in maps",
        &[
            ("a", "FUNCTION FLUSH", "+OK"),
            (
                "a",
                "FUNCTION LOAD \"#!lua name=lib\\nredis.register_function{function_name='f', callback=function() end, flags={'no-writes'}}\"",
                "'lib'",
            ),
            (
                "a",
                "FUNCTION LIST LIBRARYNAME L?B WITHCODE",
                "*[%['library_name' 'lib' 'engine' 'LUA' 'functions' *[%['name' 'f' 'description' _ 'flags' ~[+no-writes]]] 'library_code' '#!lua name=lib\nredis.register_function{function_name='f', callback=function() end, flags={'no-writes'}}']]",
            ),
            (
                "a",
                "FUNCTION STATS",
                "%['running_script' _ 'engines' %['LUA' %['libraries_count' :1 'functions_count' :1]]]",
            ),
        ],
    ),
    talk(
        "a library keeps its variables from call to call, and shares them between its functions",
        &[
            ("a", "FUNCTION FLUSH", "+OK"),
            (
                "a",
                "FUNCTION LOAD \"#!lua name=lib\\nlocal n = 0 redis.register_function('add', function(k, a) n = n + a[1] return n end) redis.register_function('get', function() return n end)\"",
                "'lib'",
            ),
            ("a", "FCALL add 0 2", ":2"),
            ("b", "FCALL add 0 3", ":5"),
            ("b", "SCRIPT FLUSH", "+OK"),
            ("b", "FCALL get 0", ":5"),
        ],
    ),
    talk(
        "functions in transactions, in scripts and with a read-only flag",
        &[
            ("a", "FUNCTION FLUSH", "+OK"),
            (
                "a",
                "FUNCTION LOAD \"#!lua name=lib\\nredis.register_function('set', function(k, a) return redis.call('SET', k[1], a[1]) end) redis.register_function{function_name='ro', callback=function(k, a) return redis.call('GET', k[1]) end, flags={'no-writes'}} redis.register_function{function_name='lies', callback=function(k, a) return redis.call('SET', k[1], a[1]) end, flags={'no-writes'}}\"",
                "'lib'",
            ),
            ("a", "MULTI", "+OK"),
            ("a", "FCALL set 1 k v", "+QUEUED"),
            ("a", "FCALL_RO ro 1 k", "+QUEUED"),
            ("a", "EXEC", "*[+OK 'v']"),
            (
                "a",
                "FCALL lies 1 k w",
                "-ERR Write commands are not allowed from read-only scripts. script: lies, on @user_function:2.",
            ),
            (
                "a",
                "EVAL \"return redis.pcall('FCALL', 'ro', 1, 'k')\" 0",
                "-ERR This Redis command is not allowed from script",
            ),
            (
                "a",
                "EVAL \"return redis.pcall('FUNCTION', 'STATS')\" 0",
                "-ERR This Redis command is not allowed from script",
            ),
            ("b", "WATCH k", "+OK"),
            ("a", "FCALL set 1 k x", "+OK"),
            ("b", "MULTI", "+OK"),
            ("b", "GET k", "+QUEUED"),
            ("b", "EXEC", "*nil"),
        ],
    ),
    talk(
        "the keys of scripts and functions",
        &[
            ("a", "COMMAND GETKEYS EVAL s 0", "*[]"),
            ("a", "COMMAND GETKEYS EVAL s 9", "*[]"),
            ("a", "COMMAND GETKEYS FCALL f 0", "*[]"),
            ("a", "COMMAND GETKEYS FCALL f x", "*[]"),
            ("a", "COMMAND GETKEYS FCALL_RO f 1 k a", "*['k']"),
            ("a", "COMMAND GETKEYS FCALL f", "-ERR Invalid number of arguments specified for command"),
            ("a", "COMMAND GETKEYS FUNCTION STATS x", "-ERR The command has no key arguments"),
            ("a", "COMMAND GETKEYS ZUNION 0 a", "-ERR Invalid arguments specified for command"),
        ],
    ),
];

fn load(client: &mut Connection, text: &str) -> RedisResult<Value> {
    cmd("FUNCTION").arg("LOAD").arg("REPLACE").arg(format!("#!lua name=lib\n{text}")).query(client)
}

fn fcall(client: &mut Connection, name: &str) -> RedisResult<Value> {
    cmd("FCALL").arg(name).arg(0).query(client)
}

fn flush(client: &mut Connection) {
    cmd("FUNCTION").arg("FLUSH").exec(client).unwrap();
}

/// A reply or an error as text.
fn shown(answer: RedisResult<Value>) -> String {
    match answer {
        Ok(value) => format!("{value:?}"),
        Err(error) => format!("error {error}"),
    }
}

#[test]
fn libraries_and_functions_answer_as_those_of_redis_do() {
    if !have("redis-server", "--version") {
        return skipped("no redis-server to compare functions with");
    }
    let daemon = Daemon::start(&[]);
    let (_guard, _, port) = start_redis(&[]);
    for protocol in ["", "?protocol=resp3"] {
        let theirs = redis::Client::open(format!("redis://127.0.0.1:{port}/{protocol}")).unwrap();
        let (mut theirs, mut ours) = (theirs.get_connection().unwrap(), daemon.client(protocol));
        let mut compare = |what: &str, ask: &dyn Fn(&mut Connection) -> RedisResult<Value>| {
            assert_eq!(shown(ask(&mut ours)), shown(ask(&mut theirs)), "{what}");
        };
        let empty = |client: &mut Connection| cmd("FUNCTION").arg("FLUSH").query(client);
        compare("FLUSH", &empty);
        for code in LIBRARIES {
            compare(code, &|client| cmd("FUNCTION").arg("LOAD").arg(code).query(client));
        }
        for text in TEXTS {
            compare("FLUSH", &empty);
            compare(text, &|client| load(client, text));
        }
        compare("the library", &|client| load(client, LIBRARY));
        compare("SET", &|client| cmd("SET").arg("str").arg("abc").query(client));
        for call in CALLS {
            let words = || call.split(' ');
            compare(call, &|client| cmd("FCALL").arg(words().collect::<Vec<_>>()).query(client));
            compare(call, &|client| cmd("FCALL_RO").arg(words().collect::<Vec<_>>()).query(client));
        }
    }
}

#[test]
fn libraries_move_between_redis_and_this_server() {
    if !have("redis-server", "--version") {
        return skipped("no redis-server to exchange libraries with");
    }
    let daemon = Daemon::start(&[]);
    let (_guard, _, port) = start_redis(&[]);
    let theirs = Wire::new(TcpStream::connect(("127.0.0.1", port)).unwrap());
    let mut servers = [theirs, daemon.connect()];
    let library =
        |name: &str, text: &str| format!("#!lua name={name}\nredis.register_function('{name}', {text})");
    let long = format!("function() return {:?} end", "x".repeat(20_000));
    for from in [0, 1] {
        for (name, text) in [("a", "function() return 1 end"), ("b", long.as_str())] {
            let code = library(name, text);
            servers[from].ask(
                request(&[b"FUNCTION", b"LOAD", b"REPLACE", code.as_bytes()]),
                format!("$1\r\n{name}\r\n"),
            );
        }
        servers[from].send("FUNCTION DUMP\r\n");
        let payload = servers[from].bulk();
        let to = &mut servers[1 - from];
        to.ask(request(&[b"FUNCTION", b"RESTORE", &payload, b"FLUSH"]), "+OK\r\n");
        to.ask("FCALL a 0\r\n", ":1\r\n");
        to.ask("FCALL b 0\r\n", format!("$20000\r\n{}\r\n", "x".repeat(20_000)));
        to.ask(
            request(&[b"FUNCTION", b"RESTORE", &payload]),
            if from == 0 { "-ERR Library a already exists\r\n" } else { "" },
        );
        if from == 1 {
            // Redis goes through its libraries in another order.
            assert!(to.line().ends_with(" already exists"));
        }
        to.ask(request(&[b"FUNCTION", b"RESTORE", &payload, b"REPLACE"]), "+OK\r\n");
        to.ask("FUNCTION FLUSH\r\n", "+OK\r\n");
    }
}

/// A payload of these bytes with a right frame.
fn sealed(body: &[u8]) -> Vec<u8> {
    let mut payload = body.to_vec();
    payload.extend([10, 0]);
    let reflected = 0x95ac_9329_ac4b_c9b5_u64;
    let sum = payload.iter().fold(0_u64, |sum, byte| {
        (0..8).fold(sum ^ u64::from(*byte), |sum, _| sum >> 1 ^ if sum & 1 == 1 { reflected } else { 0 })
    });
    payload.extend(sum.to_le_bytes());
    payload
}

#[test]
fn hostile_payloads_change_nothing() {
    let daemon = Daemon::start(&[]);
    let mut wires = vec![daemon.connect()];
    let mut guards = Vec::new();
    if have("redis-server", "--version") {
        let (guard, wire, _) = start_redis(&[]);
        guards.push(guard);
        wires.push(wire);
    }
    let good = "#!lua name=a\nredis.register_function('a', function() return 1 end)";
    let piece = |code: &str| [&[245, 0x80], &(code.len() as u32).to_be_bytes()[..], code.as_bytes()].concat();
    let twin = good.replace("name=a", "name=b").replace("'a'", "'A'");
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (b"\xf5".to_vec(), "-ERR Failed loading library payload"),
        (b"\xf5\x3ashort".to_vec(), "-ERR Failed loading library payload"),
        ([piece(good), b"\x00\x01a".to_vec()].concat(), "-ERR given type is not a function"),
        (piece("no library"), "-ERR Missing library metadata"),
        ([piece(good), piece(good)].concat(), "-ERR Library 'a' already exists"),
        ([piece(good), piece(&twin)].concat(), "-ERR Function A already exists"),
        (
            [piece(&good.replace("'a'", "'x'")), piece("#!lua name=b\nnope()")].concat(),
            "-ERR Error registering functions: ERR user_function:2: Script attempted to access nonexistent global variable 'nope'",
        ),
        (
            piece(&good.replace("name=a", "name=c").replace("'a'", "'Kept'")),
            "-ERR Function Kept already exists",
        ),
        (piece(&good.replace("name=a", "name=kept")), "-ERR Library kept already exists"),
    ];
    // Redis 7.0 still reads what its betas wrote.
    let beta = sealed(&[piece(good), b"\xf6\x01a".to_vec()].concat());
    wires[0].ask(request(&[b"FUNCTION", b"RESTORE", &beta]), "-ERR Pre-GA function format not supported\r\n");
    for wire in &mut wires {
        let kept =
            "#!lua name=kept\nlocal n = 0 redis.register_function('kept', function() n = n + 1 return n end)";
        wire.ask(request(&[b"FUNCTION", b"LOAD", kept.as_bytes()]), "$4\r\nkept\r\n");
        for (at, (body, expected)) in cases.iter().enumerate() {
            wire.send(request(&[b"FUNCTION", b"RESTORE", &sealed(body)]));
            assert_eq!(wire.line(), *expected, "{}", body.escape_ascii());
            wire.ask("FCALL kept 0\r\n", format!(":{}\r\n", at + 1));
            wire.ask("FCALL a 0\r\n", "-ERR Function not found\r\n");
        }
        let whole = sealed(&piece(good));
        for at in 0..whole.len() {
            let mut bad = whole.clone();
            bad[at] ^= 1;
            let refused = "-ERR DUMP payload version or checksum are wrong\r\n";
            wire.ask(request(&[b"FUNCTION", b"RESTORE", &bad, b"FLUSH"]), refused);
        }
        wire.send("FUNCTION STATS\r\n");
        assert!(frame(wire).contains("'libraries_count' :1 'functions_count' :1"));
    }
}

#[test]
fn a_function_that_spends_its_budget_is_undone() {
    let daemon = Daemon::start(&["--script-time-limit", "60", "--script-memory-limit", "16mb"]);
    let mut client = daemon.client("");
    for end in [
        "while true do end",
        "while true do pcall(function() while true do end end) end",
        "local t = {} while true do t[#t + 1] = {} end",
        "while true do redis.call('GET', 'k') end",
    ] {
        let text = format!("redis.register_function('f', function() redis.call('SET', 'k', 'v') {end} end)");
        load(&mut client, &text).unwrap();
        let told = fcall(&mut client, "f").unwrap_err().to_string();
        assert!(told.contains("nothing was changed"), "{end}: {told}");
        assert_eq!(shown(cmd("GET").arg("k").query(&mut client)), "nil", "{end}");
    }
    // What a library keeps counts as well, and goes with the library.
    load(&mut client, "local t = {} redis.register_function('f', function() t[#t + 1] = string.rep('x', 1000000) .. #t end)").unwrap();
    let full =
        (0..100).find_map(|_| fcall(&mut client, "f").err()).expect("an end of the memory").to_string();
    assert!(full.contains("needed too much memory"), "{full}");
    load(&mut client, "redis.register_function('f', function() return 1 end)").unwrap();
    assert_eq!(shown(fcall(&mut client, "f")), "int(1)");
}

#[test]
fn a_load_that_never_ends_is_stopped() {
    let daemon = Daemon::start(&["--script-memory-limit", "16mb"]);
    let mut client = daemon.client("");
    load(&mut client, "redis.register_function('f', function() return 1 end)").unwrap();
    let told = load(&mut client, "redis.register_function('g',").unwrap_err().to_string();
    assert!(told.contains("Error compiling function: user_function:2: "), "{told}");
    let late = "redis.register_function('g', function() end) while true do end";
    let told = load(&mut client, late).unwrap_err().to_string();
    assert!(told.contains("Error registering functions: ERR FUNCTION LOAD timeout"), "{told}");
    let told = load(&mut client, "local t, n = {}, 0 while true do n = n + 1 t[n] = {} end")
        .unwrap_err()
        .to_string();
    assert!(told.contains("needs too much memory"), "{told}");
    let many = "for i = 1, 2000 do redis.register_function('f' .. i, function() end) end";
    let told = load(&mut client, many).unwrap_err().to_string();
    assert!(told.contains("a library may register 1000 functions"), "{told}");
    assert_eq!(shown(fcall(&mut client, "f")), "int(1)");
    assert!(shown(fcall(&mut client, "g")).contains("Function not found"));
}

#[test]
fn libraries_survive_a_panic_but_their_variables_do_not() {
    let daemon = Daemon::start(&["--enable-debug-command", "yes"]);
    let mut client = daemon.client("");
    load(&mut client, "local n = 0 redis.register_function('f', function(k, a) n = n + 1 redis.call('SET', 'k', n) redis.call('SET', 'l', n) return n end)").unwrap();
    assert_eq!(shown(fcall(&mut client, "f")), "int(1)");
    assert_eq!(shown(fcall(&mut client, "f")), "int(2)");
    let mut victim = daemon.connect();
    victim.send("DEBUG PANIC 2\r\nFCALL f 0\r\n");
    assert_eq!(String::from_utf8_lossy(&victim.rest()), "+OK\r\n-ERR internal error\r\n");
    assert_eq!(daemon.info("used_memory_vm_functions"), "0");
    let values: Vec<i64> = cmd("MGET").arg("k").arg("l").query(&mut client).unwrap();
    assert_eq!(values, [2, 2]);
    assert_eq!(shown(fcall(&mut client, "f")), "int(1)");
}

#[test]
fn what_libraries_take_is_counted_and_given_back() {
    let daemon = Daemon::start(&[]);
    let mut client = daemon.client("");
    let fields =
        ["number_of_libraries", "number_of_functions", "used_memory_functions", "used_memory_vm_functions"];
    let counted = || fields.map(|field| daemon.info(field).parse::<usize>().unwrap());
    assert_eq!(counted(), [0; 4]);
    load(
        &mut client,
        "redis.register_function('f', function() end) redis.register_function('g', function() end)",
    )
    .unwrap();
    let [libraries, functions, texts, interpreter] = counted();
    assert_eq!((libraries, functions), (1, 2));
    assert!(texts > 100 && interpreter > 100_000, "{texts} {interpreter}");
    assert_eq!(daemon.info("used_memory_vm_eval"), "0");
    assert_eq!(daemon.info("used_memory_vm_total"), daemon.info("used_memory_vm_functions"));
    flush(&mut client);
    assert_eq!(counted(), [0; 4]);
}

#[test]
fn what_libraries_keep_has_a_limit() {
    let daemon = Daemon::start(&["--script-memory-limit", "8mb"]);
    let mut wire = daemon.connect();
    let mut loaded = 0;
    for number in 0..10 {
        let library = format!(
            "#!lua name=l{number}\nlocal t = {{}} for n = 1, 100000 do t[n] = n end \
             redis.register_function('f{number}', function() return #t end)"
        );
        wire.send(request(&[b"FUNCTION", b"LOAD", library.as_bytes()]));
        let answer = wire.line();
        if answer.starts_with("$") {
            wire.line();
            loaded += 1;
        } else {
            assert!(answer.contains("needs too much memory"), "{answer}");
        }
    }
    assert!((1..10).contains(&loaded), "{loaded} libraries were loaded");
    wire.ask("FCALL f0 0\r\nFCALL f9 0\r\n", ":100000\r\n-ERR Function not found\r\n");
}

#[test]
fn there_is_an_end_to_the_number_of_libraries() {
    let daemon = Daemon::start(&[]);
    let mut wire = daemon.connect();
    let code =
        |number: usize| format!("#!lua name=l{number}\nredis.register_function('f{number}', function() end)");
    for number in 0..tidegate::config::LIBRARIES_MAX {
        wire.send(request(&[b"FUNCTION", b"LOAD", code(number).as_bytes()]));
        wire.bulk();
    }
    wire.ask(
        request(&[b"FUNCTION", b"LOAD", code(5_000).as_bytes()]),
        "-ERR there may be 1000 libraries at most\r\n",
    );
    wire.ask(request(&[b"FUNCTION", b"LOAD", b"REPLACE", code(7).as_bytes()]), "$2\r\nl7\r\n");
    wire.send("FUNCTION DUMP\r\n");
    let payload = wire.bulk();
    wire.ask(request(&[b"FUNCTION", b"RESTORE", &payload, b"REPLACE"]), "+OK\r\n");
    assert_eq!(daemon.info("number_of_functions"), "1000");
}

#[test]
fn a_full_memory_refuses_functions_that_may_write() {
    let daemon = Daemon::start(&[]);
    let mut client = daemon.client("");
    load(&mut client, "local function set() return redis.call('SET', 'k', 'v') end redis.register_function('w', set) redis.register_function{function_name='o', callback=set, flags={'allow-oom'}} redis.register_function{function_name='n', callback=function() return 1 end, flags={'no-writes'}}").unwrap();
    cmd("CONFIG").arg("SET").arg("maxmemory").arg(1).exec(&mut client).unwrap();
    let refused = "command not allowed when used memory > 'maxmemory'.";
    assert!(shown(fcall(&mut client, "w")).contains(refused));
    assert_eq!(shown(fcall(&mut client, "o")), "ok");
    assert_eq!(shown(fcall(&mut client, "n")), "int(1)");
    assert!(shown(load(&mut client, "")).contains(refused));
    let told = cmd("FCALL_RO").arg("o").arg(0).query::<Value>(&mut client);
    assert!(shown(told).contains("Can not execute a script with write flag using *_ro command."));
}
