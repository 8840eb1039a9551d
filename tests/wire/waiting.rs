//! Clients that wait for keys: who is served, in which order, and what is lost, which is nothing.

use std::collections::BTreeSet;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::commands::start_redis;
use crate::differ::{self, Pair, Words, quoted, seed};
use crate::harness::{Daemon, Guard, Wire, have, request, within};
use crate::talks::frame;
use crate::types::Dice;

/// Waits until this many clients wait for keys.
pub fn until_waiting(control: &mut Wire, clients: usize) {
    within("clients to wait", || (control.info("blocked_clients") == clients.to_string()).then_some(()));
}

#[test]
fn clients_are_served_in_the_order_of_their_arrival_and_before_anybody_else() {
    let daemon = Daemon::start(&[]);
    let (mut first, mut second, mut pusher) = (daemon.connect(), daemon.connect(), daemon.connect());
    first.send("BLPOP a k 0\r\nPING\r\n");
    until_waiting(&mut pusher, 1);
    second.send("BRPOP k 0\r\n");
    until_waiting(&mut pusher, 2);
    pusher.ask(
        "RPUSH k 1\r\nLPOP k\r\nRPUSH k 2 3 4\r\nLRANGE k 0 -1\r\n",
        ":1\r\n$-1\r\n:3\r\n*2\r\n$1\r\n2\r\n$1\r\n3\r\n",
    );
    first.expect("*2\r\n$1\r\nk\r\n$1\r\n1\r\n+PONG\r\n");
    second.expect("*2\r\n$1\r\nk\r\n$1\r\n4\r\n");
    until_waiting(&mut pusher, 0);
}

#[test]
fn whatever_makes_a_key_ready_wakes_a_client_and_one_wake_leads_to_the_next() {
    let daemon = Daemon::start(&[]);
    let mut control = daemon.connect();
    for (made, popped) in [
        ("RPUSH k v", "v"),
        ("RENAME old k", "old"),
        ("RENAMENX old k", "old"),
        ("COPY old k", "old"),
        ("LMOVE old k LEFT LEFT", "old"),
        ("RPOPLPUSH old k", "old"),
        ("MULTI\r\nSET k text\r\nDEL k\r\nRPUSH k v w\r\nLPOP k\r\nEXEC", "w"),
        ("SELECT 1\r\nRPUSH k there\r\nMOVE k 0\r\nSELECT 0", "there"),
        ("SELECT 1\r\nRPUSH k there\r\nSELECT 0\r\nSWAPDB 0 1", "there"),
    ] {
        let mut waiting = daemon.connect();
        control.ask("FLUSHALL\r\nRPUSH old old\r\n", "+OK\r\n:1\r\n");
        waiting.send("BLPOP k 0\r\n");
        until_waiting(&mut control, 1);
        control.send(format!("{made}\r\n"));
        waiting.expect(format!("*2\r\n$1\r\nk\r\n${}\r\n{popped}\r\n", popped.len()));
        control = daemon.connect();
    }
    control.ask("FLUSHALL\r\n", "+OK\r\n");
    let (mut one, mut two) = (daemon.connect(), daemon.connect());
    one.send("BLMOVE k next LEFT RIGHT 0\r\n");
    until_waiting(&mut control, 1);
    two.send("BLPOP next 0\r\n");
    until_waiting(&mut control, 2);
    control.ask("RPUSH k v\r\nEXISTS k next\r\n", ":1\r\n:0\r\n");
    one.expect("$1\r\nv\r\n");
    two.expect("*2\r\n$4\r\nnext\r\n$1\r\nv\r\n");
}

