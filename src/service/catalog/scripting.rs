//! The commands about scripts.

use super::containers::SCRIPT;
use super::words::{EVAL, EVAL_READ, NONE, SCRIPTING};
use crate::service::command::{Command, Keys, More, NO_KEYS, row};

/// The keys of a script: the argument behind the script says how many follow.
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
    row("script", -2, NONE, SCRIPTING, "2.6.0", "A container for commands about scripts").container(SCRIPT),
];
