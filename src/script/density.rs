//! Tells which texts the interpreter must watch at each instruction.
//!
//! The interpreter asks whether a script must stop at calls and at turns of loops. Between two of these, each operation of
//! the text runs once at most. Nearly all operations are short, but those with operators look at each byte of a string: to
//! add 1 to a text of 60 MB that reads like a number takes 18 ms. To write a field of a table may lay out the whole table
//! anew. So a text with a few operators can be late by a part of a second, and a text with twenty thousand of them by
//! minutes. The latter are watched at each instruction, which makes them slower, and others are not.

/// Most operators of a text that is not watched.
const OPERATORS_MAX: usize = 32;

/// True if a text must be watched at each instruction: if it has many operators, or may compile a text that has.
pub fn is_dense(source: &[u8]) -> bool {
    memchr::memmem::find(source, b"load").is_some() || is_dense_chunk(source)
}

/// True if a text that a script compiles has too many operators for a script that is not watched.
pub fn is_dense_chunk(source: &[u8]) -> bool {
    // A string in backquotes has code in it, and Lua 5.1 has no such strings.
    memchr::memchr(b'`', source).is_some() || operators(source) > OPERATORS_MAX
}

/// Number of operators that may look at each byte of a string, or at each entry of a table. Strings and comments do not count.
fn operators(source: &[u8]) -> usize {
    let (mut rest, mut count) = (source, 0);
    while let [first, behind @ ..] = rest {
        let skipped = match first {
            b'-' if behind.first() == Some(&b'-') => comment(rest),
            b'"' | b'\'' => quoted(rest),
            b'[' => bracketed(rest).unwrap_or(1),
            // To write a field may lay out a whole table anew.
            b'=' if sets_field(&source[..source.len() - rest.len()], behind) => {
                count += 1;
                1
            }
            b'r' if rest.starts_with(b"rawset") => {
                count += 1;
                6
            }
            // A loop turns its bounds into numbers.
            b'f' if rest.starts_with(b"for") => {
                count += 1;
                3
            }
            b'.' if behind.first() == Some(&b'.') => {
                count += 1;
                2
            }
            b'<' | b'>' | b'+' | b'-' | b'*' | b'/' | b'%' | b'^' => {
                count += 1;
                1
            }
            _ => 1,
        };
        rest = &rest[skipped.min(rest.len())..];
    }
    count
}

/// True if an equals sign with these texts before and behind it gives a field of a table a value.
fn sets_field(before: &[u8], behind: &[u8]) -> bool {
    let target = before.trim_ascii_end();
    let name_len =
        target.iter().rev().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
    let owner = target[..target.len() - name_len].trim_ascii_end();
    behind.first() != Some(&b'=') && (target.ends_with(b"]") || name_len > 0 && owner.ends_with(b"."))
}

/// Length of the comment that begins here.
fn comment(rest: &[u8]) -> usize {
    match bracketed(&rest[2..]) {
        Some(len) => 2 + len,
        // The interpreter ends it at a carriage return too.
        None => memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len()),
    }
}

/// Length of the string in quotes that begins here. A text whose string has no end is not compiled.
fn quoted(rest: &[u8]) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != rest[0] {
        at += if rest[at] == b'\\' { 2 } else { 1 };
    }
    at + 1
}

/// Length of what begins here, if it is in long brackets, such as `[[text]]` or `[==[text]==]`.
fn bracketed(rest: &[u8]) -> Option<usize> {
    let level = rest.get(1..)?.iter().take_while(|byte| **byte == b'=').count();
    if rest[0] != b'[' || rest.get(level + 1) != Some(&b'[') {
        return None;
    }
    let mut end = vec![b'='; level + 2];
    (end[0], end[level + 1]) = (b']', b']');
    let begin = level + 2;
    Some(memchr::memmem::find(&rest[begin..], &end).map_or(rest.len(), |at| begin + at + end.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_count_unless_they_stand_in_strings_or_comments() {
        for (source, expected) in [
            ("local a = b + c - d * e / f % g ^ h", 6),
            ("return a < b, a <= b, a > b, a >= b, a == b, a ~= b", 4),
            ("return 'a' .. 'b' .. \"c\", f(...)", 3),
            ("for i = 1, 10 do end for k in pairs(t) do end", 2),
            ("-- a + b\nreturn 1 + 1 -- c + d", 1),
            ("--[[ a + b\n c + d ]] return 1 + 1", 1),
            ("--[==[ a ]] + b ]==] return 1 + 1", 1),
            ("return [[a + b]] + [=[c ]] + d]=]", 1),
            (
                r#"return 'a\' + b' + "c\\" + "\z
                 + " + 1"#,
                3,
            ),
            ("return t[a[1]] + t [b]", 1),
            ("return 'a + b", 0),
            ("--\rreturn 1 + 1", 1),
            ("t.a = 1 t[1] = 2 a = 3 local b = {c = 4} return t.a == 1, t[1] ~= 2", 2),
            ("rawset(t, 'a', nil)", 1),
            ("--", 0),
            ("[", 0),
            ("[=", 0),
            ("'\\", 0),
        ] {
            assert_eq!(operators(source.as_bytes()), expected, "{source}");
        }
    }

    #[test]
    fn a_text_that_may_hide_operators_is_watched() {
        assert!(!is_dense(b"return redis.call('GET', KEYS[1])"));
        assert!(is_dense(b"return loadstring(ARGV[1])()"));
        assert!(is_dense(b"return `{ARGV[1]}`"));
        assert!(is_dense("x = a + 1 ".repeat(OPERATORS_MAX + 1).as_bytes()));
    }
}