#[test]
fn a_wait_ends_at_its_time_or_when_somebody_ends_it() {
    let daemon = Daemon::start(&[]);
    let mut control = daemon.connect();
    let mut waiting = daemon.connect();
    waiting.ask("BLPOP k 0.01\r\n", "*-1\r\n");
    waiting.ask("BLPOP k 1e30\r\n", "-ERR timeout is out of range\r\n");
    waiting.ask("BLMOVE k l LEFT LEFT 0.01\r\n", "*-1\r\n");
    waiting.ask("HELLO 3\r\nBLPOP k 0.01\r\n", "");
    assert!(frame(&mut waiting).starts_with('%'));
    waiting.expect("_\r\n");
    waiting.ask("CLIENT ID\r\n", ":2\r\n");
    waiting.send("BLPOP k 1000\r\n");
    until_waiting(&mut control, 1);
    control.ask("CLIENT UNBLOCK 2\r\n", ":1\r\n");
    waiting.expect("_\r\n");
    waiting.send("BLPOP k 1000\r\n");
    until_waiting(&mut control, 1);
    control.send("CLIENT LIST\r\n");
    assert!(frame(&mut control).contains("flags=b "), "it shows that it waits");
    control.ask("CLIENT UNBLOCK 2 ERROR\r\nCLIENT UNBLOCK 2\r\nCLIENT UNBLOCK 77\r\n", ":1\r\n:0\r\n:0\r\n");
    waiting.expect("-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n");
    // Each of the waits that ended was a call, the last of them a failed one.
    control.send("INFO commandstats\r\n");
    let stats = String::from_utf8(control.bulk()).expect("text");
    let line = stats.lines().find(|line| line.starts_with("cmdstat_blpop:")).expect("it was called");
    assert!(line.starts_with("cmdstat_blpop:calls=5,") && line.ends_with(",failed_calls=2"), "{line}");
    assert_eq!(control.info("errorstat_UNBLOCKED"), "count=1");
    control.ask(
        "CLIENT UNBLOCK 2 TIMEOUT x\r\n",
        "-ERR unknown subcommand or wrong number of arguments for 'UNBLOCK'. Try CLIENT HELP.\r\n",
    );
    waiting.send("BLPOP k -0.0001\r\n");
    until_waiting(&mut control, 1);
    control.ask("CLIENT UNBLOCK 2\r\n", ":1\r\n");
    waiting.expect("_\r\n");
    control.ask("CLIENT UNBLOCK x\r\nCLIENT UNBLOCK 2 WHY\r\n", "-ERR value is not an integer or out of range\r\n-ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR\r\n");
}

#[test]
fn a_monitor_sees_a_request_once_although_it_runs_again() {
    let daemon = Daemon::start(&[]);
    let (mut monitor, mut waiting, mut pusher) = (daemon.connect(), daemon.connect(), daemon.connect());
    monitor.ask("MONITOR\r\n", "+OK\r\n");
    waiting.send("BLPOP k 0\r\n");
    assert!(monitor.line().ends_with("\"BLPOP\" \"k\" \"0\""));
    pusher.ask("RPUSH k v\r\nPING\r\n", ":1\r\n+PONG\r\n");
    assert!(monitor.line().ends_with("\"RPUSH\" \"k\" \"v\""));
    assert!(monitor.line().ends_with("\"PING\""));
}

#[test]
fn a_client_that_leaves_while_it_waits_takes_nothing_with_it() {
    let daemon = Daemon::start(&[]);
    let (mut control, mut waiting) = (daemon.connect(), daemon.connect());
    // Unread input behind the request must not hide that the client has gone.
    waiting.send("BLPOP k j 0\r\nPING\r\n");
    until_waiting(&mut control, 1);
    drop(waiting);
    until_waiting(&mut control, 0);
    control.ask("RPUSH k v\r\nLLEN k\r\n", ":1\r\n:1\r\n");
    let mut killed = daemon.connect();
    killed.send("BLPOP none 0\r\n");
    until_waiting(&mut control, 1);
    // The push comes in the same turn as the kill: the dying client gets nothing.
    control.send("CLIENT KILL TYPE normal SKIPME yes\r\nRPUSH none v\r\nLLEN none\r\n");
    control.expect(":1\r\n:1\r\n:1\r\n");
}

#[test]
fn inside_a_transaction_and_at_a_drain_nobody_waits() {
    let daemon = Daemon::start(&[]);
    let (mut control, mut waiting) = (daemon.connect(), daemon.connect());
    waiting.ask(
        "MULTI\r\nBLPOP k 0\r\nBLMOVE k l LEFT LEFT 0\r\nBLMPOP 0 1 k LEFT\r\nEXEC\r\n",
        "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n*-1\r\n$-1\r\n*-1\r\n",
    );
    waiting.send("BLPOP k 0\r\n");
    until_waiting(&mut control, 1);
    daemon.signal("TERM");
    waiting.expect("*-1\r\n");
    waiting.ask("BLPOP k 0\r\nPING\r\n", "*-1\r\n+PONG\r\n");
    drop((waiting, control));
    assert_eq!(daemon.exit().0, Some(0));
}

