//! The daemon inside a test of your own program: on a port of its own, gone when the test ends.
//!
//! ```sh
//! cargo run --example embed
//! ```

use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::thread::{self, JoinHandle};

use tidegate::base::Address;
use tidegate::config::Config;
use tidegate::reactor::os::OsNet;
use tidegate::server::{Exit, Server};

/// A daemon that serves for as long as this value lives.
struct TestServer {
    address: SocketAddr,
    thread: Option<JoinHandle<Exit>>,
}

impl TestServer {
    /// Starts a daemon on a free port of 127.0.0.1.
    ///
    /// It catches SIGINT and SIGTERM for the whole process, as the daemon does.
    fn start() -> TestServer {
        let config = Config { port: 0, ..Config::default() };
        let net = OsNet::new(&config).expect("127.0.0.1 has a free port");
        let addresses = net.addresses();
        let Address::Tcp(first) = &addresses[0] else { unreachable!("no Unix socket was asked for") };
        let address = SocketAddr::from(([127, 0, 0, 1], first.port()));
        let seed = RandomState::new().hash_one(address);
        let thread = thread::spawn(move || {
            // One thread owns all of the server; it is made here because it cannot move to another.
            let mut server = Server::new(net, config, seed, addresses);
            loop {
                if let Some(exit) = server.tick().expect("waiting for events works") {
                    return exit;
                }
            }
        });
        TestServer { address, thread: Some(thread) }
    }

    /// A connection by the `redis` crate.
    fn connect(&self) -> redis::Connection {
        let client = redis::Client::open(format!("redis://{}", self.address)).expect("a URL");
        client.get_connection().expect("the daemon accepts")
    }
}

impl Drop for TestServer {
    /// Stops the daemon as an operator would, and waits for it.
    fn drop(&mut self) {
        let asked = redis::cmd("SHUTDOWN").arg("NOW").query::<()>(&mut self.connect());
        // SHUTDOWN has no reply: the connection just ends.
        drop(asked);
        if let Some(thread) = self.thread.take() {
            let exit = thread.join();
            assert!(thread::panicking() || matches!(exit, Ok(Exit::Clean)), "{exit:?}");
        }
    }
}

/// The program that is tested: it counts visitors.
fn welcome(connection: &mut redis::Connection, name: &str) -> redis::RedisResult<String> {
    let visits: u64 = redis::cmd("HINCRBY").arg("visits").arg(name).arg(1).query(connection)?;
    Ok(format!("Welcome, {name}! This is visit number {visits}."))
}

fn main() -> redis::RedisResult<()> {
    let server = TestServer::start();
    println!("a daemon serves on {} until this program ends", server.address);
    for name in ["Ada", "Grace", "Ada"] {
        println!("{}", welcome(&mut server.connect(), name)?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn visitors_are_counted() {
        let server = TestServer::start();
        let mut connection = server.connect();
        assert!(welcome(&mut connection, "Ada").unwrap().ends_with("number 1."));
        assert!(welcome(&mut connection, "Ada").unwrap().ends_with("number 2."));
        drop(connection);
        // A second daemon beside it has keys of its own.
        assert!(welcome(&mut TestServer::start().connect(), "Ada").unwrap().ends_with("number 1."));
    }
}
