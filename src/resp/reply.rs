//! The reply encoders: one call an element, in RESP2 or RESP3 as the client chose.

use crate::base::{Buf, OutOfMemory, fault};

/// The protocol version a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proto {
    /// What every connection starts with.
    Resp2,
    /// After `HELLO 3`.
    Resp3,
}

/// Writes one command's reply behind those already waiting in an output buffer.
///
/// A reply that would exceed its limit, or the memory there is, stops growing; whoever runs the
/// command asks [`Reply::overflowed`] afterwards and puts an error in its place.
pub struct Reply<'a> {
    out: &'a mut Buf,
    start: usize,
    max: usize,
    proto: Proto,
    overflowed: bool,
    /// What follows fits and does not fail.
    sure: bool,
}

impl<'a> Reply<'a> {
    /// A reply of at most `max` bytes.
    pub fn new(out: &'a mut Buf, proto: Proto, max: usize) -> Reply<'a> {
        let start = out.len();
        Reply { out, start, max, proto, overflowed: false, sure: false }
    }

    /// Changes the version of this and the following replies.
    pub fn set_proto(&mut self, proto: Proto) {
        self.proto = proto;
    }

    /// The version of this reply.
    pub fn proto(&self) -> Proto {
        self.proto
    }

    /// Bytes in the output buffer, earlier replies included.
    pub fn pending(&self) -> usize {
        self.out.len()
    }

    /// True if part of the reply did not fit.
    pub fn overflowed(&self) -> bool {
        self.overflowed
    }

    /// Bytes of this reply so far.
    pub fn len(&self) -> usize {
        self.out.len() - self.start
    }

    /// True if nothing has been written yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Makes room for `bytes` more.
    ///
    /// # Errors
    /// [`OutOfMemory`] if the allocator refuses; nothing has changed.
    pub fn reserve(&mut self, bytes: usize) -> Result<(), OutOfMemory> {
        self.point();
        self.out.reserve(bytes)
    }

    /// The last thing that a command does before it commits: what it replies afterwards is short, for it
    /// there is room since before the command began, and neither fails nor panics.
    #[inline]
    pub fn assure(&mut self) {
        self.point();
        self.sure = true;
    }

    /// A reply inside this one, of at most `max` bytes: that of a command inside a command.
    pub fn inside(&mut self, proto: Proto, max: usize) -> Reply<'_> {
        Reply::new(self.out, proto, max)
    }

    /// Takes back everything written through this `Reply` and writes an error instead, which no
    /// limit cuts: half an error line would put the stream out of step.
    pub fn replace_by_error(&mut self, text: &[u8]) {
        self.out.truncate(self.start);
        self.overflowed = false;
        self.max = usize::MAX;
        self.error(text);
    }

    /// `+text`. The text must not contain CR or LF.
    #[inline]
    pub fn simple(&mut self, text: &str) {
        self.point();
        self.line(b'+', text.as_bytes());
    }

    /// `+OK`.
    #[inline]
    pub fn ok(&mut self) {
        self.point();
        self.push(b"+OK\r\n");
    }

