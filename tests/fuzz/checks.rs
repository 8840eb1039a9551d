//! The checks of each fuzz target over a string of bytes. cargo-fuzz (`fuzz_targets/`) and the plain test (`main.rs`)
//! share them, so `cargo test` covers the same ground.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use tidegate::base::{Clock, ConnId, Moment, Now, Output, Peer};
use tidegate::config::options::OPTIONS;
use tidegate::config::{Config, DebugCommand, file, rewrite};
use tidegate::rdb::{self, Value};
use tidegate::resp::{Batch, Limits, Parser, Proto, Reply, Step, parse_i64};
use tidegate::service::Service;
use tidegate::service::turn::{Ended, Progress, Turn};
use tidegate::service::wires::NoWires;
use tidegate::store::{Expiry, Map, Store};

const LIMITS: Limits = Limits { bulk_max: 40, args_max: 6, inline_max: 80, request_max: 120 };

/// The requests and mistakes of a stream, in order.
#[derive(Debug, PartialEq)]
pub enum Heard {
    Request(Vec<Vec<u8>>),
    Refused,
    Broken,
}

/// The parser against a simple reference. The first byte decides in which pieces the parser gets the input.
pub fn parser(data: &[u8]) {
    let Some((&pace, stream)) = data.split_first() else { return };
    let expected = reference(stream);
    for step in [usize::MAX, 1, usize::from(pace) + 1] {
        let heard = in_pieces(stream, step);
        assert_eq!(heard, expected, "in pieces of {step}: {}", stream.escape_ascii());
    }
    let ahead = in_batches(stream);
    assert_eq!(ahead, expected[..ahead.len()], "in batches: {}", stream.escape_ascii());
}

/// The requests at the front of the input that a batch takes.
fn in_batches(stream: &[u8]) -> Vec<Heard> {
    let (mut batch, mut at, mut heard) = (Batch::default(), 0, Vec::new());
    while batch.fill(stream, at, &LIMITS) > 0 {
        while let Some(request) = batch.take() {
            assert!(request.end > at, "a request of no bytes");
            at = request.end;
            let args = batch.args(stream, request);
            heard.push(Heard::Request(args.from(0).map(<[u8]>::to_vec).collect()));
        }
    }
    heard
}

fn in_pieces(stream: &[u8], step: usize) -> Vec<Heard> {
    let (mut parser, mut held, mut heard) = (Parser::default(), Vec::new(), Vec::new());
    for piece in stream.chunks(step.min(stream.len().max(1))) {
        held.extend_from_slice(piece);
        loop {
            let consumed = match parser.parse(&held, &LIMITS) {
                Step::Incomplete { consumed, missing } => {
                    assert!(missing > 0, "waits for nothing");
                    held.drain(..consumed);
                    break;
                }
                Step::Complete { consumed } => {
                    let words: Vec<Vec<u8>> = parser.args(&held).from(0).map(<[u8]>::to_vec).collect();
                    heard.push(Heard::Request(words));
                    consumed
                }
                Step::Refused { consumed, .. } => {
                    heard.push(Heard::Refused);
                    consumed
                }
                Step::Broken(_) => {
                    heard.push(Heard::Broken);
                    return heard;
                }
            };
            assert!(consumed > 0, "a request of no bytes");
            held.drain(..consumed);
        }
    }
    assert!(parser.capacity() <= 64 * (stream.len() + 8), "remembers more than it was told");
    heard
}

/// The protocol written down simply, for whole inputs and without regard to speed.
fn reference(stream: &[u8]) -> Vec<Heard> {
    let (mut heard, mut at) = (Vec::new(), 0);
    while at < stream.len() {
        let (what, end) = if stream[at] == b'*' { array(stream, at) } else { inline(stream, at) };
        match what {
            Some(Heard::Broken) => {
                heard.push(Heard::Broken);
                return heard;
            }
            Some(what) => heard.push(what),
            None => return heard,
        }
        at = end;
    }
    heard
}

enum Header {
    Number(i64, usize),
    Unfinished,
    Broken,
}

