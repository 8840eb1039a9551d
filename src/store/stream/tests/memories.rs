//! Memory that is refused: nothing visible changes, whatever is asked for and however far it comes.

use super::*;

/// Everything that a client can see of a stream.
fn visible(stream: &Stream) -> String {
    let log = stream.log();
    let entries: Vec<_> = log.range(StreamId::MIN, StreamId::MAX).map(owned).collect();
    let mut seen = format!("{:?} {:?} {:?} ", log.last_id(), log.entries_added(), entries);
    for group in stream.groups() {
        seen += &format!("{:?} {:?} {:?} ", group.name(), group.last_id(), group.entries_read());
        for consumer in group.consumers() {
            let pending: Vec<_> = consumer.pending(StreamId::MIN, StreamId::MAX).collect();
            seen += &format!("{:?} {:?} {pending:?} ", consumer.name(), consumer.seen_ms());
        }
    }
    seen
}

/// Lets `attempt` fail with more and more memory until it succeeds. Returns how often it has failed.
fn starve(stream: &mut Stream, mut attempt: impl FnMut(&mut Stream) -> bool) -> usize {
    let before = visible(stream);
    let mut allowed = 0;
    let failures = (0..).find(|_| {
        memory::allow(allowed);
        let done = attempt(stream);
        memory::allow(usize::MAX);
        stream.audit();
        if !done {
            assert_eq!(visible(stream), before, "a refused command has changed something");
        }
        allowed += 1 + allowed / 7;
        done
    });
    failures.unwrap()
}

#[test]
fn refused_memory_changes_nothing() {
    for entries in [0, 70, 130] {
        let mut stream = filled(entries);
        let pairs: Pairs = vec![(b"f".to_vec(), vec![b'v'; 3_000])];
        let appended = starve(&mut stream, |stream| {
            let id = stream.log().next_id(1).unwrap();
            let reserved = stream.log_mut().try_reserve(id, borrowed(&pairs), NodeLimits::default());
            let Ok(append) = reserved else { return false };
            memory::allow(0);
            stream.log_mut().append(append, borrowed(&pairs));
            true
        });
        assert!(appended > 0);
        assert!(starve(&mut stream, |stream| stream.create_group(b"g", StreamId::MIN, None).is_ok()) > 0);
        let delivered = starve(&mut stream, |stream| {
            let Ok(delivery) = stream.prepare_delivery(b"g", b"first", usize::MAX, true) else {
                return false;
            };
            memory::allow(0);
            stream.commit_delivery(delivery, 5);
            true
        });
        assert!(delivered > 0);
        assert!(starve(&mut stream, |stream| stream.create_consumer(b"g", b"third", 5).is_ok()) > 0);
        // Every other entry, backwards, and one that is not in the log any more.
        let ids: Vec<StreamId> =
            stream.log().range_back(StreamId::MIN, StreamId::MAX).map(Entry::id).collect();
        stream.log_mut().remove(ids[0]);
        let claimed = starve(&mut stream, |stream| {
            let options = ClaimOptions { force: true, ..ClaimOptions::default() };
            let claim = stream.prepare_claim(b"g", b"second", ids.iter().step_by(2).copied(), options, 6);
            let Ok(claim) = claim else { return false };
            memory::allow(0);
            assert_eq!(stream.commit_claim(claim).deleted, [ids[0]]);
            true
        });
        assert!(claimed > 0);
        let claimed = starve(&mut stream, |stream| {
            let claim =
                stream.prepare_autoclaim(b"g", b"fourth", StreamId::MIN, 90, ClaimOptions::default(), 7);
            let Ok(claim) = claim else { return false };
            memory::allow(0);
            stream.commit_claim(claim);
            true
        });
        assert!(claimed > 0);
        let again = starve(&mut stream, |stream| {
            let Ok(history) = stream.prepare_history(b"g", b"fifth", StreamId::MIN, 9) else { return false };
            memory::allow(0);
            stream.commit_history(history, 8);
            true
        });
        assert!(again > 0);
        assert!(starve(&mut stream, |stream| stream.try_copy().is_ok()) > 0);
    }
}

#[test]
fn removing_needs_no_memory() {
    let mut stream = filled(1_000);
    stream.create_group(b"g", StreamId::MIN, None).unwrap();
    for name in [b"a", b"b"] {
        let delivery = stream.prepare_delivery(b"g", name, 500, true).unwrap();
        stream.commit_delivery(delivery, 1);
    }
    memory::allow(0);
    for ms in (1..=1_000).filter(|ms| ms % 5 > 0) {
        assert!(stream.log_mut().remove(StreamId::new(ms, 0)));
        assert_eq!(stream.acknowledge(b"g", [StreamId::new(ms, 0)].into_iter()), Ok(1));
    }
    stream.audit();
    let trim = Trim { to: TrimTo::Id(StreamId::new(900, 0)), approximate: false, limit: None };
    assert_eq!(stream.log_mut().trim(trim).removed, 179);
    assert_eq!(stream.delete_consumer(b"g", b"a").unwrap().unwrap().0, 100);
    stream.audit();
    assert!(stream.destroy_group(b"g").is_ok());
    memory::allow(usize::MAX);
    stream.audit();
}
