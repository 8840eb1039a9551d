//! The simulator is itself tested: deliberate mistakes are made in a copy of the sources, one at a
//! time, and each must be caught within a bounded number of seeds.
//!
//! `MUTANTS=1 cargo test --test mutants -- --nocapture` takes some minutes and prints a table;
//! `MUTANTS=name` makes one of them. A plain `cargo test` only checks that each mistake can still
//! be made, so that the list does not rot.

mod list;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use list::{MUTANTS, Mutant};

/// A mistake must be caught within this many seeds.
const SEEDS: u32 = 2_000;
/// Characters of the simulator's message that the table shows.
const HOW_CHARS_MAX: usize = 90;
/// A run that takes longer is stuck, which is a way of being caught.
const PATIENCE: Duration = Duration::from_secs(120);

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn every_mistake_can_still_be_made() {
    let mut lost = Vec::new();
    for Mutant { name, file, right, wrong } in MUTANTS {
        assert_ne!(right, wrong, "{name} is no mistake");
        let text = fs::read_to_string(root().join(file)).unwrap_or_default();
        if text.matches(right).count() != 1 {
            lost.push(format!("{name}: {file}"));
        }
    }
    assert!(lost.is_empty(), "these files have changed; find the places again: {lost:#?}");
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
    for part in ["src", "tests", "benches", "examples", "Cargo.toml", "Cargo.lock"] {
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
            let how: String = how.chars().take(HOW_CHARS_MAX).collect();
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
