//! A panic of one client's command ends that client and no other.

use std::collections::BTreeSet;

use tidegate::service::catalog::COMMANDS;

use crate::harness::{Daemon, Wire, within};
use crate::talks::frame;
use crate::waiting::until_waiting;

#[test]
fn a_panic_ends_one_client_after_its_complete_replies_and_nobody_else() {
    let daemon = Daemon::start(&["--enable-debug-command", "yes"]);
    let mut bystander = daemon.connect();
    bystander.ask("SET secret-key 1\r\n", "+OK\r\n");
    let mut wire = daemon.connect();
    wire.send("SET a 1\r\nGET a\r\nDEBUG PANIC secret-word\r\nSET a 2\r\n");
    // The word is no number, so that was an error; now for the real thing.
    wire.expect("+OK\r\n$1\r\n1\r\n-ERR syntax error\r\n+OK\r\n");
    wire.send("GET a\r\nDEBUG PANIC\r\nSET a 3\r\n");
    wire.expect("$1\r\n2\r\n-ERR internal error\r\n");
    wire.expect_end();
    bystander.ask("GET a\r\n", "$1\r\n2\r\n");
    assert_eq!(bystander.info("command_panics"), "1");
    drop(wire);
    within("the close to be counted", || (bystander.info("closed_panicked") == "1").then_some(()));
    drop(bystander);
    daemon.signal("TERM");
    let (code, log) = daemon.exit();
    assert_eq!(code, Some(0));
    assert!(log.contains("panic in command 'debug|panic' of client id=2 addr=127.0.0.1:"), "{log}");
    assert!(log.contains("debug.rs"), "no backtrace in {log}");
    assert!(!log.contains("secret"), "user data in {log}");
}

