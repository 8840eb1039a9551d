//! Redis's glob patterns, over bytes: `*`, `?`, `[abc]`, `[^abc]`, `[a-z]`, `\x`.
//!
//! A pattern is compiled into an automaton that can be in many states at once. Each state is a bit: bit `n`
//! says that the text so far matches the first `n` elements of the pattern. Each byte of the text moves all
//! bits with a few operations on whole words of 64 bits.
//!
//! So the cost of a match is known in advance for every pattern and text: it is the number of bytes in the
//! text, multiplied by the number of words that the pattern needs. Each such step takes about a nanosecond;
//! a match with a short key takes some 20 ns.

use super::cx::Failure;
use crate::base::memory;
use crate::config::PATTERN_BYTES_MAX;

/// Words for the states of the longest pattern: one state for each element, and the initial state.
const WORDS_MAX: usize = PATTERN_BYTES_MAX / 64 + 1;
/// Number of values that a byte can have.
const BYTES: usize = 256;

/// Whether upper and lower case letters are different.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// They are different.
    Kept,
    /// They are the same.
    Ignored,
}

/// A compiled pattern.
#[derive(Debug)]
pub struct Pattern {
    /// For each value of a byte, a row of `words` words: the states that this byte moves on by one.
    moves: Vec<u64>,
    /// The states that every byte leaves as they are, because a star follows.
    stays: [u64; WORDS_MAX],
    /// Words that the states of this pattern need.
    words: usize,
    /// The last state. A text that reaches it at its end matches.
    end: usize,
    case: Case,
}

impl Pattern {
    /// Compiles the pattern `word`.
    ///
    /// # Errors
    /// If it is longer than [`PATTERN_BYTES_MAX`] bytes, or if memory runs out.
    pub fn new(word: &[u8], case: Case) -> Result<Pattern, Failure> {
        if word.len() > PATTERN_BYTES_MAX {
            let text =
                format!("ERR pattern of {} bytes exceeds the limit of {PATTERN_BYTES_MAX}", word.len());
            return Err(Failure::telling(text));
        }
        let words = word.len() / 64 + 1;
        let mut moves = Vec::new();
        memory::reserve_exact(&mut moves, BYTES * words)?;
        moves.resize(BYTES * words, 0);
        let mut pattern = Pattern { moves, stays: [0; WORDS_MAX], words, end: 0, case };
        pattern.compile(word);
        Ok(pattern)
    }

    fn compile(&mut self, mut rest: &[u8]) {
        // The states that every byte moves. There may be many of them, so they are written into the 256
        // rows only once, at the end.
        let mut any = [0; WORDS_MAX];
        while let Some((&first, after)) = rest.split_first() {
            rest = match (first, after) {
                (b'*', _) => {
                    self.stays[self.end / 64] |= 1 << (self.end % 64);
                    after
                }
                (b'?', _) => {
                    any[self.end / 64] |= 1 << (self.end % 64);
                    self.end += 1;
                    after
                }
                (b'[', _) => self.add_class(after),
                (b'\\', [escaped, after @ ..]) => self.add_byte(*escaped, after),
                _ => self.add_byte(first, after),
            };
        }
        for row in self.moves.chunks_exact_mut(self.words) {
            row.iter_mut().zip(any).for_each(|(word, any)| *word |= any);
        }
    }

    /// Adds an element that matches one byte. Returns `rest`, the pattern after that element.
    fn add_byte<'a>(&mut self, byte: u8, rest: &'a [u8]) -> &'a [u8] {
        let mut class = Class::default();
        class.insert(byte, self.case);
        self.add(&class);
        rest
    }

    /// Adds a class, whose `[` has been read. Returns the pattern after that class. As in Redis, a class
    /// without `]` extends to the end of the pattern.
    fn add_class<'a>(&mut self, mut rest: &'a [u8]) -> &'a [u8] {
        let negated = rest.first() == Some(&b'^');
        if negated {
            rest = &rest[1..];
        }
        let mut class = Class::default();
        rest = loop {
            rest = match rest {
                [] => break rest,
                [b']', after @ ..] => break after,
                [b'\\', escaped, after @ ..] => {
                    class.insert(*escaped, self.case);
                    after
                }
                [from, b'-', to, after @ ..] => {
                    let members = *from.min(to)..=*from.max(to);
                    members.for_each(|member| class.insert(member, self.case));
                    after
                }
                [member, after @ ..] => {
                    class.insert(*member, self.case);
                    after
                }
            };
        };
        if negated {
            class.0 = class.0.map(|bits| !bits);
        }
        self.add(&class);
        rest
    }

    /// Adds an element that matches the bytes of `class`.
    fn add(&mut self, class: &Class) {
        let (word, bit) = (self.end / 64, 1 << (self.end % 64));
        for (quarter, bits) in class.0.into_iter().enumerate() {
            let mut left = bits;
            while left != 0 {
                let byte = quarter * 64 + left.trailing_zeros() as usize;
                self.moves[byte * self.words + word] |= bit;
                left &= left - 1;
            }
        }
        self.end += 1;
    }

    /// Bytes of memory that the compiled pattern takes.
    pub fn memory(&self) -> usize {
        size_of::<Pattern>() + self.moves.capacity() * size_of::<u64>()
    }

    /// Most steps that [`Pattern::matches`] takes for a text of `len` bytes. A step takes about a
    /// nanosecond.
    pub fn steps(&self, len: usize) -> usize {
        (len + 1).saturating_mul(self.words)
    }

    /// True if the whole of `text` matches.
    pub fn matches(&self, text: &[u8]) -> bool {
        if self.words == 1 { self.matches_by_word(text) } else { self.matches_by_words(text) }
    }

    fn matches_by_word(&self, text: &[u8]) -> bool {
        let (stays, end) = (self.stays[0], 1 << self.end);
        let mut states = 1;
        for &byte in text {
            // If no state is left, no text can match any more. If the last state is reached and a star ends
            // the pattern, every text matches.
            if states == 0 || states & stays & end != 0 {
                break;
            }
            states = (states & self.moves[usize::from(byte)]) << 1 | states & stays;
        }
        states & end != 0
    }

    fn matches_by_words(&self, text: &[u8]) -> bool {
        let (end_word, end) = (self.end / 64, 1 << (self.end % 64));
        let mut states = [0; WORDS_MAX];
        states[0] = 1;
        let states = &mut states[..self.words];
        for &byte in text {
            if states[end_word] & self.stays[end_word] & end != 0 {
                break;
            }
            let row = &self.moves[usize::from(byte) * self.words..][..self.words];
            let (mut carry, mut alive) = (0, 0);
            for ((state, moves), stays) in states.iter_mut().zip(row).zip(&self.stays) {
                let moved = *state & moves;
                *state = moved << 1 | carry | *state & stays;
                carry = moved >> 63;
                alive |= *state;
            }
            if alive == 0 {
                break;
            }
        }
        states[end_word] & end != 0
    }
}

