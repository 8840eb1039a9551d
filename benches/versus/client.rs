//! One client of the generator. It sends as many batches as it has credit for, and counts or compares the
//! replies. It knows neither the rate of an open loop nor the other clients.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::time::Instant;

use mio::net::TcpStream;

use super::script::Script;

/// Most bytes that one client writes before the other clients go on.
const WRITE_BYTES: usize = 256 << 10;

/// How closely replies are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Every byte is compared.
    Nothing,
    /// Only the length is compared, and that each batch of replies ends with a line feed.
    Length,
    /// Only the length is compared, because the replies of the floor mean nothing.
    Blindly,
}

/// One connection of the generator.
pub struct Client<'a> {
    socket: TcpStream,
    /// What it sends.
    pub script: &'a Script,
    /// Batches for which it will still get credit.
    quota: u64,
    /// Batches that it may send now.
    pub credit: u32,
    /// The number of the batch that it is sending, and how many of its bytes are sent.
    sending: (usize, usize),
    /// The number of the batch that is being answered, and how many bytes of the replies have come.
    answered: (usize, usize),
    /// The replies to that batch, if every byte is compared.
    expected: Vec<u8>,
    /// Batches that it has begun to send and that are not answered.
    unanswered: u32,
    /// In an open loop, when the unanswered requests were due.
    pub due: VecDeque<Instant>,
    /// True if it has more to write than it may write at once.
    pub unfinished: bool,
}

impl<'a> Client<'a> {
    /// A client that begins with batch number `at`. At most `window` of its batches may be unanswered at
    /// once, and it sends `quota` of them in all.
    pub fn new(socket: TcpStream, script: &'a Script, at: usize, window: u32, quota: u64) -> Client<'a> {
        Client {
            socket,
            script,
            quota: quota.saturating_sub(window.into()),
            credit: quota.min(window.into()) as u32,
            sending: (at, 0),
            answered: (at, 0),
            expected: Vec::new(),
            unanswered: 0,
            due: VecDeque::new(),
            unfinished: false,
        }
    }

    /// Sends as much as its credit and the socket allow. Returns how many batches it has begun.
    pub fn pump(&mut self) -> io::Result<u64> {
        let mut begun = 0;
        let mut budget = WRITE_BYTES;
        self.unfinished = false;
        while self.credit > 0 {
            if budget == 0 {
                self.unfinished = true;
                break;
            }
            let (index, sent) = self.sending;
            let rest = &self.script.batch(index)[sent..];
            let rest = &rest[..rest.len().min(budget)];
            match self.socket.write(rest) {
                Ok(count) => {
                    if sent == 0 {
                        begun += 1;
                        self.unanswered += 1;
                    }
                    budget -= count;
                    self.sending.1 += count;
                    if self.sending.1 == self.script.batch_bytes {
                        self.sending = ((index + 1) % self.script.batches(), 0);
                        self.credit -= 1;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(begun)
    }

    /// Reads all that the socket has, and checks it. Returns how many batches are answered completely now.
    /// For each of them, an open loop calls `note` with the time when it was due and the time now.
    pub fn hear(
        &mut self,
        scratch: &mut [u8],
        trust: Trust,
        note: &mut dyn FnMut(Option<Instant>, Instant),
    ) -> io::Result<u32> {
        let mut completed = 0;
        loop {
            let count = match self.socket.read(scratch) {
                Ok(0) => {
                    return Err(io::Error::new(ErrorKind::UnexpectedEof, "the server closed the connection"));
                }
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(completed),
                Err(error) => return Err(error),
            };
            let before = completed;
            completed += self.count(&scratch[..count], trust)?;
            if completed > before && !self.due.is_empty() {
                let now = Instant::now();
                (before..completed).for_each(|_| note(self.due.pop_front(), now));
            }
            if count < scratch.len() {
                return Ok(completed);
            }
        }
    }

    /// Checks bytes that have come, and counts them towards the batches that are unanswered.
    fn count(&mut self, mut got: &[u8], trust: Trust) -> io::Result<u32> {
        let whole = self.script.reply_bytes;
        let mut completed = 0;
        while !got.is_empty() {
            if self.unanswered == 0 {
                return Err(io::Error::other(format!(
                    "the server sent a reply to no request: {}",
                    got.escape_ascii()
                )));
            }
            let (index, at) = self.answered;
            if at == 0 && trust == Trust::Nothing {
                self.expected = self.script.reply(index);
            }
            let part = got.len().min(whole - at);
            let complete = at + part == whole;
            if trust == Trust::Nothing && self.expected.len() == whole {
                self.compare(&got[..part], at)?;
            } else if trust != Trust::Blindly && complete && got[part - 1] != b'\n' {
                return Err(io::Error::other("the replies to a batch do not end with a line feed"));
            }
            got = &got[part..];
            self.answered.1 += part;
            if complete {
                self.answered = ((index + 1) % self.script.batches(), 0);
                self.expected.clear();
                self.unanswered -= 1;
                completed += 1;
                if self.quota > 0 {
                    self.quota -= 1;
                    self.credit += 1;
                }
            }
        }
        Ok(completed)
    }

    /// Compares bytes that have come with the expected replies from `at` on.
    fn compare(&self, got: &[u8], at: usize) -> io::Result<()> {
        let expected = &self.expected[at..at + got.len()];
        if got == expected {
            return Ok(());
        }
        Err(other_than(expected, got))
    }
}

/// An error that says what is wrong with a reply: the server's own error, or the difference.
pub fn other_than(expected: &[u8], got: &[u8]) -> io::Error {
    if got.starts_with(b"-") {
        let line = got.split(|&byte| byte == b'\r').next().unwrap_or_default();
        return io::Error::other(format!("the server refused: {}", String::from_utf8_lossy(line)));
    }
    let shown = |bytes: &[u8]| bytes[..bytes.len().min(80)].escape_ascii().to_string();
    io::Error::other(format!("the server sent {} instead of {}", shown(got), shown(expected)))
}
