//! Two servers that should answer alike. If they do not, the commands are sent again, ever fewer of them, until each one that
//! is left is needed to show the difference.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::commands::start_redis;
use crate::harness::{Daemon, Guard, Wire};
use crate::strings::reply;

/// Most commands that are sent again in search of fewer, so that a search ends.
const AGAIN_MAX: usize = 400_000;

/// The words of a command.
pub type Words = Vec<Vec<u8>>;

/// Two servers that should answer alike.
pub trait Pair {
    type Command: Clone;

    /// Makes both as they were at the beginning.
    fn begin(&mut self);

    /// What ours answers, and the other one, as far as both must be alike.
    fn ask(&mut self, command: &Self::Command) -> [Vec<u8>; 2];

    /// The command as a person reads it.
    fn shown(command: &Self::Command) -> String;
}

/// Where servers differ.
#[derive(Debug, PartialEq)]
pub struct Difference<C> {
    /// From the beginning up to the command that both answer differently.
    pub commands: Vec<C>,
    pub replies: [Vec<u8>; 2],
}

/// Sends these commands from the beginning on, up to the first that both answer differently.
fn first_difference<P: Pair>(pair: &mut P, commands: &[P::Command]) -> Option<Difference<P::Command>> {
    pair.begin();
    for (nth, command) in commands.iter().enumerate() {
        let replies = pair.ask(command);
        if replies[0] != replies[1] {
            return Some(Difference { commands: commands[..=nth].to_vec(), replies });
        }
    }
    None
}

/// The fewest of these commands, by leaving out halves, quarters and so on down to single ones, that both still answer
/// differently. `None` if they do not do so when asked again.
pub fn shrink<P: Pair>(pair: &mut P, commands: &[P::Command]) -> Option<Difference<P::Command>> {
    let mut found = first_difference(pair, commands)?;
    let (mut part, mut sent) = (found.commands.len() / 2, commands.len());
    while part > 0 && sent < AGAIN_MAX {
        let (mut at, mut fewer) = (0, false);
        while at < found.commands.len() && sent < AGAIN_MAX {
            let end = (at + part).min(found.commands.len());
            let rest = [&found.commands[..at], &found.commands[end..]].concat();
            sent += rest.len();
            match first_difference(pair, &rest) {
                Some(less) => (found, fewer) = (less, true),
                None => at = end,
            }
        }
        // A single command may be needed no more once another one is left out.
        part = if part == 1 && fewer { 1 } else { part / 2 };
    }
    Some(found)
}

/// Sends `count` commands, each of which `next` makes, to both.
///
/// # Panics
/// If they answer differently; it says how to show that with few commands.
pub fn compare<P: Pair>(pair: &mut P, title: &str, count: usize, mut next: impl FnMut(&P) -> P::Command) {
    /// Commands that are shown if no few of them show the difference.
    const LAST: usize = 12;
    let mut past = Vec::new();
    pair.begin();
    for nth in 0..count {
        past.push(next(pair));
        let replies = pair.ask(&past[nth]);
        if replies[0] == replies[1] {
            continue;
        }
        let (heading, Difference { commands, replies }) = match shrink(pair, &past) {
            Some(found) => ("these commands show it", found),
            None => {
                let commands = past[past.len().saturating_sub(LAST)..].to_vec();
                ("it did not happen again; the last commands were", Difference { commands, replies })
            }
        };
        let shown: Vec<String> = commands.iter().map(P::shown).collect();
        let [ours, other] = replies.map(|reply| reply.escape_ascii().to_string());
        let shown = shown.join("\n");
        panic!("{title}, command {nth}; {heading}:\n{shown}\n  ours  {ours}\n  redis {other}");
    }
}

/// The seed of random commands: `SEED`, or 1.
pub fn seed() -> u64 {
    std::env::var("SEED").map_or(1, |text| text.parse().expect("a number"))
}

/// Tidegate and a redis-server, and a client of each.
pub struct Servers {
    pub ours: Wire,
    pub redis: Wire,
    _processes: (Daemon, Guard),
}