/// Commands that wait, and commands that make keys ready. No key for which a client waits ever holds anything but a list,
/// and a wake that leads to another one never reaches a client that waits for several keys. There Redis 7.0 and 7.2 differ:
/// 7.2, like Tidegate, runs the whole request again. A client that waits sends nothing.
const GRAMMAR: &[&str] = &[
    "BLPOP|BRPOP W 0",
    "BLPOP|BRPOP W W 0",
    "BLPOP|BRPOP W x|-1",
    "BLMOVE W x|y|z LEFT|RIGHT LEFT|RIGHT|x 0",
    "BRPOPLPUSH W x|y|z 0",
    "BLPOP|BRPOP x|y|z 0",
    "LPOP|RPOP x|y|z 2",
    "BLMPOP 0 2 W W LEFT|RIGHT COUNT N",
    "BLMPOP 0|x N W W LEFT",
    "LPUSH|RPUSH W M",
    "LPUSH|RPUSH W M M M",
    "LPUSH|RPUSH W M M M M M M",
    "RENAME W W",
    "COPY W W REPLACE",
    "LMOVE W W LEFT|RIGHT LEFT|RIGHT",
    "LPOP|RPOP W 2",
    "DEL W W",
    "BZPOPMIN|BZPOPMAX u|v 0",
    "BZPOPMIN|BZPOPMAX u v 0",
    "BZMPOP 0 2 u v MIN|MAX COUNT N",
    "BZMPOP x N u v MIN|MAX",
    "ZADD u|v 1 M",
    "ZADD u|v 2 M 1 M 3 M",
    "ZINCRBY u|v 5 M",
    "ZRANGESTORE u v 0 1",
    "ZUNIONSTORE v 1 u",
    "ZPOPMIN u|v 2",
    "LRANGE W 0 -1",
    "BLPOP|BRPOP text W 0",
    "BLMOVE W text LEFT LEFT 0",
];

/// True if something has arrived.
fn has_input(wire: &Wire) -> bool {
    wire.stream.set_nonblocking(true).expect("a socket");
    let there = wire.stream.peek(&mut [0]).is_ok();
    wire.stream.set_nonblocking(false).expect("a socket");
    there
}

/// A server, and clients of it that may wait.
struct Crowd {
    control: Wire,
    clients: Vec<Wire>,
    ids: Vec<String>,
    waiting: BTreeSet<usize>,
}

impl Crowd {
    fn new(mut connect: impl FnMut() -> Wire) -> Crowd {
        let mut control = connect();
        control.ask("FLUSHALL\r\nSET text v\r\n", "+OK\r\n+OK\r\n");
        let mut clients: Vec<Wire> = (0..5).map(|_| connect()).collect();
        let ids = clients.iter_mut().map(|wire| {
            wire.send("CLIENT ID\r\n");
            wire.line()[1..].to_owned()
        });
        let ids = ids.collect();
        Crowd { control, clients, ids, waiting: BTreeSet::new() }
    }

    fn waits(&mut self, who: usize) -> bool {
        self.control.send(format!("CLIENT LIST ID {}\r\n", self.ids[who]));
        frame(&mut self.control).contains("flags=b ")
    }

    /// Client `who` sends a request. Returns which clients heard what then.
    fn step(&mut self, who: usize, words: &[Vec<u8>]) -> Vec<(usize, String)> {
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        self.clients[who].send(request(&words));
        let served = within("a reply, or a wait", || {
            if self.waits(who) {
                return Some(false);
            }
            has_input(&self.clients[who]).then_some(true)
        });
        self.waiting.insert(who);
        let mut heard = Vec::new();
        for client in self.waiting.clone() {
            if client == who && served || client != who && !self.waits(client) {
                self.waiting.remove(&client);
                heard.push((client, frame(&mut self.clients[client])));
            }
        }
        heard
    }
}

#[test]
fn random_clients_that_wait_are_served_as_a_redis_server_serves_them() {
    const STEPS: usize = 3_000;
    if !have("redis-server", "--version") {
        return;
    }
    let daemon = Daemon::start(&[]);
    let (redis, _, port) = start_redis(&[]);
    let mut crowds = Crowds { daemon, _redis: redis, port, crowds: None };
    let seed = seed();
    let mut dice = Dice(StdRng::seed_from_u64(seed));
    let next = |crowds: &Crowds| {
        let idle = crowds.idle();
        let line = GRAMMAR[dice.0.random_range(0..GRAMMAR.len())];
        // One client is always free to push.
        let line = if idle.len() == 1 && line.starts_with('B') { "RPUSH K M" } else { line };
        (idle[dice.0.random_range(0..idle.len())], dice.request(line))
    };
    differ::compare(&mut crowds, &format!("SEED={seed}"), STEPS, next);
}

