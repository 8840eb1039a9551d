//! Publish and subscribe.

use std::io::Read;
use std::time::{Duration, Instant};

use crate::harness::{Daemon, Wire, request, within};
use crate::talks::{END, Talk, talk, talk_72, talk_in};

pub const TALKS: &[Talk] = &[
    talk(
        "subscriptions are counted, and told of one by one",
        &[
            ("a", "SUBSCRIBE news sport", ">['subscribe' 'news' :1] >['subscribe' 'sport' :2]"),
            ("a", "SUBSCRIBE news", ">['subscribe' 'news' :2]"),
            ("a", "PSUBSCRIBE n*", ">['psubscribe' 'n*' :3]"),
            ("a", "SSUBSCRIBE shard", ">['ssubscribe' 'shard' :1]"),
            ("a", "UNSUBSCRIBE sport none", ">['unsubscribe' 'sport' :2] >['unsubscribe' 'none' :2]"),
            ("a", "PUNSUBSCRIBE n*", ">['punsubscribe' 'n*' :1]"),
            ("a", "SUNSUBSCRIBE shard", ">['sunsubscribe' 'shard' :0]"),
            ("a", "UNSUBSCRIBE news", ">['unsubscribe' 'news' :0]"),
            ("a", "GET k", "$nil"),
        ],
    ),
    talk(
        "without names all subscriptions of the kind end",
        &[
            ("a", "UNSUBSCRIBE", ">['unsubscribe' $nil :0]"),
            ("a", "PUNSUBSCRIBE", ">['punsubscribe' $nil :0]"),
            ("a", "SUNSUBSCRIBE", ">['sunsubscribe' $nil :0]"),
            ("a", "SUBSCRIBE news", ">['subscribe' 'news' :1]"),
            ("a", "PSUBSCRIBE n*", ">['psubscribe' 'n*' :2]"),
            ("a", "SSUBSCRIBE shard", ">['ssubscribe' 'shard' :1]"),
            ("a", "UNSUBSCRIBE", ">['unsubscribe' 'news' :1]"),
            ("a", "UNSUBSCRIBE", ">['unsubscribe' $nil :1]"),
            ("a", "PUNSUBSCRIBE", ">['punsubscribe' 'n*' :0]"),
            ("a", "SUNSUBSCRIBE", ">['sunsubscribe' 'shard' :0]"),
            ("a", "GET k", "$nil"),
        ],
    ),
    talk(
        "a message reaches those who listen, and the publisher hears how many",
        &[
            ("b", "PUBLISH news nobody", ":0"),
            ("a", "SUBSCRIBE news", ">['subscribe' 'news' :1]"),
            ("c", "PSUBSCRIBE n?ws", ">['psubscribe' 'n?ws' :1]"),
            ("d", "PSUBSCRIBE s*", ">['psubscribe' 's*' :1]"),
            ("b", "PUBLISH news hello", ":2"),
            ("a", "", ">['message' 'news' 'hello']"),
            ("c", "", ">['pmessage' 'n?ws' 'news' 'hello']"),
            ("b", "PUBLISH sport \"\"", ":1"),
            ("d", "", ">['pmessage' 's*' 'sport' '']"),
            ("a", "UNSUBSCRIBE news", ">['unsubscribe' 'news' :0]"),
            ("b", "PUBLISH news again", ":1"),
            ("c", "", ">['pmessage' 'n?ws' 'news' 'again']"),
        ],
    ),
    talk(
        "a client that has subscribed twice over hears it twice, its channel first",
        &[
            ("a", "PSUBSCRIBE n*", ">['psubscribe' 'n*' :1]"),
            ("a", "SUBSCRIBE news", ">['subscribe' 'news' :2]"),
            ("b", "PUBLISH news hello", ":2"),
            ("a", "", ">['message' 'news' 'hello'] >['pmessage' 'n*' 'news' 'hello']"),
        ],
    ),
    talk(
        "patterns match as those of KEYS do",
        &[
            ("a", "PSUBSCRIBE h[ae]llo", ">['psubscribe' 'h[ae]llo' :1]"),
            ("c", "PSUBSCRIBE h\\*llo", ">['psubscribe' 'h\\*llo' :1]"),
            ("b", "PUBLISH hello 1", ":1"),
            ("a", "", ">['pmessage' 'h[ae]llo' 'hello' '1']"),
            ("b", "PUBLISH hillo 2", ":0"),
            ("b", "PUBLISH h*llo 3", ":1"),
            ("c", "", ">['pmessage' 'h\\*llo' 'h*llo' '3']"),
            ("b", "PUBLISH HELLO 4", ":0"),
        ],
    ),
    talk(
        "shard channels are a world of their own",
        &[
            ("a", "SSUBSCRIBE news", ">['ssubscribe' 'news' :1]"),
            ("c", "SUBSCRIBE news", ">['subscribe' 'news' :1]"),
            ("d", "PSUBSCRIBE *", ">['psubscribe' '*' :1]"),
            ("b", "SPUBLISH news hello", ":1"),
            ("a", "", ">['smessage' 'news' 'hello']"),
            ("b", "PUBLISH news hi", ":2"),
            ("c", "", ">['message' 'news' 'hi']"),
            ("d", "", ">['pmessage' '*' 'news' 'hi']"),
            ("b", "PUBSUB SHARDCHANNELS", "*['news']"),
            ("b", "PUBSUB SHARDCHANNELS x*", "*[]"),
            ("b", "PUBSUB SHARDNUMSUB news none", "*['news' :1 'none' :0]"),
            ("b", "PUBSUB SHARDNUMSUB", "*[]"),
        ],
    ),
    talk(
        "PUBSUB tells who listens to what",
        &[
            ("b", "PUBSUB CHANNELS", "*[]"),
            ("b", "PUBSUB NUMPAT", ":0"),
            ("b", "PUBSUB NUMSUB", "*[]"),
            ("a", "SUBSCRIBE news sport", ">['subscribe' 'news' :1] >['subscribe' 'sport' :2]"),
            ("c", "SUBSCRIBE news", ">['subscribe' 'news' :1]"),
            ("a", "PSUBSCRIBE n* s*", ">['psubscribe' 'n*' :3] >['psubscribe' 's*' :4]"),
            ("c", "PSUBSCRIBE n*", ">['psubscribe' 'n*' :2]"),
            ("b", "PUBSUB CHANNELS n*", "*['news']"),
            ("b", "PUBSUB NUMSUB news sport none", "*['news' :2 'sport' :1 'none' :0]"),
            ("b", "PUBSUB NUMPAT", ":2"),
            ("a", "PUNSUBSCRIBE n*", ">['punsubscribe' 'n*' :3]"),
            ("b", "PUBSUB NUMPAT", ":2"),
            ("c", "PUNSUBSCRIBE n*", ">['punsubscribe' 'n*' :1]"),
            ("b", "PUBSUB NUMPAT", ":1"),
        ],
    ),
    talk(
        "what makes no sense is refused in Redis's words",
        &[
            ("a", "SUBSCRIBE", "-ERR wrong number of arguments for 'subscribe' command"),
            ("a", "PSUBSCRIBE", "-ERR wrong number of arguments for 'psubscribe' command"),
            ("a", "SSUBSCRIBE", "-ERR wrong number of arguments for 'ssubscribe' command"),
            ("a", "PUBLISH news", "-ERR wrong number of arguments for 'publish' command"),
            ("a", "SPUBLISH news a b", "-ERR wrong number of arguments for 'spublish' command"),
            ("a", "PUBSUB", "-ERR wrong number of arguments for 'pubsub' command"),
            ("a", "PUBSUB NOSUCH", "-ERR unknown subcommand 'NOSUCH'. Try PUBSUB HELP."),
            ("a", "PUBSUB NUMPAT x", "-ERR wrong number of arguments for 'pubsub|numpat' command"),
            (
                "a",
                "PUBSUB CHANNELS a b",
                "-ERR unknown subcommand or wrong number of arguments for 'CHANNELS'. Try PUBSUB HELP.",
            ),
            (
                "a",
                "PUBSUB shardchannels a b",
                "-ERR unknown subcommand or wrong number of arguments for 'shardchannels'. Try PUBSUB HELP.",
            ),
        ],
    ),
    talk_in(
        &[2],
        "a subscriber of RESP2 may say little",
        &[
            ("a", "PING", "+PONG"),
            ("a", "SUBSCRIBE news", "*['subscribe' 'news' :1]"),
            (
                "a",
                "GET k",
                "-ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in \
                 this context",
            ),
            (
                "a",
                "CLIENT ID",
                "-ERR Can't execute 'client|id': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are \
                 allowed in this context",
            ),
            (
                "a",
                "publish news x",
                "-ERR Can't execute 'publish': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are \
                 allowed in this context",
            ),
            (
                "a",
                "HELLO 3",
                "-ERR Can't execute 'hello': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed \
                 in this context",
            ),
            ("a", "GET", "-ERR wrong number of arguments for 'get' command"),
            ("a", "NOSUCH", "-ERR unknown command 'NOSUCH', with args beginning with: "),
            ("a", "PING", "*['pong' '']"),
            ("a", "PING hello", "*['pong' 'hello']"),
            ("a", "PING a b", "-ERR wrong number of arguments for 'ping' command"),
            ("a", "SSUBSCRIBE shard", "*['ssubscribe' 'shard' :1]"),
            ("a", "UNSUBSCRIBE news", "*['unsubscribe' 'news' :0]"),
            ("a", "PING", "*['pong' '']"),
            ("a", "SUNSUBSCRIBE shard", "*['sunsubscribe' 'shard' :0]"),
            ("a", "PING", "+PONG"),
            ("a", "GET k", "$nil"),
            ("a", "PSUBSCRIBE *", "*['psubscribe' '*' :1]"),
            ("a", "QUIT", "+OK"),
            ("a", "", END),
        ],
    ),
    talk_in(
        &[3],
        "a subscriber of RESP3 may say anything",
        &[
            ("a", "SUBSCRIBE news", ">['subscribe' 'news' :1]"),
            ("a", "PING", "+PONG"),
            ("a", "PING hello", "'hello'"),
            ("a", "SET k v", "+OK"),
            ("a", "MULTI", "+OK"),
            ("a", "GET k", "+QUEUED"),
            ("b", "PUBLISH news hello", ":1"),
            ("a", "", ">['message' 'news' 'hello']"),
            ("a", "EXEC", "*['v']"),
        ],
    ),
    talk(
        "RESET ends all subscriptions",
        &[
            ("a", "SUBSCRIBE news", ">['subscribe' 'news' :1]"),
            ("a", "PSUBSCRIBE *", ">['psubscribe' '*' :2]"),
            ("a", "SSUBSCRIBE shard", ">['ssubscribe' 'shard' :1]"),
            ("a", "RESET", "+RESET"),
            ("b", "PUBLISH news hello", ":0"),
            ("b", "SPUBLISH shard hello", ":0"),
            ("b", "PUBSUB CHANNELS", "*[]"),
            ("b", "PUBSUB SHARDCHANNELS", "*[]"),
            ("b", "PUBSUB NUMPAT", ":0"),
            ("a", "GET k", "$nil"),
        ],
    ),
    talk(
        "subscriptions end with the connection",
        &[
            ("a", "SUBSCRIBE news", ">['subscribe' 'news' :1]"),
            ("a", "PSUBSCRIBE *", ">['psubscribe' '*' :2]"),
            ("a", "QUIT", "+OK"),
            ("a", "", END),
            ("b", "PUBLISH news hello", ":0"),
            ("b", "PUBSUB CHANNELS", "*[]"),
        ],
    ),
    talk(
        "what is published in a transaction goes out in order, and not before EXEC",
        &[
            ("a", "SUBSCRIBE news sport", ">['subscribe' 'news' :1] >['subscribe' 'sport' :2]"),
            ("b", "MULTI", "+OK"),
            ("b", "PUBLISH news 1", "+QUEUED"),
            ("b", "PUBLISH sport 2", "+QUEUED"),
            ("b", "PUBLISH news 3", "+QUEUED"),
            ("c", "PUBLISH news 0", ":1"),
            ("b", "EXEC", "*[:1 :1 :1]"),
            (
                "a",
                "",
                ">['message' 'news' '0'] >['message' 'news' '1'] >['message' 'sport' '2'] >['message' 'news' '3']",
            ),
        ],
    ),
    talk(
        "what an aborted transaction would have published nobody hears",
        &[
            ("a", "SUBSCRIBE news", ">['subscribe' 'news' :1]"),
            ("b", "MULTI", "+OK"),
            ("b", "PUBLISH news 1", "+QUEUED"),
            ("b", "GET", "-ERR wrong number of arguments for 'get' command"),
            ("b", "EXEC", "-EXECABORT Transaction discarded because of previous errors."),
            ("b", "PUBLISH news 2", ":1"),
            ("a", "", ">['message' 'news' '2']"),
        ],
    ),
    talk(
        "a client may subscribe in a transaction",
        &[
            ("a", "MULTI", "+OK"),
            ("a", "SUBSCRIBE news", "+QUEUED"),
            ("b", "PUBLISH news 1", ":0"),
            ("a", "EXEC", "*[>['subscribe' 'news' :1]]"),
            ("b", "PUBLISH news 2", ":1"),
            ("a", "", ">['message' 'news' '2']"),
        ],
    ),
    talk_72(
        &[3],
        "what a client publishes to itself comes behind its reply and before the next",
        &[
            ("a", "SUBSCRIBE news", ">['subscribe' 'news' :1]"),
            ("a", "PUBLISH news 1", ":1 >['message' 'news' '1']"),
            (
                "a",
                "PUBLISH news 2\nPING\nPUBLISH news 3",
                ":1 >['message' 'news' '2'] +PONG :1 >['message' 'news' '3']",
            ),
            ("a", "PSUBSCRIBE n*", ">['psubscribe' 'n*' :2]"),
            ("a", "PUBLISH news 4\nPING", ":2 >['message' 'news' '4'] >['pmessage' 'n*' 'news' '4'] +PONG"),
        ],
    ),
    talk_72(
        &[3],
        "what a client publishes to itself in a transaction comes behind the reply of EXEC",
        &[
            ("a", "SUBSCRIBE news", ">['subscribe' 'news' :1]"),
            ("a", "MULTI\nPUBLISH news 1\nPING\nPUBLISH news 2", "+OK +QUEUED +QUEUED +QUEUED"),
            ("a", "EXEC\nPING", "*[:1 +PONG :1] >['message' 'news' '1'] >['message' 'news' '2'] +PONG"),
        ],
    ),
    talk_72(
        &[2],
        "a client that subscribes in a transaction hears what it publishes there",
        &[
            ("a", "MULTI\nSUBSCRIBE news\nPUBLISH news 1", "+OK +QUEUED +QUEUED"),
            ("a", "EXEC", "*[*['subscribe' 'news' :1] :1] *['message' 'news' '1']"),
        ],
    ),
    talk_in(
        &[3],
        "a pipeline's replies and others' messages stay whole",
        &[
            ("a", "SUBSCRIBE news", ">['subscribe' 'news' :1]"),
            ("a", "HELLO 2 NOSUCH", "-ERR Syntax error in HELLO option 'NOSUCH'"),
            ("b", "PUBLISH news 1\nPUBLISH news 2", ":1 :1"),
            ("a", "", ">['message' 'news' '1'] >['message' 'news' '2']"),
            ("a", "GET k\nPING", "$nil +PONG"),
        ],
    ),
];

