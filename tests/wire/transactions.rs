//! `MULTI`, `EXEC`, `DISCARD`, `WATCH`, `UNWATCH`.

use std::net::TcpStream;

use crate::commands::start_redis;
use crate::harness::{Daemon, Wire, have, request, within};
use crate::talks::{END, Talk, talk};

const ABORTED: &str = "-EXECABORT Transaction discarded because of previous errors.";

pub const TALKS: &[Talk] = &[
    talk(
        "commands are queued and run together",
        &[
            ("a", "MULTI", "+OK"),
            ("a", "SET k 1", "+QUEUED"),
            ("b", "GET k", "$nil"),
            ("a", "INCR k", "+QUEUED"),
            ("a", "MGET k none", "+QUEUED"),
            ("a", "EXEC", "*[+OK :2 *['2' $nil]]"),
            ("a", "MULTI", "+OK"),
            ("a", "EXEC", "*[]"),
        ],
    ),
    talk(
        "what belongs to no transaction, or not inside one, is refused and the transaction goes on",
        &[
            ("a", "EXEC", "-ERR EXEC without MULTI"),
            ("a", "DISCARD", "-ERR DISCARD without MULTI"),
            ("a", "UNWATCH", "+OK"),
            ("a", "MULTI", "+OK"),
            ("a", "MULTI", "-ERR MULTI calls can not be nested"),
            ("a", "WATCH k", "-ERR WATCH inside MULTI is not allowed"),
            ("a", "SET k 1", "+QUEUED"),
            ("a", "UNWATCH", "+QUEUED"),
            ("a", "EXEC", "*[+OK +OK]"),
            ("a", "GET k", "'1'"),
        ],
    ),
    talk(
        "DISCARD forgets what was queued and what was watched",
        &[
            ("a", "WATCH k", "+OK"),
            ("a", "MULTI", "+OK"),
            ("a", "SET k 1", "+QUEUED"),
            ("a", "DISCARD", "+OK"),
            ("a", "EXISTS k", ":0"),
            ("b", "SET k other", "+OK"),
            ("a", "MULTI", "+OK"),
            ("a", "GET k", "+QUEUED"),
            ("a", "EXEC", "*['other']"),
        ],
    ),
    talk(
        "a command that cannot be queued aborts the transaction",
        &[
            ("a", "MULTI", "+OK"),
            ("a", "SET k 1", "+QUEUED"),
            ("a", "NOSUCH x", "-ERR unknown command 'NOSUCH', with args beginning with: 'x' "),
            ("a", "SET k 2", "+QUEUED"),
            ("a", "EXEC", ABORTED),
            ("a", "EXISTS k", ":0"),
            ("a", "MULTI", "+OK"),
            ("a", "GET", "-ERR wrong number of arguments for 'get' command"),
            ("a", "EXEC", ABORTED),
            ("a", "MULTI", "+OK"),
            ("a", "CLIENT NOSUCH", "-ERR unknown subcommand 'NOSUCH'. Try CLIENT HELP."),
            ("a", "EXEC", ABORTED),
            ("a", "EXEC", "-ERR EXEC without MULTI"),
            ("a", "MULTI", "+OK"),
            ("a", "NOSUCH", "-ERR unknown command 'NOSUCH', with args beginning with: "),
            ("a", "DISCARD", "+OK"),
            ("a", "MULTI", "+OK"),
            ("a", "PING", "+QUEUED"),
            ("a", "EXEC", "*[+PONG]"),
        ],
    ),
    talk(
        "commands that are not allowed in a transaction abort it",
        &[
            ("a", "MULTI", "+OK"),
            ("a", "SHUTDOWN", "-ERR Command not allowed inside a transaction"),
            ("a", "EXEC", ABORTED),
            ("a", "PING", "+PONG"),
        ],
    ),
    talk(
        "an EXEC with a word too many ends the transaction",
        &[
            (
                "a",
                "EXEC x",
                "-EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command",
            ),
            ("a", "WATCH k", "+OK"),
            ("a", "MULTI", "+OK"),
            ("a", "SET k 1", "+QUEUED"),
            (
                "a",
                "EXEC x",
                "-EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command",
            ),
            ("a", "EXEC", "-ERR EXEC without MULTI"),
            ("a", "EXISTS k", ":0"),
            ("a", "MULTI", "+OK"),
            ("a", "MULTI x", "-ERR wrong number of arguments for 'multi' command"),
            ("a", "EXEC", ABORTED),
            ("a", "MULTI", "+OK"),
            ("a", "DISCARD x", "-ERR wrong number of arguments for 'discard' command"),
            ("a", "EXEC", ABORTED),
            ("a", "MULTI", "+OK"),
            ("a", "WATCH", "-ERR wrong number of arguments for 'watch' command"),
            ("a", "EXEC", ABORTED),
        ],
    ),
    talk(
        "a command that fails inside EXEC stops none of the others",
        &[
            ("a", "SET k text", "+OK"),
            ("a", "MULTI", "+OK"),
            ("a", "SET a 1", "+QUEUED"),
            ("a", "INCR k", "+QUEUED"),
            ("a", "SET k v EX 0", "+QUEUED"),
            ("a", "MSET a", "-ERR wrong number of arguments for 'mset' command"),
            ("a", "DISCARD", "+OK"),
            ("a", "MULTI", "+OK"),
            ("a", "INCR k", "+QUEUED"),
            ("a", "SET k v EX 0", "+QUEUED"),
            ("a", "MSET a 1 b", "+QUEUED"),
            ("a", "INCR a", "+QUEUED"),
            (
                "a",
                "EXEC",
                "*[-ERR value is not an integer or out of range -ERR invalid expire time in 'set' command -ERR wrong \
                 number of arguments for 'mset' command :1]",
            ),
        ],
    ),
    talk(
        "EXEC does nothing once somebody has changed a watched key",
        &[
            ("a", "SET k 1", "+OK"),
            ("a", "WATCH none k", "+OK"),
            ("b", "SET k 2", "+OK"),
            ("a", "MULTI", "+OK"),
            ("a", "SET k 3", "+QUEUED"),
            ("a", "EXEC", "*nil"),
            ("a", "GET k", "'2'"),
            // It watches nothing any more.
            ("b", "SET k 4", "+OK"),
            ("a", "MULTI", "+OK"),
            ("a", "GET k", "+QUEUED"),
            ("a", "EXEC", "*['4']"),
        ],
    ),
    talk(
        "a change between MULTI and EXEC counts as well",
        &[
            ("a", "WATCH k", "+OK"),
            ("a", "MULTI", "+OK"),
            ("a", "GET k", "+QUEUED"),
            ("b", "APPEND k x", ":1"),
            ("a", "GET k", "+QUEUED"),
            ("a", "EXEC", "*nil"),
        ],
    ),
    talk(
        "an aborted EXEC says so, whatever was watched",
        &[
            ("a", "WATCH k", "+OK"),
            ("b", "SET k 1", "+OK"),
            ("a", "MULTI", "+OK"),
            ("a", "GET", "-ERR wrong number of arguments for 'get' command"),
            ("a", "EXEC", ABORTED),
        ],
    ),
    talk(
        "what a client changes itself counts",
        &[
            ("a", "SET k 1", "+OK"),
            ("a", "WATCH k", "+OK"),
            ("a", "INCR k", ":2"),
            ("a", "MULTI", "+OK"),
            ("a", "EXEC", "*nil"),
        ],
    ),
    talk(
        "what changes nothing does not count, what sets the same value does",
        &[
            ("a", "SET k 1", "+OK"),
            ("a", "WATCH k none", "+OK"),
            ("b", "GET k", "'1'"),
            ("b", "DEL none", ":0"),
            ("b", "SET k 2 NX", "$nil"),
            ("b", "PERSIST k", ":0"),
            ("b", "EXPIRE none 100", ":0"),
            ("b", "EXPIRE k 100 XX", ":0"),
            ("b", "INCRBY k x", "-ERR value is not an integer or out of range"),
            ("a", "MULTI", "+OK"),
            ("a", "EXEC", "*[]"),
            ("a", "WATCH k", "+OK"),
            ("b", "SET k 1", "+OK"),
            ("a", "MULTI", "+OK"),
            ("a", "EXEC", "*nil"),
        ],
    ),
    talk(
        "each kind of change counts",
        &[
            ("a", "SET k 1", "+OK"),
            ("a", "WATCH k", "+OK"),
            ("b", "EXPIRE k 100", ":1"),
            ("a", "MULTI\nEXEC", "+OK *nil"),
            ("a", "WATCH k", "+OK"),
            ("b", "PERSIST k", ":1"),
            ("a", "MULTI\nEXEC", "+OK *nil"),
            ("a", "WATCH k", "+OK"),
            ("b", "GETEX k EX 100", "'1'"),
            ("a", "MULTI\nEXEC", "+OK *nil"),
            ("a", "WATCH k", "+OK"),
            ("b", "GETDEL k", "'1'"),
            ("a", "MULTI\nEXEC", "+OK *nil"),
            ("a", "WATCH k", "+OK"),
            ("b", "MSET j 1 k 2", "+OK"),
            ("a", "MULTI\nEXEC", "+OK *nil"),
            ("a", "WATCH k", "+OK"),
            ("b", "DEL k", ":1"),
            ("a", "MULTI\nEXEC", "+OK *nil"),
            ("a", "WATCH k", "+OK"),
            ("b", "SETNX k 1", ":1"),
            ("a", "MULTI\nEXEC", "+OK *nil"),
            ("a", "WATCH k", "+OK"),
            ("b", "EXPIRE k -1", ":1"),
            ("a", "MULTI\nEXEC", "+OK *nil"),
        ],
    ),
    talk(
        "a change that somebody's EXEC makes counts",
        &[
            ("a", "WATCH k", "+OK"),
            ("b", "WATCH k", "+OK"),
            ("b", "MULTI", "+OK"),
            ("b", "SET k 1", "+QUEUED"),
            ("b", "EXEC", "*[+OK]"),
            ("a", "MULTI", "+OK"),
            ("a", "EXEC", "*nil"),
        ],
    ),
    talk(
        "FLUSHALL counts if the key was there",
        &[
            ("a", "WATCH none", "+OK"),
            ("b", "SET other 1", "+OK"),
            ("b", "FLUSHALL", "+OK"),
            ("a", "MULTI\nEXEC", "+OK *[]"),
            ("a", "SET k 1", "+OK"),
            ("a", "WATCH k", "+OK"),
            ("b", "FLUSHALL", "+OK"),
            ("a", "MULTI\nEXEC", "+OK *nil"),
            ("a", "SET k 1", "+OK"),
            ("a", "WATCH k", "+OK"),
            ("b", "FLUSHDB", "+OK"),
            ("b", "SET k 1", "+OK"),
            ("a", "MULTI\nEXEC", "+OK *nil"),
        ],
    ),
    talk(
        "FLUSHALL counts if the key came after it was watched",
        &[
            ("a", "WATCH k", "+OK"),
            ("b", "SET k 1", "+OK"),
            ("b", "DEL k", ":1"),
            ("b", "FLUSHALL", "+OK"),
            ("a", "MULTI\nEXEC", "+OK *nil"),
        ],
    ),
    talk(
        "a watched key that expires counts, though nobody has asked for it since",
        &[
            (
                "a",
                "SET k 1 PX 20\nWATCH k\nDEBUG SLEEP 0.05\nMULTI\nSET done 1\nEXEC",
                "+OK +OK +OK +OK +QUEUED *nil",
            ),
            ("a", "EXISTS done", ":0"),
        ],
    ),
    talk(
        "it counts if it expires after MULTI",
        &[
            ("a", "SET k 1 PX 100\nWATCH k\nMULTI\nSET done 1", "+OK +OK +OK +QUEUED"),
            ("b", "DEBUG SLEEP 0.15", "+OK"),
            ("a", "EXEC", "*nil"),
        ],
    ),
    talk(
        "a key that had expired before it was watched does not count",
        &[
            (
                "a",
                "SET k 1 PX 20\nDEBUG SLEEP 0.05\nWATCH k\nMULTI\nSET done 1\nEXEC",
                "+OK +OK +OK +OK +QUEUED *[+OK]",
            ),
            ("a", "EXISTS done", ":1"),
        ],
    ),
    talk(
        "it does not count when it is found and removed",
        &[
            (
                "a",
                "SET k 1 PX 20\nDEBUG SLEEP 0.05\nWATCH k\nGET k\nMULTI\nSET done 1\nEXEC",
                "+OK +OK +OK $nil +OK +QUEUED *[+OK]",
            ),
            ("a", "EXISTS done", ":1"),
        ],
    ),
    talk(
        "nor when it is removed though nobody has asked for it",
        &[
            ("a", "SET k 1 PX 20\nDEBUG SLEEP 0.05\nWATCH k", "+OK +OK +OK"),
            ("b", "DEBUG SLEEP 0.15", "+OK"),
            ("b", "DBSIZE", ":0"),
            ("a", "MULTI\nEXEC", "+OK *[]"),
        ],
    ),
    talk(
        "UNWATCH forgives",
        &[
            ("a", "WATCH k", "+OK"),
            ("b", "SET k 1", "+OK"),
            ("a", "UNWATCH", "+OK"),
            ("a", "MULTI", "+OK"),
            ("a", "GET k", "+QUEUED"),
            ("a", "EXEC", "*['1']"),
        ],
    ),
    talk(
        "to watch a key twice is to watch it once",
        &[
            ("a", "WATCH k k", "+OK"),
            ("a", "WATCH k", "+OK"),
            ("a", "UNWATCH", "+OK"),
            ("b", "SET k 1", "+OK"),
            ("a", "MULTI\nEXEC", "+OK *[]"),
        ],
    ),
    talk(
        "a key that was changed stays changed when it is watched again",
        &[
            ("a", "WATCH k", "+OK"),
            ("b", "SET k 1", "+OK"),
            ("a", "WATCH k", "+OK"),
            ("a", "MULTI\nEXEC", "+OK *nil"),
        ],
    ),
    talk(
        "RESET ends transaction and watches",
        &[
            ("a", "WATCH k", "+OK"),
            ("a", "MULTI", "+OK"),
            ("a", "SET k 1", "+QUEUED"),
            ("a", "RESET", "+RESET"),
            ("a", "EXEC", "-ERR EXEC without MULTI"),
            ("b", "SET k 2", "+OK"),
            ("a", "MULTI", "+OK"),
            ("a", "GET k", "+QUEUED"),
            ("a", "EXEC", "*['2']"),
        ],
    ),
    talk(
        "QUIT inside MULTI ends the connection, and nothing has run",
        &[
            ("a", "MULTI", "+OK"),
            ("a", "SET k 1", "+QUEUED"),
            ("a", "QUIT", "+OK"),
            ("a", "", END),
            ("b", "EXISTS k", ":0"),
        ],
    ),
    talk(
        "CONFIG SET, HELLO and CLIENT may be queued",
        &[
            ("a", "MULTI", "+OK"),
            ("a", "CLIENT SETNAME me", "+QUEUED"),
            ("a", "CLIENT GETNAME", "+QUEUED"),
            ("a", "CONFIG GET save", "+QUEUED"),
            ("a", "FLUSHALL", "+QUEUED"),
            ("a", "EXEC", "*[+OK 'me' %['save' ''] +OK]"),
        ],
    ),
    talk(
        "WATCH and MULTI with a command behind it in one packet",
        &[
            ("a", "WATCH k\nMULTI\nINCR k\nEXEC\nINCR k", "+OK +OK +QUEUED *[:1] :2"),
            ("a", "MULTI\nMULTI\nEXEC\nPING", "+OK -ERR MULTI calls can not be nested *[] +PONG"),
        ],
    ),
    talk(
        "a dirty transaction goes on saying QUEUED",
        &[
            ("a", "WATCH k", "+OK"),
            ("b", "SET k 1", "+OK"),
            ("a", "MULTI", "+OK"),
            ("a", "SET k 2", "+QUEUED"),
            ("a", "SET", "-ERR wrong number of arguments for 'set' command"),
            ("a", "SET k 3", "+QUEUED"),
            ("a", "DISCARD", "+OK"),
            ("a", "GET k", "'1'"),
        ],
    ),
];

