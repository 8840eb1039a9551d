//! The options about scripts.

use super::options::{BYTES, Opt, bytes, live, number};
use super::values::{parse_bytes, parse_number};

/// Smallest `script-memory-limit`, bytes: a script with a few arguments runs.
const SCRIPT_MEMORY_MIN: usize = 1 << 20;

/// All of them.
pub const OPTIONS: &[Opt] = &[
    live(
        "script-time-limit",
        "milliseconds",
        number!(script_time_limit_ms, 0, u32::MAX),
        "A script that runs longer is stopped, and what it has done is undone; 0 = no limit",
    ),
    live(
        "busy-reply-threshold",
        "milliseconds",
        number!(busy_reply_threshold_ms, 0, u32::MAX),
        "While a script has run longer, others read BUSY and may end it; 0 = never",
    ),
    live(
        "lua-time-limit",
        "milliseconds",
        number!(busy_reply_threshold_ms, 0, u32::MAX),
        "The old name of busy-reply-threshold",
    ),
    live(
        "script-memory-limit",
        BYTES,
        bytes!(script_memory_limit, SCRIPT_MEMORY_MIN, usize::MAX),
        "A script that needs more memory is stopped, and what it has done is undone",
    ),
];
