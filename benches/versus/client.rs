//! One client of the generator: sends batches as it is given credit for them, and counts or compares
//! what comes back. Knows neither the clock's rate nor the other clients.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::time::Instant;

use mio::net::TcpStream;

use super::script::Script;

/// Written to one client before the others have their turn.
const WRITE_BYTES: usize = 256 << 10;

/// What is done with replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Compare every byte.
    Nothing,
    /// Compare the length, and how each batch ends.
    Length,
    /// Compare the length: the floor says nothing that makes sense.
    Blindly,
}

/// One connection of the generator.
pub struct Client<'a> {
    socket: TcpStream,
    pub script: &'a Script,
    quota: u64,
    /// Batches that may be sent now.
    pub credit: u32,
    /// The batch that is being sent, and how much of it is.
    sending: (usize, usize),
    /// The batch that is being answered, and how much of it is.
    answered: (usize, usize),
    /// What the batch being answered must say, if every byte is compared.
    expected: Vec<u8>,
    unanswered: u32,
    /// When what is unanswered was due, in an open loop.
    pub due: VecDeque<Instant>,
    /// It has more to write than it may at once.
    pub unfinished: bool,
}

impl<'a> Client<'a> {
    /// A client that begins with batch number `at`. It may have `window` batches on their way at
    /// once, and asks for `quota` of them in all.
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

    /// Sends what it may. Returns how many batches were begun.
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

    /// Reads all there is. Returns how many batches it has completed.
    pub fn hear(
        &mut self,
        scratch: &mut [u8],
        trust: Trust,
        note: &mut dyn FnMut(Option<Instant>, Instant),
    ) -> io::Result<u32> {
        let mut completed = 0;
        loop {
            let count = match self.socket.read(scratch) {
                Ok(0) => return Err(io::Error::new(ErrorKind::UnexpectedEof, "the server has hung up")),
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

    /// Counts what has come towards the batches that are owed.
    fn count(&mut self, mut got: &[u8], trust: Trust) -> io::Result<u32> {
        let whole = self.script.reply_bytes;
        let mut completed = 0;
        while !got.is_empty() {
            if self.unanswered == 0 {
                return Err(io::Error::other(format!("it was not asked and says {}", got.escape_ascii())));
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
                return Err(io::Error::other("a reply does not end where it should"));
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

    fn compare(&self, got: &[u8], at: usize) -> io::Result<()> {
        let expected = &self.expected[at..at + got.len()];
        if got == expected {
            return Ok(());
        }
        Err(other_than(expected, got))
    }
}

/// What is wrong with a reply: an error in one line, or the difference.
pub fn other_than(expected: &[u8], got: &[u8]) -> io::Error {
    if got.starts_with(b"-") {
        let line = got.split(|&byte| byte == b'\r').next().unwrap_or_default();
        return io::Error::other(format!("it refuses: {}", String::from_utf8_lossy(line)));
    }
    let shown = |bytes: &[u8]| bytes[..bytes.len().min(80)].escape_ascii().to_string();
    io::Error::other(format!("it says {} instead of {}", shown(got), shown(expected)))
}
