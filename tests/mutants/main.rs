//! The simulator is itself tested: deliberate mistakes are made in a copy of the sources, one at a
//! time, and each must be caught within a bounded number of seeds.
//!
//! `MUTANTS=1 cargo test --test mutants -- --nocapture` takes some minutes and prints a table;
//! `MUTANTS=name` makes one of them. A plain `cargo test` only checks that each mistake can still
//! be made, so that the list does not rot.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A mistake must be caught within so many seeds.
const SEEDS: u32 = 2_000;
/// A run that takes longer is stuck, which is a way of being caught.
const PATIENCE: Duration = Duration::from_secs(120);

/// Somebody writes `wrong` where `right` stands.
struct Mutant {
    name: &'static str,
    file: &'static str,
    right: &'static str,
    wrong: &'static str,
}

const fn mutant(name: &'static str, file: &'static str, right: &'static str, wrong: &'static str) -> Mutant {
    Mutant { name, file, right, wrong }
}

const MUTANTS: &[Mutant] = &[
    mutant(
        "the end of the input is taken for an empty socket",
        "src/reactor/transfer.rs",
        "match attempt(|| conn.socket.read(&mut room[..asked])) {\n                Did::Bytes(0) => conn.ending = Some(Reason::PeerClosed),",
        "match attempt(|| conn.socket.read(&mut room[..asked])) {\n                Did::Bytes(0) => conn.can_read = false,",
    ),
    mutant(
        "a short read means empty, whatever the edge said",
        "src/reactor/transfer.rs",
        "if N::SHORT_READ_MEANS_EMPTY && !conn.hides_more {",
        "if N::SHORT_READ_MEANS_EMPTY {",
    ),
    mutant(
        "an interrupted read is taken for an empty socket",
        "src/reactor/transfer.rs",
        "ErrorKind::Interrupted => {}",
        "ErrorKind::Interrupted => return Did::Blocked,",
    ),
    mutant(
        "no turn after a spent budget",
        "src/server/mod.rs",
        "conn.unserved = matches!(ended, Ended::Budget | Ended::Paused);",
        "conn.unserved = matches!(ended, Ended::Paused);",
    ),
    mutant(
        "no turn after a pause",
        "src/reactor/transfer.rs",
        "        self.note_dirty(slot);\n        self.note_turn(slot);\n",
        "        self.note_dirty(slot);\n",
    ),
    mutant(
        "no flush after a spent budget",
        "src/reactor/transfer.rs",
        "        self.note_dirty(slot);\n        self.note_turn(slot);\n",
        "        self.note_turn(slot);\n",
    ),
    mutant(
        "room to write is not remembered",
        "src/reactor/mod.rs",
        "conn.can_write |= writable;",
        "let _ = writable;",
    ),
    mutant(
        "a slot is freed while it is still queued for a flush",
        "src/reactor/ending.rs",
        "self.dirty.retain(stays);",
        "let _ = stays;",
    ),
    mutant(
        "a slot is freed while its deadline still runs",
        "src/reactor/ending.rs",
        "for list in [&mut self.idle, &mut self.request, &mut self.stalled, &mut self.linger] {",
        "for list in [&mut self.idle, &mut self.request, &mut self.linger] {",
    ),
    mutant(
        "the account of a freed connection's buffers is kept",
        "src/reactor/ending.rs",
        "self.held -= conn.held;",
        "",
    ),
    mutant(
        "one client more than maxclients",
        "src/reactor/admission.rs",
        "self.serving < config.maxclients as usize",
        "self.serving <= config.maxclients as usize",
    ),
    mutant(
        "the cap forgets whoever left through an error",
        "src/reactor/ending.rs",
        "        self.serving -= usize::from(std::mem::take(&mut conn.counted));\n        conn.phase = Phase::Doomed(reason);",
        "        conn.phase = Phase::Doomed(reason);",
    ),
    mutant(
        "newcomers past a tick's budget are forgotten",
        "src/reactor/admission.rs",
        "                    AcceptError::Next => {}",
        "                    AcceptError::Next => self.admission.can_accept[listener as usize] = false,",
    ),
    mutant(
        "no retry after descriptors ran out",
        "src/reactor/admission.rs",
        "let retry_at = now.plus_ms(config.bounds.accept_retry_ms);",
        "let retry_at = now.plus_ms(u64::MAX / 2 + config.bounds.accept_retry_ms);",
    ),
    mutant(
        "a sweep forgets the newest",
        "src/reactor/recency.rs",
        "        let (slot, _) = self.oldest()?;\n        (self",
        "        let (slot, _) = self.oldest()?;\n        if self.head == self.tail {\n            return None;\n        }\n        (self",
    ),
    mutant(
        "any byte renews the clock of a half request",
        "src/reactor/mod.rs",
        "} else if is_new || !self.request.contains(slot) {",
        "} else if is_new || self.idle.contains(slot) {",
    ),
    mutant(
        "a half header is not on the clock",
        "src/service/turn.rs",
        "let begun = parser.is_mid_request() || rest.len() > consumed;",
        "let begun = parser.is_mid_request();",
    ),
    mutant(
        "the fence keeps the half reply",
        "src/server/mod.rs",
        "conn.output.truncate(progress.output);",
        "",
    ),
    mutant(
        "a command commits before it replies",
        "src/service/strings.rs",
        "    cx.reply.int(1);\n    cx.store.commit(entry, Expiry::Never);",
        "    cx.store.commit(entry, Expiry::Never);\n    cx.reply.int(1);",
    ),
    mutant(
        "a drain drops queued output",
        "src/reactor/ending.rs",
        "        conn.input.clear();\n",
        "        conn.input.clear();\n        if reason == Reason::Drained {\n            conn.output.clear();\n        }\n",
    ),
    mutant(
        "the last read of a drain is not answered",
        "src/server/drain.rs",
        "                self.read_to_the_end(slot);\n",
        "                self.reactor.receive(slot, self.now.at, &self.config, &mut self.stats);\n                if let Some(conn) = self.reactor.conn(slot) {\n                    conn.input.clear();\n                }\n",
    ),
    mutant(
        "a drain whose last client was just released goes on",
        "src/server/drain.rs",
        "            // Perhaps that was everybody.\n            self.stage =\n                self.stage.settle(self.now.at, self.reactor.live(), self.config.bounds.drain_close_ms);\n",
        "",
    ),
    mutant(
        "no lingering: a close with unread input eats the last reply",
        "src/reactor/ending.rs",
        "        conn.phase = Phase::Lingering(reason);\n",
        "        conn.phase = Phase::Lingering(reason);\n        if reason != Reason::AtCapacity {\n            return self.doom(slot, reason);\n        }\n",
    ),
    mutant(
        "a paused client that finishes is not drained of its input",
        "src/reactor/ending.rs",
        "        self.note_turn(slot);\n",
        "",
    ),
    mutant(
        "a skipped request leaves its last two bytes in the stream",
        "src/resp/request.rs",
        "                self.at = At::Payload { left, len: 0 };\n",
        "                self.at = At::Payload { left, len: 2 };\n",
    ),
    mutant(
        "a buffer is taken back with a byte in it",
        "src/reactor/pool.rs",
        "        if buf.is_empty() {\n            self.take_back(buf);",
        "        if buf.len() < 2 {\n            self.take_back(buf);",
    ),
    mutant(
        "a client is silent and is told of as one that left",
        "src/reactor/ending.rs",
        "self.finish(slot, Reason::Idle);",
        "self.finish(slot, Reason::PeerClosed);",
    ),
    mutant(
        "whoever was left over waits until nobody comes",
        "src/reactor/mod.rs",
        "        turns.append(&mut self.resume);\n",
        "        if turns.is_empty() {\n            turns.append(&mut self.resume);\n        }\n",
    ),
    mutant(
        "a refusal without memory for its line waits for it to be taken",
        "src/reactor/admission.rs",
        "            if says_why {\n",
        "            if says_why || self.serving > 0 {\n",
    ),
    mutant(
        "a turn without memory leaves its half request to the next client",
        "src/service/turn.rs",
        "if !matches!(step, Step::Incomplete { .. }) {",
        "if !matches!(step, Step::Incomplete { .. }) || parser.is_mid_request() {",
    ),
    mutant(
        "a reply has no room that is certain",
        "src/service/turn.rs",
        "turn.output.reserve(REPLY_HEADROOM_BYTES)",
        "turn.output.reserve(REPLY_HEADROOM_BYTES / 1024)",
    ),
    mutant(
        "the last read of a drain reads nothing",
        "src/server/drain.rs",
        "            self.receive(slot);\n",
        "",
    ),
    mutant("what was read ahead outlives its turn", "src/service/turn.rs", "        batch.clear();\n", ""),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn every_mistake_can_still_be_made() {
    for Mutant { name, file, right, wrong } in MUTANTS {
        let text = fs::read_to_string(root().join(file)).unwrap();
        assert_eq!(text.matches(right).count(), 1, "{name}: {file} has changed; find the place again");
        assert_ne!(right, wrong);
    }
}

#[test]
fn every_mistake_is_caught_by_the_simulator() {
    let Ok(wanted) = std::env::var("MUTANTS") else {
        let _ = writeln!(std::io::stderr(), "SKIPPED the mutants: they take minutes; set MUTANTS=1");
        return;
    };
    let tree = root().join("target/mutants/tree");
    let mut missed = Vec::new();
    println!("{:60} caught", "mistake");
    for mutant in MUTANTS.iter().filter(|mutant| wanted == "1" || mutant.name.contains(&wanted)) {
        let verdict = judge(mutant, &tree);
        println!("{:60} {}", mutant.name, verdict.as_deref().unwrap_or("NOT AT ALL"));
        if verdict.is_none() {
            missed.push(mutant.name);
        }
    }
    assert!(missed.is_empty(), "not caught within {SEEDS} seeds: {missed:#?}");
}

/// Makes the mistake in a copy of the sources and says how the simulator caught it.
fn judge(mutant: &Mutant, tree: &Path) -> Option<String> {
    let _ = fs::remove_dir_all(tree);
    for part in ["src", "tests", "benches", "Cargo.toml", "Cargo.lock"] {
        copy(&root().join(part), &tree.join(part));
    }
    let file = tree.join(mutant.file);
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replacen(mutant.right, mutant.wrong, 1)).unwrap();
    let cargo = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO"));
        command.args(["test", "--quiet", "--test", "sim"]).args(arguments).current_dir(tree);
        command.env("CARGO_TARGET_DIR", root().join("target/mutants/build"));
        command.env("SEEDS", SEEDS.to_string()).env("RUST_BACKTRACE", "0");
        command
    };
    let built = cargo(&["--no-run"]).output().unwrap();
    let errors = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "{} does not compile:\n{errors}", mutant.name);

    let output = tree.join("output");
    let sink = fs::File::create(&output).unwrap();
    let mut run = cargo(&["every_seed"]);
    run.stdin(Stdio::null()).stdout(sink.try_clone().unwrap()).stderr(sink);
    let mut child = run.spawn().unwrap();
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break Some(status);
        }
        if started.elapsed() > PATIENCE {
            // Cargo and the test it runs; both are ours.
            let _ = Command::new("pkill").args(["-P", &child.id().to_string()]).status();
            let _ = child.kill();
            let _ = child.wait();
            break None;
        }
        std::thread::park_timeout(Duration::from_millis(20));
    };
    match status {
        None => Some("it got stuck".to_owned()),
        Some(status) if status.success() => None,
        Some(_) => {
            let text = fs::read_to_string(&output).unwrap_or_default();
            let word =
                |line: &str| line.strip_prefix("seed ")?.split_once(" failed").map(|(n, _)| n.to_owned());
            let seed = text.lines().find_map(word);
            let reason = text.lines().skip_while(|line| !line.contains("panicked at")).nth(1);
            let how = reason.unwrap_or_default().trim_start_matches("assertion `left == right` failed: ");
            Some(format!("at seed {}: {how}", seed.unwrap_or_else(|| "?".to_owned())))
        }
    }
}

fn copy(from: &Path, to: &PathBuf) {
    if from.is_dir() {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            if entry.file_name() == "target" {
                continue;
            }
            copy(&entry.path(), &to.join(entry.file_name()));
        }
    } else {
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from, to).unwrap();
    }
}
