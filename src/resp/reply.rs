//! Writes replies: one method for each kind of element, in RESP2 or RESP3 as the client has chosen.

use std::ops::Range;

use super::double::format_f64;
use crate::base::{OutOfMemory, Output, Shared, fault};

/// The protocol version a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proto {
    /// RESP2, with which every connection starts.
    Resp2,
    /// RESP3, which a client chooses with `HELLO 3`.
    Resp3,
}

/// Writes the reply of one command to an output buffer, after the replies that already wait there.
///
/// A reply stops growing when it would exceed its limit, or when memory runs out. The code that runs
/// commands asks [`Reply::overflowed`] afterwards, and puts an error in the place of a reply that did not
/// fit.
pub struct Reply<'a> {
    out: &'a mut Output,
    /// The [mark](Output::mark) of the output before this reply.
    start: usize,
    /// Longest reply, in bytes, without the parts that it has already.
    max: usize,
    proto: Proto,
    /// True once a part of the reply did not fit.
    overflowed: bool,
    /// True after [`Reply::assure`].
    sure: bool,
    /// True if the reply can have parts of shared memory.
    shares: bool,
}

impl<'a> Reply<'a> {
    /// Begins a reply of at most `max` bytes at the end of `out`, for a socket. It can share the memory of long values.
    pub fn new(out: &'a mut Output, proto: Proto, max: usize) -> Reply<'a> {
        let start = out.mark();
        Reply { out, start, max, proto, overflowed: false, sure: false, shares: true }
    }

    /// The same for a reply that lies in one piece of memory, because the server reads it itself.
    pub fn plain(out: &'a mut Output, proto: Proto, max: usize) -> Reply<'a> {
        let start = out.mark();
        Reply { out, start, max, proto, overflowed: false, sure: false, shares: false }
    }

    /// Changes the protocol version for the rest of this reply.
    pub fn set_proto(&mut self, proto: Proto) {
        self.proto = proto;
    }

    /// The protocol version of this reply.
    pub fn proto(&self) -> Proto {
        self.proto
    }

    /// Length of the output buffer in bytes, earlier replies included.
    pub fn pending(&self) -> usize {
        self.out.len()
    }

    /// True if a part of the reply did not fit and is missing.
    pub fn overflowed(&self) -> bool {
        self.overflowed
    }

    /// Makes room for `bytes` more bytes of output.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses; nothing has changed.
    pub fn reserve(&mut self, bytes: usize) -> Result<(), OutOfMemory> {
        self.point();
        self.out.reserve(bytes)
    }

    /// A command calls this last before it commits. From here on, writing to the reply neither fails nor
    /// panics, and no limit cuts it. So the rest of the reply must fit into room that has been made before:
    /// the headroom of 1 KiB that every request gets, or the room that [`Reply::reserve`] has made.
    #[inline]
    pub fn assure(&mut self) {
        self.point();
        self.sure = true;
    }

    /// A reply of at most `max` bytes inside this one, for a command that runs inside another command.
    pub fn inside(&mut self, proto: Proto, max: usize) -> Reply<'_> {
        let start = self.out.mark();
        Reply { out: self.out, start, max, proto, overflowed: false, sure: false, shares: self.shares }
    }

    /// Removes everything that was written through this `Reply` and writes an error instead. No limit cuts
    /// the error, because a client could not tell where half an error line ends.
    pub fn replace_by_error(&mut self, text: &[u8]) {
        self.out.cut(self.start);
        self.overflowed = false;
        self.max = usize::MAX;
        self.error(text);
    }

    /// Writes the status `+text`. The text must contain neither CR nor LF.
    #[inline]
    pub fn simple(&mut self, text: &str) {
        self.point();
        self.line(b'+', text.as_bytes());
    }

    /// Writes the status `+text`. Each control byte in the text becomes a blank, as in [`Reply::error`].
    pub fn status(&mut self, text: &[u8]) {
        self.point();
        self.push(b"+");
        self.one_line(text);
    }

    /// Writes the status `+OK`.
    #[inline]
    pub fn ok(&mut self) {
        self.point();
        self.push(b"+OK\r\n");
    }

    /// Writes the error `-text`. The first word of the text is the error's code. Each control byte in the
    /// text becomes a blank: the text may quote parts of a request, and a line break in it would end the
    /// error too early.
    pub fn error(&mut self, text: &[u8]) {
        self.point();
        self.push(b"-");
        self.one_line(text);
    }

    /// Writes a text and the end of its line, with a blank for each control byte.
    fn one_line(&mut self, text: &[u8]) {
        for chunk in text.split_inclusive(u8::is_ascii_control) {
            match chunk.split_last() {
                Some((last, head)) if last.is_ascii_control() => {
                    self.push(head);
                    self.push(b" ");
                }
                _ => self.push(chunk),
            }
        }
        self.push(b"\r\n");
    }

    /// Writes the integer `:number`.
    #[inline]
    pub fn int(&mut self, number: i64) {
        self.point();
        self.header(b':', number);
    }

    /// Writes a bulk string.
    #[inline]
    pub fn bulk(&mut self, bytes: &[u8]) {
        self.point();
        // With one or two digits the header has a length that the compiler knows, so copying it needs no
        // call. Nearly all values are that short.
        let digit = |number: usize| b'0' + (number % 10) as u8;
        match bytes.len() {
            len @ 0..=9 => self.push_all([&[b'$', digit(len), b'\r', b'\n'], bytes, b"\r\n"]),
            len @ 10..=99 => {
                self.push_all([&[b'$', digit(len / 10), digit(len), b'\r', b'\n'], bytes, b"\r\n"]);
            }
            len => {
                let mut digits = itoa::Buffer::new();
                self.push_all([b"$", digits.format(len).as_bytes(), b"\r\n", bytes, b"\r\n"]);
            }
        }
    }

    /// True if the reply can have parts of shared memory.
    pub fn shares(&self) -> bool {
        self.shares
    }

    /// Writes a bulk string that lies at `range` in `memory`. It is not copied, if the reply [shares](Reply::shares) memory.
    pub fn shared_bulk(&mut self, memory: &Shared, range: Range<usize>) {
        let bytes = &memory.bytes()[range.clone()];
        if self.overflowed {
            return;
        }
        let fits = bytes.len() < self.max.saturating_sub(self.out.mark() - self.start);
        if !fits || !self.shares {
            return self.bulk(bytes);
        }
        self.point();
        self.header(b'$', bytes.len() as i64);
        if self.overflowed {
            return;
        }
        self.max -= bytes.len();
        self.overflowed |= self.out.share(memory.clone(), range).is_err();
        self.push(b"\r\n");
    }

    /// Writes a floating point number. In RESP2 it is a bulk string.
    pub fn double(&mut self, number: f64) {
        self.double_text(format_f64(number).as_bytes());
    }

    /// Writes a floating point number that is already text.
    pub fn double_text(&mut self, text: &[u8]) {
        match self.proto {
            Proto::Resp2 => self.bulk(text),
            Proto::Resp3 => {
                self.point();
                self.line(b',', text);
            }
        }
    }

    /// Writes text as a verbatim string in RESP3, and as a bulk string in RESP2.
    pub fn verbatim(&mut self, text: &str) {
        self.verbatim_bytes(b"txt", text.as_bytes());
    }

    /// The same, with the three letters that say what kind of text it is. If there are fewer, blanks follow them.
    pub fn verbatim_bytes(&mut self, kind: &[u8], text: &[u8]) {
        match self.proto {
            Proto::Resp2 => self.bulk(text),
            Proto::Resp3 => {
                self.point();
                let mut head = *b"   :";
                kind.iter().take(3).zip(&mut head).for_each(|(from, to)| *to = *from);
                self.header(b'=', text.len() as i64 + 4);
                self.push_all([&head, text, b"\r\n"]);
            }
        }
    }

    /// Writes true or false. In RESP2 it is 1 or 0.
    pub fn boolean(&mut self, value: bool) {
        match self.proto {
            Proto::Resp2 => self.int(i64::from(value)),
            Proto::Resp3 => {
                self.point();
                self.push(if value { b"#t\r\n" } else { b"#f\r\n" });
            }
        }
    }

    /// Writes an integer of any size, as text. In RESP2 it is a bulk string.
    pub fn big_number(&mut self, digits: &[u8]) {
        match self.proto {
            Proto::Resp2 => self.bulk(digits),
            Proto::Resp3 => {
                self.point();
                self.push(b"(");
                self.one_line(digits);
            }
        }
    }

    /// Writes null: there is no value.
    #[inline]
    pub fn null(&mut self) {
        self.point();
        match self.proto {
            Proto::Resp2 => self.push(b"$-1\r\n"),
            Proto::Resp3 => self.push(b"_\r\n"),
        }
    }

    /// Writes a bulk string, or null for `None`.
    #[inline]
    pub fn bulk_or_null(&mut self, bytes: Option<&[u8]>) {
        match bytes {
            Some(bytes) => self.bulk(bytes),
            None => self.null(),
        }
    }

    /// Opens an array: `count` elements follow.
    pub fn array(&mut self, count: usize) {
        self.point();
        self.header(b'*', count as i64);
    }

    /// Opens a push: bytes that the client did not ask for just now, or the answer to a subscription.
    /// `count` elements follow. In RESP2 it is an array.
    pub fn push_header(&mut self, count: usize) {
        self.point();
        let mark = if self.proto == Proto::Resp3 { b'>' } else { b'*' };
        self.header(mark, count as i64);
    }

    /// Opens a set: `count` elements follow. In RESP2 it is an array.
    pub fn set(&mut self, count: usize) {
        self.point();
        let mark = if self.proto == Proto::Resp3 { b'~' } else { b'*' };
        self.header(mark, count as i64);
    }

    /// Opens a map of `pairs` keys, each followed by its value. In RESP2 it is a flat array.
    pub fn map(&mut self, pairs: usize) {
        self.point();
        match self.proto {
            Proto::Resp2 => self.header(b'*', pairs as i64 * 2),
            Proto::Resp3 => self.header(b'%', pairs as i64),
        }
    }

    /// Writes null in the place of an array. `EXEC` answers with it if a watched key has changed.
    pub fn null_array(&mut self) {
        self.point();
        self.push(null_array(self.proto));
    }

    /// A fault point: a place where a test may make the command panic. There are none after the command has
    /// called [`Reply::assure`].
    #[inline(always)]
    fn point(&self) {
        if !self.sure {
            fault::point();
        }
    }

    /// Writes a line: `mark`, `text`, CRLF.
    #[inline]
    fn line(&mut self, mark: u8, text: &[u8]) {
        self.push_all([&[mark], text, b"\r\n"]);
    }

    /// Writes a line with a number: `mark`, `number`, CRLF.
    #[inline]
    fn header(&mut self, mark: u8, number: i64) {
        let mut digits = itoa::Buffer::new();
        self.line(mark, digits.format(number).as_bytes());
    }

    #[inline]
    fn push(&mut self, bytes: &[u8]) {
        self.push_all([bytes]);
    }

    /// Appends all parts after a single check: with a check for each of three parts, a PING took 90
    /// instructions more.
    #[inline]
    fn push_all<const N: usize>(&mut self, parts: [&[u8]; N]) {
        let len = self.out.mark() - self.start;
        let more: usize = parts.iter().map(|part| part.len()).sum();
        let too_long = more > self.max.saturating_sub(len) && !self.sure;
        if self.overflowed || too_long || self.out.extend_all(parts).is_err() {
            self.overflowed = true;
        }
    }
}

/// Null in the place of an array.
pub fn null_array(proto: Proto) -> &'static [u8] {
    match proto {
        Proto::Resp2 => b"*-1\r\n",
        Proto::Resp3 => b"_\r\n",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(proto: Proto, write: impl FnOnce(&mut Reply)) -> String {
        let mut out = Output::default();
        write(&mut Reply::new(&mut out, proto, 1000));
        String::from_utf8(out.front().to_vec()).unwrap()
    }

    #[test]
    fn each_element_in_both_versions() {
        let elements = |reply: &mut Reply| {
            reply.simple("PONG");
            reply.ok();
            reply.int(-7);
            reply.bulk(b"");
            reply.null();
            reply.array(2);
            reply.set(1);
            reply.map(3);
            reply.verbatim("hi");
            reply.double(-0.5);
        };
        assert_eq!(
            written(Proto::Resp2, elements),
            "+PONG\r\n+OK\r\n:-7\r\n$0\r\n\r\n$-1\r\n*2\r\n*1\r\n*6\r\n$2\r\nhi\r\n$4\r\n-0.5\r\n"
        );
        assert_eq!(
            written(Proto::Resp3, elements),
            "+PONG\r\n+OK\r\n:-7\r\n$0\r\n\r\n_\r\n*2\r\n~1\r\n%3\r\n=6\r\ntxt:hi\r\n,-0.5\r\n"
        );
    }

    #[test]
    fn an_error_is_always_one_line() {
        let text = written(Proto::Resp2, |reply| reply.error(b"ERR a\r\nb\0c\n"));
        assert_eq!(text, "-ERR a  b c \r\n");
    }

    #[test]
    fn a_reply_stops_at_its_limit_and_can_be_replaced() {
        let mut out = Output::default();
        out.extend(b"+before\r\n").unwrap();
        let mut reply = Reply::new(&mut out, Proto::Resp2, 10);
        reply.bulk(b"0123456789");
        assert!(reply.overflowed());
        reply.replace_by_error(b"ERR longer than the limit");
        assert!(!reply.overflowed());
        assert_eq!(out.front(), b"+before\r\n-ERR longer than the limit\r\n");
    }
}
