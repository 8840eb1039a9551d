//! The commands about scripts and functions.

use super::containers::{FUNCTION, SCRIPT};
use super::words::{EVAL, EVAL_READ, NONE, SCRIPTING};
use crate::service::command::{Command, Keys, More, NO_KEYS, row};

/// The keys of a script or a function: the argument behind its name says how many follow.
const SCRIPT_KEYS: Keys = Keys { more: More::Counted(2), ..NO_KEYS };
const COMPLEXITY: &str = "What the script does decides";

#[rustfmt::skip]
pub(super) const ROWS: &[Command] = &[
    row("eval", -3, EVAL, SCRIPTING, "2.6.0", "Run a script").heavy().speaks()
        .keys(SCRIPT_KEYS).complexity(COMPLEXITY),
    row("eval_ro", -3, EVAL_READ, SCRIPTING, "7.0.0", "Run a script that changes nothing").heavy()
        .keys(SCRIPT_KEYS).complexity(COMPLEXITY),
    row("evalsha", -3, EVAL, SCRIPTING, "2.6.0", "Run a script that the server knows").heavy().speaks()
        .keys(SCRIPT_KEYS).complexity(COMPLEXITY),
    row("evalsha_ro", -3, EVAL_READ, SCRIPTING, "7.0.0", "Run a script that the server knows and that changes nothing").heavy()
        .keys(SCRIPT_KEYS).complexity(COMPLEXITY),
    row("fcall", -3, EVAL, SCRIPTING, "7.0.0", "Run a function").heavy().speaks()
        .keys(SCRIPT_KEYS).complexity("What the function does decides"),
    row("fcall_ro", -3, EVAL_READ, SCRIPTING, "7.0.0", "Run a function that changes nothing").heavy()
        .keys(SCRIPT_KEYS).complexity("What the function does decides"),
    row("function", -2, NONE, SCRIPTING, "7.0.0", "A container for commands about functions").container(FUNCTION),
    row("script", -2, NONE, SCRIPTING, "2.6.0", "A container for commands about scripts").container(SCRIPT),
];
