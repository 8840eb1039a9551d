//! Settings that change while the server runs.

use super::world::World;
use crate::config::Config;

impl World {
    /// Goes on with other settings, which have been checked.
    pub fn adopt(&mut self, settings: Config) {
        log::set_max_level(settings.loglevel);
        let before = std::mem::replace(&mut self.config, settings);
        self.settings_changed += 1;
        self.heed_settings();
        if self.config.maxmemory != before.maxmemory {
            self.log_maxmemory();
        }
    }

    /// Reads the configuration file again, if there is one, and applies what has changed in it: all of it, or nothing if
    /// anything in it is wrong.
    #[cold]
    pub fn reload(&mut self) {
        let Some(path) = self.sources.path().map(|path| path.display().to_string()) else { return };
        let reload = match self.sources.reload(&self.config) {
            Ok(reload) => reload,
            Err(why) => {
                log::error!("{path} was read again and is wrong, so nothing has changed: {why}");
                return;
            }
        };
        if reload.changed.is_empty() {
            log::info!("{path} was read again: nothing that can change now is different");
        } else {
            self.adopt(reload.config);
            log::info!("{path} was read again, and these options have changed: {}", reload.changed.join(" "));
        }
        if !reload.need_restart.is_empty() {
            log::warn!(
                "these options are different in {path} and need a restart: {}",
                reload.need_restart.join(" ")
            );
        }
    }
}
