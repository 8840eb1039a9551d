//! The commands about HyperLogLogs.

use super::words::{ADMIN_PLAIN, HYPERLOGLOG, PFDEBUG, READ, WRITE_OOM, WRITE_OOM_FAST};
use crate::service::command::{ALL_KEYS, Command, ONE_KEY, SECOND_KEY, row};

#[rustfmt::skip]
pub(super) const ROWS: &[Command] = &[
    row("pfadd", -2, WRITE_OOM_FAST, HYPERLOGLOG, "2.8.9", "Count elements in a HyperLogLog")
        .keys(ONE_KEY).complexity("O(N) where N is the number of elements"),
    row("pfcount", -2, READ, HYPERLOGLOG, "2.8.9", "Estimate how many different elements HyperLogLogs have counted").heavy().refreshes()
        .keys(ALL_KEYS).complexity("O(N) where N is the number of keys, at 16,384 registers each"),
    row("pfdebug", 3, PFDEBUG, HYPERLOGLOG, "2.8.9", "Look into a HyperLogLog").heavy()
        .keys(SECOND_KEY),
    row("pfmerge", -2, WRITE_OOM, HYPERLOGLOG, "2.8.9", "Merge HyperLogLogs into one").heavy()
        .keys(ALL_KEYS).complexity("O(N) where N is the number of keys, at 16,384 registers each"),
    row("pfselftest", 1, ADMIN_PLAIN, HYPERLOGLOG, "2.8.9", "Test the code of HyperLogLogs").heavy(),
];
