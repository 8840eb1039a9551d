//! Scripts in Lua that clients send: what they call, and how they end.
//!
//! All of them have one text, which reads from its arguments what it is to do. So the interpreter compiles it once, clients
//! can ask for it by its name, and the same text is a function.

use std::sync::LazyLock;

use rand::RngExt;
use sha1_smol::Sha1;

use crate::frames;
use crate::groups::GroupOp;
use crate::model::{BULK_MAX, OK, Op, SHARED, TWINS, elsewhere};
use crate::queues::{Queue, QueueOp};
use crate::script::{Author, Step, step};
use crate::streams::StreamOp;

/// What the text does with each of its arguments: the first byte says what, and words follow it, each behind `\1`. `failed`
/// says for each protected call whether it has failed.
const BODY: &str = r"local r, failed = {}, ''
for _, line in ipairs(ARGV) do
local mode, w = string.sub(line, 1, 1), {}
for word in string.gmatch(line, '\1([^\1]*)') do w[#w + 1] = word end
if mode == 'c' then r[#r + 1] = redis.call(unpack(w))
elseif mode == 'p' then
local v = redis.pcall(unpack(w))
r[#r + 1] = v
failed = failed .. (type(v) == 'table' and v.err and '1' or '0')
elseif mode == 'l' then for _ = 1, tonumber(w[1]) do end
elseif mode == 'w' then
local wide = {}
for n = 1, 2500 do wide[n] = n end
r[#r + 1] = wide
elseif mode == 'r' then error({err = 'RAISED ' .. failed})
elseif mode == 'e' then while true do end
elseif mode == 'm' then
local s = {}
while true do s[#s + 1] = string.rep('x', 9000) .. #s end
end
end
return r
";

/// The numbers that [`Ending::ReturnsMuch`] adds to the answer.
pub static WIDE: LazyLock<String> = LazyLock::new(|| {
    let numbers: String = (1..=2500).map(|number| format!(":{number}\r\n")).collect();
    format!("*2500\r\n{numbers}")
});
/// The name of the text.
static SHA: LazyLock<String> = LazyLock::new(|| Sha1::from(BODY).digest().to_string());
/// A library with the text as a function.
static LIBRARY: LazyLock<String> = LazyLock::new(|| {
    format!("#!lua name=lib\nredis.register_function('f', function(KEYS, ARGV)\n{BODY}end)\n")
});

/// Most arguments of a script: a request has two besides the name of the command.
const LINES_MAX: usize = 12;
/// Most bytes of all of them.
const BYTES_MAX: usize = 2_400;
/// Databases from here on are each used by one client alone. It may empty them, and swap its two.
const OWN_DATABASES: u16 = 16;

/// Which scripts a run has.
#[derive(Clone, Copy, Debug)]
pub struct Scripts {
    /// There is a limit on their time, so some need not end by themselves.
    pub limited: bool,
    /// Others read `BUSY` while a script runs long, and may kill it.
    pub busy: bool,
    /// Changes of keys are told as events.
    pub events: bool,
}

/// A script.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Script {
    /// What it calls, in order. What a script calls that does not end by itself matters to nobody, and is not here.
    pub calls: Vec<Call>,
    pub ending: Ending,
    /// It is asked for by a name that the server may not know.
    pub is_named: bool,
}

/// A command that a script calls.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Call {
    pub op: Op,
    /// By `redis.pcall`, so that its error does not end the script.
    pub protected: bool,
}

/// How a script ends if nothing stops it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ending {
    /// It returns the replies.
    Returns,
    /// It returns so much besides that the server looks at the clock while it writes that.
    ReturnsMuch,
    /// It raises an error, which says which of its protected calls have failed.
    Raises,
    /// It never ends.
    NeverEnds,
    /// It wants more memory than there is.
    WantsAllMemory,
}

/// What a script is made of, while it is made.
#[derive(Default)]
struct Draft {
    calls: Vec<Call>,
    lines: Vec<String>,
}

impl Draft {
    fn has_room(&self, len: usize) -> bool {
        let bytes: usize = self.lines.iter().map(String::len).sum();
        self.lines.len() < LINES_MAX - 1 && len < BULK_MAX && bytes + len < BYTES_MAX
    }

    /// Adds a line, if there is room for it.
    fn say(&mut self, mode: char, words: &[String]) -> bool {
        let line: String =
            std::iter::once(mode.to_string()).chain(words.iter().map(|word| format!("\x01{word}"))).collect();
        let fits = self.has_room(line.len());
        if fits {
            self.lines.push(line);
        }
        fits
    }

    /// Adds what these requests do, if there is room for all of it.
    fn call_all(&mut self, steps: Vec<Step>, protected: bool) {
        let before = (self.calls.len(), self.lines.len());
        for step in steps {
            if !self.say(if protected { 'p' } else { 'c' }, &words_of(&step.request)) {
                self.calls.truncate(before.0);
                return self.lines.truncate(before.1);
            }
            self.calls.push(Call { op: step.op, protected });
        }
    }
}

/// The words of a request.
fn words_of(request: &[u8]) -> Vec<String> {
    let (frame, _) = frames::parse(request).expect("it is one request");
    frame.items().iter().map(|word| word.text().to_owned()).collect()
}

impl Author<'_> {
    /// Lets the client send a script, or do something about scripts.
    pub fn send_script(&mut self, scripts: Scripts, steps: &mut Vec<Step>) {
        match self.rng.random_range(0..40) {
            0..6 => return self.undo_kind(scripts, steps),
            6..13 if scripts.busy => return steps.push(step(&["SCRIPT", "KILL"], Op::KillScript)),
            _ if !self.knows_library || self.rng.random_bool(0.03) => {
                self.knows_library = true;
                let load = step(&["FUNCTION", "LOAD", "REPLACE", &LIBRARY], Op::LoadLibrary);
                steps.push(load);
            }
            _ => {}
        }
        if self.rng.random_bool(0.15) {
            return self.surround(scripts, steps);
        }
        let watched = self.rng.random_bool(0.1).then(|| self.key());
        if let Some(key) = &watched {
            steps.push(step(&["WATCH", key], Op::Watch(key.clone())));
        }
        steps.push(self.script(scripts));
        if watched.is_some() {
            // What was undone has not touched the key.
            steps.push(step(&["MULTI"], Op::Multi));
            steps.push(self.command());
            steps.push(step(&["EXEC"], Op::Exec));
        }
    }

    /// Sends a script between commands about what lives for a short time, which it may have changed.
    fn surround(&mut self, scripts: Scripts, steps: &mut Vec<Step>) {
        steps.extend(self.brief_pair());
        steps.push(self.field_command());
        steps.push(self.script(scripts));
        for _ in 0..2 {
            let [_, look] = self.brief_pair();
            steps.extend([look, self.field_command()]);
        }
    }

    fn script(&mut self, scripts: Scripts) -> Step {
        let doomed = scripts.limited && self.rng.random_bool(0.3);
        let (draft, ending) = if doomed { self.doomed() } else { self.sane(scripts) };
        self.request(draft, ending)
    }

    /// The request that runs a script.
    fn request(&mut self, mut draft: Draft, ending: Ending) -> Step {
        match ending {
            Ending::Returns => {}
            Ending::ReturnsMuch => draft.lines.push("w".to_owned()),
            Ending::Raises => draft.lines.push("r".to_owned()),
            Ending::NeverEnds => draft.lines.push("e".to_owned()),
            Ending::WantsAllMemory => draft.lines.push("m".to_owned()),
        }
        let (words, is_named) = match self.rng.random_range(0..10) {
            0..4 => (["EVALSHA", SHA.as_str(), "0"], true),
            4..7 => (["FCALL", "f", "0"], true),
            _ => (["EVAL", BODY, "0"], false),
        };
        let request: Vec<&str> = words.into_iter().chain(draft.lines.iter().map(String::as_str)).collect();
        step(&request, Op::Script(Box::new(Script { calls: draft.calls, ending, is_named })))
    }

    /// Works on values of one kind, perhaps on a large one, and sends a script that does the same and is undone.
    fn undo_kind(&mut self, scripts: Scripts, steps: &mut Vec<Step>) {
        type Hoard = fn(&mut Author<'_>, &mut Vec<Step>);
        type Command = fn(&mut Author<'_>) -> Step;
        let kinds: [(Hoard, Command); 7] = [
            (|author, steps| author.hoard(steps), |author| author.hash_command()),
            (|author, steps| author.hoard_elements(steps), |author| author.list_command()),
            (|author, steps| author.hoard_members(steps), |author| author.set_command()),
            (|author, steps| author.hoard_scores(steps), |author| author.zset_command()),
            (|author, steps| author.hoard_pending(steps), |author| author.stream_command()),
            (|author, steps| author.hoard_pending(steps), |author| author.group_command()),
            (|author, steps| steps.push(author.field_command()), |author| author.field_command()),
        ];
        let (hoard, command) = kinds[self.rng.random_range(0..kinds.len())];
        if self.rng.random_bool(0.6) {
            hoard(self, steps);
        }
        for _ in 0..self.rng.random_range(1..6) {
            steps.push(command(self));
        }
        let mut draft = Draft::default();
        for _ in 0..self.rng.random_range(1..LINES_MAX) {
            let step = command(self);
            draft.say('p', &words_of(&step.request));
        }
        let ending = if scripts.limited { Ending::NeverEnds } else { Ending::WantsAllMemory };
        steps.push(self.request(draft, ending));
        for _ in 0..self.rng.random_range(3..9) {
            steps.push(command(self));
        }
    }

    /// Gives a stream some entries and a group that has not acknowledged a few of them.
    fn hoard_pending(&mut self, steps: &mut Vec<Step>) {
        let key = format!("{}:x{}", self.name, self.rng.random_range(0..2));
        let mut push = |request: &[&str], op| steps.push(step(request, Op::Stream(key.clone(), op)));
        for _ in 0..4 {
            self.elements += 1;
            let id = self.elements as u64;
            push(&["XADD", &key, &format!("{id}-1"), "f", "v"], StreamOp::Add(id, "v".into()));
        }
        let group = |op| StreamOp::Group("g0".into(), op);
        push(&["XGROUP", "CREATE", &key, "g0", "0"], group(GroupOp::Create(false, false)));
        let request = ["XREADGROUP", "GROUP", "g0", "c0", "COUNT", "100", "STREAMS", &key, ">"];
        push(&request, group(GroupOp::Read("c0".into(), 100, false)));
    }

    /// A script that may end by itself.
    fn sane(&mut self, scripts: Scripts) -> (Draft, Ending) {
        // Of what lives for a short time the model must see each reply, so such a script does not fail.
        let shows_all = self.rng.random_bool(0.3);
        let ending = match self.rng.random_range(0..50) {
            0 => Ending::ReturnsMuch,
            1..12 if !shows_all => Ending::Raises,
            _ => Ending::Returns,
        };
        let mut draft = Draft::default();
        for _ in 0..self.rng.random_range(1..LINES_MAX) {
            if self.rng.random_bool(0.3) {
                self.dawdle(&mut draft);
            }
            let steps = self.scene(scripts, shows_all);
            let protected = shows_all || self.contents.scarce || self.rng.random_bool(0.6);
            draft.call_all(steps, protected);
        }
        (draft, ending)
    }

    /// A script that does not end by itself, so it must leave no trace, whatever it does.
    fn doomed(&mut self) -> (Draft, Ending) {
        let mut draft = Draft::default();
        for _ in 0..self.rng.random_range(1..LINES_MAX) {
            if self.rng.random_bool(0.2) {
                self.dawdle(&mut draft);
            }
            let words = self.outrage();
            draft.say('p', &words);
        }
        let wants_all = self.rng.random_bool(0.2);
        (draft, if wants_all { Ending::WantsAllMemory } else { Ending::NeverEnds })
    }

    /// Turns a loop for a while.
    fn dawdle(&mut self, draft: &mut Draft) {
        let turns = self.rng.random_range(200..6_000_u32).to_string();
        draft.say('l', &[turns]);
    }

    /// One command that a script may call and leave done, or a few that belong together.
    fn scene(&mut self, scripts: Scripts, shows_all: bool) -> Vec<Step> {
        let mut steps = Vec::new();
        match self.rng.random_range(0..24) {
            0..10 => steps.push(self.own_command()),
            10 | 11 => steps.push(self.put()),
            12 => steps.push(self.take_at_once()),
            13 | 14 => steps.push(self.publish()),
            15 => steps.push(self.change_copied()),
            16 => {
                let value = self.message();
                steps.push(step(&["SET", SHARED, &value, "GET"], Op::SetShared(value.clone())));
            }
            17 if shows_all => {
                let value = self.message();
                let set =
                    |(nth, key): (usize, &&str)| step(&["SET", key, &value], Op::SetTwin(nth, value.clone()));
                steps.extend(TWINS.iter().enumerate().map(set));
            }
            18 if shows_all => steps.extend(self.brief_pair()),
            19 if shows_all => steps.extend([self.field_command(), self.field_command()]),
            20 | 21 if scripts.events => self.eventful(&mut steps),
            22 | 23 if !self.contents.scarce => self.visit_own_databases(&mut steps),
            _ => steps.push(self.own_command()),
        }
        steps
    }

    /// A command about the client's own keys.
    fn own_command(&mut self) -> Step {
        match self.rng.random_range(0..9) {
            0 => self.hash_command(),
            1 => self.list_command(),
            2 => self.set_command(),
            3 => self.zset_command(),
            4 | 5 => self.stream_command(),
            _ => self.command(),
        }
    }

    /// Takes an element from a queue, if there is one. No script waits.
    fn take_at_once(&mut self) -> Step {
        let queue = [Queue::First, Queue::Second, Queue::Pile][self.rng.random_range(0..3)];
        let word = if queue == Queue::Pile { "ZPOPMIN" } else { "LPOP" };
        step(&[word, queue.name()], Op::Queue(QueueOp::Take(vec![queue], None)))
    }

    /// Works in the databases that the client has for itself: writes there, empties one, swaps the two, moves keys.
    fn visit_own_databases(&mut self, steps: &mut Vec<Step>) {
        let first = OWN_DATABASES + 2 * self.name as u16;
        let (db, other) = if self.rng.random_bool(0.5) { (first, first + 1) } else { (first + 1, first) };
        let (number, second, key) = (db.to_string(), other.to_string(), self.key());
        let select = |number: &str| step(&["SELECT", number], Op::Says(OK.into()));
        steps.push(select(&number));
        for _ in 0..self.rng.random_range(1..4) {
            let step = self.own_command();
            steps.push(Step { op: step.op.elsewhere(db), ..step });
        }
        match self.rng.random_range(0..5) {
            0 | 1 => steps.push(step(&["FLUSHDB"], Op::Flush(db))),
            2 | 3 => steps.push(step(&["SWAPDB", &number, &second], Op::Swap(db, other))),
            _ => {
                let op = Op::Move(elsewhere(db, &key), elsewhere(other, &key));
                steps.push(step(&["MOVE", &key, &second], op));
            }
        }
        steps.push(select("0"));
    }

    /// A command that nobody could allow others to see: it may do something to everybody's keys.
    fn outrage(&mut self) -> Vec<String> {
        let key = self.key();
        let queue = Queue::ALL[self.rng.random_range(0..4)].name();
        let copied = format!("copied:{}", self.rng.random_range(0..3));
        let event = format!("ev:undone.{}", self.name);
        let (brief, fields) = (format!("brief:{}:0", self.name), format!("fields:{}", self.name));
        let words: &[&str] = match self.rng.random_range(0..36) {
            0 => &["FLUSHALL"],
            1 => &["FLUSHDB", "ASYNC"],
            2 => &["SWAPDB", "0", "1"],
            3 => &["DEL", queue],
            4 => &["RPUSH", queue, "undone"],
            5 => &["ZADD", "pile", "0", "undone"],
            6 => &["XADD", "jobs", "*", "f", "undone"],
            7 => &["PUBLISH", "c0", "undone"],
            8 => &["SET", &copied, "undone"],
            9 => &["DEL", &copied],
            10 => &["RENAME", queue, &key],
            11 => &["SET", SHARED, "undone"],
            12 => &["SET", &event, "v"],
            13 => &["LPOP", queue],
            14 => &["EXPIRE", &key, "1000"],
            15 => &["PERSIST", &key],
            16 => &["PEXPIRE", &key, "0"],
            17 => &["MOVE", &key, "1"],
            18 => &["XGROUP", "DESTROY", "jobs", "workers"],
            19 => &["PERSIST", &brief],
            20 => &["SET", &brief, "undone"],
            21 => &["DEL", &brief, &fields],
            22 => &["HPEXPIRE", &fields, "100000000", "FIELDS", "2", "f0", "f1"],
            23 => &["HSET", &fields, "f0", "undone", "f2", "undone"],
            24 => &["HDEL", &fields, "f0", "f1"],
            _ => return words_of(&self.own_command().request),
        };
        words.iter().map(|word| (*word).to_owned()).collect()
    }
}