fn subscribed(daemon: &Daemon, channel: &str) -> Wire {
    let mut wire = daemon.connect();
    let len = channel.len();
    wire.ask(
        format!("SUBSCRIBE {channel}\r\n"),
        format!("*3\r\n$9\r\nsubscribe\r\n${len}\r\n{channel}\r\n:1\r\n"),
    );
    wire
}

fn message(channel: &str, message: &[u8]) -> Vec<u8> {
    request(&[b"message", channel.as_bytes(), message])
}

#[test]
fn messages_come_in_the_order_in_which_they_were_published() {
    const MESSAGES: usize = 2_000;
    let daemon = Daemon::start(&[]);
    let mut listeners: Vec<Wire> = (0..10).map(|_| subscribed(&daemon, "n")).collect();
    let (mut one, mut two) = (daemon.connect(), daemon.connect());
    for nth in 0..MESSAGES {
        // Two packets of one, then one of the other; none waits for the replies.
        let publisher = if nth % 3 < 2 { &mut one } else { &mut two };
        publisher.send(format!("PUBLISH n {}:{nth}\r\n", nth % 3 / 2));
    }
    one.half_close();
    two.half_close();
    let (ones, twos) = (one.rest().len(), two.rest().len());
    assert_eq!(ones + twos, MESSAGES * ":10\r\n".len());
    let mut heard: Vec<Vec<u8>> = Vec::new();
    for listener in &mut listeners {
        listener.ask("UNSUBSCRIBE\r\n", "");
        listener.half_close();
        heard.push(listener.rest());
    }
    // All have heard the same, and each publisher's messages in order.
    assert!(heard.iter().all(|all| *all == heard[0]), "they heard different things");
    for publisher in 0..2 {
        let text = String::from_utf8(heard[0].clone()).unwrap();
        let mark = format!("{publisher}:");
        let numbers: Vec<usize> =
            text.lines().filter_map(|line| line.strip_prefix(&mark)?.parse().ok()).collect();
        assert!(numbers.is_sorted() && numbers.len() >= MESSAGES / 3, "{numbers:?}");
    }
}

