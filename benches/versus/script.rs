//! What the generator says and what it must hear: requests built beforehand, in the words of either
//! protocol, and the replies that prove that a server has done its work.

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

/// Requests in a script at most: enough that one pass touches every key of the large data set.
const REQUESTS_MAX: usize = 1 << 20;
/// Bytes of requests in a script at most.
const SCRIPT_BYTES_MAX: usize = 128 << 20;

/// How to talk to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Resp,
    Memcached,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    Ping,
    Get,
    Set,
    /// Sets what is not there yet.
    Add,
}

/// The keys a server holds: numbered, each of 16 bytes, each with a value that tells its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dataset {
    pub keys: u32,
    pub value_bytes: usize,
    /// If not 0, the keys are fields of hashes, so many in each hash.
    pub fields: u32,
}

impl Dataset {
    /// Keys of their own.
    pub const fn strings(keys: u32, value_bytes: usize) -> Dataset {
        Dataset { keys, value_bytes, fields: 0 }
    }

    fn key(number: u32) -> [u8; 16] {
        numbered(*b"key:000000000000", number)
    }

    /// The hash that holds a field.
    fn hash(self, number: u32) -> Option<[u8; 16]> {
        Some(numbered(*b"hash:00000000000", number.checked_div(self.fields)?))
    }

    /// Length of a key and its value.
    pub fn item_bytes(self) -> usize {
        Dataset::key(0).len() + self.value_bytes
    }

    /// The key's digits over and over: no two keys have the same value.
    fn value(self, number: u32, value: &mut Vec<u8>) {
        value.clear();
        let key = Dataset::key(number);
        while value.len() < self.value_bytes {
            let rest = self.value_bytes - value.len();
            value.extend_from_slice(&key[..rest.min(key.len())]);
        }
    }
}

/// Writes a number over the last digits of a name.
fn numbered(mut name: [u8; 16], number: u32) -> [u8; 16] {
    let mut rest = number;
    for digit in name.iter_mut().rev().take_while(|byte| byte.is_ascii_digit()) {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    name
}

impl Protocol {
    /// Memcached has no hashes, so it is never asked for a field.
    fn request(self, verb: Verb, hash: Option<&[u8]>, key: &[u8], value: &[u8], out: &mut Vec<u8>) {
        match (self, verb) {
            (Protocol::Resp, Verb::Ping) => out.extend(b"*1\r\n$4\r\nPING\r\n"),
            (Protocol::Resp, Verb::Get) => match hash {
                Some(hash) => array(&[b"HGET", hash, key], out),
                None => array(&[b"GET", key], out),
            },
            (Protocol::Resp, Verb::Set | Verb::Add) => match hash {
                Some(hash) => array(&[b"HSET", hash, key, value], out),
                None => array(&[b"SET", key, value], out),
            },
            (Protocol::Memcached, Verb::Ping) => out.extend(b"mn\r\n"),
            (Protocol::Memcached, Verb::Get) => words(&[b"get ", key, b"\r\n"], out),
            (Protocol::Memcached, Verb::Set | Verb::Add) => {
                let length = value.len().to_string();
                words(&[b"set ", key, b" 0 0 ", length.as_bytes(), b"\r\n", value, b"\r\n"], out);
            }
        }
    }

    fn reply(self, verb: Verb, is_field: bool, key: &[u8], value: &[u8], out: &mut Vec<u8>) {
        let length = value.len().to_string();
        let length = length.as_bytes();
        match (self, verb) {
            (Protocol::Resp, Verb::Ping) => out.extend(b"+PONG\r\n"),
            (Protocol::Resp, Verb::Get) => words(&[b"$", length, b"\r\n", value, b"\r\n"], out),
            (Protocol::Resp, Verb::Set) if is_field => out.extend(b":0\r\n"),
            (Protocol::Resp, Verb::Add) if is_field => out.extend(b":1\r\n"),
            (Protocol::Resp, Verb::Set | Verb::Add) => out.extend(b"+OK\r\n"),
            (Protocol::Memcached, Verb::Ping) => out.extend(b"MN\r\n"),
            (Protocol::Memcached, Verb::Get) => {
                words(&[b"VALUE ", key, b" 0 ", length, b"\r\n", value, b"\r\nEND\r\n"], out);
            }
            (Protocol::Memcached, Verb::Set | Verb::Add) => out.extend(b"STORED\r\n"),
        }
    }
}

/// A request in RESP.
pub fn array(args: &[&[u8]], out: &mut Vec<u8>) {
    out.extend(format!("*{}\r\n", args.len()).as_bytes());
    for arg in args {
        let length = arg.len().to_string();
        words(&[b"$", length.as_bytes(), b"\r\n", arg, b"\r\n"], out);
    }
}

fn words(words: &[&[u8]], out: &mut Vec<u8>) {
    words.iter().for_each(|word| out.extend_from_slice(word));
}

/// A long list of batches of equal length. A batch is what one write sends: a pipeline of requests.
pub struct Script {
    protocol: Protocol,
    dataset: Dataset,
    requests: Vec<(Verb, u32)>,
    bytes: Vec<u8>,
    /// Requests in a batch.
    pub pipeline: usize,
    /// Length of a batch.
    pub batch_bytes: usize,
    /// Length of the replies to a batch.
    pub reply_bytes: usize,
}

/// Which verbs a script says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mix {
    Only(Verb),
    /// In each batch one `SET`, at any place, and the rest `GET`.
    OneSet,
}