/// The number between `from` and CRLF; a line of 32 bytes without a CR is none.
fn header(stream: &[u8], from: usize) -> Header {
    let line = &stream[from..stream.len().min(from + 32)];
    match line.iter().position(|byte| *byte == b'\r') {
        None if line.len() == 32 => Header::Broken,
        None => Header::Unfinished,
        Some(cr) => match (parse_i64(&line[..cr]), stream.get(from + cr + 1)) {
            (None, _) | (_, Some(0..=9 | 11..)) => Header::Broken,
            (_, None) => Header::Unfinished,
            (Some(number), Some(10)) => Header::Number(number, from + cr + 2),
        },
    }
}

fn array(stream: &[u8], start: usize) -> (Option<Heard>, usize) {
    let (count, mut at) = match header(stream, start + 1) {
        Header::Unfinished => return (None, 0),
        Header::Broken => return (Some(Heard::Broken), 0),
        Header::Number(count, _) if count > i64::from(i32::MAX) => return (Some(Heard::Broken), 0),
        Header::Number(count, end) => (count.max(0) as usize, end),
    };
    let mut refused = count > LIMITS.args_max;
    // The bytes of a request that has been refused no longer count towards a limit.
    let mut words = Vec::new();
    for _ in 0..count {
        match stream.get(at) {
            None => return (None, 0),
            Some(b'$') => {}
            Some(_) => return (Some(Heard::Broken), 0),
        }
        let (len, body) = match header(stream, at + 1) {
            Header::Unfinished => return (None, 0),
            Header::Broken => return (Some(Heard::Broken), 0),
            Header::Number(len, body) => match usize::try_from(len) {
                Ok(len) if len <= LIMITS.request_max => (len, body),
                _ => return (Some(Heard::Broken), 0),
            },
        };
        refused |= len > LIMITS.bulk_max || body - start + len + 2 > LIMITS.request_max;
        match stream.get(body + len..body + len + 2) {
            None => return (None, 0),
            Some(b"\r\n") => {}
            Some(_) => return (Some(Heard::Broken), 0),
        }
        words.push(stream[body..body + len].to_vec());
        at = body + len + 2;
    }
    (Some(if refused { Heard::Refused } else { Heard::Request(words) }), at)
}

fn inline(stream: &[u8], start: usize) -> (Option<Heard>, usize) {
    let rest = &stream[start..];
    let Some(end) = rest.iter().position(|byte| *byte == b'\n') else {
        return ((rest.len() > LIMITS.inline_max).then_some(Heard::Broken), 0);
    };
    if end > LIMITS.inline_max {
        return (Some(Heard::Broken), 0);
    }
    let (mut words, mut word, mut quote) = (Vec::new(), None::<Vec<u8>>, 0);
    let mut bytes = rest[..end].iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        let ends = bytes.peek().is_none_or(u8::is_ascii_whitespace);
        match (quote, byte) {
            (0, b'"' | b'\'') => {
                quote = byte;
                word.get_or_insert_default();
            }
            (0, _) if byte.is_ascii_whitespace() => words.extend(word.take()),
            (0, _) => word.get_or_insert_default().push(byte),
            (_, _) if byte == quote => {
                if !ends {
                    return (Some(Heard::Broken), 0);
                }
                quote = 0;
            }
            (b'"', b'\\') => {
                let rest: Vec<u8> = bytes.clone().take(3).collect();
                let hex = |at: usize| rest.get(at).and_then(|byte| (*byte as char).to_digit(16));
                let word = word.get_or_insert_default();
                if rest.first() == Some(&b'x')
                    && let (Some(high), Some(low)) = (hex(1), hex(2))
                {
                    word.push((high * 16 + low) as u8);
                    bytes.nth(2);
                } else {
                    match bytes.next() {
                        None => word.push(b'\\'),
                        Some(b'n') => word.push(b'\n'),
                        Some(b'r') => word.push(b'\r'),
                        Some(b't') => word.push(b'\t'),
                        Some(b'b') => word.push(8),
                        Some(b'a') => word.push(7),
                        Some(other) => word.push(other),
                    }
                }
            }
            (b'\'', b'\\') if bytes.peek() == Some(&b'\'') => {
                bytes.next();
                word.get_or_insert_default().push(b'\'');
            }
            _ => word.get_or_insert_default().push(byte),
        }
    }
    if quote != 0 {
        return (Some(Heard::Broken), 0);
    }
    words.extend(word);
    let refused = words.len() > LIMITS.args_max || words.iter().any(|word| word.len() > LIMITS.bulk_max);
    let what = if refused { Heard::Refused } else { Heard::Request(words) };
    (Some(what), start + end + 1)
}

