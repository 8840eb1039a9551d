//! Whole values, which take the place of whatever a key holds.

use super::*;
use crate::base::memory;

/// How many elements the values of these tests have: packed in a record, packed in a body, and in a structure of their
/// own.
const SIZES: [u32; 4] = [1, 40, 100, 2_000];

fn elements(count: u32) -> Vec<Vec<u8>> {
    (0..count).map(|n| n.to_string().into_bytes()).collect()
}

/// A stream with `count` entries, which are pending in each of up to three groups, for up to seven consumers.
fn stream(count: u32) -> Result<Stream, StreamError> {
    let mut stream = Stream::new();
    for ms in 1..=u64::from(count) {
        let pairs = [(&b"field"[..], &b"value"[..])];
        let log = stream.log_mut();
        let append = log.try_reserve(StreamId::new(ms, 0), pairs.into_iter(), NodeLimits::default())?;
        log.append(append, pairs.into_iter());
    }
    let consumers = count.min(7);
    for name in (0..3.min(count)).rev() {
        let mut group = RestoredGroup::new(name.to_string().as_bytes(), StreamId::MIN, None)?;
        for consumer in (0..consumers).rev() {
            group.push_consumer(consumer.to_string().as_bytes(), 1, None)?;
        }
        for ms in 1..=count {
            group.push_pending(StreamId::new(u64::from(ms), 0), ms % consumers, 2, 3)?;
        }
        stream.push_group(group)?;
    }
    stream.sort_groups();
    Ok(stream)
}

/// Gives `key` a whole value of a kind, with `count` elements.
fn write(
    store: &mut Store,
    kind: Kind,
    key: &[u8],
    count: u32,
    expires_ms: Option<u64>,
) -> Result<(), WriteError> {
    let elements = elements(count);
    let parts = elements.iter().map(|element| &element[..]);
    let whole = match kind {
        Kind::String => store.prepare_whole_string(key, &elements.concat(), expires_ms)?,
        Kind::List => store.prepare_whole_list(key, parts, expires_ms)?,
        Kind::Set => store.prepare_whole_set(key, parts, expires_ms)?,
        Kind::Hash => store.prepare_whole_hash(
            key,
            parts.clone().zip(parts).map(|(field, value)| (field, value, None)),
            expires_ms,
        )?,
        Kind::Zset => {
            let mut members: Vec<Scored<'_>> = parts.rev().zip((0..count).rev().map(f64::from)).collect();
            store.prepare_whole_zset(key, &mut members, expires_ms)?
        }
        Kind::Stream => {
            let prepared = store.prepare_whole_stream(key, expires_ms, || stream(count));
            prepared.map_err(|error| match error {
                StreamError::Write(error) => error,
                other => panic!("{other:?}"),
            })?
        }
    };
    store.commit_whole(whole);
    Ok(())
}

/// Checks that the key holds what [`write`] has given it.
fn check(store: &mut Store, kind: Kind, key: &[u8], count: u32) {
    let elements = elements(count);
    assert_eq!(store.kind(key, 0), Some(kind));
    match store.object(key, 0).expect("it is there").0 {
        Object::String(text) => assert_eq!(text, elements.concat()),
        Object::List(list) => assert!(list.iter_from(0).eq(elements.iter().map(|element| &element[..]))),
        Object::Hash(map) => {
            assert_eq!(map.len(), elements.len());
            assert!(elements.iter().all(|element| map.get(element) == Some(element)));
        }
        Object::Set(set) => {
            assert_eq!(set.len(), elements.len());
            assert!(elements.iter().all(|element| set.contains(element)));
        }
        Object::Zset(zset) => {
            let members = elements.iter().map(|element| &element[..]).zip((0..count).map(f64::from));
            assert!(zset.iter_from(0).eq(members));
        }
        Object::Stream(stream) => {
            let ids = stream.log().range(StreamId::MIN, StreamId::MAX).map(|entry| entry.id().ms);
            assert!(ids.eq(1..=u64::from(count)));
            let names: Vec<&[u8]> = stream.groups().map(|group| group.name()).collect();
            assert!(names.is_sorted() && names.len() == 3.min(count as usize));
            for group in stream.groups() {
                assert_eq!(group.pending_len(), count as usize);
                let consumers: Vec<_> = group.consumers().collect();
                assert!(consumers.is_sorted_by_key(|consumer| consumer.name()));
                let of_consumers = consumers.iter().map(|consumer| consumer.pending_len()).sum::<usize>();
                assert_eq!(of_consumers, count as usize);
            }
        }
    }
}

#[test]
fn a_whole_value_replaces_any_other_and_its_expiry() {
    let kinds = Kind::ALL;
    let values: Vec<(Kind, u32)> =
        kinds.into_iter().flat_map(|kind| SIZES.map(|size| (kind, size))).collect();
    for key in [&b"k"[..], &[b'k'; 300]] {
        let mut store = filled(10);
        for before in &values {
            for after in &values {
                for expires_ms in [None, Some(50)] {
                    write(&mut store, before.0, key, before.1, Some(99)).unwrap();
                    write(&mut store, after.0, key, after.1, expires_ms).unwrap();
                    check(&mut store, after.0, key, after.1);
                    assert_eq!(store.expiry(key, 0), Some(expires_ms));
                }
            }
            store.reclaim(1_000);
            store.audit();
        }
        assert_eq!(store.len(), 11);
        assert!(!store.contains(key, 50));
    }
}

#[test]
fn without_memory_for_a_whole_value_nothing_changes() {
    for kind in [Kind::String, Kind::List, Kind::Set, Kind::Hash, Kind::Stream] {
        for size in SIZES {
            let mut store = filled(10);
            write(&mut store, Kind::List, b"k", 5, Some(99)).unwrap();
            let mut refusals = 0;
            for allowed in (0..).step_by(if size > 1_000 { 500 } else { 10 }) {
                memory::allow(allowed);
                let written = write(&mut store, kind, b"k", size, None);
                memory::allow(usize::MAX);
                store.audit();
                match written {
                    Ok(()) => break,
                    Err(error) => assert_eq!(error, WriteError::OutOfMemory),
                }
                refusals += 1;
                check(&mut store, Kind::List, b"k", 5);
                assert_eq!(store.expiry(b"k", 0), Some(Some(99)));
            }
            check(&mut store, kind, b"k", size);
            assert!(refusals > 0 || size == 1, "{kind:?} of {size} was never refused");
        }
    }
}
