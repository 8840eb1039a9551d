//! Payloads and their contents.

use super::rdb::VERSION_MAX;

/// The payload of this type and body.
pub fn framed(kind: u8, body: &[u8], version: u16) -> Vec<u8> {
    sealed(&[&[kind], body, &version.to_le_bytes()].concat())
}

/// These bytes and their checksum.
pub fn sealed(bytes: &[u8]) -> Vec<u8> {
    let mut payload = bytes.to_vec();
    seal(&mut payload);
    payload
}

/// Appends the checksum, computed bit by bit.
pub fn seal(payload: &mut Vec<u8>) {
    let mut crc = 0_u64;
    for byte in payload.iter() {
        crc ^= u64::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ if crc & 1 == 1 { 0x95ac_9329_ac4b_c9b5 } else { 0 };
        }
    }
    payload.extend_from_slice(&crc.to_le_bytes());
}

/// A string with its length.
pub fn string(bytes: &[u8]) -> Vec<u8> {
    let mut string = vec![0x80];
    string.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
    string.extend_from_slice(bytes);
    string
}

/// A ziplist of these entries, each with its encoding.
pub fn ziplist(entries: &[&[u8]]) -> Vec<u8> {
    let mut all: Vec<u8> = Vec::new();
    let (mut before, mut last) = (0, 0);
    for entry in entries {
        last = all.len();
        if before < 254 {
            all.push(before as u8);
        } else {
            all.push(254);
            all.extend_from_slice(&(before as u32).to_le_bytes());
        }
        all.extend_from_slice(entry);
        before = all.len() - last;
    }
    let mut ziplist = Vec::new();
    ziplist.extend_from_slice(&(all.len() as u32 + 11).to_le_bytes());
    ziplist.extend_from_slice(&(last as u32 + 10).to_le_bytes());
    ziplist.extend_from_slice(&(entries.len() as u16).to_le_bytes());
    [ziplist, all, vec![255]].concat()
}

/// A listpack of these elements, none longer than 127 bytes with its encoding.
pub fn listpack(elements: &[&[u8]]) -> Vec<u8> {
    let all: Vec<u8> =
        elements.iter().flat_map(|element| [element, &[element.len() as u8][..]].concat()).collect();
    let mut listpack = Vec::new();
    listpack.extend_from_slice(&(all.len() as u32 + 7).to_le_bytes());
    listpack.extend_from_slice(&(elements.len() as u16).to_le_bytes());
    [listpack, all, vec![255]].concat()
}

/// An entry of a ziplist of each encoding.
fn every_ziplist_entry() -> Vec<u8> {
    let long = [&[0x41, 0x2c][..], &[b'l'; 300]].concat();
    let huge = [&[0x80, 0, 0, 0x40, 0][..], &[b'h'; 0x4000]].concat();
    ziplist(&[
        b"\x03abc",
        &long,
        &huge,
        b"\xfe\x80",
        b"\xc0\x00\x80",
        b"\xf0\x00\x00\x80",
        b"\xd0\x00\x00\x00\x80",
        b"\xe0\x00\x00\x00\x00\x00\x00\x00\x80",
        b"\xf1",
        b"\xfd",
        b"\x00",
    ])
}

/// A stream of one node with two entries, of which the second is deleted, without what follows the nodes.
fn one_node() -> Vec<u8> {
    let node = listpack(&[
        b"\x01",
        b"\x01",
        b"\x01",
        b"\x81f",
        b"\x00", // one lives, one is deleted, field "f"
        b"\x02",
        b"\x00",
        b"\x00",
        b"\x81v",
        b"\x04", // 5-1, f=v
        b"\x01",
        b"\x02",
        b"\xdf\xff",
        b"\x01",
        b"\x81g",
        b"\x81w",
        b"\x06", // 7-0, g=w, deleted
    ]);
    [b"\x01".to_vec(), string(&id(5, 1)), string(&node)].concat()
}

fn id(ms: u64, seq: u64) -> Vec<u8> {
    [ms.to_be_bytes(), seq.to_be_bytes()].concat()
}

