//! The sources of settings, and what results from them: the command line over the environment over a file.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use super::names::{named, nearest_name, with_nearest};
use super::options::Opt;
use super::setting::{Origin, Setting, VARIABLE_PREFIX, variable};
use super::{Config, file, foreign};

/// Where the settings of a server come from. The default is nowhere: a server that a program makes for itself.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The absolute path of the file, which can be read again and written.
    pub(super) path: Option<PathBuf>,
    /// The settings that came from standard input.
    fixed: Vec<Setting>,
    /// Where relative paths of `include` begin: the working directory at the start.
    pub(super) folder: PathBuf,
    environment: Vec<Setting>,
    arguments: Vec<Setting>,
    /// What the sources said when they were last read. An option that cannot change while the server runs has
    /// the value here that the server started with.
    pub(super) said: Config,
}

/// What the sources say.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// The settings.
    pub config: Config,
    /// The options of Redis that were set and have no meaning here, without repetitions.
    pub unused: Vec<&'static str>,
    /// For each option that was set, who has decided its value. The last entry for an option counts.
    pub deciders: Vec<(&'static str, Origin)>,
}

impl Sources {
    /// The sources of a server that is about to start, and what they say. `file` is as on the command line; `-` is
    /// standard input.
    ///
    /// # Errors
    /// One line that says which setting is wrong, where it is, and why.
    pub fn open(
        file: Option<&str>,
        environment: Vec<Setting>,
        arguments: Vec<Setting>,
    ) -> Result<(Sources, Reading), String> {
        let folder =
            std::env::current_dir().map_err(|error| format!("there is no working directory: {error}"))?;
        let mut sources = Sources { folder, environment, arguments, ..Sources::default() };
        match file {
            Some("-") => {
                let text = file::take(io::stdin(), file::FILE_BYTES_MAX)
                    .map_err(|why| format!("can't read standard input: {why}"))?;
                sources.fixed = file::read_text(&text, Path::new("standard input"), &sources.folder)?;
            }
            Some(path) => sources.path = Some(sources.folder.join(path)),
            None => {}
        }
        let reading = sources.read()?;
        sources.said = reading.config.clone();
        Ok((sources, reading))
    }

    /// The absolute path of the configuration file, if there is one.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// The settings of the file as it is now.
    ///
    /// # Errors
    /// One line that says what is wrong with the file.
    pub(super) fn file_settings(&self) -> Result<Vec<Setting>, String> {
        match &self.path {
            Some(path) => file::read(path, &self.folder),
            None => Ok(self.fixed.clone()),
        }
    }

    /// What the sources say now.
    ///
    /// # Errors
    /// One line that says which setting is wrong, where it is, and why; or which settings contradict each other.
    pub fn read(&self) -> Result<Reading, String> {
        self.read_with(&self.file_settings()?)
    }

    /// What the sources say if these are the settings of the file.
    ///
    /// # Errors
    /// As [`Sources::read`].
    pub(super) fn read_with(&self, file: &[Setting]) -> Result<Reading, String> {
        let mut reading = Reading::default();
        for setting in file.iter().chain(&self.environment).chain(&self.arguments) {
            reading.take(setting)?;
        }
        reading.config.check()?;
        Ok(reading)
    }
}

impl Reading {
    /// Applies one setting.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn take(&mut self, setting: &Setting) -> Result<(), String> {
        let Some(opt) = named(&setting.name) else { return self.take_foreign(setting) };
        if setting.count != 1 && (setting.count == 0 || !opt.takes_words()) {
            return Err(setting.wrong("wrong number of arguments"));
        }
        let failed = |why| setting.wrong(&with_nearest(opt, &setting.value, why));
        if let Some(limits) = limits_of_replicas(opt, &setting.value) {
            // As limits on others they must make sense all the same.
            (opt.set)(&mut self.config.clone(), &format!("pubsub {limits}")).map_err(failed)?;
            if (opt.set)(&mut self.config, &setting.value).is_err() {
                self.note_unused("client-output-buffer-limit replica");
            }
            return Ok(());
        }
        (opt.set)(&mut self.config, &setting.value).map_err(failed)?;
        self.deciders.push((opt.name, setting.origin.clone()));
        Ok(())
    }

    fn take_foreign(&mut self, setting: &Setting) -> Result<(), String> {
        match foreign::judge(&setting.name, &setting.value) {
            Some(Ok(name)) => self.note_unused(name),
            Some(Err(why)) => return Err(setting.refused(&why)),
            None => return Err(setting.refused(&unknown(setting))),
        }
        Ok(())
    }

    fn note_unused(&mut self, name: &'static str) {
        if !self.unused.contains(&name) {
            self.unused.push(name);
        }
    }
}

/// The error of a name that no option has.
fn unknown(setting: &Setting) -> String {
    let in_file = matches!(setting.origin, Origin::File(..));
    let what = if in_file { "Bad directive or wrong number of arguments" } else { "there is no such option" };
    match nearest_name(&setting.name) {
        Some(name) if in_file => format!("{what}; the nearest name is {name}"),
        Some(name) => format!("{what}; the nearest is {}", variable(name)),
        None => what.to_owned(),
    }
}

/// The limits of a setting that is only about the output of replicas. There are none here, so any limit on them does no harm.
fn limits_of_replicas<'a>(opt: &Opt, value: &'a str) -> Option<&'a str> {
    let (class, limits) = value.split_once(' ').filter(|_| opt.name == "client-output-buffer-limit")?;
    let is_replica = ["replica", "slave"].iter().any(|name| class.eq_ignore_ascii_case(name));
    (is_replica && limits.split_whitespace().count() == 3).then_some(limits)
}

/// The settings in the environment: the variables whose names begin with `TIDEGATE_`.
///
/// # Errors
/// If such a variable is not UTF-8.
pub fn environment(variables: impl Iterator<Item = (OsString, OsString)>) -> Result<Vec<Setting>, String> {
    let mut settings = Vec::new();
    for (name, value) in variables {
        let name = name.to_string_lossy();
        let Some(rest) = name.strip_prefix(VARIABLE_PREFIX) else { continue };
        let name = rest.to_ascii_lowercase().replace('_', "-");
        let value =
            value.into_string().map_err(|_| format!("{VARIABLE_PREFIX}{rest}: argument is not UTF-8"))?;
        settings.push(Setting { origin: Origin::Environment, name, value, count: 1 });
    }
    // The environment has no order that means anything.
    settings.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(settings)
}