/// A command that is interrupted at any step of its own leaves no trace: no half reply, no half write.
#[test]
fn a_panic_at_any_step_of_any_command_leaves_the_store_as_it_was() {
    let daemon = Daemon::start(&["--enable-debug-command", "yes"]);
    let mut judge = daemon.connect();
    let commands = [
        "APPEND a new",
        "BITFIELD a SET u8 0 7 INCRBY u8 8 1",
        "BITOP NOT a b",
        "BLMOVE l l LEFT RIGHT 0",
        "BLMPOP 0 1 l LEFT",
        "BLPOP none l 0",
        "BRPOP l 0",
        "BRPOPLPUSH l fresh 0",
        "BZMPOP 0 1 z MIN COUNT 2",
        "BZPOPMAX none bigz 0",
        "BZPOPMIN z 0",
        "COPY a fresh",
        "COPY h a REPLACE",
        "DECR n",
        "DECRBY n 7",
        "DEL a b n",
        "DELIFEQ a old",
        "EXPIRE a 100",
        "EXPIREAT a 99999999999",
        "FLUSHALL",
        "FLUSHDB",
        "GEOADD geo 5 6 east 13 38 new",
        "GEOADD fresh 13 38 new",
        "GEORADIUS geo 13 38 300 km STORE a",
        "GEORADIUSBYMEMBER geo west 300 km STOREDIST geo",
        "GEOSEARCHSTORE a geo FROMLONLAT 13 38 BYBOX 300 300 km",
        "GEOSEARCHSTORE z none FROMMEMBER m BYRADIUS 1 km",
        "GETDEL a",
        "GETEX a EX 100",
        "GETSET a new",
        "HDEL h f g",
        "HINCRBY h f 7",
        "HINCRBYFLOAT h f 0.5",
        "HMSET h f new fresh new",
        "HSET h f new fresh new",
        "HSETNX h fresh new",
        "HEXPIRE h 100 FIELDS 2 f fresh",
        "HEXPIREAT hx 0 FIELDS 1 f",
        "HGETDEL h FIELDS 2 f g",
        "HGETEX hx EX 100 FIELDS 1 f",
        "HPERSIST hx FIELDS 2 f g",
        "HPEXPIRE h 100 FIELDS 2 g fresh",
        "HPEXPIREAT hx 49999999999000 FIELDS 1 g",
        "HSETEX h EX 100 FIELDS 1 f new",
        "HSETEX hx KEEPTTL FIELDS 2 f new fresh new",
        "INCR n",
        "INCRBY n 7",
        "INCRBYFLOAT n 0.5",
        "LINSERT l BEFORE y new",
        "LMOVE l l LEFT RIGHT",
        "LMOVE l fresh LEFT RIGHT",
        "LMPOP 2 none l LEFT COUNT 2",
        "LPOP l",
        "LPUSH l new",
        "LPUSH big new new",
        "LPUSHX l new",
        "LREM l 0 x",
        "LREM big 0 x",
        "LSET l 0 new",
        "LSET big 0 new",
        "LTRIM l 1 1",
        "LTRIM big 2 4",
        "MOVE a 1",
        "MOVE h 1",
        "MSET a new b new fresh new",
        "MSETNX fresh new other new",
        "PERSIST t",
        "PEXPIRE a -1",
        "PEXPIREAT a 99999999999000",
        "PFADD p new",
        "PFADD q new",
        "PFADD fresh new",
        "PFDEBUG TODENSE p",
        "PFDEBUG GETREG p",
        "PFMERGE p q",
        "PFMERGE fresh p",
        "PSETEX a 100000 new",
        "RENAME a b",
        "RENAME h a",
        "RENAMENX a fresh",
        r#"RESTORE a 0 "\x00\x03\x6e\x65\x77\x0a\x00\x30\x74\x41\x15\x9c\x68\x17\x7c" REPLACE"#,
        r#"RESTORE h 100 "\x01\x02\x01\x61\x01\x62\x0a\x00\x32\xa8\x90\x7e\xd5\x03\x1a\x45" REPLACE"#,
        r#"RESTORE fresh 0 "\x04\x01\x01\x66\x01\x76\x0a\x00\xad\xf2\x43\x56\xb1\x86\x0e\xfc""#,
        r#"RESTORE t 0 "\x02\x02\x01\x6d\x01\x6e\x0a\x00\xb9\x01\x44\xe7\x6e\xcb\xef\x87" REPLACE"#,
        r#"RESTORE a 1 "\x02\x02\x01\x6d\x01\x6e\x0a\x00\xb9\x01\x44\xe7\x6e\xcb\xef\x87" REPLACE ABSTTL"#,
        "RPOP l 2",
        "RPOPLPUSH l l",
        "RPOPLPUSH big l",
        "RPUSH fresh new",
        "RPUSHX l new",
        "SADD s m new",
        "SADD fresh m",
        "SDIFFSTORE a s other",
        "SET a new",
        "SET a new IFEQ old",
        "SETBIT a 100 1",
        "SET a new EX 100 GET",
        "SETEX a 100 new",
        "SETNX fresh new",
        "SETRANGE a 300 new",
        "SINTERSTORE a s s",
        "SMOVE s a2 m",
        "SMOVE s other m",
        "SPOP s 2",
        "SORT l ALPHA STORE a",
        "SORT none STORE l",
        "SREM s m n",
        "SUNIONSTORE s s other",
        "SWAPDB 0 1",
        "UNLINK a b n",
        "XACK x g 1-1",
        "XACKDEL x g DELREF IDS 2 1-1 1-2",
        "XADD x 9-9 f v",
        "XADD x MAXLEN 1 9-9 f v",
        "XADD fresh 9-9 f v",
        "XAUTOCLAIM x g other 0 -",
        "XCLAIM x g other 0 1-1",
        "XCLAIM x g new 0 1-1 1-2 FORCE",
        "XDEL x 1-1 1-2",
        "XDELEX x DELREF IDS 2 1-1 1-2",
        "XGROUP CREATE x new 0",
        "XGROUP CREATE fresh new 0 MKSTREAM",
        "XGROUP CREATECONSUMER x g new",
        "XGROUP DELCONSUMER x g c",
        "XGROUP DESTROY x g",
        "XGROUP SETID x g 0",
        "XREADGROUP GROUP g new STREAMS x >",
        "XREADGROUP GROUP g c STREAMS x y > 0",
        "XSETID x 9-9",
        "XTRIM x MAXLEN 1",
        "ZADD z 5 m 7 new",
        "ZADD bigz 5 10 7 new",
        "ZADD fresh 1 m",
        "ZDIFFSTORE a 2 z other",
        "ZDIFFSTORE z 1 none",
        "ZINCRBY z 7 m",
        "ZINTERSTORE a 2 z z",
        "ZMPOP 2 none z MIN COUNT 2",
        "ZPOPMAX z",
        "ZPOPMAX bigz 3",
        "ZPOPMIN z 5",
        "ZRANGESTORE a z 0 -1",
        "ZREM z m n",
        "ZREM bigz 1 2",
        "ZREMRANGEBYLEX z - +",
        "ZREMRANGEBYRANK bigz 1 7",
        "ZREMRANGEBYSCORE z 1 1",
        "ZUNIONSTORE z 2 z other",
        // Those that write elsewhere than to the keys.
        "CONFIG SET maxclients 77",
        "CLIENT KILL TYPE normal",
        // One that reads and remembers what it has counted.
        "PFCOUNT p",
        // And some that only read, whose half replies must not be seen.
        "MGET a b n",
        "KEYS *",
        "SCAN 0",
        "RANDOMKEY",
        "CLIENT LIST",
        "COMMAND DOCS get",
        "DUMP h",
    ];
    // A script that runs them all. Wherever it is interrupted, everything that it has done is undone.
    let lines: Vec<String> =
        commands.iter().filter(|line| !line.contains('"')).map(|line| format!(" '{line}'")).collect();
    let script = "for i = 1, #ARGV do local words = {} for word in string.gmatch(ARGV[i], '%S+') do words[#words + 1] = \
                  word end redis.pcall(unpack(words)) end";
    let script = format!("EVAL \"{script}\" 0{}", lines.concat());
    // One that fails by itself keeps what it has done, unless it is interrupted while its error is written.
    let failing =
        "EVAL \"redis.call('SET', 'a', 'new') redis.call('HSET', 'h', 'f', 'new') redis.call('NOSUCH')\" 0";
    for command in COMMANDS.iter().filter(|command| command.flags.contains(&"write")) {
        let name = command.name.to_ascii_uppercase();
        let tested = commands.iter().any(|line| line.split(' ').next() == Some(&name));
        assert!(tested, "{name} writes and is not interrupted here");
    }
    // What is there before each command, request by request, and what the requests that look at it say.
    let many: String = (0..130).map(|n| format!(" {n} {n}")).collect();
    let (long, tail) = ("long".repeat(200), "tail".repeat(100));
    let setup: &[(&str, &str)] = &[
        ("FLUSHALL", "+OK"),
        ("MSET a old b old n 1", "+OK"),
        ("SET t old EXAT 99999999999", "+OK"),
        ("HSET h f 1 g 2", ":2"),
        ("HSET hx f 1 g 2", ":2"),
        ("HEXPIREAT hx 49999999999 FIELDS 1 f", "*[:1]"),
        ("SADD s m n", ":2"),
        ("SADD other o", ":1"),
        ("RPUSH l x y x", ":3"),
        (&format!("RPUSH big x {long} x {tail}"), ":4"),
        ("ZADD z 1 m 2 n", ":2"),
        (&format!("ZADD bigz{many}"), ":130"),
        ("PFADD p x y", ":1"),
        ("PFADD q x", ":1"),
        ("PFDEBUG TODENSE q", ":1"),
        ("XADD x 1-1 f v", "'1-1'"),
        ("XADD x 1-2 f v", "'1-2'"),
        ("XGROUP CREATE x g 0", "+OK"),
        ("XREADGROUP GROUP g c COUNT 1 NOACK STREAMS x >", "*[*['x' *[*['1-1' *['f' 'v']]]]]"),
        ("XCLAIM x g c 0 1-1 FORCE JUSTID TIME 1000", "*['1-1']"),
        ("COPY x y", ":1"),
        ("GEOADD geo 13.361389 38.115556 west 15.087269 37.502669 east", ":2"),
    ];
    let look: &[(&str, &str)] = &[
        ("MGET a b n t fresh", "*['old' 'old' '1' 'old' $nil]"),
        ("TTL a", ":-1"),
        ("EXPIRETIME t", ":99999999999"),
        ("DBSIZE", ":17"),
        ("CONFIG GET maxclients", "*['maxclients' '10000']"),
        ("HMGET h f g fresh", "*['1' '2' $nil]"),
        ("HMGET hx f g fresh", "*['1' '2' $nil]"),
        ("HEXPIRETIME hx FIELDS 2 f g", "*[:49999999999 :-1]"),
        ("HTTL h FIELDS 2 f g", "*[:-1 :-1]"),
        ("SMISMEMBER s m n o", "*[:1 :1 :0]"),
        ("SMEMBERS other", "*['o']"),
        ("LRANGE l 0 -1", "*['x' 'y' 'x']"),
        ("LRANGE big 0 -1", &format!("*['x' '{long}' 'x' '{tail}']")),
        ("ZRANGE z 0 -1 WITHSCORES", "*['m' '1' 'n' '2']"),
        ("ZCARD bigz", ":130"),
        ("GEOHASH geo west east new", "*['sqc8b49rny0' 'sqdtr74hyu0' $nil]"),
        ("ZMSCORE bigz 1 2 7 10 new", "*['1' '2' '7' '10' $nil]"),
        ("PFDEBUG DECODE p", "'Z:14932 v:3,1 Z:1441 v:2,1 z:9'"),
        ("GETBIT p 120", ":1"),
        ("PFDEBUG ENCODING q", "+dense"),
        ("BITCOUNT q", ":14"),
        ("XRANGE x - +", "*[*['1-1' *['f' 'v']] *['1-2' *['f' 'v']]]"),
        ("XPENDING x g", "*[:1 '1-1' '1-1' *[*['c' '1']]]"),
        ("XPENDING y g", "*[:1 '1-1' '1-1' *[*['c' '1']]]"),
        (
            "XINFO GROUPS x",
            "*[*['name' 'g' 'consumers' :1 'pending' :1 'last-delivered-id' '1-1' 'entries-read' :1 'lag' :1]]",
        ),
    ];
    let hold = |judge: &mut Wire, talk: &[(&str, &str)], command: &str| {
        for (request, expected) in talk {
            judge.send(format!("{request}\r\n"));
            assert_eq!(frame(judge), *expected, "{request} after {command} was interrupted");
        }
    };
    for command in commands.into_iter().chain([script.as_str(), failing]) {
        let mut panics = 0;
        loop {
            hold(&mut judge, setup, command);
            let mut victim = daemon.connect();
            let nth = format!("DEBUG PANIC {}\r\n", panics + 1);
            victim.send(format!("{nth}{command}\r\nQUIT\r\n"));
            let heard = String::from_utf8_lossy(&victim.rest()).into_owned();
            if heard != "+OK\r\n-ERR internal error\r\n" {
                // The command ran to its end. The fuse goes off in the next one, which is QUIT.
                assert!(heard.ends_with("-ERR internal error\r\n") || heard.ends_with("+OK\r\n"), "{heard}");
                break;
            }
            // Some commands have thousands of steps.
            panics += 1 + panics / 50;
            hold(&mut judge, look, command);
        }
        assert!(panics > 0, "{command} was never interrupted");
        // The command may have closed all other clients.
        judge = daemon.connect();
        // The rest of the fuse must not hit the next round.
        judge.ask("DEBUG PANIC 0\r\nCONFIG SET maxclients 10000\r\n", "+OK\r\n+OK\r\n");
    }
}

