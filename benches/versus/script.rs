//! Scripts: the requests that the generator sends, in either protocol, and the replies that it must get. The
//! requests are built before the measurement. The replies prove that a server has done its work.

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use sha1_smol::Sha1;

/// Most requests in a script: enough to name every key of a million keys once.
const REQUESTS_MAX: usize = 1 << 20;
/// About how many bytes the requests of a script may have at most.
const SCRIPT_BYTES_MAX: usize = 128 << 20;

/// The protocol that a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// The Redis protocol, version 2.
    Resp,
    /// The text protocol of memcached.
    Memcached,
}

/// The kind of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Asks whether the server is there.
    Ping,
    /// Reads a key, or an element of one.
    Get,
    /// Writes a key, or an element of one, that is there already.
    Set,
    /// As `Set`; an element with a score gets the score back that it had before.
    SetBack,
    /// Writes a key, or an element of one, that is not there yet.
    Add,
}

/// What the keys hold, or are part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Each key holds a string.
    Strings,
    /// The keys are fields of hashes, and each hash has so many.
    Fields(u32),
    /// The keys are members of sets, and each set has so many.
    Members(u32),
    /// The keys are members of sorted sets, and each has so many.
    Scores(u32),
    /// The keys are arguments of this Lua script, which `EVALSHA` runs. It must return 1.
    Lua(&'static str),
}

/// The keys that a server holds. They are numbered, and each has 16 bytes and a value that repeats the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dataset {
    /// Number of keys.
    pub keys: u32,
    /// Bytes of each value. A member has none.
    pub value_bytes: usize,
    /// What the keys hold.
    pub shape: Shape,
}

impl Dataset {
    /// A data set of keys that hold strings.
    pub const fn strings(keys: u32, value_bytes: usize) -> Dataset {
        Dataset { keys, value_bytes, shape: Shape::Strings }
    }

    /// Key number `number`.
    fn key(number: u32) -> [u8; 16] {
        numbered(*b"key:000000000000", number)
    }

    /// The key that holds element number `number`; `None` if the keys hold strings.
    fn whole(self, number: u32) -> Option<[u8; 16]> {
        let (Shape::Fields(size) | Shape::Members(size) | Shape::Scores(size)) = self.shape else {
            return None;
        };
        Some(numbered(*b"many:00000000000", number / size))
    }

    /// Bytes of a key and its value together.
    pub fn item_bytes(self) -> usize {
        Dataset::key(0).len() + self.value_bytes
    }

    /// Writes the value of key number `number` into `value`: the key again and again. So no two keys have the
    /// same value.
    fn value(self, number: u32, value: &mut Vec<u8>) {
        value.clear();
        let key = Dataset::key(number);
        while value.len() < self.value_bytes {
            let rest = self.value_bytes - value.len();
            value.extend_from_slice(&key[..rest.min(key.len())]);
        }
    }
}

