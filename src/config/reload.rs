//! Reading the sources again while the server runs: what changes, and what needs a restart.

use super::options::{OPTIONS, Opt};
use super::{Config, Sources, file};

/// What results when the sources have been read again.
#[derive(Clone, Debug)]
pub struct Reload {
    /// The settings of the running server, with the changes.
    pub config: Config,
    /// The options whose values have changed in the sources, and that change now.
    pub changed: Vec<&'static str>,
    /// The options whose values in the sources are not those that the server was started with, and that cannot change now.
    pub need_restart: Vec<&'static str>,
}

impl Sources {
    /// Reads the sources again. Only what has changed in them since they were last read is applied to `running`: so what
    /// `CONFIG SET` has changed stays, unless the file has another value now.
    ///
    /// # Errors
    /// One line that says what is wrong. Nothing is applied then.
    pub fn reload(&mut self, running: &Config) -> Result<Reload, String> {
        if let Some(path) = self.path() {
            file::check_kind(path)?;
        }
        let fresh = self.read()?.config;
        let mut reload = Reload { config: running.clone(), changed: Vec::new(), need_restart: Vec::new() };
        for opt in OPTIONS.iter().filter(|opt| (opt.get)(&self.said) != (opt.get)(&fresh)) {
            if opt.live {
                copy(opt, &fresh, &mut reload.config).map_err(|why| format!("{}: {why}", opt.name))?;
                reload.changed.push(opt.name);
            } else {
                reload.need_restart.push(opt.name);
            }
        }
        reload.config.check()?;
        self.remember(fresh);
        Ok(reload)
    }

    /// Remembers that the sources say `fresh`. An option that cannot change keeps the value of the start, so it is named at
    /// every reload until then.
    pub(super) fn remember(&mut self, fresh: Config) {
        let started = std::mem::replace(&mut self.said, fresh);
        for opt in OPTIONS.iter().filter(|opt| !opt.live) {
            // A value that was shown is always taken.
            let _ = copy(opt, &started, &mut self.said);
        }
    }
}

/// Gives an option of `to` the value that it has in `from`.
pub(super) fn copy(opt: &Opt, from: &Config, to: &mut Config) -> Result<(), String> {
    (opt.set)(to, &opt.written(from))
}
