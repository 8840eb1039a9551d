//! The room as a whole: real payloads, payloads built by hand, damaged payloads, and no memory.

mod damage;
mod real;
mod render;
mod samples;

use super::{DecodeError, StreamId, Value, decode, encode};
use crate::base::{self, memory};
use crate::rdb;

const MIB: usize = 1 << 20;

fn hex(text: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len() / 2).map(|n| digit(2 * n)).collect()
}

/// All samples: their names, payloads and contents.
fn all() -> Vec<(&'static str, Vec<u8>, String)> {
    let real = real::REAL.iter().map(|(name, payload, contents)| (*name, hex(payload), contents.to_string()));
    real.chain(samples::built()).collect()
}

#[test]
fn samples_have_their_contents_and_survive_being_written_again() {
    for (name, payload, contents) in all() {
        let value = decode(&payload, MIB).unwrap_or_else(|error| panic!("{name}: {error:?}"));
        assert_eq!(render::render(&value), contents, "{name}");
        let mut again = b"kept".to_vec();
        render::encode(&value, &mut again).unwrap();
        assert_eq!(decode(&again[4..], MIB).map(render::sorted), Ok(render::sorted(value)), "{name}");
    }
}

#[test]
fn samples_cover_every_type() {
    let kinds: std::collections::BTreeSet<u8> = all().iter().map(|(_, payload, _)| payload[0]).collect();
    assert!(kinds.into_iter().eq((0..=5).chain(9..=21).chain(24..=25)));
}

#[test]
fn a_payload_must_have_the_right_frame() {
    let good = samples::framed(0, b"\x03abc", 11);
    assert_eq!(decode(&good, 0), Ok(Value::String(b"abc".to_vec())));
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        assert_eq!(decode(&bad, 0), Err(DecodeError::BadFrame), "byte {at} differs");
        assert_eq!(decode(&good[..at], 0), Err(DecodeError::BadFrame), "cut to {at} bytes");
    }
    assert_eq!(decode(&samples::framed(0, b"\x03abc", 13), 0), Err(DecodeError::BadFrame));
    assert_eq!(
        decode(&samples::sealed(b"\x0a\0"), 0),
        Err(DecodeError::BadFormat),
        "nothing is in the frame"
    );
    for (kind, body, version) in [
        (0, &b"\x03abcd"[..], 10),
        (0, b"\x04abc", 10),
        (0, b"", 10),
        (0, b"\xc4abc", 10),
        (0, b"\x90abc", 10),
        (0, b"\x81\xff\xff\xff\xff\xff\xff\xff\xffabc", 10),
        // Modules, a type of a release candidate, and hashes whose fields expire and that are cut.
        (6, b"\x00", 10),
        (7, b"\x00", 10),
        (8, b"\x00", 10),
        (22, b"\x00", 11),
        (24, b"\x00", 12),
        (25, b"\x00", 12),
    ] {
        assert_eq!(decode(&samples::framed(kind, body, version), MIB), Err(DecodeError::BadFormat), "{kind}");
    }
}

#[test]
fn what_contradicts_itself_is_refused() {
    for (name, kind, body) in samples::refused() {
        assert_eq!(decode(&samples::framed(kind, &body, 10), MIB), Err(DecodeError::BadFormat), "{name}");
    }
}

#[test]
fn compressed_strings_inflate_to_so_many_bytes_and_no_more() {
    // Twice 264 times "a": one literal and a repetition of 263.
    let lzf = b"\xc3\x05\x41\x08\x00a\xe0\xfe\x00";
    let payload = samples::framed(1, &[b"\x02", &lzf[..], lzf].concat(), 10);
    assert!(matches!(decode(&payload, 528), Ok(Value::List(list)) if list.iter().all(|a| a == [b'a'; 264])));
    assert_eq!(decode(&payload, 527), Err(DecodeError::BadFormat));
}

#[test]
fn without_memory_nothing_is_decoded_and_nothing_is_appended() {
    for (name, payload, _) in all() {
        let value = decode(&payload, MIB).unwrap();
        let mut whole = Vec::new();
        render::encode(&value, &mut whole).unwrap();
        for allowed in 0.. {
            memory::allow(allowed);
            let decoded = decode(&payload, MIB);
            memory::allow(allowed);
            let mut out = b"kept".to_vec();
            let encoded = render::encode(&value, &mut out);
            memory::allow(usize::MAX);
            if encoded.is_err() {
                assert_eq!(out, b"kept", "{name}");
            } else {
                assert_eq!(out[4..], whole, "{name}");
            }
            match decoded {
                Err(error) => assert_eq!(error, DecodeError::OutOfMemory, "{name}"),
                Ok(decoded) if encoded.is_ok() => {
                    assert_eq!(decoded, value, "{name}");
                    break;
                }
                Ok(_) => (),
            }
        }
    }
}

