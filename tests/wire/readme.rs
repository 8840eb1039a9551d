//! The README says what is true: its tables are compared with the code they describe.

use tidegate::config::Config;
use tidegate::config::options::OPTIONS;
use tidegate::service::catalog::COMMANDS;

fn readme() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap()
}

#[test]
fn every_option_is_in_the_table_with_its_default() {
    let text = readme();
    let defaults = Config::default();
    for opt in OPTIONS {
        let value = (opt.get)(&defaults);
        let shown = if value.is_empty() { String::new() } else { format!("`{value}`") };
        let live = if opt.live { "yes" } else { "" };
        let row = format!("| `{}` | {shown} | {live} | {} |", opt.name, opt.help);
        assert!(text.contains(&row), "the README lacks the row\n{row}");
    }
}

#[test]
fn every_command_is_in_the_list() {
    let text = readme();
    for command in COMMANDS {
        let name = command.name.to_ascii_uppercase();
        let subcommands: Vec<String> = command
            .subcommands
            .iter()
            .map(|sub| sub.name.split('|').next_back().unwrap().to_ascii_uppercase())
            .collect();
        let shown = if subcommands.is_empty() {
            format!("`{name}`")
        } else {
            format!("`{name}` ({})", subcommands.join(" "))
        };
        assert!(text.contains(&shown), "the README lacks {shown}");
    }
}