/// Publishes until the one that does not listen is gone, and counts what the others heard.
fn a_slow_subscriber_ends(limit: &str, soft: bool) {
    let daemon = Daemon::start(&[]);
    let (mut judge, mut publisher) = (daemon.connect(), daemon.connect());
    judge.ask(request(&[b"CONFIG", b"SET", b"client-output-buffer-limit", limit.as_bytes()]), "+OK\r\n");
    let (mut quick, mut slow) = (subscribed(&daemon, "n"), subscribed(&daemon, "n"));
    let text = vec![b'x'; 100_000];
    let (publish, told) = (request(&[b"PUBLISH", b"n", &text]), message("n", &text));
    let since = Instant::now();
    let (mut published, mut most) = (0, 0);
    within("the slow one to be cut off", || {
        // Past the soft limit nothing more needs to come.
        if !soft || published < 100 {
            publisher.send(&publish);
            let count: usize = publisher.line()[1..].parse().unwrap();
            assert!((1..=2).contains(&count), "{count} listeners");
            quick.expect(&told);
            published += 1;
        }
        most = most.max(judge.info("mem_clients_normal").parse::<usize>().unwrap());
        (judge.info("closed_slow_consumer") == "1").then_some(())
    });
    if soft {
        assert!(since.elapsed() >= Duration::from_millis(300), "cut off after {:?}", since.elapsed());
    } else {
        // What it left untaken, doubled as a buffer grows, and the publisher's and the pool's own.
        assert!(most < 16 << 20, "{most} bytes were held");
    }
    publisher.send(&publish);
    publisher.expect(":1\r\n");
    quick.expect(&told);
    judge.ask("PUBSUB NUMSUB n\r\n", "*2\r\n$1\r\nn\r\n:1\r\n");
    assert_eq!(judge.info("connected_clients"), "3");
    // It gets what was on its way, no goodbye and not the rest.
    let mut heard = 0;
    let mut piece = vec![0; 1 << 16];
    while let Ok(count @ 1..) = slow.stream.read(&mut piece) {
        heard += count;
    }
    assert!(heard < published * told.len(), "it heard everything");
}

