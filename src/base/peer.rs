//! The address of the other end of a connection, in less space than a `SocketAddr` takes.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// An IP address and a port, in 18 bytes. An IPv4 address is held in its IPv6-mapped form and shown as IPv4.
///
/// Every idle connection holds one, so it must be smaller than the 32 bytes of a `SocketAddr`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    ip: [u8; 16],
    port: [u8; 2],
}

impl Peer {
    /// The value for a client that came by a Unix domain socket and so has no address. No TCP connection has this
    /// value.
    pub const UNIX: Peer = Peer { ip: [0; 16], port: [0; 2] };

    /// True if the other end is on this machine: it came by a Unix domain socket or from a loopback address.
    pub fn is_local(&self) -> bool {
        *self == Peer::UNIX || self.ip().is_loopback()
    }

    /// The IP address.
    pub fn ip(&self) -> IpAddr {
        Ipv6Addr::from(self.ip).to_canonical()
    }

    /// The TCP port.
    pub fn port(&self) -> u16 {
        u16::from_ne_bytes(self.port)
    }
}

impl From<SocketAddr> for Peer {
    fn from(address: SocketAddr) -> Peer {
        let ip = match address.ip() {
            IpAddr::V4(ip) => ip.to_ipv6_mapped(),
            IpAddr::V6(ip) => ip,
        };
        Peer { ip: ip.octets(), port: address.port().to_ne_bytes() }
    }
}

impl fmt::Display for Peer {
    /// `127.0.0.1:6000` or `[::1]:6000`, as Redis prints it in `CLIENT LIST`; `unix` for [`Peer::UNIX`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Peer::UNIX {
            return f.write_str("unix");
        }
        SocketAddr::new(self.ip(), self.port()).fmt(f)
    }
}

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A TCP address.
    Tcp(Peer),
    /// The path of a Unix domain socket.
    Unix(String),
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Address {
        Address::Tcp(Peer::from(address))
    }
}

impl fmt::Display for Address {
    /// As Redis prints it in `CLIENT LIST`; a Unix domain socket's port is 0.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp(peer) => peer.fmt(f),
            Address::Unix(path) => write!(f, "{path}:0"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_survives_the_round_trip() {
        for text in ["127.0.0.1:8080", "[::1]:1", "[2001:db8::7]:65535"] {
            let address: SocketAddr = text.parse().unwrap();
            assert_eq!(Peer::from(address).to_string(), text);
        }
    }
}