/// Writes a number over the digits at the end of a name.
fn numbered(mut name: [u8; 16], number: u32) -> [u8; 16] {
    let mut rest = number;
    for digit in name.iter_mut().rev().take_while(|byte| byte.is_ascii_digit()) {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    name
}

impl Protocol {
    /// Appends a request to `out`. Memcached has only strings.
    fn request(self, verb: Verb, dataset: Dataset, number: u32, value: &[u8], out: &mut Vec<u8>) {
        let (key, whole) = (&Dataset::key(number)[..], dataset.whole(number).unwrap_or_default());
        let reads = verb == Verb::Get;
        match (self, verb) {
            (Protocol::Resp, Verb::Ping) => out.extend(b"*1\r\n$4\r\nPING\r\n"),
            (Protocol::Resp, _) => match dataset.shape {
                Shape::Lua(text) if reads => {
                    let name = Sha1::from(text).digest().to_string();
                    array(&[b"EVALSHA", name.as_bytes(), b"1", key, b"60000"], out);
                }
                Shape::Lua(text) => array(&[b"EVAL", text.as_bytes(), b"1", key, b"60000"], out),
                Shape::Strings if reads => array(&[b"GET", key], out),
                Shape::Strings => array(&[b"SET", key, value], out),
                Shape::Fields(_) if reads => array(&[b"HGET", &whole, key], out),
                Shape::Fields(_) => array(&[b"HSET", &whole, key, value], out),
                Shape::Members(_) if reads => array(&[b"SISMEMBER", &whole, key], out),
                Shape::Members(_) => array(&[b"SADD", &whole, key], out),
                Shape::Scores(_) if reads => array(&[b"ZSCORE", &whole, key], out),
                Shape::Scores(size) => {
                    array(&[b"ZADD", &whole, score(verb, number, size).as_bytes(), key], out);
                }
            },
            (Protocol::Memcached, Verb::Ping) => out.extend(b"mn\r\n"),
            (Protocol::Memcached, Verb::Get) => words(&[b"get ", key, b"\r\n"], out),
            (Protocol::Memcached, Verb::Set | Verb::SetBack | Verb::Add) => {
                let length = value.len().to_string();
                words(&[b"set ", key, b" 0 0 ", length.as_bytes(), b"\r\n", value, b"\r\n"], out);
            }
        }
    }

    /// Appends the reply to `out` that a request must get.
    fn reply(self, verb: Verb, dataset: Dataset, number: u32, value: &[u8], out: &mut Vec<u8>) {
        let key = &Dataset::key(number)[..];
        let length = value.len().to_string();
        let length = length.as_bytes();
        match (self, verb) {
            (Protocol::Resp, Verb::Ping) => out.extend(b"+PONG\r\n"),
            (Protocol::Resp, Verb::Get) => match dataset.shape {
                Shape::Strings | Shape::Fields(_) => words(&[b"$", length, b"\r\n", value, b"\r\n"], out),
                Shape::Members(_) | Shape::Lua(_) => out.extend(b":1\r\n"),
                Shape::Scores(size) => {
                    let score = score(Verb::Add, number, size);
                    words(
                        &[b"$", score.len().to_string().as_bytes(), b"\r\n", score.as_bytes(), b"\r\n"],
                        out,
                    );
                }
            },
            (Protocol::Resp, _) if dataset.shape == Shape::Strings => out.extend(b"+OK\r\n"),
            (Protocol::Resp, Verb::Add) => out.extend(b":1\r\n"),
            (Protocol::Resp, Verb::Set | Verb::SetBack) => out.extend(b":0\r\n"),
            (Protocol::Memcached, Verb::Ping) => out.extend(b"MN\r\n"),
            (Protocol::Memcached, Verb::Get) => {
                words(&[b"VALUE ", key, b" 0 ", length, b"\r\n", value, b"\r\nEND\r\n"], out);
            }
            (Protocol::Memcached, Verb::Set | Verb::SetBack | Verb::Add) => out.extend(b"STORED\r\n"),
        }
    }
}

/// The score that a request gives to element number `number`: the one of its number, or one that is anywhere among the
/// others. All scores have four digits, so that all batches have one length.
fn score(verb: Verb, number: u32, size: u32) -> String {
    let nth = number % size;
    (1_000 + if verb == Verb::Set { nth.wrapping_mul(7_919) % size } else { nth }).to_string()
}

/// Appends a request in RESP to `out`.
pub fn array(args: &[&[u8]], out: &mut Vec<u8>) {
    out.extend(format!("*{}\r\n", args.len()).as_bytes());
    for arg in args {
        let length = arg.len().to_string();
        words(&[b"$", length.as_bytes(), b"\r\n", arg, b"\r\n"], out);
    }
}

/// Appends all `words` to `out`.
fn words(words: &[&[u8]], out: &mut Vec<u8>) {
    words.iter().for_each(|word| out.extend_from_slice(word));
}

/// A long list of batches of equal length. A batch is a pipeline of requests, which a client sends together.
pub struct Script {
    protocol: Protocol,
    dataset: Dataset,
    /// The verb and the key number of each request.
    requests: Vec<(Verb, u32)>,
    /// The requests of all batches, one after the other.
    bytes: Vec<u8>,
    /// Number of requests in a batch.
    pub pipeline: usize,
    /// Bytes of a batch.
    pub batch_bytes: usize,
    /// Bytes of the replies to a batch.
    pub reply_bytes: usize,
}

/// Which requests a script mixes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mix {
    /// All requests have this verb.
    Only(Verb),
    /// Each batch has one `SET` at a random place. All other requests are `GET`.
    OneSet,
}

