//! The pages say what is true: their tables and lists are compared with the code that they describe, and
//! each of their links leads somewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use tidegate::config::Config;
use tidegate::config::options::OPTIONS;
use tidegate::service::catalog::COMMANDS;
use tidegate::service::command::Command;

/// The README is for a reader who has three minutes.
const README_LINES_MAX: usize = 200;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn page(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The lines between the heading `## title` and the next heading of that level.
fn section<'a>(text: &'a str, title: &str) -> Vec<&'a str> {
    let lines = text.lines().skip_while(|line| line.strip_prefix("## ") != Some(title)).skip(1);
    let lines: Vec<&str> = lines.take_while(|line| !line.starts_with("## ")).collect();
    assert!(!lines.is_empty(), "there is no section {title}");
    lines
}

#[test]
fn the_readme_stays_short() {
    let lines = page("README.md").lines().count();
    assert!(lines <= README_LINES_MAX, "README.md has {lines} lines: move some to a page of docs/");
}

#[test]
fn every_option_is_in_the_table_with_its_default() {
    let text = page("docs/operate.md");
    let defaults = Config::default();
    let expected: Vec<String> = OPTIONS
        .iter()
        .map(|opt| {
            let value = (opt.get)(&defaults);
            let shown = if value.is_empty() { String::new() } else { format!("`{value}`") };
            let live = if opt.live { "yes" } else { "" };
            format!("| `{}` | {shown} | {live} | {} |", opt.name, opt.help)
        })
        .collect();
    let rows: Vec<&str> =
        section(&text, "Options").into_iter().filter(|line| line.starts_with("| `")).collect();
    for row in &expected {
        assert!(rows.contains(&row.as_str()), "docs/operate.md lacks the row\n{row}");
    }
    for row in rows {
        assert!(expected.iter().any(|one| one == row), "docs/operate.md has a row of no option\n{row}");
    }
}

/// A command as the list shows it, its subcommands behind it.
fn shown(command: &Command) -> String {
    let name = command.name.to_ascii_uppercase();
    let subcommands: Vec<String> = command
        .subcommands
        .iter()
        .map(|sub| sub.name.split('|').next_back().unwrap().to_ascii_uppercase())
        .collect();
    if subcommands.is_empty() { format!("`{name}`") } else { format!("`{name}` ({})", subcommands.join(" ")) }
}

#[test]
fn the_list_of_commands_is_the_table_of_commands() {
    let text = page("docs/commands.md");
    let mut groups: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for command in COMMANDS {
        groups.entry(command.group).or_default().push(shown(command));
    }
    let expected: BTreeSet<String> =
        groups.into_iter().map(|(group, all)| format!("- **{group}**: {}", all.join(" "))).collect();
    let lines: Vec<&str> =
        section(&text, "The list").into_iter().filter(|line| line.starts_with("- ")).collect();
    for line in &expected {
        assert!(lines.contains(&line.as_str()), "docs/commands.md lacks the line\n{line}");
    }
    for line in lines {
        assert!(expected.contains(line), "docs/commands.md lists what is not in the table\n{line}");
    }
}

/// The pages whose links are followed, as paths from the root.
fn pages() -> Vec<PathBuf> {
    let names = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"];
    let mut all: Vec<PathBuf> = names.iter().map(PathBuf::from).collect();
    for entry in std::fs::read_dir(root().join("docs")).expect("there is docs/") {
        let path = Path::new("docs").join(entry.expect("docs/ can be read").file_name());
        if path.extension().is_some_and(|extension| extension == "md") {
            all.push(path);
        }
    }
    all
}

/// The lines of a page that are prose: not those of its blocks of code.
fn prose(text: &str) -> Vec<&str> {
    let mut is_code = false;
    let mut lines = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        } else if !is_code {
            lines.push(line);
        }
    }
    lines
}

/// A paragraph without what stands between backticks.
fn without_code(paragraph: &str) -> String {
    paragraph.split('`').step_by(2).collect()
}

