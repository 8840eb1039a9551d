//! Conversations of several clients, word for word, in RESP2 and RESP3; held with a redis-server as well
//! where there is one.
//!
//! A reply is written as RESP2 has it, without lengths: `+OK`, `:1`, `-ERR ...`, `'bulk'`, `$nil`, `*nil`,
//! `*[...]`; and `%[...]` and `>[...]` are a map and a push, which RESP2 has as arrays.

use std::collections::BTreeMap;
use std::net::TcpStream;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::commands::start_redis;
use crate::harness::{Daemon, Wire, have, skipped};
use crate::{
    databases, events, fields, functions, hashes, hyperloglogs, keys, operators, pauses, pubsub, scripts,
    strings, tracking, transactions,
};

/// A client, what it sends, and what it hears. Nothing sent: it only listens. `\n` in what is sent parts
/// requests that arrive together. [`END`] is the end of the stream.
pub type Step = (&'static str, &'static str, &'static str);

pub const END: &str = "(end)";

/// In which protocol versions a conversation goes like this.
pub const BOTH: &[u8] = &[2, 3];

pub struct Talk {
    /// What it shows.
    pub promise: &'static str,
    pub protocols: &'static [u8],
    /// The first version of Redis that has it like this.
    pub redis: (u32, u32),
    pub steps: &'static [Step],
}

/// A conversation that every Redis has in both protocol versions.
pub const fn talk(promise: &'static str, steps: &'static [Step]) -> Talk {
    Talk { promise, protocols: BOTH, redis: (7, 0), steps }
}

/// One that differs between the protocol versions.
pub const fn talk_in(protocols: &'static [u8], promise: &'static str, steps: &'static [Step]) -> Talk {
    Talk { promise, protocols, redis: (7, 0), steps }
}

/// One that no Redis before 7.2 has.
pub const fn talk_72(protocols: &'static [u8], promise: &'static str, steps: &'static [Step]) -> Talk {
    Talk { promise, protocols, redis: (7, 2), steps }
}

/// One that no Redis before this version has.
pub const fn talk_since(redis: (u32, u32), promise: &'static str, steps: &'static [Step]) -> Talk {
    Talk { promise, protocols: BOTH, redis, steps }
}

/// A client of a conversation and the version it speaks now.
struct Speaker {
    wire: Wire,
    protocol: u8,
}

impl Speaker {
    fn new(mut wire: Wire, protocol: u8) -> Speaker {
        if protocol == 3 {
            wire.send("HELLO 3\r\n");
            frame(&mut wire);
        }
        Speaker { wire, protocol }
    }

    /// Sends a request. Returns the replies that came and the replies that should have come.
    fn speak(&mut self, request: &str, expected: &str) -> (String, String) {
        if !request.is_empty() {
            self.wire.send(request.replace('\n', "\r\n") + "\r\n");
        }
        if expected == END {
            return (String::from_utf8_lossy(&self.wire.rest()).into_owned(), String::new());
        }
        if request == "RESET" {
            self.protocol = 2;
        }
        let expected = match self.protocol {
            2 => expected.replace(">[", "*[").replace("%[", "*["),
            _ => expected.replace("$nil", "_").replace("*nil", "_"),
        };
        let mut heard = String::new();
        while heard.len() < expected.len() && expected.starts_with(&heard) {
            heard += if heard.is_empty() { "" } else { " " };
            heard += &frame(&mut self.wire);
        }
        (heard, expected)
    }
}

/// Reads one reply, however deep, and shows it as these conversations write it.
pub fn frame(wire: &mut Wire) -> String {
    let line = wire.line();
    let (mark, rest) = line.split_at(1);
    let mut several = |each: usize| {
        let count: usize = rest.parse().unwrap_or_else(|_| panic!("{line:?} is no count"));
        let parts: Vec<String> = (0..count * each).map(|_| frame(wire)).collect();
        format!("{mark}[{}]", parts.join(" "))
    };
    match (mark, rest) {
        ("$" | "*", "-1") => format!("{mark}nil"),
        ("*" | ">" | "~", _) => several(1),
        ("%", _) => several(2),
        ("$", _) => {
            let mut bytes = vec![0; rest.parse::<usize>().expect("a length") + 2];
            std::io::Read::read_exact(&mut wire.stream, &mut bytes).expect("its bytes");
            format!("'{}'", String::from_utf8_lossy(&bytes[..bytes.len() - 2]))
        }
        _ => line,
    }
}

/// Holds a conversation in each of its protocol versions; says where it went otherwise.
fn hold(talk: &Talk, connect: &dyn Fn() -> Wire) -> Result<(), String> {
    for &protocol in talk.protocols {
        connect().ask("CLIENT UNPAUSE\r\nFLUSHALL\r\n", "+OK\r\n+OK\r\n");
        let mut speakers: BTreeMap<&str, Speaker> = BTreeMap::new();
        for (nth, (who, request, expected)) in talk.steps.iter().enumerate() {
            let speaker = speakers.entry(who).or_insert_with(|| Speaker::new(connect(), protocol));
            let said = catch_unwind(AssertUnwindSafe(|| speaker.speak(request, expected)));
            let place = || format!("{}: step {nth} in RESP{protocol}, {who}: {request}", talk.promise);
            let (heard, expected) =
                said.map_err(|_| format!("{}: nothing came, or what is no reply", place()))?;
            if heard != expected {
                return Err(format!("{}\n  heard    {heard}\n  expected {expected}", place()));
            }
        }
        for (who, mut speaker) in speakers {
            speaker.wire.half_close();
            let rest = speaker.wire.rest();
            if !rest.is_empty() {
                return Err(format!("{}: {who} also heard {}", talk.promise, rest.escape_ascii()));
            }
        }
    }
    Ok(())
}

fn all() -> impl Iterator<Item = &'static Talk> {
    transactions::TALKS
        .iter()
        .chain(pubsub::TALKS)
        .chain(pauses::TALKS)
        .chain(hashes::TALKS)
        .chain(fields::TALKS)
        .chain(hyperloglogs::TALKS)
        .chain(strings::TALKS)
        .chain(keys::TALKS)
        .chain(databases::TALKS)
        .chain(events::TALKS)
        .chain(tracking::TALKS)
        .chain(operators::TALKS)
        .chain(scripts::TALKS)
        .chain(functions::TALKS)
}

#[test]
fn every_conversation_goes_as_it_is_written() {
    let daemon = Daemon::start(&["--enable-debug-command", "yes"]);
    let wrong: Vec<String> = all().filter_map(|talk| hold(talk, &|| daemon.connect()).err()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A redis-server holds the same conversations, so they show what Redis does and not what we think it does.
#[test]
fn a_redis_server_converses_alike() {
    if !have("redis-server", "--version") {
        return;
    }
    let (_redis, mut wire, port) = start_redis(&["--enable-debug-command", "yes"]);
    let version = wire.info("redis_version");
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().expect("a number"));
    let version = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
    let connect = || Wire::new(TcpStream::connect(("127.0.0.1", port)).expect("it listens"));
    let (known, newer): (Vec<&Talk>, _) = all().partition(|talk| talk.redis <= version);
    if !newer.is_empty() {
        skipped(&format!("redis-server {version:?} is too old for {} conversations", newer.len()));
    }
    let wrong: Vec<String> = known.into_iter().filter_map(|talk| hold(talk, &connect).err()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
