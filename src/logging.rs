//! Where log lines go, and what happens if the sink has no room.
//!
//! A sink may stop taking lines: for example, the reader of a pipe may hang. That must not stop the server. So the
//! server writes a line only if the sink has room. Otherwise it drops the line and counts it. A file on a disk that
//! hangs can still stop the server, because poll(2) always says that a file has room.

use std::fs::{File, OpenOptions};
use std::io::{self, Stderr, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use log::LevelFilter;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use simplelog::{ConfigBuilder, WriteLogger};

use crate::config::{Config, LOG_LINE_MAX};

static DROPPED: AtomicU64 = AtomicU64::new(0);
static OUTLET: OnceLock<Mutex<Outlet>> = OnceLock::new();

/// Number of lines dropped since the start, because the sink had no room or the write failed.
pub fn dropped() -> u64 {
    DROPPED.load(Ordering::Relaxed)
}

/// Opens the log file again after it has been moved away. Until that succeeds, lines go to the old file.
///
/// # Errors
/// The error of opening the file.
pub fn reopen() -> io::Result<()> {
    let Some(mut outlet) = outlet() else { return Ok(()) };
    outlet.target = Target::open(&outlet.path)?;
    Ok(())
}

fn outlet() -> Option<MutexGuard<'static, Outlet>> {
    OUTLET.get().map(|outlet| outlet.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Starts logging as `config` says.
///
/// # Errors
/// One line that says why the log file cannot be written.
pub fn start(config: &Config) -> Result<(), String> {
    let target = Target::open(&config.logfile)
        .map_err(|error| format!("cannot open the log file '{}': {error}", config.logfile))?;
    OUTLET
        .set(Mutex::new(Outlet { target, path: config.logfile.clone() }))
        .map_err(|_| "logging was started twice".to_owned())?;
    let format = ConfigBuilder::new()
        .set_time_format_rfc3339()
        .set_thread_level(LevelFilter::Off)
        .set_target_level(LevelFilter::Off)
        .set_location_level(LevelFilter::Off)
        // mio logs a trace line for each registration.
        .add_filter_ignore_str("mio")
        .build();
    WriteLogger::init(LevelFilter::Trace, format, Sink::default()).map_err(|error| error.to_string())?;
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
        // Without this flag the open of a named pipe would block until another process opens it to read.
        let flags = OFlag::O_NONBLOCK.bits();
        OpenOptions::new().create(true).append(true).custom_flags(flags).open(path).map(Target::File)
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

    /// True if the sink has room. Also true if poll(2) fails, as it does for a terminal on some systems.
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

/// Where lines go, and the path from which [`reopen`] opens it again.
struct Outlet {
    target: Target,
    path: String,
}

/// Gathers the pieces in which the logger writes a line, so that a line goes to the sink in one write.
#[derive(Default)]
struct Sink {
    line: Vec<u8>,
}

impl Sink {
    fn pass_on(&mut self) {
        if let Some(mut outlet) = outlet()
            && !(outlet.target.has_room()
                && outlet.target.write(&self.line).is_ok_and(|n| n == self.line.len()))
        {
            DROPPED.fetch_add(1, Ordering::Relaxed);
        }
        self.line.clear();
    }
}

impl Write for Sink {
    /// Never fails, and never blocks on a pipe. Lines that cannot be written are counted. A line longer than
    /// [`LOG_LINE_MAX`] is cut.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let room = (LOG_LINE_MAX - 1).saturating_sub(self.line.len());
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
