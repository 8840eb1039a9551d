//! Frames of RESP, as far as the oracles look into them.

/// One frame.
#[derive(Clone, Debug, PartialEq)]
pub enum Frame {
    /// A status or an error, with its mark.
    Line(String),
    Int(i64),
    Text(String),
    Null,
    /// An array, a push or a map, with its mark.
    Items(char, Vec<Frame>),
}

impl Frame {
    /// The text of a bulk string; empty for anything else.
    pub fn text(&self) -> &str {
        match self {
            Frame::Text(text) => text,
            _ => "",
        }
    }

    /// The elements, if it has some.
    pub fn items(&self) -> &[Frame] {
        match self {
            Frame::Items(_, items) => items,
            _ => &[],
        }
    }
}

/// The first frame of `bytes` and its length, if it is all there.
///
/// # Panics
/// If no frame can begin like that.
pub fn parse(bytes: &[u8]) -> Option<(Frame, usize)> {
    let line_end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    let line = std::str::from_utf8(&bytes[1..line_end]).expect("headers are ASCII");
    let number = || line.parse::<i64>().expect("a number");
    let start = line_end + 2;
    Some(match bytes[0] {
        b'+' | b'-' => (Frame::Line(format!("{}{line}", char::from(bytes[0]))), start),
        b':' => (Frame::Int(number()), start),
        b'_' => (Frame::Null, start),
        b'$' | b'*' if number() < 0 => (Frame::Null, start),
        b'$' | b'=' => {
            let end = start + number() as usize;
            let text = bytes.get(start..end)?;
            bytes.get(end..end + 2)?;
            (Frame::Text(String::from_utf8_lossy(text).into_owned()), end + 2)
        }
        mark @ (b'*' | b'>' | b'%') => {
            let count = number() * if mark == b'%' { 2 } else { 1 };
            let (mut items, mut at) = (Vec::new(), start);
            for _ in 0..count {
                let (item, len) = parse(&bytes[at..]).filter(|_| at < bytes.len())?;
                items.push(item);
                at += len;
            }
            (Frame::Items(char::from(mark), items), at)
        }
        _ => panic!("no frame begins like this: {}", bytes.escape_ascii()),
    })
}
