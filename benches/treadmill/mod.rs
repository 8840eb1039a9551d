//! The treadmill: a world without system calls. It has one client, which always has another batch of requests
//! ready and takes every reply.

use std::hint::black_box;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tidegate::base::{Clock, Moment, Now, Peer};
use tidegate::reactor::net::{Edge, Net, Patience};

/// Writes the client's next batch into a vector.
type Script = Box<dyn FnMut(&mut Vec<u8>)>;

/// A [`Net`] with one client and no system calls.
pub struct Treadmill {
    /// The client's socket, until the server accepts it.
    waiting: Option<Belt>,
    /// The slot of the client, once the server watches it.
    watched: Option<u32>,
    /// The time of both clocks, milliseconds. It stands still unless the benchmark changes it.
    pub time_ms: Arc<AtomicU64>,
}

/// Both clocks at this time.
fn at(time_ms: &AtomicU64) -> Now {
    let unix_ms = time_ms.load(Ordering::Relaxed);
    Now { at: Moment::default().plus_ms(unix_ms), unix_ms, unix_us: unix_ms * 1_000 }
}

/// The client's socket.
pub struct Belt {
    next: Script,
    /// The batch that the server is reading.
    batch: Vec<u8>,
    /// How many bytes of the batch the server has read.
    at: usize,
}

impl Treadmill {
    /// A world whose client sends the batches that `next` writes. Each call gets an empty vector.
    pub fn new(next: impl FnMut(&mut Vec<u8>) + 'static) -> Treadmill {
        let belt = Belt { next: Box::new(next), batch: Vec::new(), at: 0 };
        Treadmill { waiting: Some(belt), watched: None, time_ms: Arc::default() }
    }
}

impl Read for Belt {
    /// The read that ends a batch is a short one, so the server reads one batch a tick.
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.at == self.batch.len() {
            self.batch.clear();
            self.at = 0;
            (self.next)(&mut self.batch);
        }
        let rest = &self.batch[self.at..];
        let count = rest.len().min(buf.len());
        buf[..count].copy_from_slice(&rest[..count]);
        self.at += count;
        Ok(count)
    }
}

impl Write for Belt {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        Ok(black_box(buf).len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Net for Treadmill {
    type Socket = Belt;

    const SHORT_READ_MEANS_EMPTY: bool = true;

    fn wait(&mut self, _: Patience, edges: &mut Vec<Edge>) -> io::Result<()> {
        edges.extend(self.watched.map(|slot| Edge::Ready {
            slot,
            readable: true,
            writable: true,
            hides_more: false,
            peer_closed: false,
        }));
        Ok(())
    }

    fn now(&mut self) -> Now {
        at(&self.time_ms)
    }

    fn clock(&self) -> Clock {
        let time_ms = Arc::clone(&self.time_ms);
        Clock::new(move || at(&time_ms))
    }

    fn waiting(&self, belt: &Belt) -> usize {
        belt.batch.len() - belt.at
    }

    fn listeners(&self) -> usize {
        1
    }

    fn accept(&mut self, _: usize) -> io::Result<(Belt, Peer)> {
        let belt = self.waiting.take().ok_or(ErrorKind::WouldBlock)?;
        Ok((belt, Peer::from(SocketAddr::from(([127, 0, 0, 1], 1)))))
    }

    fn watch(&mut self, _: &mut Belt, slot: u32) -> io::Result<()> {
        self.watched = Some(slot);
        Ok(())
    }

    fn shut_write(&mut self, _: &Belt) -> io::Result<()> {
        Ok(())
    }

    fn forget(&mut self, _: Belt) {}

    fn stop_listening(&mut self) {}
}