/// Payloads that need as much memory for each of their bytes as can be.
fn costly() -> Vec<(&'static str, Vec<u8>)> {
    let integers = (-32_768..-12_768_i16).flat_map(i16::to_le_bytes);
    let intset: Vec<u8> = [2, 0, 0, 0, 0x20, 0x4e, 0, 0].into_iter().chain(integers).collect();
    let pairs = || (0..=u16::MAX).map(u16::to_be_bytes);
    let count = b"\x80\x00\x01\x00\x00";
    let members: Vec<u8> = pairs().flat_map(|[a, b]| [2, a, b]).collect();
    let scored: Vec<u8> = pairs().flat_map(|[a, b]| [2, a, b, 255]).collect();
    let timed: Vec<u8> = pairs().flat_map(|[a, b]| [1, 2, a, b, 0]).collect();
    let groups: Vec<u8> = pairs().flat_map(|[a, b]| [2, a, b, 0, 0, 0, 0]).collect();
    let consumers: Vec<u8> = pairs().flat_map(|[a, b]| [2, a, b, 0, 0, 0, 0, 0, 0, 0, 0, 0]).collect();
    vec![
        ("integers", samples::framed(11, &[b"\x80\x00\x00\x9c\x48", &intset[..]].concat(), 10)),
        (
            "integers in a listpack",
            samples::framed(
                18,
                &[b"\x01\x02", &samples::string(&samples::listpack(&[&b"\x7f"[..]; 60_000]))[..]].concat(),
                10,
            ),
        ),
        ("empty elements", samples::framed(1, &[&count[..], &[0; 0x1_0000]].concat(), 10)),
        ("members", samples::framed(2, &[&count[..], &members].concat(), 10)),
        ("scores", samples::framed(3, &[&count[..], &scored].concat(), 10)),
        ("times", samples::framed(24, &[&[0; 8], &count[..], &timed].concat(), 12)),
        ("groups", samples::framed(15, &[b"\x00\x00\x00\x00", &count[..], &groups].concat(), 10)),
        (
            "consumers",
            samples::framed(
                15,
                &[b"\x00\x00\x00\x00\x01\x00\x00\x00\x00", &count[..], &consumers].concat(),
                10,
            ),
        ),
    ]
}

#[test]
fn memory_is_in_proportion_to_the_payload() {
    for (name, payload) in costly() {
        for factor in 1.. {
            memory::allow(factor * payload.len());
            let value = decode(&payload, 0);
            memory::allow(usize::MAX);
            match value {
                Err(DecodeError::OutOfMemory) => assert!(factor < damage::FACTOR, "{name}"),
                Err(error) => panic!("{name}: {error:?}"),
                Ok(_) => {
                    println!("{name}: {} bytes, factor {factor}", payload.len());
                    break;
                }
            }
        }
    }
}

#[test]
fn long_lists_and_streams_are_cut_into_nodes() {
    let elements: Vec<String> = (0..5000).map(|n| "x".repeat(n % 50) + &n.to_string()).collect();
    let mut payload = Vec::new();
    encode::list(&mut payload, elements.iter().chain([&"y".repeat(20_000), &"z".to_owned()])).unwrap();
    let Ok(Value::List(list)) = decode(&payload, 0) else { panic!("not a list") };
    assert!(list.iter().take(5000).eq(elements.iter().map(String::as_bytes)));
    assert_eq!(list.iter().skip(5000).map(<[u8]>::len).collect::<Vec<_>>(), [20_000, 1]);

    let mut payload = Vec::new();
    let mut dump = rdb::StreamDump::begin(&mut payload).unwrap();
    let id = |n: usize| StreamId { ms: n as u64 / 3, seq: n as u64 % 3 + 1 };
    for (n, value) in elements.iter().enumerate() {
        let fields = [("name", &value[..]), ("second", "2"), ("third", "3")];
        dump.entry(id(n), fields.into_iter().take(1 + n % 20 % 3)).unwrap();
    }
    dump.end_of_entries(id(5000), StreamId::default(), 5000, 0).unwrap();
    dump.end().unwrap();
    let Ok(Value::Stream(stream)) = decode(&payload, 0) else { panic!("not a stream") };
    assert_eq!((stream.len(), stream.first_id(), stream.groups().len()), (5000, id(0), 0));
    for (n, entry) in stream.entries().enumerate() {
        assert_eq!((entry.id, entry.fields.len()), (id(n), 1 + n % 20 % 3));
        assert_eq!(entry.fields.clone().next(), Some((&b"name"[..], elements[n].as_bytes())));
    }
}