/// A field of the line that `CLIENT LIST` has of a client.
fn field(judge: &mut Wire, id: &str, name: &str) -> String {
    judge.send(format!("CLIENT LIST ID {id}\r\n"));
    let text = String::from_utf8(judge.bulk()).unwrap();
    let mut words = text.split_whitespace();
    let value = words.find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    value.unwrap_or_else(|| panic!("no {name} in {text}")).to_owned()
}

/// What `CLIENT LIST` says of a transaction, at a server and in Redis's words.
fn shows_transactions(mut wire: Wire, mut judge: Wire) {
    wire.send("CLIENT ID\r\n");
    let id = wire.line().split_off(1);
    let mut shows = |multi: &str, flags: &str| {
        assert_eq!([field(&mut judge, &id, "multi"), field(&mut judge, &id, "flags")], [multi, flags]);
    };
    shows("-1", "N");
    wire.ask("WATCH k\r\n", "+OK\r\n");
    shows("-1", "N");
    wire.ask("MULTI\r\n", "+OK\r\n");
    shows("0", "x");
    wire.ask("SET k 1\r\nGET k\r\n", "+QUEUED\r\n+QUEUED\r\n");
    shows("2", "x");
    wire.ask("EXEC\r\n", "*2\r\n+OK\r\n$1\r\n1\r\n");
    shows("-1", "N");
    // Its EXEC is going to fail.
    wire.ask("WATCH k\r\nSET k 2\r\n", "+OK\r\n+OK\r\n");
    shows("-1", "d");
    wire.ask("MULTI\r\n", "+OK\r\n");
    shows("0", "xd");
    wire.ask("DISCARD\r\n", "+OK\r\n");
    shows("-1", "N");
}

