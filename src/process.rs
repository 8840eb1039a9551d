//! How the process stands in its system: its working directory, the background, the file with its number, systemd.
//!
//! `main` uses this room before the first tick and after the last one.

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;

use sd_notify::NotifyState;

use crate::config::{Config, Supervised};

/// Goes to the working directory that `config` names, and notes it in `config` as an absolute path.
///
/// # Errors
/// Redis's text if there is no such directory.
pub fn enter_directory(config: &mut Config) -> Result<(), String> {
    let failed = |error| format!("Can't chdir to '{}': {error}", config.dir);
    std::env::set_current_dir(&config.dir).map_err(failed)?;
    let absolute = std::env::current_dir().map_err(failed)?;
    config.dir = absolute.to_string_lossy().into_owned();
    Ok(())
}

/// True if the server goes to the background. As in Redis, a supervised server does not: its supervisor has put it where it
/// belongs.
pub fn wants_background(config: &Config) -> bool {
    config.daemonize && !is_supervised(config)
}

/// Leaves the terminal and goes on in the background. The process that was started exits with 0. Standard input and output
/// and stderr are `/dev/null` from here on.
///
/// # Errors
/// Why the system did not let it.
#[cfg(target_os = "linux")]
pub fn go_to_background() -> Result<(), String> {
    nix::unistd::daemon(true, false).map_err(|error| format!("daemonize failed: {error}"))
}

/// Fails: the poll of this system does not survive a fork, so `Config::check` refuses `daemonize yes` here.
///
/// # Errors
/// Always.
#[cfg(not(target_os = "linux"))]
pub fn go_to_background() -> Result<(), String> {
    Err("daemonize does not work on this system".to_owned())
}

/// The file with the number of the process. It is removed when this is dropped.
#[derive(Debug)]
pub struct PidFile {
    path: PathBuf,
    /// Open until the number is written.
    file: Option<File>,
    text: String,
}

impl PidFile {
    /// Opens the file that `config` names, if it names one. The number comes later, because it changes on the way to the
    /// background.
    ///
    /// # Errors
    /// Why the file cannot be written.
    pub fn open(config: &Config) -> Result<Option<PidFile>, String> {
        if config.pidfile.is_empty() {
            return Ok(None);
        }
        let path = PathBuf::from(&config.pidfile);
        let file = File::create(&path)
            .map_err(|error| format!("cannot write the pid file '{}': {error}", config.pidfile))?;
        Ok(Some(PidFile { path, file: Some(file), text: String::new() }))
    }

    /// Writes the number of this process, once.
    ///
    /// # Errors
    /// Why it could not be written.
    pub fn write(&mut self) -> Result<(), String> {
        self.text = format!("{}\n", std::process::id());
        let Some(mut file) = self.file.take() else { return Ok(()) };
        file.write_all(self.text.as_bytes())
            .map_err(|error| format!("cannot write the pid file '{}': {error}", self.path.display()))
    }
}

impl Drop for PidFile {
    /// Removes the file, unless another process has written its own number there.
    fn drop(&mut self) {
        if fs::read_to_string(&self.path).is_ok_and(|text| text == self.text) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// True if systemd is to be told how the server stands.
fn is_supervised(config: &Config) -> bool {
    match config.supervised {
        Supervised::No => false,
        Supervised::Systemd => true,
        Supervised::Auto => std::env::var_os("NOTIFY_SOCKET").is_some(),
    }
}

/// Tells systemd that clients can connect.
pub fn tell_ready(config: &Config) {
    if config.supervised == Supervised::Systemd && std::env::var_os("NOTIFY_SOCKET").is_none() {
        log::warn!("supervised is systemd, but systemd has not asked to be told (NOTIFY_SOCKET is not set)");
    }
    tell(config, NotifyState::Ready);
}

/// Tells systemd that the server is stopping.
pub fn tell_stopping(config: &Config) {
    tell(config, NotifyState::Stopping);
}

fn tell(config: &Config, state: NotifyState<'_>) {
    if is_supervised(config)
        && let Err(error) = sd_notify::notify(&[state])
    {
        log::warn!("systemd could not be told how the server stands: {error}");
    }
}