/// A whole turn over arbitrary bytes. It never panics, it keeps its budget and its limits, and its output is RESP.
pub fn turn(data: &[u8]) {
    let mut config = Config {
        max_key_bytes: 64,
        proto_max_bulk_len: 512,
        max_inline_bytes: 4096,
        max_request_bytes: 4096,
        max_reply_bytes: 4096,
        enable_debug_command: DebugCommand::No,
        ..Config::default()
    };
    config.bounds.output_pause_bytes = 16 << 10;
    let bounds = config.bounds.clone();
    let now = Now { at: Moment::from_nanos(1), unix_ms: 1_000_000, unix_us: 1_000_000_000 };
    let mut service = Service::new(1, config, Clock::new(move || now), Vec::new());
    let me = ConnId { slot: 0, serial: 1 };
    service.open(me, Peer::from(SocketAddr::from(([127, 0, 0, 1], 1))), 0);
    let (mut output, mut rest) = (Output::default(), data);
    loop {
        let mut progress = Progress { output: output.mark(), ..Progress::default() };
        let turn = Turn { me, input: rest, memory: None, output: &mut output, wires: &mut NoWires };
        let ended = service.turn(turn, &mut progress);
        assert!(progress.commands <= bounds.commands_per_turn);
        assert_eq!(progress.output, output.mark(), "a reply is not on the books");
        assert!(output.len() < bounds.output_pause_bytes + (8 << 10), "{} bytes of replies", output.len());
        replies_parse(output.front());
        output.clear();
        rest = &rest[progress.consumed..];
        match ended {
            Ended::Hungry { .. } | Ended::Close(_) => break,
            // A request may have changed the settings, but never so that the turn makes no progress.
            Ended::Budget | Ended::Paused | Ended::Parked => assert!(progress.consumed > 0),
        }
    }
    service.world.store.audit();
}

fn replies_parse(mut bytes: &[u8]) {
    while !bytes.is_empty() {
        bytes = decoded(bytes).unwrap_or_else(|| panic!("no reply: {}", bytes.escape_ascii()));
    }
}

/// A simple decoder of replies. Returns the bytes behind the first reply, or `None` if there is no reply.
fn decoded(bytes: &[u8]) -> Option<&[u8]> {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    let (line, rest) = (&bytes[1..end], &bytes[end + 2..]);
    let number = || parse_i64(line);
    match bytes[0] {
        b'+' | b'-' => (!line.iter().any(u8::is_ascii_control)).then_some(rest),
        b':' => number().map(|_| rest),
        b'_' => line.is_empty().then_some(rest),
        b'$' if line == b"-1" => Some(rest),
        b'$' | b'=' => {
            let len = usize::try_from(number()?).ok()?;
            (rest.get(len..len + 2)? == b"\r\n").then(|| &rest[len + 2..])
        }
        mark @ (b'*' | b'~' | b'%') => {
            let count = usize::try_from(number()?).ok()?;
            (0..if mark == b'%' { 2 * count } else { count }).try_fold(rest, |rest, _| decoded(rest))
        }
        _ => None,
    }
}

/// A payload of RESTORE is accepted or refused. A refused one changes nothing. An accepted one makes the value that it
/// describes, and what DUMP then tells makes the same value again. If the first byte is even, a right version and a right
/// checksum are put behind the input, because hardly any other one would get that far.
pub fn restore(data: &[u8]) {
    let Some((&choice, payload)) = data.split_first() else { return };
    let mut payload = payload.to_vec();
    if choice & 1 == 0 {
        payload.extend(rdb::VERSION_MAX.to_le_bytes());
        payload.extend(crc64(&payload).to_le_bytes());
    }
    thread_local! {
        /// One for all payloads, because a new one takes far longer than a payload.
        static SERVICE: RefCell<Service> = RefCell::new(restoring_service());
    }
    SERVICE.with_borrow_mut(|service| restore_in(service, &payload));
}

/// The only client of the service.
const ME: ConnId = ConnId { slot: 0, serial: 1 };

