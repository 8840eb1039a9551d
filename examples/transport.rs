//! The service behind a transport of your own: here standard input and output.
//!
//! ```sh
//! printf 'SET greeting hello\r\nGET greeting\r\n' | cargo run --example transport
//! ```
//!
//! The service turns request bytes into reply bytes and has never heard of sockets. A transport lends it
//! input and output for one turn, moves on by as many bytes as the turn has consumed, and asks
//! again while more is left to do. `benches/versus/twins` has transports over tokio, smol, monoio and threads.

use std::io::{self, Read, Write};

use tidegate::base::{Address, Buf, Clock, ConnId, Output, Peer};
use tidegate::config::Config;
use tidegate::service::Service;
use tidegate::service::goodbye::goodbye;
use tidegate::service::turn::{Ended, Progress, Turn};
use tidegate::service::wires::NoWires;

const READ_BYTES: usize = 16 << 10;

/// The only client there is.
const ME: ConnId = ConnId { slot: 0, serial: 1 };

/// Serves `requests` until they end or the client asks to go; replies go to `replies`.
fn serve(mut requests: impl Read, mut replies: impl Write) -> io::Result<()> {
    let here = Peer::from(std::net::SocketAddr::from(([127, 0, 0, 1], 0)));
    // The seed decides which keys collide. A transport that lets strangers in must take it from the system's entropy.
    let mut service = Service::new(42, Config::default(), Clock::default(), vec![Address::Tcp(here)]);
    service.open(ME, here, 0);
    let (mut input, mut output) = (Buf::default(), Output::default());
    loop {
        input.reserve(READ_BYTES).map_err(|_| io::ErrorKind::OutOfMemory)?;
        let count = requests.read(input.spare())?;
        if count == 0 {
            break;
        }
        input.filled(count);
        while turn(&mut service, &mut input, &mut output, &mut replies)? {}
        if output_ends(&service) {
            break;
        }
    }
    service.leave(ME.slot);
    service.close(ME.slot);
    Ok(())
}

/// One turn, and its replies delivered; true if another one is to follow at once.
fn turn(
    service: &mut Service,
    input: &mut Buf,
    output: &mut Output,
    replies: &mut impl Write,
) -> io::Result<bool> {
    // The marks of a turn say how far it has come. The daemon's panic fence keeps what was complete by them.
    let mut progress = Progress { output: output.mark(), ..Progress::default() };
    let ended = service.turn(
        Turn { me: ME, input: input.unread(), memory: None, output, wires: &mut NoWires },
        &mut progress,
    );
    input.consume(progress.consumed);
    if let Ended::Close(reason) = ended {
        output.extend(goodbye(reason)).map_err(|_| io::ErrorKind::OutOfMemory)?;
    }
    while !output.is_empty() {
        replies.write_all(output.front())?;
        output.consume(output.front().len());
    }
    replies.flush()?;
    Ok(match ended {
        // It wants more input, or none any more; a parked client (CLIENT PAUSE) has nobody who could wake it.
        Ended::Hungry { .. } | Ended::Parked | Ended::Close(_) => false,
        Ended::Budget | Ended::Paused => true,
    })
}

/// True once the client has said QUIT or broken the protocol.
fn output_ends(service: &Service) -> bool {
    service.world.sessions.get(ME.slot).is_none_or(|session| session.leaving)
}

fn main() -> io::Result<()> {
    serve(io::stdin().lock(), io::stdout().lock())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_answered_in_order_until_the_client_quits() {
        let requests = b"SET k v\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\nINCR n\r\nQUIT\r\nGET k\r\n";
        let mut replies = Vec::new();
        serve(&requests[..], &mut replies).unwrap();
        assert_eq!(replies, b"+OK\r\n$1\r\nv\r\n:1\r\n+OK\r\n");
    }

    #[test]
    fn a_client_that_breaks_the_protocol_is_told_so() {
        let mut replies = Vec::new();
        serve(&b"*1\r\n+x\r\n"[..], &mut replies).unwrap();
        assert_eq!(replies, b"-ERR Protocol error: expected '$', got '+'\r\n");
    }
}
