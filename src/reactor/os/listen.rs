//! The sockets that the daemon listens on: TCP addresses, and at most one Unix domain socket.

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use mio::event::Source;
use mio::net::{TcpListener, UnixListener};
use mio::{Interest, Registry, Token};
use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, TcpKeepalive, Type};

use super::stream::Stream;
use crate::base::{Address, Peer};
use crate::config::{Config, LISTENERS_MAX};

/// True if accepted sockets inherit the settings of `set_up` from their listener. On other systems each accepted socket
/// is set up anew.
const ACCEPTED_SOCKETS_INHERIT: bool = cfg!(target_os = "linux");

/// A socket at which connections arrive.
#[derive(Debug)]
pub struct Listener {
    transport: Transport,
    keepalive_s: u32,
}

#[derive(Debug)]
enum Transport {
    Tcp(TcpListener),
    /// The socket, the path of its file, and the device and inode number of the file. The listener removes the file
    /// only if both numbers are still the same: another process may have put its own file there.
    Unix(UnixListener, PathBuf, (u64, u64)),
}

impl Listener {
    /// Binds and listens on every address of `config`.
    ///
    /// # Errors
    /// One line that says what failed, and why.
    pub fn all(config: &Config) -> Result<Vec<Listener>, String> {
        let mut listeners: Vec<Listener> = Vec::new();
        let mut left_out = Vec::new();
        for (address, is_optional) in resolve(config)? {
            // With port 0 the kernel picks a port for the first address, and the other addresses take the same.
            let port = listeners.first().and_then(Listener::port);
            let address = SocketAddr::new(address.ip(), port.unwrap_or(config.port));
            match tcp(address, config) {
                Ok(listener) => listeners.push(Listener::over(Transport::Tcp(listener), config)),
                Err(error) => {
                    let why = format!("cannot listen on {address}: {error}");
                    if !(is_optional && is_unavailable(&error)) {
                        return Err(why);
                    }
                    left_out.push(why);
                }
            }
        }
        if !config.unixsocket.is_empty() {
            let path = PathBuf::from(&config.unixsocket);
            let (listener, file) = unix(&path, config)
                .map_err(|error| format!("cannot listen on {}: {error}", config.unixsocket))?;
            listeners.push(Listener::over(Transport::Unix(listener, path, file), config));
        }
        if listeners.is_empty() {
            return Err(left_out.join("; "));
        }
        left_out.iter().for_each(|why| log::warn!("{why}"));
        Ok(listeners)
    }

    fn over(transport: Transport, config: &Config) -> Listener {
        Listener { transport, keepalive_s: config.tcp_keepalive_s }
    }

    fn port(&self) -> Option<u16> {
        match &self.transport {
            Transport::Tcp(listener) => listener.local_addr().ok().map(|address| address.port()),
            Transport::Unix(..) => None,
        }
    }

    /// The address it listens on. If the kernel has picked the port, this is the picked one.
    pub fn address(&self) -> Address {
        match &self.transport {
            Transport::Tcp(listener) => {
                let unknown = SocketAddr::from(([0, 0, 0, 0], 0));
                Address::Tcp(Peer::from(listener.local_addr().unwrap_or(unknown)))
            }
            Transport::Unix(_, path, _) => Address::Unix(path.display().to_string()),
        }
    }

    /// Registers it with the kernel's poll, to hear of newcomers.
    ///
    /// # Errors
    /// The error of the kernel's poll.
    pub fn watch(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        match &mut self.transport {
            Transport::Tcp(listener) => listener.register(registry, token, Interest::READABLE),
            Transport::Unix(listener, ..) => listener.register(registry, token, Interest::READABLE),
        }
    }

    /// Accepts a connection.
    ///
    /// # Errors
    /// The error of accept(2).
    pub fn accept(&self) -> io::Result<(Stream, Peer)> {
        match &self.transport {
            Transport::Tcp(listener) => {
                let (stream, address) = listener.accept()?;
                if !ACCEPTED_SOCKETS_INHERIT {
                    // A socket that refuses these settings still works.
                    let _ = set_up(&SockRef::from(&stream), self.keepalive_s);
                }
                Ok((Stream::Tcp(stream), Peer::from(address)))
            }
            Transport::Unix(listener, ..) => {
                let (stream, _) = listener.accept()?;
                Ok((Stream::Unix(stream), Peer::UNIX))
            }
        }
    }
}

