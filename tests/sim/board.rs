//! The facts that clients' replies tell about other clients: messages, shared keys, kills. At the end of a run these
//! facts must agree.

use std::collections::{BTreeMap, BTreeSet};

use crate::client::{Client, Heard};
use crate::events::{self, label};
use crate::model::Op;
use crate::queues::{Queue, QueueOp};
use crate::state::Event;
use crate::world::World;

/// A message that was published, and what the publisher was told.
struct Post {
    by: usize,
    channel: String,
    count: i64,
}

/// Everything told so far.
#[derive(Default)]
pub struct Board {
    posts: BTreeMap<String, Post>,
    /// Who has killed whom: client, step, `CLIENT ID`.
    kills: Vec<(usize, usize, u64)>,
    /// What was written over what, in the shared key.
    links: Vec<(Option<String>, String)>,
    overwritten: Vec<Option<String>>,
    /// Elements that were put into queues, as their clients were told.
    put: BTreeSet<String>,
    /// Elements that were taken, and which client has them.
    taken: BTreeMap<String, usize>,
    /// The last element that a client took from a queue whose order is known, of those of each client.
    last_taken: BTreeMap<(usize, Queue, String), usize>,
}

impl Board {
    pub fn note(&mut self, by: usize, event: Event) {
        match event {
            Event::Published { channel, text, count, .. } => {
                self.posts.insert(text, Post { by, channel, count });
            }
            Event::Killed { step, id, count: 1 } => {
                assert!(
                    self.kills.iter().all(|(.., before)| *before != id),
                    "client id={id} was killed twice"
                );
                self.kills.push((by, step, id));
            }
            Event::Shared(before, after) => self.links.push((before, after)),
            Event::Put(elements) => self.put.extend(elements),
            Event::Took { element, queue, .. } => self.take(by, queue, element),
            Event::Overwritten(value) => self.overwritten.push(value),
            _ => {}
        }
    }

    /// A client has taken an element. Those of one client leave the first queue and the stream in the order in which they
    /// came.
    fn take(&mut self, by: usize, queue: Queue, element: String) {
        if matches!(queue, Queue::First | Queue::Jobs)
            && let Some((whose, number)) = element.split_once('.')
        {
            let number: usize = number.parse().expect("elements are numbered");
            let before = self.last_taken.insert((by, queue, whose.to_owned()), number);
            assert!(before < Some(number), "client {by} took {element} behind {before:?}");
        }
        let before = self.taken.insert(element.clone(), by);
        assert!(before.is_none(), "{element} was taken by client {before:?} and by client {by}");
    }

    /// An element that was put is in its queue, or one client has taken it. Only a client that was not told may have it
    /// without our knowing.
    pub fn check_queues(&self, clients: &[Client], world: &World, stored: &BTreeSet<String>) {
        let requests =
            |client: &Client| client.requests_within(client.pipe_of(world).map_or(0, |pipe| pipe.read_total));
        let mut sent = BTreeSet::new();
        let all = clients.iter().flat_map(|client| (0..requests(client)).flat_map(|step| client.deeds(step)));
        for op in all {
            if let Op::Queue(QueueOp::Put(_, elements)) = op {
                sent.extend(elements);
            }
        }
        for element in stored.iter().chain(self.taken.keys()) {
            assert!(sent.contains(element), "nobody has put {element}");
        }
        for element in self.taken.keys() {
            assert!(!stored.contains(element), "{element} was taken and is still there");
        }
        let lost = self.put.iter().filter(|it| !stored.contains(*it) && !self.taken.contains_key(*it));
        let untold = clients
            .iter()
            .flat_map(|client| client.untold(requests(client)).flat_map(|step| client.deeds(step)));
        let untold = untold.filter(|op| matches!(op, Op::Queue(QueueOp::Take(..)))).count();
        let lost: Vec<&String> = lost.collect();
        assert!(lost.len() <= untold, "{lost:?} were put and are not there; {untold} replies are unknown");
    }

    /// Clients that others were told to have closed.
    pub fn kills(&self) -> usize {
        self.kills.len()
    }

    /// Each value of the shared key was written over by one client at most, and by one if a transaction
    /// was stopped for that.
    pub fn check_shared(&self, clients: &[Client], world: &World) {
        let sent: Vec<&String> = clients.iter().flat_map(|client| sent_shared(client, world)).collect();
        let told: BTreeSet<&String> = self.links.iter().map(|(_, after)| after).collect();
        // A client may have written the value and not have read the reply.
        let untold = sent.iter().filter(|value| !told.contains(**value)).count();
        let mut before = BTreeSet::new();
        for (value, after) in &self.links {
            assert!(before.insert(value), "{value:?} was overwritten twice, the second time by {after:?}");
            assert!(value.as_ref().is_none_or(|value| sent.contains(&value)), "nobody has written {value:?}");
        }
        let missing =
            self.overwritten.iter().filter(|value| !before.contains(value)).collect::<BTreeSet<_>>();
        assert!(missing.len() <= untold, "a transaction did not run, but nobody has overwritten {missing:?}");
    }

