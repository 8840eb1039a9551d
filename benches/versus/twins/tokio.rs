//! The tokio twins: one task for each connection, on one thread or on as many threads as there are cores.
//!
//! In both, a mutex guards the core. On one thread, no other thread ever holds it. There, an `Rc` in a
//! `LocalSet` would do as well, but it measured the same within the noise (`get-p1` 5.18 and 5.24 µs,
//! `get-p100` 0.645 and 0.636 µs). So the same code serves both runtimes.

use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tidegate::base::{Buf, ConnId, Output};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::{JoinSet, yield_now};
use tokio::time::{Instant, sleep, timeout};

use super::{ACCEPT_RETRY, Core, FULL, LINGER, Next, make_room};

type Shared = Arc<Mutex<Core>>;

/// Serves on this thread until SIGTERM or SIGINT and the drain that follows.
pub fn serve_on_one_thread(listener: std::net::TcpListener, core: Core) -> io::Result<()> {
    run(&Builder::new_current_thread().enable_all().build()?, listener, core)
}

/// Serves on several threads until SIGTERM or SIGINT and the drain that follows.
pub fn serve_on_many_threads(listener: std::net::TcpListener, core: Core) -> io::Result<()> {
    run(&Builder::new_multi_thread().enable_all().build()?, listener, core)
}

fn run(runtime: &Runtime, listener: std::net::TcpListener, core: Core) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    // Spawned, because `block_on` runs its own future on this thread, which is not one of the workers.
    runtime.block_on(async { tokio::spawn(serve(listener, core)).await })?
}

/// Accepts connections until a signal comes, and then drains.
async fn serve(listener: std::net::TcpListener, core: Core) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let patience = core.shutdown_timeout();
    let core = Arc::new(Mutex::new(core));
    let mut sessions = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    let core = Arc::clone(&core);
                    match lock(&core).open(peer) {
                        Some(me) => sessions.spawn(session(stream, me, Arc::clone(&core))),
                        None => sessions.spawn(refuse(stream)),
                    };
                }
                Err(_) => sleep(ACCEPT_RETRY).await,
            },
            Some(_) = sessions.join_next() => {}
            _ = term.recv() => break,
            _ = int.recv() => break,
        }
    }
    drop(listener);
    let _ = timeout(patience, async { while sessions.join_next().await.is_some() {} }).await;
    Ok(())
}

/// Locks the core, also after a panic: the fence has kept it right.
fn lock(core: &Shared) -> MutexGuard<'_, Core> {
    core.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One connection, from its first byte to its slot's release.
async fn session(mut stream: TcpStream, me: ConnId, core: Shared) {
    let _ = converse(&mut stream, me, &core).await;
    lock(&core).close(me);
}

/// Reads, takes turns and writes, until the connection ends.
async fn converse(stream: &mut TcpStream, me: ConnId, core: &Shared) -> io::Result<()> {
    let (idle, patience) = lock(core).timeouts();
    let (mut input, mut output) = (Buf::default(), Output::default());
    // Moving the alarm at each read would cost too much. When it goes off too early, it is set again.
    let mut alarm = pin!(sleep(idle));
    let mut last = Instant::now();
    let mut filled = false;
    loop {
        make_room(&mut input, filled)?;
        let count = tokio::select! {
            biased;
            count = stream.read(input.spare()) => count?,
            () = alarm.as_mut() => {
                if last.elapsed() >= idle {
                    return Ok(());
                }
                alarm.as_mut().reset(last + idle);
                continue;
            }
        };
        if count == 0 {
            return Ok(());
        }
        filled = count == input.spare().len();
        input.filled(count);
        last = Instant::now();
        loop {
            let next = lock(core).turn(me, last.into_std(), &mut input, &mut output);
            deliver(stream, &mut output, patience).await?;
            match next {
                Next::Read => break,
                Next::Again => yield_now().await,
                Next::Close => return goodbye(stream).await,
            }
        }
    }
}

/// Writes the output. Most output leaves at the first try, and only a failed try pays for a timer.
async fn deliver(stream: &mut TcpStream, output: &mut Output, patience: Duration) -> io::Result<()> {
    if output.is_empty() {
        return Ok(());
    }
    match stream.try_write(output.front()) {
        Ok(count) => output.consume(count),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
        Err(error) => return Err(error),
    }
    while !output.is_empty() {
        let count = timeout(patience, stream.write(output.front())).await??;
        output.consume(count);
    }
    Ok(())
}

/// Tells a client that too many are there.
async fn refuse(mut stream: TcpStream) {
    if stream.write_all(FULL).await.is_ok() {
        let _ = goodbye(&mut stream).await;
    }
}

/// Shuts the write side, and discards input until the client closes or the linger time is over.
async fn goodbye(stream: &mut TcpStream) -> io::Result<()> {
    stream.shutdown().await?;
    let _ = timeout(LINGER, tokio::io::copy(stream, &mut tokio::io::sink())).await;
    Ok(())
}
