//! Where log lines go, and what happens when they cannot.
//!
//! A sink that takes nothing, such as a pipe that nobody reads, must not stop the loop: each line
//! is written only if the sink says that it has room; otherwise it is dropped and counted. What
//! cannot be helped is a file on a disk that hangs.

use std::fs::{File, OpenOptions};
use std::io::{self, Stderr, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use log::LevelFilter;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use simplelog::{ConfigBuilder, WriteLogger};

use crate::config::Config;

/// Longest line. A pipe with any room takes this much at once (POSIX's PIPE_BUF on Linux).
const LINE_MAX: usize = 4096;

static DROPPED: AtomicU64 = AtomicU64::new(0);
static REOPEN: AtomicBool = AtomicBool::new(false);

/// Lines dropped because the sink had no room, since the start.
pub fn dropped() -> u64 {
    DROPPED.load(Ordering::Relaxed)
}

/// Opens the log file again before the next line: it has been moved away.
pub fn reopen() {
    REOPEN.store(true, Ordering::Relaxed);
}

/// Starts logging as `config` says.
///
/// # Errors
/// One line that says why the log file cannot be written.
pub fn start(config: &Config) -> Result<(), String> {
    let target = Target::open(&config.logfile)
        .map_err(|error| format!("cannot open the log file '{}': {error}", config.logfile))?;
    let sink = Sink { target, path: config.logfile.clone(), line: Vec::new() };
    let format = ConfigBuilder::new()
        .set_time_format_rfc3339()
        .set_thread_level(LevelFilter::Off)
        .set_target_level(LevelFilter::Off)
        .set_location_level(LevelFilter::Off)
        .build();
    WriteLogger::init(LevelFilter::Debug, format, sink).map_err(|error| error.to_string())?;
    log::set_max_level(config.loglevel);
    Ok(())
}

enum Target {
    File(File),
    Stderr(Stderr),
}

impl Target {
    fn open(path: &str) -> io::Result<Target> {
        if path.is_empty() {
            return Ok(Target::Stderr(io::stderr()));
        }
        OpenOptions::new().create(true).append(true).open(path).map(Target::File)
    }

    fn fd(&self) -> BorrowedFd<'_> {
        match self {
            Target::File(file) => file.as_fd(),
            Target::Stderr(stderr) => stderr.as_fd(),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Target::File(file) => file.write(bytes),
            Target::Stderr(stderr) => stderr.write(bytes),
        }
    }

    /// A sink that poll(2) knows nothing about (a terminal, on some systems) is taken at its word.
    fn has_room(&self) -> bool {
        let mut sink = [PollFd::new(self.fd(), PollFlags::POLLOUT)];
        match poll(&mut sink, PollTimeout::ZERO) {
            Ok(ready) => {
                ready > 0 && !matches!(sink[0].revents(), Some(events) if events.contains(PollFlags::POLLERR))
            }
            Err(_) => true,
        }
    }
}

/// Gathers each line, since the logger writes it in pieces, and passes it on whole or not at all.
struct Sink {
    target: Target,
    path: String,
    line: Vec<u8>,
}

impl Sink {
    fn pass_on(&mut self) {
        if REOPEN.swap(false, Ordering::Relaxed)
            && let Ok(target) = Target::open(&self.path)
        {
            self.target = target;
        }
        if !self.target.has_room() || self.target.write(&self.line).is_err() {
            DROPPED.fetch_add(1, Ordering::Relaxed);
        }
        self.line.clear();
    }
}

impl Write for Sink {
    /// Never fails and never blocks on a pipe: what cannot be written is counted instead.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let room = (LINE_MAX - 1).saturating_sub(self.line.len());
            let (text, ends) = match piece.split_last() {
                Some((b'\n', text)) => (text, true),
                _ => (piece, false),
            };
            self.line.extend_from_slice(&text[..text.len().min(room)]);
            if ends {
                self.line.push(b'\n');
                self.pass_on();
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