#[test]
fn client_list_shows_a_transaction() {
    let daemon = Daemon::start(&[]);
    shows_transactions(daemon.connect(), daemon.connect());
    if have("redis-server", "--version") {
        let (_redis, wire, port) = start_redis(&[]);
        shows_transactions(wire, Wire::new(TcpStream::connect(("127.0.0.1", port)).expect("it listens")));
    }
}

#[test]
fn a_request_beyond_the_limits_aborts_the_transaction() {
    let daemon = Daemon::start(&["--max-key-bytes", "10", "--proto-max-bulk-len", "100"]);
    let mut wire = daemon.connect();
    for (request, refusal) in [
        (
            request(&[b"SET", b"k", &[b'v'; 101]]),
            "-ERR argument of 101 bytes exceeds proto-max-bulk-len (100)",
        ),
        (request(&[b"GET", &[b'k'; 11]]), "-ERR key of 11 bytes exceeds max-key-bytes (10)"),
    ] {
        wire.ask("MULTI\r\nSET k 1\r\n", "+OK\r\n+QUEUED\r\n");
        wire.ask(request, format!("{refusal}\r\n"));
        wire.ask("EXEC\r\nEXISTS k\r\n", format!("{ABORTED}\r\n:0\r\n"));
    }
}

#[test]
fn what_a_client_queues_is_bounded_by_client_query_buffer_limit() {
    let daemon = Daemon::start(&["--client-query-buffer-limit", "100kb"]);
    let mut wire = daemon.connect();
    let set = request(&[b"SET", b"k", &[b'v'; 10_000]]);
    wire.ask("MULTI\r\n", "+OK\r\n");
    let mut queued = 0;
    let refusal = loop {
        wire.send(&set);
        match wire.line() {
            line if line == "+QUEUED" => queued += 1,
            line => break line,
        }
        assert!(queued < 11, "110 KB were queued");
    };
    assert_eq!(refusal, "-ERR transaction exceeds client-query-buffer-limit (102400)");
    assert!(queued >= 5, "only {queued} of 10 KB were queued");
    // The queue is freed as soon as the transaction is refused, and later commands are not kept.
    for _ in 0..100 {
        wire.ask(&set, "+QUEUED\r\n");
    }
    wire.ask("EXEC\r\nEXISTS k\r\n", format!("{ABORTED}\r\n:0\r\n"));
    wire.ask("MULTI\r\nSET k 1\r\nEXEC\r\n", "+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n");
}

#[test]
fn a_client_that_leaves_amid_a_transaction_leaves_nothing() {
    let daemon = Daemon::start(&[]);
    let mut watcher = daemon.connect();
    let mut wire = daemon.connect();
    wire.ask("WATCH k\r\nMULTI\r\n", "+OK\r\n+OK\r\n");
    wire.ask(request(&[b"SET", b"k", &[b'v'; 2_000_000]]), "+QUEUED\r\n");
    let held = |watcher: &mut Wire| watcher.info("mem_clients_normal").parse::<usize>().unwrap();
    assert!(held(&mut watcher) > 2_000_000);
    drop(wire);
    within("it to be gone", || (watcher.info("connected_clients") == "1").then_some(()));
    watcher.ask("EXISTS k\r\nSET k 2\r\n", ":0\r\n+OK\r\n");
    assert!(held(&mut watcher) < 1_000_000);
}