fn restoring_service() -> Service {
    let config = Config { proto_max_bulk_len: INFLATED_MAX, max_key_bytes: 4096, ..Config::default() };
    let now = Now { at: Moment::from_nanos(1), unix_ms: NOW_MS, unix_us: NOW_MS * 1_000 };
    let mut service = Service::new(1, config, Clock::new(move || now), Vec::new());
    service.open(ME, Peer::from(SocketAddr::from(([127, 0, 0, 1], 1))), 0);
    service
}

fn restore_in(service: &mut Service, payload: &[u8]) {
    let mut ask = |words: &[&[u8]]| asked(service, ME, words);
    assert_eq!(ask(&[b"SET", b"k", b"before"]), b"+OK\r\n");
    let answer = ask(&[b"RESTORE", b"k", b"0", payload, b"REPLACE"]);
    if answer.starts_with(b"-") {
        assert_eq!(ask(&[b"GET", b"k"]), b"$6\r\nbefore\r\n", "refused and changed");
    } else if sorted(payload) == ("hash", Vec::new()) {
        assert_eq!(ask(&[b"SET", b"k", b"all fields had expired", b"NX"]), b"+OK\r\n");
    } else {
        assert_eq!(answer, b"+OK\r\n");
        let value = sorted(payload);
        let dumped = bulk(ask(&[b"DUMP", b"k"]));
        assert_eq!(sorted(&dumped), value, "restored as another value");
        assert_eq!(ask(&[b"RESTORE", b"again", b"0", &dumped]), b"+OK\r\n");
        assert_eq!(sorted(&bulk(ask(&[b"DUMP", b"again"]))), value, "restored again as another value");
        assert_eq!(ask(&[b"TYPE", b"k"]), ask(&[b"TYPE", b"again"]));
        assert_eq!(ask(&[b"DEL", b"again"]), b":1\r\n");
    }
    assert_eq!(ask(&[b"DBSIZE"]), b":1\r\n");
    service.world.store.audit();
    service.world.store.reclaim(usize::MAX);
}

/// The time of day in Unix milliseconds.
const NOW_MS: u64 = 1_000_000;
/// To how many bytes the strings of a payload may inflate.
const INFLATED_MAX: usize = 64 << 10;

/// What one request is answered.
pub fn asked(service: &mut Service, me: ConnId, words: &[&[u8]]) -> Vec<u8> {
    let mut request = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        request.extend([format!("${}\r\n", word.len()).as_bytes(), word, b"\r\n"].concat());
    }
    let mut output = Output::default();
    let turn = Turn { me, input: &request, memory: None, output: &mut output, wires: &mut NoWires };
    service.turn(turn, &mut Progress::default());
    assert_eq!(decoded(output.front()), Some(&b""[..]), "{}", output.front().escape_ascii());
    output.front().to_vec()
}

/// The bytes of a reply that is a bulk string.
fn bulk(reply: Vec<u8>) -> Vec<u8> {
    assert!(reply.starts_with(b"$"), "{}", reply.escape_ascii());
    let start = reply.iter().position(|byte| *byte == b'\n').expect("a line") + 1;
    reply[start..reply.len() - 2].to_vec()
}

/// The kind of an accepted payload, and what is in it. What has no order is sorted.
fn sorted(payload: &[u8]) -> (&'static str, Vec<Vec<u8>>) {
    match rdb::decode(payload, INFLATED_MAX).expect("it was accepted") {
        Value::String(text) => ("string", vec![text]),
        Value::List(list) => ("list", list.iter().map(<[u8]>::to_vec).collect()),
        Value::Set(set) => {
            let mut members: Vec<Vec<u8>> = set.iter().map(<[u8]>::to_vec).collect();
            members.sort();
            ("set", members)
        }
        Value::Hash(pairs) => ("hash", fields(pairs.pairs().map(|pair| (pair, None)))),
        Value::TimedHash { pairs, expiries } => ("hash", fields(pairs.pairs().zip(expiries))),
        Value::Zset { members, scores } => {
            // 0 and -0 are the same score.
            let bits = scores.iter().map(|score| (score + 0.0).to_bits().to_be_bytes().to_vec());
            let mut scored: Vec<_> = members.iter().map(<[u8]>::to_vec).zip(bits).collect();
            scored.sort();
            ("zset", scored.into_iter().flat_map(|(member, score)| [member, score]).collect())
        }
        Value::Stream(stream) => ("stream", facts(&stream)),
    }
}

