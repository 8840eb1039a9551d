//! The request parser. It can stop at any byte of a request and go on there when more bytes arrive. The
//! arguments that it finds are borrowed from the input. [`Batch`](super::Batch) reads the plain requests
//! before they come here.
//!
//! - A number that a client announces never makes the parser reserve memory. What the parser remembers of a
//!   request grows only with the arguments that have arrived.
//! - A request beyond a limit is skipped and then refused, as long as its end can be found. So the
//!   connection can go on.
//! - Framing that cannot be followed any further is [`Broken`]. Then the connection must end.
//!
//! `step` has the possible results of a parse; `line` reads the header lines.

use super::args::{Args, Span};
use super::line::{Line, line};
use super::step::{Broken, Limits, Refusal, Step};
use crate::base::{OutOfMemory, memory, words};

/// Where in a request the parser has stopped.
#[derive(Clone, Copy, Debug, Default)]
enum At {
    /// Before the first byte of a request, or inside its first header line.
    #[default]
    Start,
    /// Inside an inline request.
    Inline,
    /// Before the `$` of an argument. `left` arguments remain, this one included.
    Header { left: usize },
    /// Inside an argument. `len` bytes of it are not yet scanned; `left` arguments remain, this one
    /// included.
    Payload { left: usize, len: usize },
}

/// A parser for requests that may arrive in pieces, from one connection.
///
/// ```
/// use tidegate::resp::{Limits, Parser, Step};
///
/// let limits = Limits { bulk_max: 1_000, args_max: 10, inline_max: 100, request_max: 2_000 };
/// let mut parser = Parser::default();
/// // The second argument is not all there. The parser says how many bytes it still needs.
/// assert!(matches!(parser.parse(b"*2\r\n$3\r\nGET\r\n$5\r\nhe", &limits), Step::Incomplete { .. }));
/// assert!(parser.is_mid_request());
/// ```
#[derive(Debug, Default)]
pub struct Parser {
    at: At,
    /// Offset in the input from which the parser goes on.
    scanned: usize,
    /// Why the current request is being skipped; `None` if it is not.
    refusal: Option<Refusal>,
    /// Where the arguments found so far lie: in `words` for an inline request, else in the input.
    spans: Vec<Span>,
    /// The words of an inline request, without their quotes; empty for other requests.
    words: Vec<u8>,
}

impl Parser {
    /// True if the parser has stopped inside a request. It is still false while only a part of the first
    /// header line has arrived.
    pub fn is_mid_request(&self) -> bool {
        !matches!(self.at, At::Start)
    }

    /// Bytes of memory that the parser owns.
    pub fn capacity(&self) -> usize {
        self.spans.capacity() * size_of::<Span>() + self.words.capacity()
    }

    /// Looks for the end of the request that starts at `input[0]`.
    ///
    /// After [`Step::Incomplete`] the next call must pass the same bytes again, without the consumed ones
    /// and with more after them. After any other step the next call starts a new request.
    #[inline]
    pub fn parse(&mut self, input: &[u8], limits: &Limits) -> Step {
        loop {
            let done = match self.at {
                At::Start => self.start(input, limits),
                At::Inline => self.inline(input, limits),
                At::Header { left } => self.header(input, left, limits),
                At::Payload { left, len } => self.payload(input, left, len),
            };
            if let Some(step) = done {
                return step;
            }
        }
    }

    /// The arguments of the request for which [`Parser::parse`] has just returned [`Step::Complete`].
    /// `input` must be the input that was passed to that call.
    #[inline]
    pub fn args<'a>(&'a self, input: &'a [u8]) -> Args<'a> {
        let bytes = if self.words.is_empty() { input } else { &self.words };
        Args::new(bytes, &self.spans)
    }

    /// Begins a request.
    fn start(&mut self, input: &[u8], limits: &Limits) -> Option<Step> {
        self.spans.clear();
        self.words.clear();
        self.scanned = 0;
        self.refusal = None;
        match input.first() {
            None => Some(Step::Incomplete { consumed: 0, missing: 1 }),
            Some(b'*') => self.multibulk(input, limits),
            Some(_) => {
                self.at = At::Inline;
                None
            }
        }
    }

