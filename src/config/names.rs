//! Names of options: old ones, and for errors the right one that is nearest to a wrong one.

use super::foreign;
use super::options::{OPTIONS, Opt, find};

/// Old names that Redis still reads, and the options that they mean.
pub const ALIASES: &[(&str, &str)] = &[
    ("hash-max-ziplist-entries", "hash-max-listpack-entries"),
    ("hash-max-ziplist-value", "hash-max-listpack-value"),
    ("list-max-ziplist-size", "list-max-listpack-size"),
    ("zset-max-ziplist-entries", "zset-max-listpack-entries"),
    ("zset-max-ziplist-value", "zset-max-listpack-value"),
];

/// Finds an option by its name or an old name of it, as files, the environment and the command line may give it.
pub fn named(name: &str) -> Option<&'static Opt> {
    let alias = ALIASES.iter().find(|(old, _)| old.eq_ignore_ascii_case(name));
    find(alias.map_or(name, |(_, new)| *new).as_bytes())
}

/// How alike two names must be for one to be named as the nearest, from 0 to 1. A name with one wrong letter is above, and two
/// names that have only a few letters in common are below.
const LIKENESS_MIN: f64 = 0.8;

/// The word of `right` that is most like `wrong`, if one is much like it.
pub fn nearest<'a>(wrong: &str, right: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let wrong = wrong.to_ascii_lowercase();
    let scored = right.map(|word| (strsim::jaro_winkler(&wrong, word), word));
    let best = scored.max_by(|one, other| one.0.total_cmp(&other.0))?;
    (best.0 >= LIKENESS_MIN).then_some(best.1)
}

/// The name of an option that is most like `wrong`: one of ours, or else one of Redis's.
pub fn nearest_name(wrong: &str) -> Option<&'static str> {
    let old = ALIASES.iter().map(|(old, _)| *old);
    let ours = nearest(wrong, OPTIONS.iter().map(|opt| opt.name).chain(old));
    ours.or_else(|| nearest(wrong, foreign::names()))
}

/// The error `why` of a value that `opt` does not take, with the word that may have been meant.
pub fn with_nearest(opt: &Opt, value: &str, why: String) -> String {
    match nearest(value, opt.choices()) {
        Some(word) => format!("{why}; the nearest is {word}"),
        None => why,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_understood_and_nonsense_is_not() {
        for (wrong, right) in [
            ("prot", Some("port")),
            ("maxmem", Some("maxmemory")),
            ("max-memory", Some("maxmemory")),
            ("MAXMEMORY_POLICY", Some("maxmemory-policy")),
            ("log-file", Some("logfile")),
            ("apendonly", Some("appendonly")),
            ("xyzzy", None),
            ("", None),
        ] {
            assert_eq!(nearest_name(wrong), right, "{wrong}");
        }
        let policy = find(b"maxmemory-policy").unwrap();
        assert_eq!(with_nearest(policy, "allkeys-lr", "no".into()), "no; the nearest is allkeys-lru");
        assert_eq!(with_nearest(find(b"port").unwrap(), "x", "no".into()), "no");
    }
}
