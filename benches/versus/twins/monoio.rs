//! The io_uring twin: monoio on one thread, with one task for each connection. With io_uring, a read or a
//! write hands its buffer to the kernel and gets it back when it is done. So input and output change their
//! owner for each of them.

use std::cell::RefCell;
use std::io;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::pin::pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use monoio::buf::{IoBuf, IoBufMut};
use monoio::io::{AsyncReadRent, AsyncWriteRent, AsyncWriteRentExt};
use monoio::net::{TcpListener, TcpStream, UnixStream};
use monoio::time::{sleep, timeout};
use monoio::{IoUringDriver, RuntimeBuilder};
use signal_hook::consts::{SIGINT, SIGTERM};
use smol::future;
use tidegate::base::{Buf, ConnId, Output};

use super::{ACCEPT_RETRY, Core, DRAIN_LOOK, FULL, LINGER, Next, make_room};

type Shared = Rc<RefCell<Core>>;

/// Serves until SIGTERM or SIGINT and the drain that follows.
pub fn serve(listener: std::net::TcpListener, core: Core) -> io::Result<()> {
    let mut runtime = RuntimeBuilder::<IoUringDriver>::new().enable_timer().build()?;
    runtime.block_on(accept(listener, Rc::new(RefCell::new(core))))
}

/// Accepts connections until a signal comes, and then drains.
async fn accept(listener: std::net::TcpListener, core: Shared) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let mut quit = quit_pipe()?;
    let mut stop = pin!(quit.read(vec![0; 1]));
    loop {
        let stopped = async {
            let _ = stop.as_mut().await;
            None
        };
        match future::or(async { Some(listener.accept().await) }, stopped).await {
            Some(Ok((stream, peer))) => {
                let opened = core.borrow_mut().open(peer);
                match opened {
                    Some(me) => monoio::spawn(session(stream, me, Rc::clone(&core))),
                    None => monoio::spawn(refuse(stream)),
                };
            }
            Some(Err(_)) => sleep(ACCEPT_RETRY).await,
            None => break,
        }
    }
    drop(listener);
    let deadline = Instant::now() + core.borrow().shutdown_timeout();
    while core.borrow().live() > 0 && Instant::now() < deadline {
        sleep(DRAIN_LOOK).await;
    }
    Ok(())
}

/// A socket that gets a byte at SIGTERM or SIGINT.
fn quit_pipe() -> io::Result<UnixStream> {
    let (quit, signal) = StdUnixStream::pair()?;
    signal_hook::low_level::pipe::register(SIGTERM, signal.try_clone()?)?;
    signal_hook::low_level::pipe::register(SIGINT, signal)?;
    UnixStream::from_std(quit)
}

/// One connection, from its first byte to its slot's release.
async fn session(mut stream: TcpStream, me: ConnId, core: Shared) {
    let _ = converse(&mut stream, me, &core).await;
    core.borrow_mut().close(me);
}

/// Reads, takes turns and writes, until the connection ends.
async fn converse(stream: &mut TcpStream, me: ConnId, core: &Shared) -> io::Result<()> {
    let (idle, patience) = core.borrow().timeouts();
    let (mut input, mut output) = (Buf::default(), Output::default());
    let mut last = Instant::now();
    let mut filled = false;
    loop {
        make_room(&mut input, filled)?;
        let room = input.spare().len();
        let Some(count) = read(stream, &mut input, last + idle).await? else { return Ok(()) };
        filled = count == room;
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

/// Reads once and appends what has come to `input`. Returns how many bytes these are; `None` at the end of
/// the input, or if nothing has come until `deadline`.
async fn read(stream: &mut TcpStream, input: &mut Buf, deadline: Instant) -> io::Result<Option<usize>> {
    input.compact();
    let held = input.len();
    let lent = std::mem::take(input).into_bytes().slice_mut(held..);
    let patience = deadline.saturating_duration_since(Instant::now());
    let Ok((outcome, lent)) = timeout(patience, stream.read(lent)).await else { return Ok(None) };
    *input = Buf::over(lent.into_inner());
    let count = outcome?;
    input.filled(held + count);
    Ok((count > 0).then_some(count))
}

/// Writes the output.
async fn deliver(stream: &mut TcpStream, output: &mut Output, patience: Duration) -> io::Result<()> {
    // The kernel reads from memory that monoio owns. So long values are copied.
    while !output.is_plain() {
        let written = timeout(patience, stream.write_all(output.front().to_vec())).await;
        let (outcome, lent) = written.map_err(|_| io::ErrorKind::TimedOut)?;
        outcome?;
        output.consume(lent.len());
    }
    if output.is_empty() {
        return Ok(());
    }
    let owed = output.own_mut().range();
    let lent = std::mem::take(output.own_mut()).into_bytes().slice(owed);
    let (outcome, lent) =
        timeout(patience, stream.write_all(lent)).await.map_err(|_| io::ErrorKind::TimedOut)?;
    *output.own_mut() = Buf::over(lent.into_inner());
    outcome.map(drop)
}

/// Tells a client that too many are there.
async fn refuse(mut stream: TcpStream) {
    if stream.write_all(FULL).await.0.is_ok() {
        let _ = goodbye(&mut stream).await;
    }
}

/// Shuts the write side, and discards input until the client closes or the linger time is over.
async fn goodbye(stream: &mut TcpStream) -> io::Result<()> {
    stream.shutdown().await?;
    let discard = async {
        let mut scrap = vec![0; 4096];
        loop {
            let (outcome, back) = stream.read(scrap).await;
            scrap = back;
            if !matches!(outcome, Ok(count) if count > 0) {
                return;
            }
        }
    };
    let _ = timeout(LINGER, discard).await;
    Ok(())
}