    /// Reads the first header line, `*` and the number of arguments.
    fn multibulk(&mut self, input: &[u8], limits: &Limits) -> Option<Step> {
        let (number, end) = match line(input, 1) {
            Line::Number(number, end) => (number, end),
            Line::Unfinished => return Some(Step::Incomplete { consumed: 0, missing: 1 }),
            Line::TooLong => return Some(self.broken(Broken::MultibulkLine)),
            Line::NoNumber => return Some(self.broken(Broken::MultibulkLength)),
        };
        if number <= 0 {
            return Some(self.complete(end));
        }
        // Redis has the same bound. A larger count is an error of framing, not a request to skip.
        if number > i64::from(i32::MAX) {
            return Some(self.broken(Broken::MultibulkLength));
        }
        let count = number as usize;
        if count > limits.args_max {
            self.refusal = Some(Refusal::TooManyArgs(count));
        }
        self.scanned = end;
        self.at = At::Header { left: count };
        None
    }

    /// Reads the header line of an argument, `$` and its length.
    fn header(&mut self, input: &[u8], left: usize, limits: &Limits) -> Option<Step> {
        let start = self.scanned;
        match input.get(start) {
            None => return Some(self.incomplete(1)),
            Some(b'$') => {}
            Some(&other) => return Some(self.broken(Broken::ExpectedDollar(other))),
        }
        let (number, end) = match line(input, start + 1) {
            Line::Number(number, end) => (number, end),
            Line::Unfinished => return Some(self.incomplete(1)),
            Line::TooLong => return Some(self.broken(Broken::BulkLine)),
            Line::NoNumber => return Some(self.broken(Broken::BulkLength)),
        };
        // We do not skip an argument that is longer than any request may be, because its end may never
        // arrive. We treat it as wrong framing.
        let len = match usize::try_from(number) {
            Ok(len) if len <= limits.request_max.max(limits.bulk_max) => len,
            _ => return Some(self.broken(Broken::BulkLength)),
        };
        if self.refusal.is_none() {
            if len > limits.bulk_max {
                self.refusal = Some(Refusal::ArgTooLong(len));
            } else if end + len + 2 > limits.request_max {
                self.refusal = Some(Refusal::RequestTooLong);
            }
        }
        self.scanned = end;
        self.at = At::Payload { left, len };
        None
    }

    /// Reads the bytes of an argument and the CRLF after them.
    #[inline]
    fn payload(&mut self, input: &[u8], left: usize, len: usize) -> Option<Step> {
        if self.refusal.is_some() {
            // The request is being skipped: nothing of the argument is kept, and the input may end anywhere
            // inside it.
            let here = (input.len() - self.scanned).min(len);
            self.scanned += here;
            if here < len {
                self.at = At::Payload { left, len: len - here };
                return Some(self.incomplete(len - here + 2));
            }
        }
        let start = self.scanned;
        let end = if self.refusal.is_some() { start } else { start + len };
        match input.get(end..end + 2) {
            Some(b"\r\n") => {}
            Some(_) => return Some(self.broken(Broken::ExpectedCrlf)),
            None if self.refusal.is_some() => {
                self.at = At::Payload { left, len: 0 };
                return Some(self.incomplete(end + 2 - input.len()));
            }
            None => return Some(Step::Incomplete { consumed: 0, missing: end + 2 - input.len() }),
        }
        if self.refusal.is_none() {
            match memory::reserve(&mut self.spans, 1) {
                Ok(()) => self.spans.push(Span { start: start as u32, end: end as u32 }),
                Err(OutOfMemory) => self.refusal = Some(Refusal::OutOfMemory),
            }
        }
        self.scanned = end + 2;
        if left > 1 {
            self.at = At::Header { left: left - 1 };
            return None;
        }
        Some(self.complete(self.scanned))
    }

    /// Reads an inline request: one line of words.
    fn inline(&mut self, input: &[u8], limits: &Limits) -> Option<Step> {
        let Some(newline) = memchr::memchr(b'\n', &input[self.scanned..]) else {
            self.scanned = input.len();
            if input.len() > limits.inline_max {
                return Some(self.broken(Broken::InlineLine));
            }
            return Some(Step::Incomplete { consumed: 0, missing: 1 });
        };
        let end = self.scanned + newline;
        if end > limits.inline_max {
            return Some(self.broken(Broken::InlineLine));
        }
        let mut ends = Vec::new();
        if words::split(&input[..end], &mut self.words, &mut ends).is_err() {
            return Some(self.broken(Broken::Quotes));
        }
        if ends.len() > limits.args_max {
            self.refusal = Some(Refusal::TooManyArgs(ends.len()));
        }
        let mut start = 0;
        for end in ends {
            if self.refusal.is_none() && end - start > limits.bulk_max {
                self.refusal = Some(Refusal::ArgTooLong(end - start));
            }
            self.spans.push(Span { start: start as u32, end: end as u32 });
            start = end;
        }
        Some(self.complete(end + 1))
    }