/// The fields of a hash that have not expired, with their values and times of expiry.
fn fields<'a>(fields: impl Iterator<Item = ((&'a [u8], &'a [u8]), Option<u64>)>) -> Vec<Vec<u8>> {
    let mut live: Vec<_> = fields.filter(|(_, at_ms)| at_ms.is_none_or(|at_ms| at_ms > NOW_MS)).collect();
    live.sort();
    let parts = |((field, value), at_ms): ((&[u8], &[u8]), Option<u64>)| {
        [field.to_vec(), value.to_vec(), at_ms.unwrap_or_default().to_be_bytes().to_vec()]
    };
    live.into_iter().flat_map(parts).collect()
}

/// All that is known about a stream, with bounds as the server has them: no time before 1970, and no more deliveries than
/// a `u32` counts. When a consumer was last active is not dumped.
fn facts(stream: &rdb::Stream) -> Vec<Vec<u8>> {
    let mut facts = vec![
        format!("{:?} {:?} {}", stream.last_id, stream.max_deleted_id, stream.entries_added).into_bytes(),
    ];
    for entry in stream.entries() {
        facts.push(format!("{:?}", entry.id).into_bytes());
        facts.extend(entry.fields.flat_map(|(field, value)| [field.to_vec(), value.to_vec()]));
    }
    let mut groups: Vec<_> = stream.groups().collect();
    groups.sort_by_key(|group| group.name);
    for group in groups {
        let name = group.name.escape_ascii();
        facts.push(format!("group {name} {:?} {:?}", group.last_id, group.entries_read).into_bytes());
        let consumers: Vec<_> = group.consumers.clone().collect();
        for pending in group.pending {
            let consumer = consumers[pending.consumer as usize].name.escape_ascii();
            let (delivered_ms, deliveries) =
                (pending.delivered_ms.max(0), pending.deliveries.min(u64::from(u32::MAX)));
            facts.push(
                format!("pending {:?} {consumer} {delivered_ms} {deliveries}", pending.id).into_bytes(),
            );
        }
        let mut names: Vec<_> = consumers
            .iter()
            .map(|consumer| format!("consumer {} {}", consumer.name.escape_ascii(), consumer.seen_ms.max(0)))
            .collect();
        names.sort();
        facts.extend(names.into_iter().map(String::into_bytes));
    }
    facts
}

/// Redis's checksum, bit by bit.
fn crc64(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |crc, byte| {
        let step = |crc: u64, _| (crc >> 1) ^ if crc & 1 == 1 { 0x95ac_9329_ac4b_c9b5 } else { 0 };
        (0..8).fold(crc ^ u64::from(*byte), step)
    })
}

/// Each encoder writes exactly one reply, for any input.
pub fn reply(data: &[u8]) {
    let Some((&choice, rest)) = data.split_first() else { return };
    let proto = if choice & 1 == 0 { Proto::Resp2 } else { Proto::Resp3 };
    let mut out = Output::default();
    let mut reply = Reply::new(&mut out, proto, 1 << 20);
    match choice >> 1 & 7 {
        0 => reply.error(rest),
        1 => reply.bulk(rest),
        2 => reply.int(rest.iter().fold(0, |n: i64, byte| n.wrapping_mul(257) ^ i64::from(*byte))),
        3 => reply.verbatim(&String::from_utf8_lossy(rest)),
        4 => reply.bulk_or_null(rest.first().map(|_| rest)),
        5 => {
            reply.array(rest.len());
            rest.iter().for_each(|byte| reply.int(i64::from(*byte)));
        }
        6 => {
            reply.map(rest.len());
            rest.iter().for_each(|byte| {
                reply.bulk(&[*byte]);
                reply.null();
            });
        }
        _ => reply.replace_by_error(rest),
    }
    assert_eq!(decoded(out.front()), Some(&b""[..]), "{}", out.front().escape_ascii());
}