    /// Every message that a client heard was published. All clients heard messages in one order. As many heard a message
    /// as its publisher was told, or fewer unless `all_delivered`.
    pub fn check_messages(&self, clients: &[Client], world: &World, all_delivered: bool, scarce: bool) {
        let mut counts: BTreeMap<&str, i64> = BTreeMap::new();
        let all = clients.iter().enumerate();
        let sent: BTreeMap<String, Sent> =
            all.flat_map(|(name, client)| sent_posts(name, client, world)).collect();
        for (name, client) in clients.iter().enumerate() {
            let mut last: BTreeMap<usize, (Place, &Heard)> = BTreeMap::new();
            for heard in &client.heard {
                *counts.entry(&heard.text).or_default() += 1;
                let Some(Sent { by, place, channel }) = sent.get(heard.text.as_str()) else {
                    panic!("client {name} heard what nobody has published: {}", heard.text)
                };
                assert_eq!(*channel, heard.channel, "client {name} heard it by the wrong channel");
                self.check_kill(name, client, *by, place.0, world);
                if let Some((before, earlier)) = last.insert(*by, (*place, heard)) {
                    assert!(before <= *place, "client {name} heard client {by} in the wrong order");
                    assert!(before < *place || heard.by_pattern, "client {name} heard a message twice");
                    if !scarce && before < *place && earlier.generation == heard.generation {
                        no_gap(name, &clients[*by], before, *place, &heard.channels);
                    }
                }
            }
        }
        for (text, post) in &self.posts {
            let count = counts.get(text.as_str()).copied().unwrap_or_default();
            assert!(
                count <= post.count,
                "{count} heard {text}, and client {} was told {}",
                post.by,
                post.count
            );
            assert!(
                !all_delivered || count == post.count,
                "{count} of {} heard {text} on {}",
                post.count,
                post.channel
            );
        }
        one_order_for_all(clients);
    }

    /// A client that was killed hears nothing of what its killer published afterwards.
    fn check_kill(&self, name: usize, client: &Client, by: usize, step: usize, world: &World) {
        let serial = client.pipe_of(world).and_then(|pipe| pipe.serial);
        let late = |kill: &(usize, usize, u64)| kill.0 == by && kill.1 < step && Some(kill.2) == serial;
        assert!(!self.kills.iter().any(late), "client {name} was killed and went on hearing");
    }
}

/// The values that a client has sent for the shared key.
fn sent_shared<'a>(client: &'a Client, world: &World) -> Vec<&'a String> {
    let read = client.pipe_of(world).map_or(0, |pipe| pipe.read_total);
    let ops = (0..client.requests_within(read)).flat_map(|step| client.deeds(step));
    ops.filter_map(|op| if let Op::SetShared(value) = op { Some(value) } else { None }).collect()
}

/// The number of a step, and that of a message among those of the step.
type Place = (usize, usize);

/// A message or an event that a client has caused.
struct Sent {
    by: usize,
    place: Place,
    channel: String,
}

/// The messages that a client has sent and the events that it has caused, by their labels.
fn sent_posts(name: usize, client: &Client, world: &World) -> Vec<(String, Sent)> {
    let read = client.pipe_of(world).map_or(0, |pipe| pipe.read_total);
    let posts = (0..client.requests_within(read)).flat_map(|step| posts_of(client, step));
    posts.map(|(place, channel, text)| (label(&channel, &text), Sent { by: name, place, channel })).collect()
}

/// The messages and events of a step, in the order in which they came about: place, channel and text.
fn posts_of(client: &Client, step: usize) -> Vec<(Place, String, String)> {
    let mut posts = Vec::new();
    for op in client.deeds(step) {
        match op {
            Op::Publish(channel, text) => posts.push((channel.clone(), text.clone())),
            Op::Tells(_, events) => {
                posts.extend(events.iter().flat_map(|(event, key)| events::channels(event, key)));
            }
            _ => {}
        }
    }
    let posts = posts.into_iter().enumerate();
    posts.map(|(nth, (channel, text))| ((step, nth), channel, text)).collect()
}

/// Between two messages of one publisher, the listener has missed none that went to one of its channels.
fn no_gap(name: usize, publisher: &Client, from: Place, to: Place, channels: &BTreeSet<String>) {
    for step in (from.0..=to.0).filter(|step| publisher.is_certain(*step)) {
        for (place, channel, text) in posts_of(publisher, step) {
            assert!(
                place <= from || place >= to || !channels.contains(&channel),
                "client {name} has not heard {text} on {channel}, but what came after it"
            );
        }
    }
}

/// Two clients that have heard the same messages have heard them in the same order.
fn one_order_for_all(clients: &[Client]) {
    let orders: Vec<Vec<&str>> = clients
        .iter()
        .map(|client| {
            let mut texts: Vec<&str> = client.heard.iter().map(|heard| heard.text.as_str()).collect();
            texts.dedup();
            texts
        })
        .collect();
    for (nth, one) in orders.iter().enumerate() {
        for other in &orders[nth + 1..] {
            let places: BTreeMap<&str, usize> =
                other.iter().enumerate().map(|(at, text)| (*text, at)).collect();
            let common: Vec<usize> = one.iter().filter_map(|text| places.get(text).copied()).collect();
            assert!(common.is_sorted(), "two clients heard the same in different orders");
        }
    }
}