#[test]
fn a_subscriber_over_the_hard_limit_ends_and_nobody_else_notices() {
    a_slow_subscriber_ends("pubsub 1mb 0 0", false);
}

#[test]
fn a_subscriber_over_the_soft_limit_for_too_long_ends_and_nobody_else_notices() {
    a_slow_subscriber_ends("pubsub 0 1mb 300ms", true);
}

#[test]
fn the_idle_timeout_spares_subscribers() {
    let daemon = Daemon::start(&["--timeout", "300ms"]);
    let mut judge = daemon.connect();
    let mut listener = subscribed(&daemon, "n");
    let mut silent = daemon.connect();
    silent.ask("PING\r\n", "+PONG\r\n");
    within("the silent one to be closed", || (judge.info("closed_idle") == "1").then_some(()));
    judge.ask("PUBLISH n hello\r\n", ":1\r\n");
    listener.expect(message("n", b"hello"));
    // One that is a subscriber no more is like any other.
    listener.ask("UNSUBSCRIBE\r\n", "*3\r\n$11\r\nunsubscribe\r\n$1\r\nn\r\n:0\r\n");
    within("that one as well", || (judge.info("closed_idle") == "2").then_some(()));
    listener.expect_end();
}

#[test]
fn a_subscriber_that_vanishes_is_counted_no_more() {
    let daemon = Daemon::start(&[]);
    let mut judge = daemon.connect();
    let listener = subscribed(&daemon, "n");
    judge.ask("PUBLISH n hello\r\n", ":1\r\n");
    // With a message unread the close is a reset.
    drop(listener);
    within("it to be gone", || {
        judge.send("PUBLISH n hello\r\n");
        (judge.line() == ":0").then_some(())
    });
    judge.ask("PUBSUB CHANNELS\r\n", "*0\r\n");
}

