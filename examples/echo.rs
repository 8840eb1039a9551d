//! An echo server on the bare reactor: what a client sends comes back, and there is no service behind it.
//!
//! ```sh
//! cargo run --example echo    # serves on 127.0.0.1:7000
//! nc 127.0.0.1 7000           # in another terminal; Ctrl-C at the server drains it
//! ```
//!
//! The phases are those of the daemon's tick (`src/server/mod.rs`), less what only a key-value store
//! needs. Limits, timeouts, back-pressure and the drain come with the reactor.

use std::io;

use tidegate::base::{Address, Reason};
use tidegate::config::Config;
use tidegate::reactor::Reactor;
use tidegate::reactor::conn::Class;
use tidegate::reactor::net::Edge;
use tidegate::reactor::os::OsNet;
use tidegate::reactor::visit::{Next, Verdict};
use tidegate::stats::Stats;

/// The server: a reactor, its settings, and nothing that understands bytes.
struct Echo {
    reactor: Reactor<OsNet>,
    config: Config,
    stats: Stats,
    edges: Vec<Edge>,
    address: Address,
    stopping: bool,
}

impl Echo {
    /// Listens on 127.0.0.1. Port 0 picks a free port.
    fn bind(port: u16) -> Result<Echo, String> {
        let config = Config { port, ..Config::default() };
        let net = OsNet::new(&config)?;
        let address = net.addresses().remove(0);
        // An echo server has no last line for a connection that ends.
        let reactor = Reactor::new(net, &config.bounds, |_: Reason| b"");
        Ok(Echo { reactor, config, stats: Stats::default(), edges: Vec::new(), address, stopping: false })
    }

    /// One round of everything; false once the server has been told to stop and everybody has left.
    fn tick(&mut self) -> io::Result<bool> {
        // wait: until an edge or the nearest deadline.
        self.reactor.wait(&self.config, None, &mut self.edges)?;
        // hear: edges become remembered readiness.
        let now = self.reactor.now().at;
        for edge in std::mem::take(&mut self.edges) {
            match edge {
                Edge::Ready { .. } => self.reactor.hear(edge, now),
                Edge::Listener(number) => self.reactor.hear_listener(number),
                Edge::Quit => {
                    self.stopping = true;
                    self.reactor.stop_admitting(now, &self.config, &mut self.stats, &mut Vec::new());
                }
                Edge::Hangup => {}
            }
        }
        // turns: everybody who is owed one receives and is served.
        let turns = self.reactor.take_turns();
        for &slot in &turns {
            self.reactor.receive(slot, now, &self.config, &mut self.stats);
            self.turn(slot);
        }
        self.reactor.return_turns(turns);
        // flush, sweep, reap, admit.
        self.reactor.flush_all(now, &mut self.stats);
        self.reactor.sweep(now, &self.config);
        self.reactor.begin_reap();
        while let Some(gone) = self.reactor.reap(now) {
            println!("client {} left: {}, {} bytes echoed", gone.serial, gone.reason, gone.bytes_out);
        }
        if !self.stopping {
            self.reactor.admit(now, &self.config, &mut self.stats, &mut Vec::new());
        }
        Ok(!self.stopping || self.reactor.live() > 0)
    }

    /// Copies the input of one connection to its output. While a client takes nothing, the reactor neither
    /// reads from it nor gives it a turn, so `output` has a bound.
    fn turn(&mut self, slot: u32) {
        let now = self.reactor.now().at;
        self.reactor.visit(slot, now, self.config.client_query_buffer_limit, |lent| {
            let next = match lent.output.extend(lent.input) {
                Ok(()) => Next::Receive { begun: false, is_new: false, missing: 0 },
                Err(_) => Next::Finish(Reason::Io(io::ErrorKind::OutOfMemory)),
            };
            Verdict { consumed: lent.input.len(), next, held: 0, class: Class::default(), replaced: None }
        });
    }
}

fn main() -> Result<(), String> {
    let mut echo = Echo::bind(7000)?;
    println!("echoing on {}", echo.address);
    while echo.tick().map_err(|error| error.to_string())? {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{Shutdown, TcpStream};
    use std::thread;

    use super::*;

    #[test]
    fn what_is_sent_comes_back_also_behind_a_half_close() {
        let mut echo = Echo::bind(0).unwrap();
        let address = echo.address.to_string();
        let client = thread::spawn(move || {
            let mut stream = TcpStream::connect(address).unwrap();
            let sent = vec![b'x'; 3 << 20];
            let mut writer = stream.try_clone().unwrap();
            let writing = thread::spawn(move || {
                writer.write_all(&sent).unwrap();
                writer.shutdown(Shutdown::Write).unwrap();
            });
            let mut received = Vec::new();
            stream.read_to_end(&mut received).unwrap();
            writing.join().unwrap();
            received
        });
        while echo.stats.accepted == 0 || echo.reactor.live() > 0 {
            echo.tick().unwrap();
        }
        assert_eq!(client.join().unwrap(), vec![b'x'; 3 << 20]);
    }
}
