//! The options about how values are encoded.
//!
//! Those of streams and HyperLogLogs decide how these lie in memory. The others decide only what `OBJECT ENCODING` answers,
//! because here other things decide when a hash, a list, a set or a sorted set is packed. Tools and test suites set them.

use super::options::Opt;
use super::values::{parse_bytes, parse_number, parse_signed};

/// When Redis would change the encoding of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encodings {
    /// Most fields of a packed hash.
    pub hash_max_listpack_entries: usize,
    /// Longest field or value of a packed hash, bytes.
    pub hash_max_listpack_value: usize,
    /// Most elements of a packed list; -1 to -5 are 4, 8, 16, 32 and 64 KiB instead.
    pub list_max_listpack_size: i64,
    /// Accepted and not used: how many nodes at each end of a list Redis does not compress.
    pub list_compress_depth: usize,
    /// Most members of a set of integers that is kept as an array.
    pub set_max_intset_entries: usize,
    /// Most members of a packed set.
    pub set_max_listpack_entries: usize,
    /// Longest member of a packed set, bytes.
    pub set_max_listpack_value: usize,
    /// Most members of a packed sorted set.
    pub zset_max_listpack_entries: usize,
    /// Longest member of a packed sorted set, bytes.
    pub zset_max_listpack_value: usize,
    /// When a node of a stream gets this many bytes, the next entry begins a new one; 0 is no limit.
    pub stream_node_max_bytes: usize,
    /// Most entries of a node of a stream; 0 is no limit.
    pub stream_node_max_entries: usize,
    /// A HyperLogLog that would get longer than this in the sparse encoding becomes dense, bytes. The dense encoding
    /// takes 12 KiB, but adding an element to it takes less time.
    pub hll_sparse_max_bytes: usize,
}

impl Default for Encodings {
    /// Redis's defaults.
    fn default() -> Encodings {
        Encodings {
            hash_max_listpack_entries: 128,
            hash_max_listpack_value: 64,
            list_max_listpack_size: -2,
            list_compress_depth: 0,
            set_max_intset_entries: 512,
            set_max_listpack_entries: 128,
            set_max_listpack_value: 64,
            zset_max_listpack_entries: 128,
            zset_max_listpack_value: 64,
            stream_node_max_bytes: 4_096,
            stream_node_max_entries: 100,
            hll_sparse_max_bytes: 3_000,
        }
    }
}

/// Largest value of the options that count something, as in Redis.
const COUNT_MAX: u64 = i64::MAX as u64;

macro_rules! number {
    ($name:literal, $field:ident, $max:expr, $help:literal) => {
        Opt {
            name: $name,
            value: "number",
            help: $help,
            live: true,
            get: |c| c.encodings.$field.to_string(),
            set: |c, text| parse_number(text, 0, $max).map(|n| c.encodings.$field = n as _),
        }
    };
}

macro_rules! bytes {
    ($name:literal, $field:ident, $max:expr, $help:literal) => {
        Opt {
            name: $name,
            value: "bytes",
            help: $help,
            live: true,
            get: |c| c.encodings.$field.to_string(),
            set: |c, text| parse_bytes(text, 0, $max).map(|n| c.encodings.$field = n),
        }
    };
}

/// The options, in the order of `--help`.
#[rustfmt::skip]
pub(super) const OPTIONS: &[Opt] = &[
    number!("hash-max-listpack-entries", hash_max_listpack_entries, COUNT_MAX, "Most fields for which OBJECT ENCODING says listpack"),
    bytes!("hash-max-listpack-value", hash_max_listpack_value, usize::MAX, "Longest field or value for which it says so"),
    Opt {
        name: "list-max-listpack-size",
        value: "number",
        help: "Most elements for which OBJECT ENCODING says listpack; -1 to -5 = 4 to 64 KiB",
        live: true,
        get: |c| c.encodings.list_max_listpack_size.to_string(),
        set: |c, text| parse_signed(text, i64::from(i32::MIN)).map(|n| c.encodings.list_max_listpack_size = n),
    },
    number!("list-compress-depth", list_compress_depth, i32::MAX as u64, "Accepted and not used"),
    number!("set-max-intset-entries", set_max_intset_entries, COUNT_MAX, "Most integers for which OBJECT ENCODING says intset"),
    number!("set-max-listpack-entries", set_max_listpack_entries, COUNT_MAX, "Most members for which OBJECT ENCODING says listpack"),
    bytes!("set-max-listpack-value", set_max_listpack_value, usize::MAX, "Longest member for which it says so"),
    number!("zset-max-listpack-entries", zset_max_listpack_entries, COUNT_MAX, "Most members for which OBJECT ENCODING says listpack"),
    bytes!("zset-max-listpack-value", zset_max_listpack_value, usize::MAX, "Longest member for which it says so"),
    bytes!("stream-node-max-bytes", stream_node_max_bytes, u32::MAX as usize, "Most bytes of a stream's node that gets another entry; 0 = no limit"),
    number!("stream-node-max-entries", stream_node_max_entries, i32::MAX as u64, "Most entries of a stream's node; 0 = no limit"),
    bytes!("hll-sparse-max-bytes", hll_sparse_max_bytes, usize::MAX, "A HyperLogLog longer than this changes from the sparse to the dense encoding, which takes 12 KiB"),
];