    /// `-text`, whose first word is the error's code. Control bytes in it become blanks, because
    /// parts of a request may be quoted in it and a line break would put the stream out of step.
    pub fn error(&mut self, text: &[u8]) {
        self.point();
        self.push(b"-");
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

    /// `:number`.
    #[inline]
    pub fn int(&mut self, number: i64) {
        self.point();
        self.header(b':', number);
    }

    /// A bulk string.
    #[inline]
    pub fn bulk(&mut self, bytes: &[u8]) {
        self.point();
        // A copy whose length is known costs no call, and nearly all values are as short as that.
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

    /// Text as RESP3's verbatim string, a bulk string in RESP2.
    pub fn verbatim(&mut self, text: &str) {
        match self.proto {
            Proto::Resp2 => self.bulk(text.as_bytes()),
            Proto::Resp3 => {
                self.point();
                self.header(b'=', text.len() as i64 + 4);
                self.push(b"txt:");
                self.push(text.as_bytes());
                self.push(b"\r\n");
            }
        }
    }

    /// The absence of a value.
    #[inline]
    pub fn null(&mut self) {
        self.point();
        match self.proto {
            Proto::Resp2 => self.push(b"$-1\r\n"),
            Proto::Resp3 => self.push(b"_\r\n"),
        }
    }

    /// A bulk string, or null for `None`.
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

    /// Opens a push, which is no reply: `count` elements follow; an array in RESP2.
    pub fn push_header(&mut self, count: usize) {
        self.point();
        let mark = if self.proto == Proto::Resp3 { b'>' } else { b'*' };
        self.header(mark, count as i64);
    }

    /// Opens a set; an array in RESP2.
    pub fn set(&mut self, count: usize) {
        self.point();
        let mark = if self.proto == Proto::Resp3 { b'~' } else { b'*' };
        self.header(mark, count as i64);
    }

    /// Opens a map: `pairs` keys, each followed by its value; a flat array in RESP2.
    pub fn map(&mut self, pairs: usize) {
        self.point();
        match self.proto {
            Proto::Resp2 => self.header(b'*', pairs as i64 * 2),
            Proto::Resp3 => self.header(b'%', pairs as i64),
        }
    }

    /// The absence of an array: what `EXEC` says of a transaction that a watched key has stopped.
    pub fn null_array(&mut self) {
        self.point();
        match self.proto {
            Proto::Resp2 => self.push(b"*-1\r\n"),
            Proto::Resp3 => self.push(b"_\r\n"),
        }
    }

    /// A place where a test may make the command panic, unless it has begun to commit.
    #[inline(always)]
    fn point(&self) {
        if !self.sure {
            fault::point();
        }
    }

    #[inline]
    fn line(&mut self, mark: u8, text: &[u8]) {
        self.push_all([&[mark], text, b"\r\n"]);
    }

    #[inline]
    fn header(&mut self, mark: u8, number: i64) {
        let mut digits = itoa::Buffer::new();
        self.line(mark, digits.format(number).as_bytes());
    }

    #[inline]
    fn push(&mut self, bytes: &[u8]) {
        self.push_all([bytes]);
    }

    /// One check for all parts: three pushes cost a PING 90 instructions more.
    #[inline]
    fn push_all<const N: usize>(&mut self, parts: [&[u8]; N]) {
        let len = self.out.len() - self.start;
        let more: usize = parts.iter().map(|part| part.len()).sum();
        let too_long = more > self.max.saturating_sub(len) && !self.sure;
        if self.overflowed || too_long || self.out.extend_all(parts).is_err() {
            self.overflowed = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(proto: Proto, write: impl FnOnce(&mut Reply)) -> String {
        let mut out = Buf::default();
        write(&mut Reply::new(&mut out, proto, 1000));
        String::from_utf8(out.unread().to_vec()).unwrap()
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
        };
        assert_eq!(
            written(Proto::Resp2, elements),
            "+PONG\r\n+OK\r\n:-7\r\n$0\r\n\r\n$-1\r\n*2\r\n*1\r\n*6\r\n$2\r\nhi\r\n"
        );
        assert_eq!(
            written(Proto::Resp3, elements),
            "+PONG\r\n+OK\r\n:-7\r\n$0\r\n\r\n_\r\n*2\r\n~1\r\n%3\r\n=6\r\ntxt:hi\r\n"
        );
    }

    #[test]
    fn an_error_is_always_one_line() {
        let text = written(Proto::Resp2, |reply| reply.error(b"ERR a\r\nb\0c\n"));
        assert_eq!(text, "-ERR a  b c \r\n");
    }

    #[test]
    fn a_reply_stops_at_its_limit_and_can_be_replaced() {
        let mut out = Buf::default();
        out.extend(b"+before\r\n").unwrap();
        let mut reply = Reply::new(&mut out, Proto::Resp2, 10);
        reply.bulk(b"0123456789");
        assert!(reply.overflowed());
        reply.replace_by_error(b"ERR longer than the limit");
        assert!(!reply.overflowed());
        assert_eq!(out.unread(), b"+before\r\n-ERR longer than the limit\r\n");
    }
}