impl Drop for Listener {
    /// Removes the file of a Unix domain socket. The kernel would leave it behind.
    fn drop(&mut self) {
        if let Transport::Unix(_, path, file) = &self.transport
            && fs::symlink_metadata(path).is_ok_and(|found| (found.dev(), found.ino()) == *file)
        {
            let _ = fs::remove_file(path);
        }
    }
}

/// The addresses of `bind`, without repetitions, and whether the server starts without them if this machine does not have
/// them. As in Redis, a hyphen before an address says so, and `*` and `::*` are all addresses of IPv4 and IPv6.
fn resolve(config: &Config) -> Result<Vec<(SocketAddr, bool)>, String> {
    let mut all: Vec<(SocketAddr, bool)> = Vec::new();
    for host in &config.bind {
        let (bare, is_optional) = host.strip_prefix('-').map_or((&host[..], false), |bare| (bare, true));
        let bare = match bare {
            "*" => "0.0.0.0",
            "::*" => "::",
            _ => bare.trim_start_matches('[').trim_end_matches(']'),
        };
        let found = (bare, config.port)
            .to_socket_addrs()
            .map_err(|error| format!("cannot resolve the bind address '{host}': {error}"))?;
        for address in found {
            if !all.iter().any(|(other, _)| *other == address) {
                all.push((address, is_optional));
            }
        }
    }
    if all.len() >= LISTENERS_MAX {
        return Err(format!("cannot listen on more than {} addresses", LISTENERS_MAX - 1));
    }
    Ok(all)
}

/// True if this machine does not have the address, or no addresses of its kind.
fn is_unavailable(error: &io::Error) -> bool {
    let unknown_kinds =
        [libc::EAFNOSUPPORT, libc::EPFNOSUPPORT, libc::EPROTONOSUPPORT, libc::ESOCKTNOSUPPORT];
    error.kind() == ErrorKind::AddrNotAvailable
        || error.raw_os_error().is_some_and(|number| unknown_kinds.contains(&number))
}

fn tcp(address: SocketAddr, config: &Config) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        // Otherwise a listener for `::` would take IPv4 connections too, and we could not bind 0.0.0.0 beside it.
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    if ACCEPTED_SOCKETS_INHERIT {
        set_up(&SockRef::from(&socket), config.tcp_keepalive_s)?;
    }
    socket.bind(&address.into())?;
    socket.listen(backlog(config))?;
    Ok(TcpListener::from_std(socket.into()))
}

fn backlog(config: &Config) -> i32 {
    i32::try_from(config.tcp_backlog).unwrap_or(i32::MAX)
}

/// Listens on a Unix domain socket at `path`. If a dead process has left a socket file there, replaces it. Fails if the
/// path holds any other file or if a running process listens there. Also returns the device and inode number of the new
/// file.
fn unix(path: &Path, config: &Config) -> io::Result<(UnixListener, (u64, u64))> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
        Ok(found) if !found.file_type().is_socket() => {
            return Err(io::Error::new(
                ErrorKind::AlreadyExists,
                "there is a file of that name, and it is no socket",
            ));
        }
        Ok(_) => {
            let probe = Socket::new(Domain::UNIX, Type::STREAM, None)?;
            // A process that is stopped or busy does not accept. A blocking connect could then wait for ever, so this
            // one does not block; `WouldBlock` means that the process is alive.
            probe.set_nonblocking(true)?;
            match probe.connect(&SockAddr::unix(path)?) {
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => fs::remove_file(path)?,
                Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error),
                _ => return Err(io::Error::new(ErrorKind::AddrInUse, "a running process listens there")),
            }
        }
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SockAddr::unix(path)?)?;
    if config.unixsocketperm != 0 {
        fs::set_permissions(path, Permissions::from_mode(config.unixsocketperm))?;
    }
    // From here on clients can connect, so the file's permissions must be right by now.
    socket.listen(backlog(config))?;
    let file = fs::symlink_metadata(path)?;
    Ok((UnixListener::from_std(socket.into()), (file.dev(), file.ino())))
}

fn set_up(socket: &SockRef<'_>, keepalive_s: u32) -> io::Result<()> {
    socket.set_tcp_nodelay(true)?;
    if keepalive_s > 0 {
        // Redis's schedule: after that time without traffic come up to three probes, a third of that time apart.
        let keepalive = TcpKeepalive::new().with_time(Duration::from_secs(keepalive_s.into()));
        #[cfg(not(target_os = "openbsd"))]
        let keepalive = {
            let interval = Duration::from_secs((keepalive_s / 3).max(1).into());
            keepalive.with_interval(interval).with_retries(3)
        };
        socket.set_tcp_keepalive(&keepalive)?;
    }
    Ok(())
}
