//! Compares received bytes with the reply that must come.

use crate::frames::{self, Frame};
use crate::model::bytes_of;

/// The result of such a comparison.
pub enum Answer {
    Whole(usize),
    Partial,
    /// It is another reply than this one.
    Wrong(String),
}

/// Compares what was received with one text.
pub fn expect(input: &[u8], text: &str) -> Answer {
    let bytes = bytes_of(text);
    if input.starts_with(&bytes) {
        Answer::Whole(bytes.len())
    } else if bytes.starts_with(input) {
        Answer::Partial
    } else {
        Answer::Wrong(text.to_owned())
    }
}

/// Compares what was received with a line of which only the beginning is known.
pub fn expect_line(input: &[u8], start: &str) -> Answer {
    match expect(input, start) {
        Answer::Whole(_) => match input.iter().position(|byte| *byte == b'\n') {
            Some(end) => Answer::Whole(end + 1),
            None => Answer::Partial,
        },
        other => other,
    }
}

/// Judges a whole frame.
pub fn judge(input: &[u8], wanted: &str, judge: impl FnOnce(&Frame) -> bool) -> Answer {
    let marks: &[u8] = match wanted {
        _ if wanted.starts_with("a list") => b"*%",
        _ if wanted.starts_with("an element") => b"*$",
        _ if wanted.starts_with("a name") => b"$_",
        _ => b":$_",
    };
    if !input.is_empty() && !marks.contains(&input[0]) {
        return Answer::Wrong(wanted.to_owned());
    }
    match frames::parse(input) {
        None => Answer::Partial,
        Some((frame, len)) if judge(&frame) => Answer::Whole(len),
        Some(_) => Answer::Wrong(wanted.to_owned()),
    }
}

pub fn nullable(frame: &Frame) -> Option<String> {
    match frame {
        Frame::Text(text) => Some(text.clone()),
        _ => None,
    }
}
