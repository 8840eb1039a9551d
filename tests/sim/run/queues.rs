//! Clients that wait for keys, judged after every tick, and the queues at the end.

use std::collections::BTreeSet;

use tidegate::base::{Moment, fault};
use tidegate::reactor::net::Patience;
use tidegate::service::session::Session;
use tidegate::store::{Group, Stream, StreamId};

use super::Run;
use crate::queues::{GROUP, Queue};

/// The elements of a stream that its group has not delivered yet.
fn new_jobs(stream: &Stream) -> Vec<String> {
    let last = stream.group(GROUP.as_bytes()).map_or(StreamId::MIN, Group::last_id);
    let entries = stream.log().range(StreamId::MIN, StreamId::MAX).filter(|entry| entry.id() > last);
    let values = entries.filter_map(|entry| entry.fields().next());
    values.map(|(_, value)| String::from_utf8_lossy(value).into_owned()).collect()
}

impl<const HONEST: bool> Run<HONEST> {
    /// True if the client in this slot waits for a key.
    pub(super) fn waits_for_key(&self, slot: u32) -> bool {
        self.server.world().sessions.get(slot).is_some_and(Session::is_waiting)
    }

    /// No client waits for a key that holds something, beyond its time, or while the server stops.
    pub(super) fn check_waits(&mut self) {
        if self.exit.is_some() {
            return;
        }
        let stage = self.server.stage();
        let started = Moment::from_nanos(self.world.borrow().tick_ns);
        let patience = self.world.borrow().patience;
        let in_time = match (patience, self.waits_until) {
            (Patience::Endless, Some(_)) => false,
            (Patience::Until(moment), Some(until)) => moment <= until,
            _ => true,
        };
        let until = self.waits_until;
        assert!(in_time, "the server sleeps until {patience:?} and a wait ends at {until:?}");
        let waiting = &self.server.world().waiting;
        let clients = waiting.clients();
        self.waits_until = waiting.next_deadline();
        assert!(clients == 0 || stage.admits(), "{clients} clients wait while the server stops");
        if let Some(deadline) = self.waits_until {
            assert!(deadline > started, "a client waits until {deadline:?}, and it is {started:?}");
        }
        if clients == 0 {
            return;
        }
        self.count("client that waits for a key");
        for (queue, elements) in self.elements() {
            let there = self.server.service().world.waiting.waiting_for(0, queue.name().as_bytes());
            assert!(there == 0, "{there} clients wait for {queue:?}, which holds {elements:?}");
        }
    }

    /// What each queue holds, if it holds something.
    fn elements(&mut self) -> Vec<(Queue, Vec<String>)> {
        let now_ms = self.world.borrow().unix_ms;
        let store = &mut self.server.service().world.store;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        fault::aside(|| {
            store.select(0);
            let mut all = Vec::new();
            for queue in Queue::ALL {
                let key = queue.name().as_bytes();
                let elements: Vec<String> = match queue {
                    Queue::Pile => {
                        let pile = store.zset(key, now_ms).expect("it is a sorted set");
                        pile.into_iter()
                            .flat_map(|pile| pile.iter_from(0))
                            .map(|(member, _)| text(member))
                            .collect()
                    }
                    Queue::Jobs => {
                        let jobs = store.stream(key, now_ms).expect("it is a stream");
                        jobs.into_iter().flat_map(new_jobs).collect()
                    }
                    _ => {
                        let list = store.list(key, now_ms).expect("it is a list");
                        list.into_iter().flat_map(|list| list.iter_from(0)).map(text).collect()
                    }
                };
                if !elements.is_empty() {
                    all.push((queue, elements));
                }
            }
            all
        })
    }

    /// No element was lost, and none was taken twice.
    pub(super) fn check_queues(&mut self) {
        let stored: BTreeSet<String> =
            self.elements().into_iter().flat_map(|(_, elements)| elements).collect();
        self.board.check_queues(&self.clients, &self.world.borrow(), &stored);
    }
}