/// The keyspace is a map, and a scan that runs all the time misses no key that stays. Four bytes are an operation on a
/// range of keys, so short inputs make the table grow and shrink.
pub fn table(data: &[u8]) {
    let mut store = Store::new(data.len() as u64);
    let mut model = BTreeMap::<Vec<u8>, (Vec<u8>, Option<u64>)>::new();
    let (mut now_ms, mut cursor, mut to_be_seen) = (0, 0, None);
    for op in data.chunks_exact(4) {
        let [what, first, count, size] = op else { continue };
        for n in u32::from(*first) * 16..u32::from(*first) * 16 + u32::from(*count) {
            let key = n.to_le_bytes().repeat(1 + usize::from(n % 70 == 0) * 80);
            let value = vec![*size; usize::from(*size) * if what & 8 == 0 { 1 } else { 9 }];
            if model.get(&key).is_some_and(|(_, at)| at.is_some_and(|at| at <= now_ms)) {
                model.remove(&key);
            }
            assert_eq!(store.get(&key, now_ms), Ok(model.get(&key).map(|(value, _)| &value[..])));
            match what & 7 {
                0..=2 => {
                    let at = (*what & 16 != 0).then(|| now_ms + u64::from(*size) + 1);
                    let entry = store.prepare(&key, &value).expect("memory");
                    store.commit(entry, at.map_or(Expiry::Never, Expiry::At));
                    model.insert(key, (value, at));
                }
                3 | 4 => assert_eq!(store.remove(&key, now_ms), model.remove(&key).is_some()),
                5 => {
                    let entry = store.prepare_append(&key, &value).expect("memory");
                    store.commit(entry, Expiry::Keep);
                    model.entry(key).or_default().0.extend(value);
                }
                6 => {
                    let at = (*what & 16 != 0).then(|| now_ms + u64::from(*size) + 1);
                    store.expire(&key, at);
                    model.entry(key).and_modify(|item| item.1 = at);
                }
                _ => now_ms += 1,
            }
        }
        store.sweep(now_ms, usize::from(*size), 1);
        store.reclaim(1);
        if *op == [7, 7, 7, 7] {
            store.clear();
            model.clear();
        }
        model.retain(|_, (_, at)| at.is_none_or(|at| at > now_ms));
        let left = to_be_seen.get_or_insert_with(|| model.clone());
        left.retain(|key, _| model.contains_key(key));
        cursor = store.scan(cursor, usize::from(*count), None, now_ms, |key| {
            left.remove(key);
            // Now and then it is told to stop.
            key.len() % 4 != 3
        });
        if cursor == 0 {
            assert!(left.is_empty(), "a scan has missed {left:?}");
            to_be_seen = None;
        }
    }
    store.audit();
    let mut keys: Vec<&[u8]> = store.keys(now_ms).collect();
    keys.sort_unstable();
    assert!(keys.into_iter().eq(model.keys().map(|key| &key[..])), "the keys differ");
}

/// A hash is a map in each of its forms, and a scan of it misses no field that stays. Four bytes are an operation on a
/// range of fields of one of a few keys.
pub fn hashes(data: &[u8]) {
    let mut store = Store::new(data.len() as u64);
    let mut model = BTreeMap::<&[u8], BTreeMap<Vec<u8>, Vec<u8>>>::new();
    let scanned = &b"0"[..];
    let (mut cursor, mut to_be_seen) = (0, None);
    for op in data.chunks_exact(4) {
        let [what, first, count, size] = op else { continue };
        let key = [scanned, b"1", &[b'k'; 300]][usize::from(what >> 3) % 3];
        let names = u32::from(*first) * 4..u32::from(*first) * 4 + u32::from(*count);
        let fields: Vec<Vec<u8>> =
            names.map(|n| n.to_le_bytes().repeat(1 + usize::from(n % 90 == 0) * 80)).collect();
        let value = vec![*size; usize::from(*size) * if what & 64 == 0 { 1 } else { 9 }];
        let before = model.get(key).map_or(0, BTreeMap::len);
        match what & 7 {
            0..=3 if !fields.is_empty() => {
                let pairs = fields.iter().map(|field| (&field[..], &value[..]));
                let prepared = store.prepare_map_set(key, pairs, Expiry::Never, 0).expect("memory");
                let added = prepared.added();
                store.commit_map_set(prepared);
                let there = model.entry(key).or_default();
                there.extend(fields.into_iter().map(|field| (field, value.clone())));
                assert_eq!(added, there.len() - before);
            }
            4 | 5 => {
                let removal =
                    store.prepare_map_remove(key, fields.iter().map(|field| &field[..]), 0).expect("memory");
                let removed = removal.removed();
                store.commit_map_remove(removal);
                if let Some(there) = model.get_mut(key) {
                    there.retain(|field, _| !fields.contains(field));
                }
                assert_eq!(removed, before - model.get(key).map_or(0, BTreeMap::len));
            }
            6 if *count == 0 => {
                assert_eq!(store.remove(key, 0), before > 0);
                model.remove(key);
            }
            _ => store.reclaim(1),
        }
        model.retain(|_, fields| !fields.is_empty());
        let expected = model.get(key).into_iter().flatten().map(|(field, value)| (&field[..], &value[..]));
        let mut found: Vec<_> = store.map(key, 0).expect("a hash").into_iter().flat_map(Map::iter).collect();
        found.sort_unstable();
        assert!(found.into_iter().eq(expected), "the fields differ");
        let left = to_be_seen.get_or_insert_with(|| model.get(scanned).cloned().unwrap_or_default());
        left.retain(|field, _| model.get(scanned).is_some_and(|fields| fields.contains_key(field)));
        let scan = store.map_scan(scanned, cursor, usize::from(*size), 0, |(field, _)| {
            left.remove(field);
            true
        });
        cursor = scan.expect("a hash");
        if cursor == 0 {
            assert!(left.is_empty(), "a scan has missed {left:?}");
            to_be_seen = None;
        }
    }
    store.audit();
    assert_eq!(store.len(), model.len());
}