/// A set of bytes, one bit for each.
#[derive(Clone, Copy, Default)]
struct Class([u64; 4]);

impl Class {
    fn insert(&mut self, byte: u8, case: Case) {
        let mut set = |byte: u8| self.0[usize::from(byte) / 64] |= 1 << (byte % 64);
        set(byte);
        if case == Case::Ignored {
            set(byte.to_ascii_lowercase());
            set(byte.to_ascii_uppercase());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, text: &[u8], case: Case) -> bool {
        Pattern::new(pattern.as_bytes(), case).unwrap().matches(text)
    }

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
            ("a*", "a", true),
            ("*a", "ba", true),
            ("*a", "ab", false),
            ("a**b", "ab", true),
            ("*[ab]?x", "aabbx", true),
            ("\\*", "*", true),
            ("\\*", "x", false),
            ("[\\]]", "]", true),
            ("[ab", "b", true),
            ("[", "[", false),
            ("[]a", "a", false),
            ("[^]", "a", true),
            ("[a-", "-", true),
            ("a\\", "a\\", true),
            ("A", "a", false),
        ] {
            assert_eq!(matches(pattern, text.as_bytes(), Case::Kept), expected, "{pattern} ~ {text}");
        }
        for (pattern, text, expected) in
            [("MAX*", "maxclients", true), ("[M-O]", "n", true), ("[^M]", "m", false), ("[_]", "?", false)]
        {
            assert_eq!(matches(pattern, text.as_bytes(), Case::Ignored), expected, "{pattern} ~ {text}");
        }
        assert!(matches("?\\[*", b"\xff[\0\n", Case::Kept), "a pattern matches any bytes, not only text");
    }

    /// A slow matcher to compare with, which tries every possibility. It knows only bytes, `?` and `*`.
    fn tried(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern, text) {
            ([], []) => true,
            ([b'*', rest @ ..], _) => (0..=text.len()).any(|at| tried(rest, &text[at..])),
            ([b'?', rest @ ..], [_, after @ ..]) => tried(rest, after),
            ([byte, rest @ ..], [same, after @ ..]) if byte == same => tried(rest, after),
            _ => false,
        }
    }

    #[test]
    fn whatever_the_length_it_says_what_trying_everything_says() {
        let mut dice = 1_u32;
        let mut draw = |from: &[u8]| {
            dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            from[(dice >> 16) as usize % from.len()]
        };
        let (mut hits, mut runs) = (0, 0);
        // The padding moves the pattern to places before, after and across the ends of words.
        for padding in [0, 50, 60, 63, 64, 65, 120, 128, 1_000] {
            for _ in 0..2_000 {
                let head = vec![b'x'; padding];
                let pattern: Vec<u8> = (0..draw(&[1, 4, 9])).map(|_| draw(b"ab?*")).collect();
                let text: Vec<u8> = (0..draw(&[0, 2, 5, 9])).map(|_| draw(b"ab")).collect();
                let expected = tried(&pattern, &text);
                let compiled = Pattern::new(&[&head, &pattern[..]].concat(), Case::Kept).unwrap();
                assert_eq!(
                    compiled.matches(&[&head, &text[..]].concat()),
                    expected,
                    "{} ~ {} behind {padding}",
                    pattern.escape_ascii(),
                    text.escape_ascii()
                );
                (hits, runs) = (hits + usize::from(expected), runs + 1);
            }
        }
        assert!(hits > runs / 10 && hits < runs * 9 / 10, "{hits} of {runs} match");
    }

    #[test]
    fn the_longest_pattern_has_a_price_and_a_longer_one_is_refused() {
        for word in ["?", "a", "*", "[^]", "a*"] {
            let word = word.repeat(PATTERN_BYTES_MAX / word.len());
            let pattern = Pattern::new(word.as_bytes(), Case::Kept).unwrap();
            assert!(pattern.steps(1_000) <= 1_001 * WORDS_MAX);
            assert!(pattern.matches(&b"a".repeat(PATTERN_BYTES_MAX)) || pattern.end < PATTERN_BYTES_MAX);
        }
        let failure = Pattern::new(&[b'*'; PATTERN_BYTES_MAX + 1], Case::Kept).unwrap_err();
        assert_eq!(&failure.0[..], b"ERR pattern of 1025 bytes exceeds the limit of 1024");
    }
}