/// Where the links and pictures of a page lead: what stands between `](` and `)`.
fn links(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    // A backtick that has no partner hides the rest of its paragraph, and no more.
    for paragraph in prose(text).join("\n").split("\n\n") {
        for rest in without_code(paragraph).split("](").skip(1) {
            let target = rest.split([')', ' ']).next().unwrap_or_default();
            all.push(target.to_owned());
        }
    }
    all
}

/// What GitHub calls a heading in links: in lower case, with a hyphen for each space, and without what is
/// neither a letter, a digit, a hyphen nor an underscore.
fn slug(heading: &str) -> String {
    let spoken = without_targets(heading).to_lowercase();
    let kept = spoken.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// A heading with the text of its links and without where they lead.
fn without_targets(heading: &str) -> String {
    let mut parts = heading.split("](");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text += part.split_once(')').map_or(part, |(_, after)| after);
    }
    text
}

/// The names of all headings of a page. Of several that are alike, the later ones end in a number.
fn headings(text: &str) -> BTreeSet<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut all = BTreeSet::new();
    for line in prose(text) {
        let level = line.chars().take_while(|c| *c == '#').count();
        let Some(heading) = line[level..].strip_prefix(' ').filter(|_| (1..=6).contains(&level)) else {
            continue;
        };
        let name = slug(heading.trim());
        let count = seen.entry(name.clone()).or_default();
        all.insert(if *count == 0 { name } else { format!("{name}-{count}") });
        *count += 1;
    }
    all
}

/// What is wrong with a link from the page at `from`, a path from the root. Links to other sites are not
/// followed.
fn broken(from: &Path, target: &str) -> Option<&'static str> {
    if ["http://", "https://", "mailto:"].iter().any(|scheme| target.starts_with(scheme)) {
        return None;
    }
    let (file, fragment) = target.split_once('#').map_or((target, None), |(file, name)| (file, Some(name)));
    let folder = from.parent().expect("a page lies in a folder");
    let path = if file.is_empty() { root().join(from) } else { root().join(folder).join(file) };
    if !path.exists() {
        return Some("there is no such file");
    }
    let name = fragment.filter(|_| path.extension().is_some_and(|extension| extension == "md"))?;
    let text = std::fs::read_to_string(&path).expect("a page can be read");
    if headings(&text).contains(name) { None } else { Some("that page has no such heading") }
}

#[test]
fn every_link_of_every_page_leads_somewhere() {
    let (mut all, mut wrong) = (0, Vec::new());
    for path in pages() {
        let text = page(path.to_str().expect("text"));
        for target in links(&text) {
            all += 1;
            if let Some(why) = broken(&path, &target) {
                wrong.push(format!("{}: {target}: {why}", path.display()));
            }
        }
    }
    assert!(all > 50, "only {all} links were found");
    assert!(wrong.is_empty(), "links that lead nowhere: {wrong:#?}");
}

#[test]
fn links_and_headings_are_found_as_github_finds_them() {
    let text = "# One two\n[a](b.md#c) `[no](link)` ![d](e.svg \"title\")\n\n```sh\n# no heading [no](link)\n```\n\
                ## One two\n## `INFO`: what's *there*, v7.0\n### A [page](x.md) - of_docs\n#no heading\n";
    assert_eq!(links(text), ["b.md#c", "e.svg", "x.md"]);
    let expected = ["one-two", "one-two-1", "info-whats-there-v70", "a-page---of_docs"];
    assert_eq!(headings(text), BTreeSet::from(expected.map(str::to_owned)));
    assert_eq!(broken(Path::new("README.md"), "Cargo.toml"), None);
    assert_eq!(broken(Path::new("docs/operate.md"), "../Cargo.toml"), None);
    assert!(broken(Path::new("docs/operate.md"), "Cargo.toml").is_some());
    assert!(broken(Path::new("docs/operate.md"), "#no-such-heading").is_some());
}
