//! Redis's glob patterns, over bytes: `*`, `?`, `[abc]`, `[^abc]`, `[a-z]`, `\x`.
//!
//! A star that matches too much is taken back one byte at a time, and only the last star needs to
//! be: so the cost is bounded by pattern times text, whatever the pattern.

/// True if all of `text` matches `pattern`, upper and lower case being different.
pub fn matches(pattern: &[u8], text: &[u8]) -> bool {
    matches_in(pattern, text, |a, b| a == b)
}

/// As [`matches`], upper and lower case being the same.
pub fn matches_ignoring_case(pattern: &[u8], text: &[u8]) -> bool {
    matches_in(pattern, text, |a, b| a.eq_ignore_ascii_case(&b))
}

fn matches_in(mut pattern: &[u8], mut text: &[u8], same: fn(u8, u8) -> bool) -> bool {
    let mut last_star: Option<(&[u8], &[u8])> = None;
    loop {
        if let [b'*', rest @ ..] = pattern {
            last_star = Some((rest, text));
            pattern = rest;
        } else if let Some((after, rest)) = one(pattern, text, same) {
            pattern = after;
            text = rest;
        } else if pattern.is_empty() && text.is_empty() {
            return true;
        } else {
            match last_star {
                Some((after, [_, rest @ ..])) => {
                    last_star = Some((after, rest));
                    pattern = after;
                    text = rest;
                }
                _ => return false,
            }
        }
    }
}

/// Matches one byte of `text` against the first element of `pattern`, which is no star.
fn one<'p, 't>(pattern: &'p [u8], text: &'t [u8], same: fn(u8, u8) -> bool) -> Option<(&'p [u8], &'t [u8])> {
    let (&byte, rest) = text.split_first()?;
    let (hit, after) = match pattern {
        [] => return None,
        [b'?', after @ ..] => (true, after),
        [b'[', after @ ..] => class(after, byte, same),
        [b'\\', escaped, after @ ..] => (same(*escaped, byte), after),
        [literal, after @ ..] => (same(*literal, byte), after),
    };
    hit.then_some((after, rest))
}

/// Matches `byte` against the class that `pattern` is inside of. A class without an end goes on to
/// the end of the pattern, as in Redis.
fn class(mut pattern: &[u8], byte: u8, same: fn(u8, u8) -> bool) -> (bool, &[u8]) {
    let negated = pattern.first() == Some(&b'^');
    if negated {
        pattern = &pattern[1..];
    }
    let mut hit = false;
    loop {
        pattern = match pattern {
            [] => return (hit != negated, pattern),
            [b']', rest @ ..] => return (hit != negated, rest),
            [b'\\', escaped, rest @ ..] => {
                hit |= same(*escaped, byte);
                rest
            }
            [from, b'-', to, rest @ ..] => {
                let (low, high) = if from <= to { (from, to) } else { (to, from) };
                hit |= (*low..=*high).any(|member| same(member, byte));
                rest
            }
            [member, rest @ ..] => {
                hit |= same(*member, byte);
                rest
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_what_they_mean_in_redis() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("*", "anything", true),
            ("", "", true),
            ("", "a", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("h[ae]llo", "hallo", true),
            ("h[ae]llo", "hillo", false),
            ("h[^e]llo", "hallo", true),
            ("h[^e]llo", "hello", false),
            ("h[a-c]llo", "hbllo", true),
            ("h[c-a]llo", "hbllo", true),
            ("h[a-c]llo", "hdllo", false),
            ("user:*:name", "user:7:name", true),
            ("user:*:name", "user:7:names", false),
            ("*a*b*c*", "xxaxxbxxcxx", true),
            ("*a*b*c*", "xxaxxcxxbxx", false),
            ("\\*", "*", true),
            ("\\*", "x", false),
            ("[\\]]", "]", true),
            ("[ab", "b", true),
            ("a\\", "a\\", true),
            ("A", "a", false),
        ] {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} ~ {text}");
        }
        assert!(matches_ignoring_case(b"MAX*", b"maxclients"));
    }

    #[test]
    fn a_hostile_pattern_stays_cheap() {
        let pattern = "a*".repeat(200) + "b";
        assert!(!matches(pattern.as_bytes(), "a".repeat(5_000).as_bytes()));
    }
}
