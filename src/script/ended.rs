//! How a script ends: with an answer, with an error of its own, or because it was stopped.

use mlua::{Table, Value};

use super::host::Stop;

/// How a script has ended.
#[derive(Debug)]
pub enum Ended {
    /// It has returned this.
    Returned(Answer),
    /// It has failed. This is the error, with its code and without the `-` before it.
    Failed(Fault),
    /// It was stopped.
    Stopped(Stop),
}

/// What a script has returned.
#[derive(Debug)]
pub struct Answer(pub(super) Value);

/// The error of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The error, with its code.
    pub message: Vec<u8>,
    /// Where in the script it was raised: the name of the chunk and the line. `None` if that is not known.
    pub place: Option<(String, u32)>,
    /// True if it is the error of a command, which was counted when that failed.
    pub is_counted: bool,
}

/// Errors in what a script has returned.
#[derive(Debug, Default)]
pub struct Errors {
    /// True if there is any.
    pub are_any: bool,
    /// The beginnings of those that were not counted yet: at most a hundred of them.
    pub uncounted: Vec<Vec<u8>>,
}

/// Most errors in an answer that are counted.
const ERRORS_TOLD_MAX: usize = 100;
/// Most bytes of such an error that are kept: its code is in them.
const ERROR_BYTES_MAX: usize = 64;

impl Errors {
    /// Takes note of an error.
    pub(super) fn note(&mut self, text: &[u8], is_counted: bool) {
        self.are_any = true;
        if !is_counted && self.uncounted.len() < ERRORS_TOLD_MAX {
            self.uncounted.push(text[..text.len().min(ERROR_BYTES_MAX)].to_vec());
        }
    }
}

impl Fault {
    /// The error that the runner of the prelude returns.
    pub(super) fn of(table: &Table) -> Fault {
        let message = match table.raw_get("err") {
            Ok(Value::String(text)) => text.as_bytes().to_vec(),
            _ => b"ERR unknown error".to_vec(),
        };
        let place = match (table.raw_get("source"), table.raw_get("line")) {
            (Ok(Some(source)), Ok(Some(line))) => Some((source, line)),
            _ => None,
        };
        let is_counted = table.raw_get("is_counted").unwrap_or(false);
        Fault { message, place, is_counted }
    }
}
