//! Groups and sets of flags, in Redis's words.

// Groups, as Redis names them.
pub(super) const BITMAP: &str = "bitmap";
pub(super) const CLUSTER: &str = "cluster";
pub(super) const CONNECTION: &str = "connection";
pub(super) const GENERIC: &str = "generic";
pub(super) const GEO: &str = "geo";
pub(super) const HASH: &str = "hash";
pub(super) const HYPERLOGLOG: &str = "hyperloglog";
pub(super) const SET: &str = "set";
pub(super) const SORTED_SET: &str = "sorted-set";
pub(super) const LIST: &str = "list";
pub(super) const STREAM: &str = "stream";
pub(super) const SERVER: &str = "server";
pub(super) const STRING: &str = "string";
pub(super) const TRANSACTIONS: &str = "transactions";
pub(super) const SCRIPTING: &str = "scripting";
pub(super) const PUBSUB_GROUP: &str = "pubsub";

// Sets of flags, as Redis names the flags.
pub(super) const FAST: &[&str] = &["fast"];
pub(super) const NONE: &[&str] = &[];
pub(super) const READ: &[&str] = &["readonly"];
pub(super) const READ_MOVABLE: &[&str] = &["readonly", "movablekeys"];
pub(super) const READ_FAST: &[&str] = &["readonly", "fast"];
pub(super) const WRITE: &[&str] = &["write"];
pub(super) const WRITE_MOVABLE: &[&str] = &["write", "movablekeys"];
pub(super) const WRITE_FAST_BLOCKING: &[&str] = &["write", "fast", "blocking"];
pub(super) const WRITE_BLOCKING: &[&str] = &["write", "blocking"];
pub(super) const WRITE_BLOCKING_MOVABLE: &[&str] = &["write", "blocking", "movablekeys"];
pub(super) const WRITE_OOM_BLOCKING: &[&str] = &["write", "denyoom", "blocking"];
pub(super) const READ_BLOCKING_MOVABLE: &[&str] = &["readonly", "blocking", "movablekeys"];
pub(super) const WRITE_FAST: &[&str] = &["write", "fast"];
pub(super) const WRITE_OOM: &[&str] = &["write", "denyoom"];
pub(super) const WRITE_OOM_MOVABLE: &[&str] = &["write", "denyoom", "movablekeys"];
pub(super) const WRITE_OOM_FAST: &[&str] = &["write", "denyoom", "fast"];
pub(super) const ADMIN: &[&str] = &["admin", "noscript", "loading", "stale"];
pub(super) const ADMIN_PLAIN: &[&str] = &["admin"];
pub(super) const PFDEBUG: &[&str] = &["write", "denyoom", "admin"];
pub(super) const SHUTDOWN: &[&str] = &["admin", "noscript", "loading", "stale", "no_multi", "allow_busy"];
pub(super) const ADMIN_DISK: &[&str] = &["admin", "noscript", "no_async_loading"];
pub(super) const ADMIN_ONLY: &[&str] = &["admin", "noscript"];
pub(super) const ADMIN_STALE: &[&str] = &["admin", "noscript", "stale"];
pub(super) const ADMIN_REPLICA: &[&str] = &["admin", "noscript", "stale", "no_async_loading"];
pub(super) const ADMIN_LOG: &[&str] = &["admin", "loading", "stale"];
pub(super) const REPLCONF: &[&str] = &["admin", "noscript", "loading", "stale", "allow_busy"];
pub(super) const SAVE: &[&str] = &["admin", "noscript", "no_async_loading", "no_multi"];
pub(super) const NOSCRIPT: &[&str] = &["noscript"];
pub(super) const NOSCRIPT_BUSY: &[&str] = &["noscript", "allow_busy"];
pub(super) const NOSCRIPT_STALE: &[&str] = &["noscript", "stale"];
pub(super) const WRITE_NOSCRIPT: &[&str] = &["write", "noscript"];
pub(super) const WRITE_OOM_NOSCRIPT: &[&str] = &["write", "denyoom", "noscript"];
pub(super) const EVAL: &[&str] = &["noscript", "stale", "skip_monitor", "no_mandatory_keys", "movablekeys"];
pub(super) const EVAL_READ: &[&str] =
    &["readonly", "noscript", "stale", "skip_monitor", "no_mandatory_keys", "movablekeys"];
pub(super) const ROLE: &[&str] = &["noscript", "loading", "stale", "fast"];
pub(super) const ALWAYS: &[&str] = &["loading", "stale"];
pub(super) const ALWAYS_FAST: &[&str] = &["fast", "loading", "stale"];
pub(super) const SESSION: &[&str] = &["noscript", "loading", "stale"];
pub(super) const TRANSACT_FAST: &[&str] = &["noscript", "loading", "stale", "fast", "allow_busy"];
pub(super) const SKIP_SLOWLOG: &[&str] = &["noscript", "loading", "stale", "skip_slowlog"];
pub(super) const PUBSUB_FLAGS: &[&str] = &["pubsub", "noscript", "loading", "stale"];
pub(super) const PUBSUB_ASK: &[&str] = &["pubsub", "loading", "stale"];
pub(super) const PUBLISH: &[&str] = &["pubsub", "loading", "stale", "fast"];
pub(super) const GREETING: &[&str] = &["noscript", "loading", "stale", "fast", "no_auth", "allow_busy"];