/// One group with two pending entries and two consumers. `active` are the bytes of the time of activity.
fn one_group(entries_read: &[u8], active: &[u8]) -> Vec<u8> {
    let time = 1000_i64.to_le_bytes();
    let mut group = [b"\x01\x01G\x05\x01", entries_read, b"\x02"].concat();
    for (ms, deliveries) in [(5, 1), (7, 3)] {
        group.extend([&id(ms, 5 / ms)[..], &time, &[deliveries]].concat());
    }
    group.extend([b"\x02\x02me", &time[..], active, b"\x01", &id(5, 1)].concat());
    group.extend([b"\x03you", &time[..], active, b"\x01", &id(7, 0)].concat());
    group
}

/// Payloads that Redis 7.0 does not write (any more, or yet).
pub fn built() -> Vec<(&'static str, Vec<u8>, String)> {
    let h = "h".repeat(0x4000);
    let l = "l".repeat(300);
    let every = format!("list abc {l} {h} -128 -32768 -8388608 -2147483648 -9223372036854775808 0 12 ");
    let zipmap =
        [b"\x02\x01f\x01\x02v??\x03fgh\xfe\x00\x01\x00\x00\x00".to_vec(), vec![b'x'; 256], vec![255]];
    let x = "x".repeat(256);
    let scores = b"\x04\x01a\x031.5\x01b\xff\x01c\xfe\x01d\x05-1e-3";
    let pairs: &[&[u8]] = &[b"\x01a", b"\xf2", b"\x01b", b"\x042.25", b"\x01c", b"\x04-inf"];
    let mixed = listpack(&[b"\x81a", b"\x05", b"\x82bc", b"\xf1\x00\x80"]);
    let after = b"\x01\x07\x00".to_vec();
    let after_2 = b"\x01\x07\x00\x05\x01\x07\x00\x02".to_vec();
    let old = [one_node(), after, one_group(b"", b"")].concat();
    let new = [one_node(), after_2, one_group(b"\x02", &(-1_i64).to_le_bytes())].concat();
    let stream = |deleted: &str, added: u64, read: &str, active: i64| {
        format!(
            "stream 1 5-1 7-0 {deleted} {added} 5-1:f=v group G 5-1 {read} 5-1/1000/1/0 7-0/1000/3/1 me/1000/{active} \
             you/1000/{active}"
        )
    };
    let list = |text: &str| text.to_owned();
    vec![
        (
            "list",
            framed(1, b"\x04\x01a\xc0\x85\xc1\x00\x80\xc2\x00\x00\x00\x80", 1),
            list("list a -123 -32768 -2147483648"),
        ),
        ("text scores", framed(3, scores, 6), list("zset a=1.5 b=-inf c=inf d=-0.001")),
        ("zipmap", framed(9, &string(&zipmap.concat()), 2), format!("hash f=v fgh={x}")),
        ("zipmap of unknown length", framed(9, &string(b"\xfe\x01f\x00\x00\xff"), 2), list("hash f=")),
        ("ziplist", framed(10, &string(&every_ziplist_entry()), 6), every.clone()),
        (
            "quicklist",
            framed(
                14,
                &[b"\x02".to_vec(), string(&every_ziplist_entry()), string(&ziplist(&[b"\x01z"]))].concat(),
                7,
            ),
            format!("{every} z"),
        ),
        ("sorted set in a ziplist", framed(12, &string(&ziplist(pairs)), 6), list("zset a=1 b=2.25 c=-inf")),
        ("hash in a ziplist", framed(13, &string(&ziplist(pairs)), 6), list("hash a=1 b=2.25 c=-inf")),
        ("set in a listpack", framed(20, &string(&mixed), VERSION_MAX), list("set a 5 bc -32768")),
        (
            "hash with fields that expire",
            // In the second, at the earliest, and 299 ms later.
            framed(24, b"\x00\x04\0\0\0\0\0\0\x03\x00\x01f\x01v\x01\x01g\xc0\x05\x41\x2c\x01h\x00", 12),
            list("timed hash f=v g=5@1024 h=@1323"),
        ),
        (
            "hash with fields that expire in a listpack",
            framed(
                25,
                &[
                    b"\x07\0\0\0\0\0\0\0".to_vec(),
                    string(&listpack(&[b"\x81g", b"\x05", b"\x07", b"\x81f", b"\x81v", b"\x00"])),
                ]
                .concat(),
                12,
            ),
            list("timed hash g=5@7 f=v"),
        ),
        ("stream of type 15", framed(15, &old, 9), stream("0-0", 1, "None", 1000)),
        (
            "stream of type 19",
            framed(
                19,
                &[one_node(), b"\x01\x07\x00\x05\x01\x07\x00\x02".to_vec(), one_group(b"\x01", b"")].concat(),
                10,
            ),
            stream("7-0", 2, "Some(1)", 1000),
        ),
        ("stream of type 21", framed(21, &new, VERSION_MAX), stream("7-0", 2, "Some(2)", -1)),
        ("empty stream", framed(15, b"\x00\x00\x09\x08\x00", 9), list("stream 0 0-0 9-8 0-0 0")),
    ]
}

