//! Keyspace events: what the scripts do to keys that are theirs alone, and the events that this must have.
//!
//! Each of these keys is created, changed and removed once, so an event with its key says which request it came from.

use rand::RngExt;

use crate::model::{OK, Op, bulk, int};
use crate::script::{Author, Step, step};

/// The channels to which an event of `key` is published.
pub fn channels(event: &str, key: &str) -> [(String, String); 2] {
    [(format!("__keyspace@0__:{key}"), event.to_owned()), (format!("__keyevent@0__:{event}"), key.to_owned())]
}

/// True if a message of this channel is about an event of the scripts' keys.
pub fn is_ours(channel: &str, text: &str) -> bool {
    match channel.strip_prefix("__key") {
        Some(rest) => rest.starts_with("space@0__:ev:") || text.starts_with("ev:"),
        None => true,
    }
}

/// What names a message: the text of one that a client has published, and the channel as well for an event.
pub fn label(channel: &str, text: &str) -> String {
    if channel.starts_with("__key") { format!("{channel} {text}") } else { text.to_owned() }
}

/// What listeners subscribe to; the patterns come last.
pub const CHANNELS: [&str; 4] =
    ["__keyevent@0__:del", "__keyevent@0__:set", "__keyevent@0__:rename_to", "__keyevent@0__:rpush"];
pub const PATTERNS: [&str; 2] = ["__keyspace@0__:ev:*", "__keyevent@0__:*"];

/// A request about a key, its reply, and its events.
type Scene<'a> = (&'a [&'a str], String, &'a [&'a str]);

impl Author<'_> {
    /// The life of a key.
    pub fn eventful(&mut self, steps: &mut Vec<Step>) {
        self.elements += 1;
        let key = format!("ev:{}.{}", self.name, self.elements);
        let (k, one) = (key.as_str(), int(1));
        let lives: [&[Scene<'_>]; 9] = [
            &[
                (&["SET", k, "v", "EX", "1000000000"], OK.to_owned(), &["set", "expire"]),
                (&["PERSIST", k], one.clone(), &["persist"]),
                (&["APPEND", k, "w"], int(2), &["append"]),
                (&["GETDEL", k], bulk("vw"), &["del"]),
            ],
            &[
                (&["INCRBY", k, "7"], int(7), &["incrby"]),
                (&["SETNX", k, "v"], int(0), &[]),
                (&["EXPIRE", k, "1000000000"], one.clone(), &["expire"]),
                (&["UNLINK", k], one.clone(), &["del"]),
            ],
            &[
                (&["RPUSH", k, "a"], one.clone(), &["rpush"]),
                (&["RPOP", k], bulk("a"), &["rpop", "del"]),
                (&["RPOP", k], "$-1\r\n".to_owned(), &[]),
            ],
            &[
                (&["HSET", k, "f", "v"], one.clone(), &["hset"]),
                (&["HDEL", k, "g"], int(0), &[]),
                (&["HDEL", k, "f"], one.clone(), &["hdel", "del"]),
            ],
            &[
                (&["SADD", k, "a"], one.clone(), &["sadd"]),
                (&["SREM", k, "a"], one.clone(), &["srem", "del"]),
            ],
            &[
                (&["ZADD", k, "1", "a"], one.clone(), &["zadd"]),
                (&["ZINCRBY", k, "1", "a"], bulk("2"), &["zincr"]),
                (&["ZREM", k, "a"], one.clone(), &["zrem", "del"]),
            ],
            &[
                (&["XADD", k, "1-1", "f", "v"], bulk("1-1"), &["xadd"]),
                (&["XGROUP", "CREATE", k, "g", "0"], OK.to_owned(), &["xgroup-create"]),
                (&["XDEL", k, "1-1"], one.clone(), &["xdel"]),
                (&["DEL", k], one.clone(), &["del"]),
            ],
            &[
                (&["SETRANGE", k, "0", "v"], one.clone(), &["setrange"]),
                (&["DEL", k, "nobody's"], one.clone(), &["del"]),
                (&["DEL", k], int(0), &[]),
            ],
            &[],
        ];
        let life = lives[self.rng.random_range(0..lives.len())];
        for (request, reply, events) in life {
            let events = events.iter().map(|event| ((*event).to_owned(), key.clone())).collect();
            steps.push(step(request, Op::Tells(reply.clone(), events)));
        }
        if life.is_empty() {
            self.renamed(&key, steps);
        }
    }

    fn renamed(&mut self, key: &str, steps: &mut Vec<Step>) {
        let to = format!("{key}'");
        let mut push = |request: &[&str], reply: &str, events: &[(&str, &str)]| {
            let events = events.iter().map(|(event, key)| ((*event).to_owned(), (*key).to_owned()));
            steps.push(step(request, Op::Tells(reply.to_owned(), events.collect())));
        };
        push(&["SET", key, "v"], OK, &[("set", key)]);
        push(&["RENAME", key, &to], OK, &[("rename_from", key), ("rename_to", &to)]);
        push(&["COPY", &to, key], ":1\r\n", &[("copy_to", key)]);
        push(&["DEL", &to, key], ":2\r\n", &[("del", &to), ("del", key)]);
    }
}