#[test]
fn debug_is_off_unless_it_is_enabled() {
    let daemon = Daemon::start(&[]);
    daemon.connect().ask(
        "DEBUG PANIC\r\n",
        "-ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can run it from a \
         local connection, otherwise you need to set this option in the configuration file, and then restart the \
         server.\r\n",
    );
    let daemon = Daemon::start(&["--enable-debug-command", "local"]);
    daemon.connect().ask("DEBUG SLEEP 0\r\n", "+OK\r\n");
}

/// What a complete command of a transaction has asked of others is done, although a later one panics.
#[test]
fn a_panic_inside_a_transaction_keeps_what_was_complete() {
    let daemon = Daemon::start(&["--enable-debug-command", "yes"]);
    let (mut waiting, mut listening, mut victim) = (daemon.connect(), daemon.connect(), daemon.connect());
    listening.ask("SUBSCRIBE news\r\n", "*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n");
    let mut holder = daemon.connect();
    holder.ask("CLIENT PAUSE 600000 WRITE\r\n", "+OK\r\n");
    waiting.send("SET k v\r\n");
    victim.send("MULTI\r\nCLIENT UNPAUSE\r\nGET k\r\nDEBUG PANIC\r\nGET k\r\nEXEC\r\n");
    victim.expect("+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n-ERR internal error\r\n");
    victim.expect_end();
    waiting.expect("+OK\r\n");
    let mut victim = daemon.connect();
    victim.send("MULTI\r\nPUBLISH news flash\r\nDEBUG PANIC\r\nEXEC\r\n");
    victim.expect("+OK\r\n+QUEUED\r\n+QUEUED\r\n-ERR internal error\r\n");
    listening.expect("*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$5\r\nflash\r\n");
}