#[test]
fn client_list_shows_subscriptions() {
    let daemon = Daemon::start(&[]);
    let (mut judge, mut listener) = (daemon.connect(), subscribed(&daemon, "n"));
    listener.send("PSUBSCRIBE a* b*\r\nSSUBSCRIBE s\r\n");
    within("all to be shown", || {
        judge.send("CLIENT LIST TYPE pubsub\r\n");
        let text = String::from_utf8(judge.bulk()).unwrap();
        text.contains(" flags=P db=0 sub=1 psub=2 ssub=1 multi=-1 ").then_some(())
    });
    judge.ask("CLIENT KILL TYPE pubsub\r\n", ":1\r\n");
    judge.ask("PUBSUB NUMPAT\r\n", ":0\r\n");
}

#[test]
fn a_channel_may_be_as_long_as_a_key() {
    let daemon = Daemon::start(&["--max-key-bytes", "10"]);
    let mut wire = daemon.connect();
    wire.ask("SUBSCRIBE short 12345678901\r\n", "-ERR channel of 11 bytes exceeds max-key-bytes (10)\r\n");
    wire.ask("PUBSUB CHANNELS\r\n", "*0\r\n");
}

/// What others send a client must not make the server forget what the client itself has asked.
#[test]
fn a_subscriber_that_is_sent_much_in_the_tick_in_which_it_asks_is_answered() {
    let daemon = Daemon::start(&["--enable-debug-command", "yes"]);
    let (mut subscriber, mut holder, mut publisher) = (daemon.connect(), daemon.connect(), daemon.connect());
    subscriber.send("HELLO 3\r\n");
    let patterns: String = (0..100).map(|n| format!(" c{}", "*".repeat(n + 1))).collect();
    subscriber.send(format!("PSUBSCRIBE{patterns}\r\nECHO ready\r\n"));
    let mut heard = Vec::new();
    while !heard.ends_with(b"$5\r\nready\r\n") {
        let mut byte = [0; 1];
        std::io::Read::read_exact(&mut subscriber.stream, &mut byte).unwrap();
        heard.push(byte[0]);
    }
    // Both requests are in their sockets when the server looks again.
    holder.send("DEBUG SLEEP 0.3\r\n");
    publisher.send(format!("PUBLISH c {}\r\n", "m".repeat(15_000)));
    subscriber.send("ECHO heard\r\n");
    subscriber.half_close();
    let rest = subscriber.rest();
    assert!(rest.len() > 1_500_000, "{} bytes", rest.len());
    let reply = b"$5\r\nheard\r\n";
    assert!(rest.windows(reply.len()).any(|part| part == reply), "its own request was forgotten");
}