/// The clients of both servers, which may wait.
struct Crowds {
    daemon: Daemon,
    _redis: Guard,
    port: u16,
    /// None before the beginning.
    crowds: Option<[Crowd; 2]>,
}

impl Crowds {
    /// The clients that do not wait.
    fn idle(&self) -> Vec<usize> {
        let [ours, _] = self.crowds.as_ref().expect("it has begun");
        (0..ours.clients.len()).filter(|who| !ours.waiting.contains(who)).collect()
    }
}

impl Pair for Crowds {
    /// Which client sends what.
    type Command = (usize, Words);

    fn begin(&mut self) {
        // Those who still wait leave, and wake nobody.
        self.crowds = None;
        let theirs = || Wire::new(std::net::TcpStream::connect(("127.0.0.1", self.port)).unwrap());
        self.crowds = Some([Crowd::new(|| self.daemon.connect()), Crowd::new(theirs)]);
    }

    fn ask(&mut self, (who, words): &(usize, Words)) -> [Vec<u8>; 2] {
        let idle = self.idle();
        // With fewer commands than there were, it may wait now, or be the one that is to be free.
        if !idle.contains(who) || idle.len() == 1 && words[0].starts_with(b"B") {
            return Default::default();
        }
        let crowds = self.crowds.as_mut().expect("it has begun");
        crowds.each_mut().map(|crowd| format!("{:?}", crowd.step(*who, words)).into_bytes())
    }

    fn shown((who, words): &(usize, Words)) -> String {
        format!("client {who}: {}", quoted(words))
    }
}

#[test]
fn readers_of_streams_wait_for_entries_behind_the_last_one_and_all_of_them_get_these() {
    let daemon = Daemon::start(&[]);
    let mut control = daemon.connect();
    control.ask("XADD s 1-1 f old\r\nXGROUP CREATE s g $\r\n", "$3\r\n1-1\r\n+OK\r\n");
    let (mut one, mut two, mut grouped) = (daemon.connect(), daemon.connect(), daemon.connect());
    one.send("XREAD BLOCK 0 STREAMS other s $ $\r\n");
    until_waiting(&mut control, 1);
    two.send("XREAD BLOCK 0 STREAMS s $\r\n");
    until_waiting(&mut control, 2);
    grouped.send("XREADGROUP GROUP g c BLOCK 0 STREAMS s >\r\n");
    until_waiting(&mut control, 3);
    // Entries behind 1-2 are not what they wait for, until there is one: `$` stays what it was.
    control.ask(
        "MULTI\r\nXADD s 1-2 f new\r\nXDEL s 1-1\r\nEXEC\r\n",
        "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n$3\r\n1-2\r\n:1\r\n",
    );
    for reader in [&mut one, &mut two, &mut grouped] {
        assert_eq!(frame(reader), "*[*['s' *[*['1-2' *['f' 'new']]]]]");
    }
    until_waiting(&mut control, 0);
    control
        .ask("XPENDING s g\r\n", "*4\r\n:1\r\n$3\r\n1-2\r\n$3\r\n1-2\r\n*1\r\n*2\r\n$1\r\nc\r\n$1\r\n1\r\n");
    one.ask("XREAD BLOCK 10 STREAMS s $\r\n", "*-1\r\n");
    one.ask("MULTI\r\nXREAD BLOCK 0 STREAMS s $\r\nEXEC\r\n", "+OK\r\n+QUEUED\r\n*1\r\n*-1\r\n");
}