/// Names, types and bodies of payloads that contradict themselves.
pub fn refused() -> Vec<(&'static str, u8, Vec<u8>)> {
    let nan = f64::NAN.to_le_bytes();
    let mut wrong_last = ziplist(&[b"\x01a", b"\x01b"]);
    wrong_last[4] -= 3;
    let mut wrong_before = ziplist(&[b"\x01a", b"\x01b"]);
    wrong_before[13] += 1;
    let tail = b"\x01\x07\x00\x05\x01\x07\x00\x02".to_vec();
    let group = one_group(b"\x02", b"");
    let stream = |nodes: Vec<u8>, tail: &[u8], groups: &[u8]| [&nodes, tail, groups].concat();
    let node =
        |elements: &[&[u8]]| [b"\x01".to_vec(), string(&id(5, 1)), string(&listpack(elements))].concat();
    let mut other_group = group.clone();
    other_group[0] = 2;
    other_group.extend_from_slice(&group[1..]);
    let at = group.len() - 16;
    let twice = [&group[..at], &id(5, 1)].concat();
    let unknown = [&group[..at], &id(6, 1)].concat();
    let orphan = [&group[..at - 1], b"\x00"].concat();
    let mut same_name = group.clone();
    let you = same_name.windows(4).position(|bytes| bytes == b"\x03you").unwrap();
    same_name.splice(you..you + 4, *b"\x02me");
    let descending = [
        b"\x01\x01G\x05\x01\x02\x02".to_vec(),
        group[32..57].to_vec(),
        group[7..32].to_vec(),
        group[57..].to_vec(),
    ]
    .concat();
    vec![
        ("no element", 1, b"\x00".to_vec()),
        ("no member", 2, b"\x00".to_vec()),
        ("no score", 5, b"\x00".to_vec()),
        ("no field", 4, b"\x00".to_vec()),
        ("no node", 18, b"\x00".to_vec()),
        ("only empty nodes", 18, [b"\x01\x02".to_vec(), string(&listpack(&[]))].concat()),
        ("an empty listpack", 16, string(&listpack(&[]))),
        ("an empty ziplist", 10, string(&ziplist(&[]))),
        ("an empty zipmap", 9, string(b"\x00\xff")),
        ("an empty intset", 11, string(b"\x02\x00\x00\x00\x00\x00\x00\x00")),
        ("more elements than bytes", 1, b"\x05\x01a".to_vec()),
        ("elements without end", 1, b"\x81\xff\xff\xff\xff\xff\xff\xff\xff".to_vec()),
        ("a member twice", 2, b"\x02\x01a\x01a".to_vec()),
        ("a member twice, once as an integer", 2, b"\x02\x011\xc0\x01".to_vec()),
        ("a field twice", 4, b"\x02\x01a\x01b\x01a\x01c".to_vec()),
        ("a scored member twice", 5, [b"\x02\x01a", &[0; 8][..], b"\x01a", &[1; 8]].concat()),
        ("NaN in bytes", 5, [b"\x01\x01a", &nan[..]].concat()),
        ("NaN by its length", 3, b"\x01\x01a\xfd".to_vec()),
        ("NaN as text", 3, b"\x01\x01a\x03nan".to_vec()),
        ("no number", 3, b"\x01\x01a\x031.x".to_vec()),
        ("no number in a ziplist", 12, string(&ziplist(&[b"\x01a", b"\x01b"]))),
        ("NaN in a listpack", 17, string(&listpack(&[b"\x81a", b"\x83nan"]))),
        ("a member without score", 17, string(&listpack(&[b"\x81a", b"\x01", b"\x81b"]))),
        ("a field without value", 16, string(&listpack(&[b"\x81a", b"\x01", b"\x81b"]))),
        ("a field without value in a zipmap", 9, string(b"\x01\x01a\xff")),
        ("a zipmap with too many fields", 9, string(b"\x01\x01a\x00\x00\x01b\x00\x00\xff")),
        ("an intset out of order", 11, string(b"\x02\0\0\0\x02\0\0\0\x02\0\x01\0")),
        ("an intset with a member twice", 11, string(b"\x02\0\0\0\x02\0\0\0\x02\0\x02\0")),
        ("an intset of another width", 11, string(b"\x03\0\0\0\x01\0\0\0\x02\0\x01")),
        ("an intset that is too short", 11, string(b"\x02\0\0\0\x02\0\0\0\x02\0")),
        ("a ziplist whose last entry is elsewhere", 10, string(&wrong_last)),
        ("a ziplist with a wrong length before", 10, string(&wrong_before)),
        ("an integer instead of a listpack", 20, b"\xc0\x01".to_vec()),
        ("an empty plain node", 18, b"\x01\x01\x00".to_vec()),
        ("an unknown kind of node", 18, [b"\x01\x03".to_vec(), string(&listpack(&[b"\x01"]))].concat()),
        ("a length in the form of a string", 1, b"\xc1\x01a".to_vec()),
        ("an unknown form of string", 0, b"\xc4abc".to_vec()),
        ("a stream of another length", 19, stream(one_node(), b"\x02\x07\x00\x05\x01\x07\x00\x02", b"\x00")),
        (
            "a last ID before the last entry",
            19,
            stream(one_node(), b"\x01\x05\x00\x05\x01\x00\x00\x02", b"\x00"),
        ),
        (
            "fewer entries added than there are",
            19,
            stream(one_node(), b"\x01\x07\x00\x05\x01\x07\x00\x00", b"\x00"),
        ),
        (
            "an entry without fields",
            19,
            stream(node(&[b"\x01", b"\0", b"\0", b"\0", b"\x02", b"\0", b"\0", b"\x03"]), &tail, b"\x00"),
        ),
        (
            "a wrong number of elements",
            19,
            stream(
                node(&[b"\x01", b"\0", b"\x01", b"\x81f", b"\0", b"\x02", b"\0", b"\0", b"\x81v", b"\x05"]),
                &tail,
                b"\x00",
            ),
        ),
        (
            "entries behind the last one",
            19,
            stream(
                node(&[
                    b"\x01", b"\0", b"\x01", b"\x81f", b"\0", b"\x02", b"\0", b"\0", b"\x81v", b"\x04",
                    b"\x01",
                ]),
                &tail,
                b"\x00",
            ),
        ),
        ("two groups of one name", 19, stream(one_node(), &tail, &other_group)),
        ("two consumers of one name", 19, stream(one_node(), &tail, &same_name)),
        ("an entry owed twice", 19, stream(one_node(), &tail, &twice)),
        ("an entry owed that is not pending", 19, stream(one_node(), &tail, &unknown)),
        ("a pending entry that nobody owes", 19, stream(one_node(), &tail, &orphan)),
        ("pending entries out of order", 19, stream(one_node(), &tail, &descending)),
    ]
}