impl Servers {
    /// Starts both, and greets them in this version of the protocol.
    pub fn start(protocol: u8) -> Servers {
        let daemon = Daemon::start(&[]);
        let (process, redis, _) = start_redis(&[]);
        let mut servers = Servers { ours: daemon.connect(), redis, _processes: (daemon, process) };
        if protocol == 3 {
            for wire in [&mut servers.ours, &mut servers.redis] {
                reply(wire, &words("HELLO 3"));
            }
        }
        servers
    }

    /// Empties all databases of both, goes back to the first one, and runs these commands, none of which fails.
    pub fn begin(&mut self, commands: &[&str]) {
        for command in [&["SELECT 0", "FLUSHALL"], commands].concat() {
            for wire in [&mut self.ours, &mut self.redis] {
                assert!(!reply(wire, &words(command)).starts_with(b"-"), "{command}");
            }
        }
    }

    /// The replies of both to a command.
    pub fn ask(&mut self, words: &Words) -> [Vec<u8>; 2] {
        [reply(&mut self.ours, words), reply(&mut self.redis, words)]
    }
}

/// The words of a text without quotes.
pub fn words(text: &str) -> Words {
    text.split(' ').map(|word| word.as_bytes().to_vec()).collect()
}

/// A command as redis-cli takes it.
pub fn quoted(words: &Words) -> String {
    words.iter().map(|word| format!("\"{}\"", word.escape_ascii())).collect::<Vec<_>>().join(" ")
}

/// Two servers that are none. They answer `c` differently once they have heard `a` and then `b`.
#[derive(Default)]
struct Fakes {
    heard: String,
    /// They never forget: what has differed once will not do so again.
    forgetless: bool,
    asked: usize,
}

impl Pair for Fakes {
    type Command = char;

    fn begin(&mut self) {
        if !self.forgetless {
            self.heard.clear();
        }
    }

    fn ask(&mut self, command: &char) -> [Vec<u8>; 2] {
        self.asked += 1;
        match command {
            'a' if self.heard.is_empty() => self.heard.push('a'),
            'b' if self.heard == "a" => self.heard.push('b'),
            'c' if self.heard == "ab" => {
                if self.forgetless {
                    self.heard.push('c');
                }
                return [b"ours".to_vec(), b"other".to_vec()];
            }
            _ => {}
        }
        [Vec::new(), Vec::new()]
    }

    fn shown(command: &char) -> String {
        command.to_string()
    }
}

/// Many commands that have nothing to do with it, and the three that have, some of them several times.
fn noise() -> Vec<char> {
    let mut rng = StdRng::seed_from_u64(1);
    let mut noise: Vec<char> = (0..3_000).map(|_| char::from(rng.random_range(b'd'..b'z'))).collect();
    for (at, command) in
        [(7, 'b'), (99, 'c'), (700, 'a'), (701, 'a'), (2_000, 'b'), (2_900, 'c'), (2_950, 'c')]
    {
        noise[at] = command;
    }
    noise
}

#[test]
fn of_many_commands_those_are_left_that_show_a_difference() {
    let mut fakes = Fakes::default();
    let found = shrink(&mut fakes, &noise()).expect("they differ");
    assert_eq!(found.commands, ['a', 'b', 'c']);
    assert_eq!(found.replies, [b"ours".to_vec(), b"other".to_vec()]);
    assert!(fakes.asked < 40_000, "{} commands were sent", fakes.asked);
    assert_eq!(shrink(&mut fakes, &['b', 'a', 'c']), None);
}

#[test]
fn a_difference_is_told_with_the_commands_that_show_it() {
    let told = |forgetless| {
        let (mut commands, mut fakes) = (noise().into_iter(), Fakes { forgetless, ..Fakes::default() });
        let run = || compare(&mut fakes, "SEED=1", 3_000, |_| commands.next().expect("there are as many"));
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).expect_err("they differ");
        panic.downcast_ref::<String>().expect("a text").clone()
    };
    let text = "SEED=1, command 2900; these commands show it:\na\nb\nc\n  ours  ours\n  redis other";
    assert_eq!(told(false), text);
    assert!(
        told(true).starts_with("SEED=1, command 2900; it did not happen again; the last commands were:\n")
    );
}
