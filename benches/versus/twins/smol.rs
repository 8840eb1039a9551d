//! The smol twin: a `LocalExecutor` on one thread, with one task for each connection.

use std::cell::RefCell;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::pin::pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGINT, SIGTERM};
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::{Async, LocalExecutor, Timer, future};
use tidegate::base::{Buf, ConnId, Output};

use super::{ACCEPT_RETRY, Core, DRAIN_LOOK, FULL, LINGER, Next, make_room};

type Shared = Rc<RefCell<Core>>;

/// Serves until SIGTERM or SIGINT and the drain that follows.
pub fn serve(listener: TcpListener, core: Core) -> io::Result<()> {
    let executor = Rc::new(LocalExecutor::new());
    smol::block_on(executor.run(accept(Rc::clone(&executor), listener, Rc::new(RefCell::new(core)))))
}

/// Accepts connections until a signal comes, and then drains.
async fn accept(executor: Rc<LocalExecutor<'_>>, listener: TcpListener, core: Shared) -> io::Result<()> {
    let listener = Async::new(listener)?;
    let quit = quit_pipe()?;
    loop {
        let stop = async {
            let _ = quit.readable().await;
            None
        };
        match future::or(async { Some(listener.accept().await) }, stop).await {
            Some(Ok((stream, peer))) => {
                let opened = core.borrow_mut().open(peer);
                match opened {
                    Some(me) => executor.spawn(session(stream, me, Rc::clone(&core))).detach(),
                    None => executor.spawn(refuse(stream)).detach(),
                }
            }
            Some(Err(_)) => {
                Timer::after(ACCEPT_RETRY).await;
            }
            None => break,
        }
    }
    drop(listener);
    let deadline = Instant::now() + core.borrow().shutdown_timeout();
    while core.borrow().live() > 0 && Instant::now() < deadline {
        Timer::after(DRAIN_LOOK).await;
    }
    Ok(())
}

/// A socket that becomes readable at SIGTERM or SIGINT.
fn quit_pipe() -> io::Result<Async<UnixStream>> {
    let (quit, signal) = UnixStream::pair()?;
    signal_hook::low_level::pipe::register(SIGTERM, signal.try_clone()?)?;
    signal_hook::low_level::pipe::register(SIGINT, signal)?;
    Async::new(quit)
}

/// One connection, from its first byte to its slot's release.
async fn session(mut stream: Async<TcpStream>, me: ConnId, core: Shared) {
    let _ = converse(&mut stream, me, &core).await;
    core.borrow_mut().close(me);
}

/// Reads, takes turns and writes, until the connection ends.
async fn converse(stream: &mut Async<TcpStream>, me: ConnId, core: &Shared) -> io::Result<()> {
    let (idle, patience) = core.borrow().timeouts();
    let (mut input, mut output) = (Buf::default(), Output::default());
    // Moving the alarm at each read would cost too much. When it goes off too early, it is set again.
    let mut alarm = pin!(Timer::after(idle));
    let mut last = Instant::now();
    let mut filled = false;
    loop {
        make_room(&mut input, filled)?;
        let early = async {
            alarm.as_mut().await;
            Ok(None)
        };
        let read = async { stream.read(input.spare()).await.map(Some) };
        let count = match future::or(read, early).await? {
            Some(0) => return Ok(()),
            Some(count) => count,
            None if last.elapsed() >= idle => return Ok(()),
            None => {
                alarm.set_at(last + idle);
                continue;
            }
        };
        filled = count == input.spare().len();
        input.filled(count);
        last = Instant::now();
        loop {
            let next = core.borrow_mut().turn(me, last, &mut input, &mut output);
            deliver(stream, &mut output, patience).await?;
            match next {
                Next::Read => break,
                Next::Again => future::yield_now().await,
                Next::Close => return goodbye(stream).await,
            }
        }
    }
}

/// Writes the output. Most output leaves at the first try, and only a failed try pays for a timer.
async fn deliver(stream: &mut Async<TcpStream>, output: &mut Output, patience: Duration) -> io::Result<()> {
    while !output.is_empty() {
        match io::Write::write(&mut stream.get_ref(), output.front()) {
            Ok(count) => output.consume(count),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let late = async {
                    Timer::after(patience).await;
                    Err(io::ErrorKind::TimedOut.into())
                };
                future::or(stream.writable(), late).await?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Tells a client that too many are there.
async fn refuse(mut stream: Async<TcpStream>) {
    if stream.write_all(FULL).await.is_ok() {
        let _ = goodbye(&mut stream).await;
    }
}

/// Shuts the write side, and discards input until the client closes or the linger time is over.
async fn goodbye(stream: &mut Async<TcpStream>) -> io::Result<()> {
    stream.get_ref().shutdown(std::net::Shutdown::Write)?;
    let late = async {
        Timer::after(LINGER).await;
        Ok(0)
    };
    future::or(smol::io::copy(stream, smol::io::sink()), late).await?;
    Ok(())
}
