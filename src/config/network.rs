//! The options about where the server listens.

use super::options::{Opt, SECONDS, at_start, number};
use super::process::text;
use super::values::parse_number;

/// All of them.
pub(super) const OPTIONS: &[Opt] = &[
    at_start(
        "bind",
        "addresses",
        (
            |c| c.bind.join(" "),
            |c, text| {
                c.bind = text.split_whitespace().map(str::to_owned).collect();
                if c.bind.is_empty() { Err("at least one address is needed".into()) } else { Ok(()) }
            },
        ),
        "Addresses to listen on, IPv4 or IPv6",
    ),
    at_start("port", "number", number!(port, 0, u16::MAX), "TCP port; 0 picks a free one"),
    at_start(
        "unixsocket",
        "path",
        text!(unixsocket),
        "Unix domain socket to listen on as well; empty = none",
    ),
    at_start(
        "unixsocketperm",
        "octal",
        (
            |c| format!("{:o}", c.unixsocketperm),
            |c, text| match u32::from_str_radix(text, 8) {
                Ok(mode) if mode <= 0o777 => {
                    c.unixsocketperm = mode;
                    Ok(())
                }
                _ => Err("argument couldn't be parsed into an octal number up to 777".into()),
            },
        ),
        "Permissions of the socket's file; 0 = the umask decides",
    ),
    at_start(
        "tcp-backlog",
        "number",
        number!(tcp_backlog, 1, i32::MAX),
        "Connections the kernel queues until they are accepted",
    ),
    at_start(
        "tcp-keepalive",
        SECONDS,
        number!(tcp_keepalive_s, 0, 32767),
        "Silence before the kernel probes a peer; 0 = never",
    ),
];
