//! The options about the process: where it runs, who supervises it, where its number is written.

use std::net::IpAddr;

use super::Config;
use super::choices::YES_NO;
use super::options::{Opt, at_start, choice};

/// Who is told that the server is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Supervised {
    /// Nobody.
    No,
    /// systemd, if it has started the server.
    Auto,
    /// systemd.
    Systemd,
}

const SUPERVISED: [(&str, Supervised); 3] =
    [("no", Supervised::No), ("auto", Supervised::Auto), ("systemd", Supervised::Systemd)];

macro_rules! text {
    ($field:ident) => {
        (
            |c| c.$field.clone(),
            |c, text| {
                c.$field = text.to_owned();
                Ok(())
            },
        )
    };
}

pub(super) use text;

/// All of them.
pub(super) const OPTIONS: &[Opt] = &[
    at_start(
        "protected-mode",
        "yes|no",
        choice!(protected_mode, YES_NO),
        "Refuse to start on an address that other hosts can reach, because there is no password",
    ),
    at_start(
        "daemonize",
        "yes|no",
        choice!(daemonize, YES_NO),
        "Go to the background once clients can connect",
    ),
    at_start(
        "supervised",
        "no|auto|systemd",
        choice!(supervised, SUPERVISED),
        "Tell systemd when clients can connect, and when the server stops",
    ),
    at_start("pidfile", "path", text!(pidfile), "File to write the number of the process to; empty = none"),
    at_start("dir", "path", text!(dir), "Working directory, where relative paths of other options begin"),
];

impl Config {
    /// With `protected-mode`, every address must be one that only this host can reach. And a process can go to the
    /// background only where the kernel's poll goes with it.
    ///
    /// # Errors
    /// A text that says which of the two does not hold.
    pub(super) fn check_process(&self) -> Result<(), String> {
        if self.daemonize && !cfg!(target_os = "linux") {
            return Err(
                "daemonize yes works on Linux only: let the service manager start the server in the background".into()
            );
        }
        let open = self.bind.iter().find(|host| !is_local(host));
        match open.filter(|_| self.protected_mode) {
            Some(host) => Err(format!(
                "protected-mode is yes, but other hosts can reach the bind address '{host}', and there is no password: bind \
                 127.0.0.1 only, or set protected-mode no"
            )),
            None => Ok(()),
        }
    }
}

/// True if an address of `bind` is a loopback address. A name counts as one only if it is `localhost`.
fn is_local(host: &str) -> bool {
    let bare = host.trim_start_matches(['-', '[']).trim_end_matches(']');
    bare == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protected_mode_wants_addresses_of_this_host() {
        let on = |bind: &[&str]| Config {
            protected_mode: true,
            bind: bind.iter().map(|host| (*host).to_owned()).collect(),
            ..Config::default()
        };
        for local in [&["127.0.0.1", "-::1"][..], &["localhost"], &["[::1]", "127.3.2.1"]] {
            assert_eq!(on(local).check_process(), Ok(()), "{local:?}");
        }
        for open in
            [&["127.0.0.1", "10.0.0.1"][..], &["*"], &["-::*"], &["0.0.0.0"], &["127.0.0.1.example.com"]]
        {
            assert!(on(open).check_process().is_err(), "{open:?}");
            let off = Config { protected_mode: false, ..on(open) };
            assert_eq!(off.check_process(), Ok(()), "{open:?}");
        }
    }
}