    /// The request needs `missing` more bytes. If it is being skipped, everything that has been scanned is
    /// dropped now.
    fn incomplete(&mut self, missing: usize) -> Step {
        if self.refusal.is_none() {
            return Step::Incomplete { consumed: 0, missing };
        }
        let consumed = self.scanned;
        self.scanned = 0;
        self.spans = Vec::new();
        Step::Incomplete { consumed, missing: 1 }
    }

    fn complete(&mut self, consumed: usize) -> Step {
        self.at = At::Start;
        match self.refusal {
            Some(why) => Step::Refused { consumed, why },
            None => Step::Complete { consumed },
        }
    }

    fn broken(&mut self, what: Broken) -> Step {
        self.at = At::Start;
        Step::Broken(what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { bulk_max: 20, args_max: 4, inline_max: 64, request_max: 80 };

    /// One thing that the parser found in a stream. Nothing can follow a `Broken`.
    #[derive(Debug, PartialEq)]
    enum Heard {
        Request(Vec<Vec<u8>>),
        Refused(Refusal),
        Broken(Broken),
    }

    /// Feeds a stream to a parser in the given pieces, and keeps only the bytes that the parser still
    /// needs.
    fn hear<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Heard> {
        let (mut parser, mut held, mut heard) = (Parser::default(), Vec::new(), Vec::new());
        for piece in pieces {
            held.extend_from_slice(piece);
            loop {
                match parser.parse(&held, &LIMITS) {
                    Step::Incomplete { consumed, missing } => {
                        assert!(missing > 0);
                        held.drain(..consumed);
                        break;
                    }
                    Step::Complete { consumed } => {
                        let args = parser.args(&held);
                        heard.push(Heard::Request(args.from(0).map(<[u8]>::to_vec).collect()));
                        held.drain(..consumed);
                    }
                    Step::Refused { consumed, why } => {
                        heard.push(Heard::Refused(why));
                        held.drain(..consumed);
                    }
                    Step::Broken(what) => {
                        heard.push(Heard::Broken(what));
                        return heard;
                    }
                }
            }
        }
        heard
    }

    fn request(words: &[&[u8]]) -> Heard {
        Heard::Request(words.iter().map(|word| word.to_vec()).collect())
    }

    #[test]
    fn requests_of_both_kinds_are_understood() {
        let stream = b"*2\r\n$4\r\nECHO\r\n$2\r\n\r\n\r\nPING\r\n*0\r\n*-1\r\n\r\n*1\r\n$0\r\n\r\n\"\"\n";
        let heard = hear([&stream[..]]);
        assert_eq!(
            heard,
            [
                request(&[b"ECHO", b"\r\n"]),
                request(&[b"PING"]),
                request(&[]),
                request(&[]),
                request(&[]),
                request(&[b""]),
                request(&[b""]),
            ]
        );
    }

    #[test]
    fn a_stream_split_anywhere_means_the_same() {
        let streams: [&[u8]; 8] = [
            b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\na\0\r\nb\r\nPING hello\r\n*1\r\n$4\r\nPING\r\n",
            b"ECHO \"a\\x41 b\"\r\n\r\n*1\r\n$4\r\nPING\r\n",
            b"ECHO 01234567890123456789\r\nECHO \"01234567890123456789x\"\r\nPING\r\n",
            b"*2\r\n$4\r\nECHO\r\n$30\r\n012345678901234567890123456789\r\nPING\r\n",
            b"*5\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n$1\r\nd\r\n$1\r\ne\r\nPING\r\n",
            b"*4\r\n$20\r\n01234567890123456789\r\n$20\r\n01234567890123456789\r\n$20\r\n01234567890123456789\r\n$1\r\nx\r\nPING\r\n",
            b"*1\r\n$4\r\nPING\r\n*1\r\n+PING\r\n",
            b"*1\r\n$4\r\nPINGxx*1\r\n",
        ];
        for stream in streams {
            let whole = hear([stream]);
            for first in 0..=stream.len() {
                let (head, tail) = stream.split_at(first);
                assert_eq!(hear([head, tail]), whole, "split at {first}");
                for second in 0..=tail.len() {
                    let (middle, end) = tail.split_at(second);
                    assert_eq!(hear([head, middle, end]), whole, "split at {first}, {second}");
                }
            }
            assert_eq!(hear(stream.chunks(1)), whole, "byte by byte");
        }
    }

    #[test]
    fn a_request_beyond_a_limit_is_skipped_and_the_next_one_served() {
        let cases: [(&[u8], Refusal); 6] = [
            (b"*1\r\n$21\r\n012345678901234567890\r\n", Refusal::ArgTooLong(21)),
            (b"*5\r\n$0\r\n\r\n$0\r\n\r\n$0\r\n\r\n$0\r\n\r\n$0\r\n\r\n", Refusal::TooManyArgs(5)),
            (b"a b c d e\r\n", Refusal::TooManyArgs(5)),
            (b"ECHO 012345678901234567890\r\n", Refusal::ArgTooLong(21)),
            (b"a \"0123456789 0123456789\" 01234567890123456789x\n", Refusal::ArgTooLong(21)),
            (
                b"*4\r\n$20\r\n01234567890123456789\r\n$20\r\n01234567890123456789\r\n$20\r\n01234567890123456789\r\n$0\r\n\r\n",
                Refusal::RequestTooLong,
            ),
        ];
        for (stream, why) in cases {
            let stream = [stream, b"*1\r\n$4\r\nPING\r\n"].concat();
            assert_eq!(hear([&stream[..]]), [Heard::Refused(why), request(&[b"PING"])], "{why:?}");
        }
    }

    #[test]
    fn framing_that_cannot_be_followed_is_named() {
        let cases: [(&str, Broken); 25] = [
            ("*x\r\n", Broken::MultibulkLength),
            ("*01\r\n", Broken::MultibulkLength),
            ("*+1\r\n", Broken::MultibulkLength),
            ("* 1\r\n", Broken::MultibulkLength),
            ("*\r\n", Broken::MultibulkLength),
            ("*1\rx", Broken::MultibulkLength),
            ("*2147483648\r\n", Broken::MultibulkLength),
            ("*9999999999999999999999\r\n", Broken::MultibulkLength),
            ("*999999999999999999999999999999999999999999999999\r\n", Broken::MultibulkLength),
            ("*                                          1", Broken::MultibulkLine),
            ("*1\r\n$-1\r\n", Broken::BulkLength),
            ("*1\r\n$-9223372036854775808\r\n", Broken::BulkLength),
            ("*1\r\n$\r\n", Broken::BulkLength),
            ("*1\r\n$1x\r\n", Broken::BulkLength),
            ("*1\r\n$81\r\n", Broken::BulkLength),
            ("*1\r\n$2147483648\r\n", Broken::BulkLength),
            ("*1\r\n$4294967296\r\n", Broken::BulkLength),
            ("*1\r\n$9223372036854775807\r\n", Broken::BulkLength),
            ("*1\r\n$18446744073709551616\r\n", Broken::BulkLength),
            ("*1\r\n$                                          1", Broken::BulkLine),
            ("*1\r\n+OK\r\n", Broken::ExpectedDollar(b'+')),
            ("*1\r\n$1\r\nab\r\n", Broken::ExpectedCrlf),
            ("\"a\r\n", Broken::Quotes),
            ("0123456789012345678901234567890123456789012345678901234567890123\r\n", Broken::InlineLine),
            ("012345678901234567890123456789012345678901234567890123456789012345", Broken::InlineLine),
        ];
        for (stream, what) in cases {
            assert_eq!(hear([stream.as_bytes()]), [Heard::Broken(what)], "{stream}");
        }
    }

    #[test]
    fn an_announced_length_reserves_nothing() {
        let generous = Limits { bulk_max: 1 << 29, args_max: 1 << 20, inline_max: 64, request_max: 1 << 30 };
        let mut parser = Parser::default();
        let input = b"*1000000\r\n$400000000\r\nabc";
        let step = parser.parse(input, &generous);
        assert_eq!(step, Step::Incomplete { consumed: 0, missing: 400_000_000 - 3 + 2 });
        assert_eq!(parser.capacity(), 0);
    }
}
