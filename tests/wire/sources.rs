//! Reads the sources and checks the imports between the rooms, because a diagram that no test checks becomes wrong.

use std::path::{Path, PathBuf};

/// What each room may import, itself excepted.
const ARROWS: &[(&str, &[&str])] = &[
    ("allocator", &[]),
    ("base", &[]),
    ("config", &["base"]),
    ("stage", &["base"]),
    ("stats", &["base", "stage"]),
    ("fence", &[]),
    ("logging", &["config"]),
    ("process", &["config"]),
    ("resp", &["base"]),
    ("store", &["base"]),
    ("rdb", &["base"]),
    ("script", &["base", "resp"]),
    ("reactor", &["base", "config", "stats"]),
    ("service", &["base", "config", "stats", "resp", "store", "rdb", "script"]),
    ("server", &["base", "config", "stats", "stage", "fence", "logging", "reactor", "service"]),
];

fn sources(dir: &Path, all: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, all);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            all.push(path);
        }
    }
}

/// Path below `src` and text of each source file, without its unit tests.
fn files() -> Vec<(String, String)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    sources(&src, &mut paths);
    paths
        .into_iter()
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default().to_owned();
            (path.strip_prefix(&src).unwrap().to_str().unwrap().to_owned(), code)
        })
        .collect()
}

#[test]
fn rooms_import_only_what_the_arrows_allow() {
    for (path, code) in files() {
        let room = path.split(['/', '.']).next().unwrap();
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == room) else {
            assert!(["lib", "main"].contains(&room), "{room} is a room without arrows");
            continue;
        };
        for rest in code.split("crate::").skip(1) {
            let imported: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            let known = imported == room || allowed.contains(&imported.as_str());
            assert!(known, "{path} imports {imported}, which the arrows forbid");
        }
    }
}

#[test]
fn what_belongs_to_one_file_stays_there() {
    for (word, homes) in [
        ("mio::", &["reactor/os/"][..]),
        ("mlua", &["script/"][..]),
        ("signal_hook", &["reactor/os/"][..]),
        ("Instant", &["reactor/os/"][..]),
        ("SystemTime", &["reactor/os/"][..]),
        ("TcpStream", &["reactor/os/"][..]),
        ("catch_unwind", &["fence.rs"][..]),
        ("allow(unsafe_code)", &["store/prefetch.rs", "allocator.rs", "script/stack.rs"]),
        ("unsafe {", &["store/prefetch.rs", "allocator.rs", "script/stack.rs"]),
        ("unsafe fn", &["nowhere"][..]),
        ("unsafe impl", &["nowhere"][..]),
    ] {
        for (path, code) in files() {
            let code: String = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
            assert!(
                homes.iter().any(|home| path.starts_with(home)) || !code.contains(word),
                "{path} names {word}, which belongs to {homes:?}"
            );
        }
    }
}

#[test]
fn every_file_says_what_it_is_for() {
    for (path, code) in files() {
        assert!(code.starts_with("//!"), "{path} does not open with what it is for");
    }
}

/// Longest file, lines of code without its unit tests.
const FILE_LINES_MAX: usize = 400;
/// Longest function, lines.
const FUNCTION_LINES_MAX: usize = 60;

#[test]
fn files_and_functions_stay_short() {
    for (path, code) in files().into_iter().filter(|(path, _)| !path.contains("tests")) {
        let lines: Vec<&str> = code.lines().collect();
        assert!(lines.len() <= FILE_LINES_MAX, "{path} has {} lines: find its second noun", lines.len());
        for (first, line) in lines.iter().enumerate() {
            let indent = line.len() - line.trim_start().len();
            let words = line.trim_start().trim_start_matches("pub ").trim_start_matches("(super) ");
            if !["fn ", "const fn ", "pub(super) fn ", "pub(crate) fn "]
                .iter()
                .any(|begin| words.starts_with(begin))
            {
                continue;
            }
            // rustfmt closes a function at the column where it begins.
            let end = format!("{}}}", " ".repeat(indent));
            let length = lines[first..].iter().position(|line| *line == end).map_or(1, |last| last + 1);
            assert!(length <= FUNCTION_LINES_MAX, "{path}:{}: a function of {length} lines", first + 1);
        }
    }
}
