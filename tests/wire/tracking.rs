//! Client-side caching: what a client that keeps copies of keys is told, word for word.

use std::net::TcpStream;

use crate::commands::start_redis;
use crate::harness::{Daemon, Wire, have, within};
use crate::talks::{Talk, frame, talk_in};

pub const TALKS: &[Talk] = &[
    talk_in(
        &[3],
        "a client is told once of each key that it has read, and of no other",
        &[
            ("a", "MSET k 1 l 2 m 3\nCLIENT TRACKING ON\nGET k\nMGET k l none", "+OK +OK '1' *['1' '2' _]"),
            ("b", "SET m x\nSET k x\nSET k y\nSET none z\nDEL l", "+OK +OK +OK +OK :1"),
            ("a", "", ">['invalidate' *['k']] >['invalidate' *['none']] >['invalidate' *['l']]"),
            ("a", "GET k\nSET k mine\nGET k", "'y' +OK >['invalidate' *['k']] 'mine'"),
            ("a", "MULTI\nGET k\nSET k w\nEXEC", "+OK +QUEUED +QUEUED *['mine' +OK] >['invalidate' *['k']]"),
            ("a", "GET k\nCLIENT TRACKING OFF\nSET k z", "'w' +OK +OK"),
            ("b", "SET k w", "+OK"),
        ],
    ),
    talk_in(
        &[3],
        "a flush makes all copies invalid",
        &[
            ("a", "SET k 1\nCLIENT TRACKING ON\nGET k", "+OK +OK '1'"),
            ("b", "FLUSHALL\nSET k 2", "+OK +OK"),
            ("a", "", ">['invalidate' _]"),
            ("a", "GET k", "'2'"),
            ("b", "FLUSHDB", "+OK"),
            ("a", "", ">['invalidate' _]"),
        ],
    ),
    talk_in(
        &[3],
        "with prefixes a client is told of keys that it has never read",
        &[
            ("a", "CLIENT TRACKING ON BCAST PREFIX user: PREFIX item:", "+OK"),
            ("b", "SET other 1\nSET user:1 1", "+OK +OK"),
            ("a", "", ">['invalidate' *['user:1']]"),
            ("b", "SET user:1 2", "+OK"),
            ("a", "", ">['invalidate' *['user:1']]"),
            ("b", "DEL item:none user:1", ":1"),
            ("a", "", ">['invalidate' *['user:1']]"),
            (
                "a",
                "CLIENT TRACKING ON BCAST PREFIX us",
                "-ERR Prefix 'us' overlaps with an existing prefix 'user:'. Prefixes for a single client must not overlap.",
            ),
            (
                "b",
                "CLIENT TRACKING ON BCAST PREFIX a PREFIX ab",
                "-ERR Prefix 'a' overlaps with another provided prefix 'ab'. Prefixes for a single client must not \
                 overlap.",
            ),
        ],
    ),
    talk_in(
        &[3],
        "NOLOOP leaves out what the client itself has changed",
        &[
            ("a", "SET k 1\nCLIENT TRACKING ON NOLOOP\nGET k\nSET k 2\nGET k", "+OK +OK '1' +OK '2'"),
            ("b", "SET k 3", "+OK"),
            ("a", "", ">['invalidate' *['k']]"),
            ("a", "CLIENT TRACKING OFF\nCLIENT TRACKING ON BCAST NOLOOP\nSET k 4", "+OK +OK +OK"),
            ("b", "SET k 5", "+OK"),
            ("a", "", ">['invalidate' *['k']]"),
        ],
    ),
    talk_in(
        &[3],
        "a client may choose which of its reads are tracked",
        &[
            (
                "a",
                "MSET k 1 l 2\nCLIENT TRACKING ON OPTIN\nGET k\nCLIENT CACHING YES\nGET l\nGET k",
                "+OK +OK '1' +OK '2' '1'",
            ),
            ("b", "SET k 1\nSET l 1", "+OK +OK"),
            ("a", "", ">['invalidate' *['l']]"),
            (
                "a",
                "CLIENT CACHING YES\nMULTI\nGET k\nGET l\nEXEC\nGET k",
                "+OK +OK +QUEUED +QUEUED *['1' '1'] '1'",
            ),
            ("b", "SET k 2", "+OK"),
            ("a", "", ">['invalidate' *['k']]"),
            (
                "a",
                "CLIENT TRACKING OFF\nCLIENT TRACKING ON OPTOUT\nCLIENT CACHING NO\nGET k\nGET l",
                "+OK +OK +OK '2' '1'",
            ),
            ("b", "SET k 3\nSET l 3", "+OK +OK"),
            ("a", "", ">['invalidate' *['l']]"),
        ],
    ),
    talk_in(
        &[2, 3],
        "what does not go together is refused",
        &[
            (
                "a",
                "CLIENT CACHING YES",
                "-ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled",
            ),
            ("a", "CLIENT TRACKING MAYBE\nCLIENT TRACKING ON FOO", "-ERR syntax error -ERR syntax error"),
            ("a", "CLIENT TRACKING ON PREFIX x", "-ERR PREFIX option requires BCAST mode to be enabled"),
            ("a", "CLIENT TRACKING ON BCAST OPTIN", "-ERR OPTIN and OPTOUT are not compatible with BCAST"),
            (
                "a",
                "CLIENT TRACKING ON OPTIN OPTOUT",
                "-ERR You can't specify both OPTIN mode and OPTOUT mode",
            ),
            (
                "a",
                "CLIENT TRACKING ON REDIRECT 999999",
                "-ERR The client ID you want redirect to does not exist",
            ),
            ("a", "CLIENT TRACKING ON REDIRECT x", "-ERR value is not an integer or out of range"),
            (
                "a",
                "CLIENT GETREDIR\nCLIENT TRACKING ON OPTIN\nCLIENT GETREDIR\nCLIENT CACHING NO",
                ":-1 +OK :0 -ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.",
            ),
            ("a", "CLIENT CACHING MAYBE", "-ERR syntax error"),
            (
                "a",
                "CLIENT TRACKING ON BCAST",
                "-ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling \
                 it with a different mode.",
            ),
            (
                "a",
                "CLIENT TRACKING ON OPTOUT",
                "-ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling \
                 it with a different mode.",
            ),
        ],
    ),
    talk_in(
        &[3],
        "a client may ask what it has asked for",
        &[
            ("a", "CLIENT TRACKINGINFO", "%['flags' ~['off'] 'redirect' :-1 'prefixes' *[]]"),
            ("a", "CLIENT TRACKING ON OPTIN NOLOOP\nCLIENT CACHING YES", "+OK +OK"),
            (
                "a",
                "CLIENT TRACKINGINFO",
                "%['flags' ~['on' 'optin' 'caching-yes' 'noloop'] 'redirect' :0 'prefixes' *[]]",
            ),
            (
                "b",
                "CLIENT TRACKING ON BCAST PREFIX b PREFIX a\nCLIENT TRACKINGINFO",
                "+OK %['flags' ~['on' 'bcast'] 'redirect' :0 'prefixes' *['a' 'b']]",
            ),
            (
                "b",
                "CLIENT TRACKING OFF\nCLIENT TRACKING OFF\nCLIENT TRACKINGINFO",
                "+OK +OK %['flags' ~['off'] 'redirect' :-1 'prefixes' *[]]",
            ),
        ],
    ),
];