/// A client whose request panics when it runs again ends alone: nobody behind it is forgotten, nobody before it loses the
/// answer, and the client that has woken it goes on.
#[test]
fn a_panic_of_a_client_that_is_woken_ends_that_client_and_nobody_else() {
    let daemon = Daemon::start(&["--enable-debug-command", "yes"]);
    let mut control = daemon.connect();
    let (mut torn, mut failed) = (0, BTreeSet::new());
    // The fuse goes off at the nth step: first in RPUSH, then in one of the requests that it wakes.
    for nth in 1.. {
        control.send("DEL k\r\n");
        frame(&mut control);
        let mut waiting = [daemon.connect(), daemon.connect(), daemon.connect()];
        for (at, wire) in waiting.iter_mut().enumerate() {
            wire.send("BLPOP k 0\r\n");
            until_waiting(&mut control, at + 1);
        }
        let mut pusher = daemon.connect();
        pusher.send(format!("DEBUG PANIC {nth}\r\nRPUSH k a b c d\r\nDEBUG PANIC 0\r\nQUIT\r\n"));
        let pushed = String::from_utf8_lossy(&pusher.rest()).into_owned();
        let whole = pushed == "+OK\r\n:4\r\n+OK\r\n+OK\r\n";
        assert!(whole || pushed == "+OK\r\n-ERR internal error\r\n", "{nth}: {pushed}");
        control.send("LRANGE k 0 -1\r\n");
        let left = frame(&mut control);
        if left == "*[]" {
            assert!(!whole);
            torn += 1;
            drop(waiting);
            until_waiting(&mut control, 0);
            continue;
        }
        until_waiting(&mut control, 0);
        let heard = waiting.each_mut().map(frame);
        let lost = heard.iter().position(|reply| reply == "-ERR internal error");
        let mut popped = ["a", "b", "c"].map(|element| format!("*['k' '{element}']"));
        if let Some(at) = lost {
            waiting[at].expect_end();
            popped[at..].rotate_right(1);
            popped[at] = heard[at].clone();
            failed.insert(at);
        }
        assert_eq!(heard, popped, "{nth}");
        assert_eq!(left, if lost.is_some() { "*['c' 'd']" } else { "*['d']" }, "{nth}");
        if whole && lost.is_none() {
            break;
        }
    }
    assert!(torn > 0 && failed.len() == 3, "{torn} {failed:?}");
}

/// A transaction that panics has made a key ready. The server has nothing else to do, and serves the client all the same.
#[test]
fn a_client_that_waits_is_served_although_the_transaction_that_served_it_panics() {
    let daemon = Daemon::start(&["--enable-debug-command", "yes"]);
    let (mut waiting, mut control, mut victim) = (daemon.connect(), daemon.connect(), daemon.connect());
    waiting.send("BLPOP k 0\r\n");
    until_waiting(&mut control, 1);
    victim.send("MULTI\r\nRPUSH k v\r\nDEBUG PANIC\r\nEXEC\r\n");
    victim.expect("+OK\r\n+QUEUED\r\n+QUEUED\r\n-ERR internal error\r\n");
    waiting.expect("*2\r\n$1\r\nk\r\n$1\r\nv\r\n");
}
