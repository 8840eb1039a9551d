//! The twin without a runtime: one thread for each connection, blocking reads, and the kernel's own timeouts.
//! In Rust, nothing comes nearer to the goroutines of the origin.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use tidegate::base::{Buf, ConnId, Output};

use super::{ACCEPT_RETRY, Core, DRAIN_LOOK, FULL, LINGER, Next, make_room};

/// Bytes of a session's stack. A turn nests only a few calls, and the kernel gives memory only to pages that
/// are touched.
const STACK_BYTES: usize = 256 << 10;

type Shared = Arc<Mutex<Core>>;

/// Serves until SIGTERM or SIGINT and the drain that follows.
pub fn serve(listener: TcpListener, core: Core) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    let patience = core.shutdown_timeout();
    let core = Arc::new(Mutex::new(core));
    let stop = listener.try_clone()?;
    let sessions = Arc::clone(&core);
    let acceptor = thread::spawn(move || accept(&listener, &sessions));
    signals.forever().next();
    // This wakes the acceptor: from now on, accepting always fails.
    socket2::SockRef::from(&stop).shutdown(Shutdown::Both)?;
    drop(stop);
    let _ = acceptor.join();
    let deadline = Instant::now() + patience;
    while lock(&core).live() > 0 && Instant::now() < deadline {
        thread::sleep(DRAIN_LOOK);
    }
    Ok(())
}

/// Accepts connections, and starts a thread for each of them.
fn accept(listener: &TcpListener, core: &Shared) {
    loop {
        match listener.accept() {
            Ok((stream, peer)) => {
                let opened = lock(core).open(peer);
                let core = Arc::clone(core);
                let spawned = thread::Builder::new().stack_size(STACK_BYTES).spawn(move || match opened {
                    Some(me) => session(stream, me, &core),
                    None => refuse(stream),
                });
                if spawned.is_err() {
                    thread::sleep(ACCEPT_RETRY);
                }
            }
            // Accepting fails like this when the listener has been shut down.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => return,
            Err(_) => thread::sleep(ACCEPT_RETRY),
        }
    }
}

/// Locks the core, also after a panic: the fence has kept it right.
fn lock(core: &Shared) -> MutexGuard<'_, Core> {
    core.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One connection, from its first byte to its slot's release.
fn session(mut stream: TcpStream, me: ConnId, core: &Shared) {
    let _ = converse(&mut stream, me, core);
    lock(core).close(me);
}

/// Reads, takes turns and writes, until the connection ends.
fn converse(stream: &mut TcpStream, me: ConnId, core: &Shared) -> io::Result<()> {
    let (idle, patience) = lock(core).timeouts();
    stream.set_read_timeout(Some(idle))?;
    stream.set_write_timeout(Some(patience))?;
    let (mut input, mut output) = (Buf::default(), Output::default());
    let mut filled = false;
    loop {
        make_room(&mut input, filled)?;
        let count = match stream.read(input.spare()) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            // After a signal, the kernel does not resume a read with a timeout.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        filled = count == input.spare().len();
        input.filled(count);
        loop {
            let next = lock(core).turn(me, Instant::now(), &mut input, &mut output);
            while !output.is_empty() {
                stream.write_all(output.front())?;
                output.consume(output.front().len());
            }
            match next {
                Next::Read => break,
                Next::Again => thread::yield_now(),
                Next::Close => return goodbye(stream),
            }
        }
    }
}

/// Tells a client that too many are there.
fn refuse(mut stream: TcpStream) {
    if stream.write_all(FULL).is_ok() {
        let _ = goodbye(&mut stream);
    }
}

/// Shuts the write side, and discards input until the client closes or is silent for the linger time.
fn goodbye(stream: &mut TcpStream) -> io::Result<()> {
    stream.shutdown(Shutdown::Write)?;
    stream.set_read_timeout(Some(LINGER))?;
    io::copy(stream, &mut io::sink())?;
    Ok(())
}