impl Script {
    /// Every key once, in a seeded random order, as far as a script may be long.
    pub fn random(protocol: Protocol, dataset: Dataset, mix: Mix, pipeline: usize) -> Script {
        let mut rng = StdRng::seed_from_u64(u64::from(dataset.keys));
        let mut keys: Vec<u32> = (0..dataset.keys).collect();
        keys.shuffle(&mut rng);
        let most = REQUESTS_MAX.min(SCRIPT_BYTES_MAX / (64 + dataset.value_bytes)).max(pipeline);
        // A small data set is gone over again until a batch is full.
        let keys = keys.into_iter().cycle().take(most.min((dataset.keys as usize).max(pipeline)));
        let mut requests: Vec<(Verb, u32)> = match mix {
            Mix::Only(verb) => keys.map(|key| (verb, key)).collect(),
            Mix::OneSet => keys.map(|key| (Verb::Get, key)).collect(),
        };
        requests.truncate(requests.len() / pipeline * pipeline);
        if mix == Mix::OneSet {
            for batch in requests.chunks_mut(pipeline) {
                batch[rng.random_range(0..pipeline)].0 = Verb::Set;
            }
        }
        Script::of(protocol, dataset, requests, pipeline)
    }

    /// Sets every key from `from` on once, in order.
    pub fn load(protocol: Protocol, dataset: Dataset, from: u32, pipeline: usize) -> Script {
        let requests = (from..dataset.keys).map(|key| (Verb::Add, key)).collect();
        Script::of(protocol, dataset, requests, pipeline)
    }

    /// The same request over and over.
    pub fn ping(protocol: Protocol) -> Script {
        let dataset = Dataset::strings(1, 0);
        Script::of(protocol, dataset, vec![(Verb::Ping, 0)], 1)
    }

    fn of(protocol: Protocol, dataset: Dataset, requests: Vec<(Verb, u32)>, pipeline: usize) -> Script {
        assert!(!requests.is_empty() && requests.len().is_multiple_of(pipeline), "batches are full");
        let (mut bytes, mut value) = (Vec::new(), Vec::new());
        for &(verb, number) in &requests {
            dataset.value(number, &mut value);
            let hash = dataset.hash(number);
            protocol.request(
                verb,
                hash.as_ref().map(|hash| &hash[..]),
                &Dataset::key(number),
                &value,
                &mut bytes,
            );
        }
        let batch_bytes = bytes.len() / (requests.len() / pipeline);
        let mut script = Script { protocol, dataset, requests, bytes, pipeline, batch_bytes, reply_bytes: 0 };
        script.reply_bytes = script.reply(0).len();
        script
    }

    /// How many batches there are before it begins again.
    pub fn batches(&self) -> usize {
        self.requests.len() / self.pipeline
    }

    /// What is sent for a batch.
    pub fn batch(&self, index: usize) -> &[u8] {
        &self.bytes[index * self.batch_bytes..][..self.batch_bytes]
    }

    /// What must come back for it, to the byte.
    pub fn reply(&self, index: usize) -> Vec<u8> {
        let (mut reply, mut value) = (Vec::with_capacity(self.reply_bytes), Vec::new());
        for &(verb, number) in &self.requests[index * self.pipeline..][..self.pipeline] {
            self.dataset.value(number, &mut value);
            let is_field = self.dataset.fields > 0;
            self.protocol.reply(verb, is_field, &Dataset::key(number), &value, &mut reply);
        }
        reply
    }
}