/// An option takes a value or refuses it. It shows a value that it has taken, and takes the shown value again.
pub fn config(data: &[u8]) {
    let Some((&which, value)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(value) else { return };
    let opt = &OPTIONS[usize::from(which) % OPTIONS.len()];
    let mut config = Config::default();
    let before = (opt.get)(&config);
    if (opt.set)(&mut config, text).is_err() {
        assert!(opt.name == "bind" || (opt.get)(&config) == before, "{}: refused and changed", opt.name);
        return;
    }
    let shown = (opt.get)(&config);
    let mut again = Config::default();
    (opt.set)(&mut again, &shown).unwrap_or_else(|why| panic!("{} {shown}: {why}", opt.name));
    assert_eq!((opt.get)(&again), shown, "{}", opt.name);
}

/// The parser of configuration files, and the rewriting of a file. The input is two files, with a zero byte between them: the
/// first one is rewritten so that it says what the second one says.
pub fn files(data: &[u8]) {
    let mut texts = data.splitn(2, |byte| *byte == 0);
    let (text, other) = (texts.next().unwrap_or_default(), texts.next().unwrap_or_default());
    let Ok(lines) = file::lines(text) else { return };
    for line in &lines {
        // Each word as its bytes in hexadecimal comes back as it was.
        let hex = |word: &String| word.bytes().map(|byte| format!("\\x{byte:02x}")).collect::<String>();
        let words = line.words.iter().map(|word| format!(" \"{}\"", hex(word))).collect::<String>();
        let again =
            file::lines(format!("{}\"{}\"{words}", "\n".repeat(line.number - 1), hex(&line.name)).as_bytes());
        assert_eq!(again.as_deref(), Ok(std::slice::from_ref(line)));
    }
    let is_include = |text| file::lines(text).is_ok_and(|all| all.iter().any(|line| line.name == "include"));
    if is_include(text) || is_include(other) {
        // Which files there are is not for the fuzzer to say.
        return;
    }
    let path = Path::new("main");
    let read = |text: &[u8]| file::read_text(text, path, Path::new("/"));
    let (Ok(settings), Ok(wanted)) = (read(text), read(other).and_then(|all| rewrite::config_of(&all)))
    else {
        return;
    };
    let Ok(fresh) = rewrite::rewritten(text, path, &settings, &wanted) else { return };
    let again = read(&fresh).expect("it can be read");
    let config = rewrite::config_of(&again).expect("it makes sense");
    for opt in OPTIONS {
        assert_eq!((opt.get)(&config), (opt.get)(&wanted), "{}", opt.name);
    }
    assert_eq!(rewrite::rewritten(&fresh, path, &again, &wanted).as_ref(), Ok(&fresh), "a second time");
    let comments = |text: &[u8]| -> Vec<Vec<u8>> {
        let lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        lines.filter(|line| line.starts_with(b"#")).map(<[u8]>::to_vec).collect()
    };
    assert!(comments(&fresh).starts_with(&comments(text)), "a comment is lost");
}
