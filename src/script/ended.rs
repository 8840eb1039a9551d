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
        Fault { message, place }
    }
}
