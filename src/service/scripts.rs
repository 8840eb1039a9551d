//! The scripts that clients have sent, by the SHA-1 of their text, and what their first line says of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::cx::Failure;
use super::shebang::{BadShebang, Shebang};
use crate::config::SCRIPTS_KEPT_MAX;
use crate::script::{Flag, Sha};

/// About how many bytes a script takes besides its text: its entry, and what the interpreter keeps.
const ENTRY_BYTES: usize = 256;

/// The scripts that the server knows.
#[derive(Debug, Default)]
pub struct Scripts {
    by_sha: BTreeMap<Sha, Script>,
    /// Number of the scripts that no `SCRIPT LOAD` has brought.
    passing: usize,
    /// How many times scripts were used.
    uses: u64,
    /// Bytes of their texts.
    text_bytes: usize,
    /// Number of scripts that were forgotten to make room for others.
    pub evicted: u64,
}

/// One script.
#[derive(Clone, Debug)]
pub struct Script {
    /// Its text. The first line is left out if it says what the script is; its end of line is not.
    pub source: Arc<[u8]>,
    /// The whole text.
    pub text: Arc<[u8]>,
    /// What its first line says.
    pub flags: Flags,
    /// True if `SCRIPT LOAD` has brought it. Then only `SCRIPT FLUSH` takes it away.
    loaded: bool,
    /// Number of its last use.
    used: u64,
}

/// What the first line of a script says about it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// True if there is such a line at all.
    pub declared: bool,
    /// The script changes nothing.
    pub no_writes: bool,
    /// The script may run although the memory is used up.
    pub allow_oom: bool,
}

impl Scripts {
    /// Uses the script of this name, and returns what its first line says.
    pub fn use_one(&mut self, sha: &Sha) -> Option<Flags> {
        self.uses += 1;
        let script = self.by_sha.get_mut(sha)?;
        script.used = self.uses;
        Some(script.flags)
    }

    /// The script of this name.
    pub fn get(&self, sha: &Sha) -> Option<&Script> {
        self.by_sha.get(sha)
    }

    /// True if there is a script of this name.
    pub fn contains(&self, sha: &Sha) -> bool {
        self.by_sha.contains_key(sha)
    }

    /// Keeps a script. Returns the name of the script that was forgotten for it, if one was. `loaded` says whether
    /// `SCRIPT LOAD` has brought it.
    pub fn keep(&mut self, sha: Sha, mut script: Script, loaded: bool) -> Option<Sha> {
        self.uses += 1;
        script.used = self.uses;
        if let Some(known) = self.by_sha.get_mut(&sha) {
            self.passing -= usize::from(loaded && !known.loaded);
            known.loaded |= loaded;
            return None;
        }
        script.loaded = loaded;
        self.passing += usize::from(!loaded);
        self.text_bytes += script.text.len();
        self.by_sha.insert(sha, script);
        if self.passing <= SCRIPTS_KEPT_MAX {
            return None;
        }
        let passing = self.by_sha.iter().filter(|(_, script)| !script.loaded);
        let oldest = passing.min_by_key(|(_, script)| script.used).map(|(sha, _)| *sha)?;
        let gone = self.by_sha.remove(&oldest)?;
        self.passing -= 1;
        self.text_bytes -= gone.text.len();
        self.evicted += 1;
        Some(oldest)
    }

    /// Forgets all scripts.
    pub fn clear(&mut self) {
        let evicted = self.evicted;
        *self = Scripts { evicted, ..Scripts::default() };
    }

    /// Number of scripts.
    pub fn len(&self) -> usize {
        self.by_sha.len()
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.by_sha.is_empty()
    }

    /// Bytes of memory that the texts take, estimated.
    pub fn memory(&self) -> usize {
        self.text_bytes + self.len() * ENTRY_BYTES
    }
}

impl Script {
    /// Reads the first line of a script.
    ///
    /// # Errors
    /// What is wrong with that line.
    pub fn read(text: &[u8]) -> Result<Script, Failure> {
        let (flags, source) = match Shebang::read(text) {
            None => (Flags::default(), text),
            Some(Err(BadShebang::NoEnd | BadShebang::TooLong)) => {
                return Err(Failure::text("ERR Invalid script shebang"));
            }
            Some(Err(BadShebang::Quotes)) => {
                return Err(Failure::text("ERR Invalid engine in script shebang"));
            }
            Some(Ok(shebang)) => (read_options(&shebang)?, shebang.rest),
        };
        let text: Arc<[u8]> = Arc::from(text);
        let source = if flags.declared { Arc::from(source) } else { Arc::clone(&text) };
        Ok(Script { source, text, flags, loaded: false, used: 0 })
    }
}

/// Reads what the first line of a script says.
fn read_options(shebang: &Shebang<'_>) -> Result<Flags, Failure> {
    if shebang.engine != b"lua" {
        return Err(Failure::quoting("ERR Unexpected engine in script shebang: #!", &shebang.engine, ""));
    }
    let mut given = Vec::new();
    for word in &shebang.options {
        let Some(names) = word.strip_prefix(b"flags=") else {
            return Err(Failure::quoting("ERR Unknown lua shebang option: ", word, ""));
        };
        for name in names.split(|byte| *byte == b',').filter(|_| !names.is_empty()) {
            let known = Flag::ALL.into_iter().find(|flag| flag.name().as_bytes() == name);
            given.push(
                known.ok_or_else(|| Failure::quoting("ERR Unexpected flag in script shebang: ", name, ""))?,
            );
        }
    }
    Ok(Flags::declared(&given))
}

impl Flags {
    /// What a script or a function says with these flags. This server is no replica and no part of a cluster, so the others do
    /// not matter.
    pub fn declared(given: &[Flag]) -> Flags {
        Flags {
            declared: true,
            no_writes: given.contains(&Flag::NoWrites),
            allow_oom: given.contains(&Flag::AllowOom),
        }
    }
}