impl Script {
    /// A script that names every key once, in a seeded random order, unless that would make it too long.
    pub fn random(protocol: Protocol, dataset: Dataset, mix: Mix, pipeline: usize) -> Script {
        let mut rng = StdRng::seed_from_u64(u64::from(dataset.keys));
        let mut keys: Vec<u32> = (0..dataset.keys).collect();
        keys.shuffle(&mut rng);
        let most = REQUESTS_MAX.min(SCRIPT_BYTES_MAX / (64 + dataset.value_bytes)).max(pipeline);
        // With fewer keys than a batch has requests, keys are named again.
        let keys = keys.into_iter().cycle().take(most.min((dataset.keys as usize).max(pipeline)));
        let mut requests: Vec<(Verb, u32)> = match mix {
            Mix::Only(verb) => keys.map(|key| (verb, key)).collect(),
            Mix::OneSet => keys.map(|key| (Verb::Get, key)).collect(),
        };
        if matches!(dataset.shape, Shape::Scores(_)) && mix == Mix::Only(Verb::Set) {
            // Each score changes in each pass.
            let back: Vec<_> = requests.iter().map(|(_, key)| (Verb::SetBack, *key)).collect();
            requests.extend(back);
        }
        requests.truncate(requests.len() / pipeline * pipeline);
        if mix == Mix::OneSet {
            for batch in requests.chunks_mut(pipeline) {
                batch[rng.random_range(0..pipeline)].0 = Verb::Set;
            }
        }
        Script::of(protocol, dataset, requests, pipeline)
    }

    /// A script that stores every key from number `from` on once, in order.
    pub fn load(protocol: Protocol, dataset: Dataset, from: u32, pipeline: usize) -> Script {
        let requests = (from..dataset.keys).map(|key| (Verb::Add, key)).collect();
        Script::of(protocol, dataset, requests, pipeline)
    }

    /// A script of one `PING`, which is sent again and again.
    pub fn ping(protocol: Protocol) -> Script {
        let dataset = Dataset::strings(1, 0);
        Script::of(protocol, dataset, vec![(Verb::Ping, 0)], 1)
    }

    /// A script of these requests.
    fn of(protocol: Protocol, dataset: Dataset, requests: Vec<(Verb, u32)>, pipeline: usize) -> Script {
        assert!(
            !requests.is_empty() && requests.len().is_multiple_of(pipeline),
            "the last batch is not full"
        );
        let (mut bytes, mut value) = (Vec::new(), Vec::new());
        for &(verb, number) in &requests {
            dataset.value(number, &mut value);
            protocol.request(verb, dataset, number, &value, &mut bytes);
        }
        let batch_bytes = bytes.len() / (requests.len() / pipeline);
        let mut script = Script { protocol, dataset, requests, bytes, pipeline, batch_bytes, reply_bytes: 0 };
        script.reply_bytes = script.reply(0).len();
        script
    }

    /// Number of batches. After the last one, a client begins again.
    pub fn batches(&self) -> usize {
        self.requests.len() / self.pipeline
    }

    /// The requests of batch number `index`.
    pub fn batch(&self, index: usize) -> &[u8] {
        &self.bytes[index * self.batch_bytes..][..self.batch_bytes]
    }

    /// The replies that batch number `index` must get, byte for byte.
    pub fn reply(&self, index: usize) -> Vec<u8> {
        let (mut reply, mut value) = (Vec::with_capacity(self.reply_bytes), Vec::new());
        for &(verb, number) in &self.requests[index * self.pipeline..][..self.pipeline] {
            self.dataset.value(number, &mut value);
            self.protocol.reply(verb, self.dataset, number, &value, &mut reply);
        }
        reply
    }
}