/// As in Redis 7.2: the request runs again and says what is missing.
#[test]
fn a_reader_in_a_group_hears_that_its_stream_or_its_group_is_gone() {
    const NO_GROUP: &str = "-NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option";
    const WRONG_TYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value";
    let daemon = Daemon::start(&[]);
    for (change, heard) in [
        ("DEL s", NO_GROUP),
        ("UNLINK s", NO_GROUP),
        ("PEXPIRE s 1", NO_GROUP),
        ("EXPIRE s -1", NO_GROUP),
        ("FLUSHDB", NO_GROUP),
        ("FLUSHALL", NO_GROUP),
        ("RENAME s t", NO_GROUP),
        ("MOVE s 1", NO_GROUP),
        ("SWAPDB 0 1", NO_GROUP),
        ("SUNIONSTORE s nokey", NO_GROUP),
        ("XGROUP DESTROY s g", NO_GROUP),
        ("MULTI\r\nDEL s\r\nXGROUP CREATE s new $ MKSTREAM\r\nEXEC", NO_GROUP),
        ("SET s x", WRONG_TYPE),
        ("RENAME list s", WRONG_TYPE),
        ("COPY list s REPLACE", WRONG_TYPE),
        ("MULTI\r\nDEL s\r\nSADD s m\r\nEXEC", WRONG_TYPE),
    ] {
        let mut control = daemon.connect();
        control.ask("FLUSHALL\r\nRPUSH list e\r\n", "+OK\r\n:1\r\n");
        control.ask("XGROUP CREATE s g $ MKSTREAM\r\nXGROUP CREATE s2 g $ MKSTREAM\r\n", "+OK\r\n+OK\r\n");
        let (mut plain, mut one, mut two) = (daemon.connect(), daemon.connect(), daemon.connect());
        plain.send("XREAD BLOCK 0 STREAMS s $\r\n");
        one.send("XREADGROUP GROUP g c BLOCK 0 STREAMS s >\r\n");
        two.send("XREADGROUP GROUP g c BLOCK 0 STREAMS s2 s > >\r\n");
        until_waiting(&mut control, 3);
        control.send(format!("{change}\r\n"));
        // The second one waits for another key as well, which may be gone too.
        let second = frame(&mut two).replace("'s2'", "'s'");
        assert_eq!([frame(&mut one), second], [heard, heard], "{change}");
        // A plain reader goes on to wait.
        until_waiting(&mut daemon.connect(), 1);
    }
}

/// What a group remembers is no change of the key: nobody who watches it hears of it, and no other reader is woken.
#[test]
fn the_bookkeeping_of_groups_changes_no_key() {
    let daemon = Daemon::start(&[]);
    let (mut watching, mut other, mut waiting) = (daemon.connect(), daemon.connect(), daemon.connect());
    other.ask(
        "XADD s 5-0 f v\r\nXADD s 6-0 f v\r\nXGROUP CREATE s g 0\r\nXGROUP CREATE s idle $\r\n",
        "$3\r\n5-0\r\n$3\r\n6-0\r\n+OK\r\n+OK\r\n",
    );
    waiting.send("XREADGROUP GROUP idle c BLOCK 0 STREAMS s >\r\n");
    until_waiting(&mut other, 1);
    for request in [
        "XREADGROUP GROUP g c COUNT 1 STREAMS s >",
        "XREADGROUP GROUP g c STREAMS s 0",
        "XCLAIM s g d 0 5-0",
        "XCLAIM s g d 0 9-1",
        "XAUTOCLAIM s g e 0 -",
        "XACK s g 5-0",
        "XGROUP CREATE s h 0",
        "XGROUP CREATECONSUMER s h c",
        "XGROUP DELCONSUMER s h c",
        "XGROUP SETID s h 0",
        "XGROUP DESTROY s h",
        "XGROUP SETID s idle 0",
        "XSETID s 7-0",
        "XSETID s 8-0 ENTRIESADDED 9 MAXDELETEDID 1-0",
    ] {
        watching.ask("WATCH s\r\n", "+OK\r\n");
        other.send(format!("{request}\r\n"));
        assert!(!frame(&mut other).starts_with('-'), "{request}");
        watching.ask("MULTI\r\nPING\r\nEXEC\r\n", "+OK\r\n+QUEUED\r\n*1\r\n+PONG\r\n");
    }
    until_waiting(&mut other, 1);
    // The next entry wakes it, and it gets those as well that it has not read.
    other.ask("XADD s 9-0 f v\r\n", "$3\r\n9-0\r\n");
    let read = "*[*['s' *[*['5-0' *['f' 'v']] *['6-0' *['f' 'v']] *['9-0' *['f' 'v']]]]]";
    assert_eq!(frame(&mut waiting), read);
}

#[test]
fn a_woken_command_that_adds_to_a_key_needs_room_as_any_other() {
    let daemon = Daemon::start(&[]);
    let (mut control, mut waiting) = (daemon.connect(), daemon.connect());
    waiting.send("BLMOVE k next LEFT RIGHT 0\r\n");
    until_waiting(&mut control, 1);
    control.ask(
        "MULTI\r\nRPUSH k v\r\nCONFIG SET maxmemory 1\r\nEXEC\r\n",
        "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:1\r\n+OK\r\n",
    );
    waiting.expect("-OOM command not allowed when used memory > 'maxmemory'.\r\n");
    control.ask("EXISTS k next\r\n", ":1\r\n");
    assert_eq!(control.info("blocked_clients"), "0");
}