/// A client that speaks RESP2 redirects its messages to another one that has subscribed to the channel of them.
fn redirect(connect: &dyn Fn() -> Wire) {
    let (mut reader, mut listener, mut writer) = (connect(), connect(), connect());
    listener.send("CLIENT ID\r\n");
    let id = frame(&mut listener).trim_start_matches(':').to_owned();
    listener.send("SUBSCRIBE __redis__:invalidate\r\n");
    assert_eq!(frame(&mut listener), "*['subscribe' '__redis__:invalidate' :1]");
    reader
        .ask(format!("CLIENT TRACKING ON REDIRECT {id}\r\nCLIENT GETREDIR\r\n"), format!("+OK\r\n:{id}\r\n"));
    writer.ask("MSET k 1 l 2\r\n", "+OK\r\n");
    reader.ask("GET k\r\nGET l\r\n", "$1\r\n1\r\n$1\r\n2\r\n");
    writer.ask("SET k 2\r\nFLUSHALL\r\n", "+OK\r\n+OK\r\n");
    assert_eq!(frame(&mut listener), "*['message' '__redis__:invalidate' *['k']]");
    assert_eq!(frame(&mut listener), "*['message' '__redis__:invalidate' $nil]");
    // The listener leaves. The reader, which speaks RESP3 now, is told so.
    reader.send("HELLO 3\r\n");
    frame(&mut reader);
    drop(listener);
    within("the listener to be gone", || {
        writer.send("CLIENT LIST\r\n");
        (!frame(&mut writer).contains(&format!("'id={id} "))).then_some(())
    });
    reader.ask("GET k\r\n", "_\r\n");
    writer.ask("SET k 3\r\n", "+OK\r\n");
    assert_eq!(frame(&mut reader), format!(">['tracking-redir-broken' :{id}]"));
    reader.send("CLIENT TRACKINGINFO\r\n");
    assert!(frame(&mut reader).contains("'broken_redirect'"));
}

