//! One setting that somebody has made: its name, its value, and the place it comes from.

use std::fmt::{self, Display};
use std::path::Path;
use std::sync::Arc;

/// Longest piece of a line that an error repeats, characters.
const REPEATED_MAX: usize = 120;

/// Where a setting comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A line of this file, counted from 1.
    File(Arc<Path>, usize),
    /// The environment.
    Environment,
    /// The command line.
    Arguments,
}

impl Origin {
    /// An error about a setting of these words.
    pub fn wrong(&self, words: &[&str], why: &str) -> String {
        match self {
            Origin::File(..) => format!("{self}: '{}': {why}", shortened(&words.join(" "))),
            Origin::Environment => {
                let (name, value) = words.split_first().map_or(("", &[][..]), |(name, rest)| (*name, rest));
                format!("{}={}: {why}", variable(name), shortened(&value.join(" ")))
            }
            Origin::Arguments => format!("--{}: {why}", shortened(&words.join(" "))),
        }
    }
}

/// `text` on one line, and not longer than an error should be.
fn shortened(text: &str) -> String {
    let in_line = |c: char| if c.is_control() { '?' } else { c };
    let shown: String = text.chars().take(REPEATED_MAX).map(in_line).collect();
    if text.chars().nth(REPEATED_MAX).is_some() { format!("{shown}...") } else { shown }
}

impl Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::File(path, number) => write!(f, "{}:{number}", path.display()),
            Origin::Environment => f.write_str("the environment"),
            Origin::Arguments => f.write_str("the command line"),
        }
    }
}

/// The variable of the environment that sets the option `name`.
pub fn variable(name: &str) -> String {
    format!("{VARIABLE_PREFIX}{}", name.to_ascii_uppercase().replace('-', "_"))
}

/// What the names of variables begin with.
pub const VARIABLE_PREFIX: &str = "TIDEGATE_";

/// A setting as somebody has written it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Where it comes from.
    pub origin: Origin,
    /// The name, in small letters.
    pub name: String,
    /// The value. The words of a line are joined by blanks.
    pub value: String,
    /// Number of words of the value. A value that is no line of a file counts as one.
    pub count: usize,
}

impl Setting {
    /// An error about this setting.
    pub fn wrong(&self, why: &str) -> String {
        let words = [&self.name[..], &self.value];
        self.origin.wrong(if self.count == 0 { &words[..1] } else { &words }, why)
    }

    /// An error about this setting that does not repeat its value, which may be a secret.
    pub fn refused(&self, why: &str) -> String {
        match &self.origin {
            Origin::Environment => format!("{}: {why}", variable(&self.name)),
            origin => origin.wrong(&[&self.name], why),
        }
    }
}