#[test]
fn messages_can_be_redirected_to_another_client() {
    let daemon = Daemon::start(&[]);
    redirect(&|| daemon.connect());
    if have("redis-server", "--version") {
        let (_redis, _, port) = start_redis(&[]);
        redirect(&|| Wire::new(TcpStream::connect(("127.0.0.1", port)).expect("it listens")));
    }
}

#[test]
fn the_table_of_tracked_keys_is_bounded_and_nobody_keeps_a_copy_of_a_forgotten_key() {
    let daemon = Daemon::start(&["--tracking-table-max-keys", "10"]);
    let (mut reader, mut other) = (daemon.connect(), daemon.connect());
    reader.send("HELLO 3\r\nCLIENT TRACKING ON\r\n");
    (0..2).for_each(|_| drop(frame(&mut reader)));
    let mut told = 0;
    for n in 0..100 {
        reader.send(format!("GET k{n}\r\n"));
        let mut heard = frame(&mut reader);
        // A message about a key that was forgotten comes behind the reply, so before the next one.
        if heard.starts_with(">['invalidate'") {
            told += 1;
            heard = frame(&mut reader);
        }
        assert_eq!(heard, "_");
    }
    assert_eq!(other.info("tracking_total_keys"), "10");
    assert!(told >= 89, "told of {told} keys");
    assert_eq!(
        (other.info("tracking_total_items"), other.info("tracking_clients")),
        ("10".into(), "1".into())
    );
    drop(reader);
    within("the client to be forgotten", || (other.info("tracking_clients") == "0").then_some(()));
    assert_eq!(other.info("tracking_total_keys"), "0");
}

#[test]
fn a_client_may_track_256_prefixes() {
    let daemon = Daemon::start(&[]);
    let mut wire = daemon.connect();
    let prefixes = |range: std::ops::Range<u32>| range.map(|n| format!(" PREFIX p{n}:")).collect::<String>();
    wire.ask(format!("CLIENT TRACKING ON BCAST{}\r\n", prefixes(0..256)), "+OK\r\n");
    wire.ask(format!("CLIENT TRACKING ON BCAST{}\r\n", prefixes(256..257)), "-ERR at most 256 prefixes\r\n");
    wire.ask(format!("CLIENT TRACKING ON BCAST{}\r\n", prefixes(300..600)), "-ERR at most 256 prefixes\r\n");
}

#[test]
fn a_copy_is_invalid_when_its_key_expires() {
    let daemon = Daemon::start(&[]);
    let (mut reader, mut writer) = (daemon.connect(), daemon.connect());
    reader.send("HELLO 3\r\nCLIENT TRACKING ON\r\nSET k v PX 30\r\nGET k\r\n");
    (0..4).for_each(|_| drop(frame(&mut reader)));
    assert_eq!(frame(&mut reader), ">['invalidate' *['k']]", "nobody has asked for it");
    writer.ask("GET k\r\n", "$-1\r\n");
}
