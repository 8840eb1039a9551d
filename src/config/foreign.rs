//! Options of Redis that are none here: those that do no harm if they are ignored, and those that would.
//!
//! The table has the options of Redis 7.2, and those of older versions that 7.2 still reads. So a `redis.conf` works
//! as it is, or an error says what it asks for that does not exist here.

/// What happens to an option of Redis that is none here.
#[derive(Clone, Copy, Debug)]
enum Fate {
    /// It has no meaning here, and ignoring it does no harm.
    Unused,
    /// With one of these values it changes nothing here. With any other, ignoring it would be dangerous, for this reason.
    Only(&'static [&'static str], &'static str),
    /// Ignoring it would be dangerous, for this reason.
    Refused(&'static str),
}

const NO_DISK: &str = "nothing is kept on disk yet: keys would be lost at a restart";
const NO_REPLICAS: &str = "there is no replication yet";
const NO_USERS: &str = "there are no passwords and no users yet: everybody who can connect may do everything";
const NO_TLS: &str = "there is no TLS yet: clients would talk in clear text";

/// Options whose value decides.
const DECIDED: &[(&str, Fate)] = &[
    ("appendonly", Fate::Only(&["no"], NO_DISK)),
    ("save", Fate::Only(&[""], NO_DISK)),
    ("replicaof", Fate::Only(&["no one"], NO_REPLICAS)),
    ("slaveof", Fate::Only(&["no one"], NO_REPLICAS)),
    ("min-replicas-to-write", Fate::Only(&["0"], NO_REPLICAS)),
    ("min-slaves-to-write", Fate::Only(&["0"], NO_REPLICAS)),
    ("masterauth", Fate::Only(&[""], NO_REPLICAS)),
    ("masteruser", Fate::Only(&[""], NO_REPLICAS)),
    ("requirepass", Fate::Only(&[""], NO_USERS)),
    ("user", Fate::Refused(NO_USERS)),
    ("aclfile", Fate::Only(&[""], NO_USERS)),
    (
        "rename-command",
        Fate::Refused("commands cannot be renamed or switched off: clients could still use the command"),
    ),
    ("tls-port", Fate::Only(&["0"], NO_TLS)),
    ("cluster-enabled", Fate::Only(&["no"], "there is no cluster: this server would answer for all slots")),
    ("loadmodule", Fate::Refused("there are no modules: the commands of the module would be missing")),
    ("sentinel", Fate::Refused("this is no Sentinel")),
    ("syslog-enabled", Fate::Only(&["no"], "there is no syslog: log to stderr or to logfile")),
    ("gopher-enabled", Fate::Only(&["no"], "there is no Gopher")),
];

/// Options that have no meaning here.
#[rustfmt::skip]
const UNUSED: &[&str] = &[
    "acl-pubsub-default", "acllog-max-len", "active-defrag-cycle-max", "active-defrag-cycle-min",
    "active-defrag-ignore-bytes", "active-defrag-max-scan-fields", "active-defrag-threshold-lower",
    "active-defrag-threshold-upper", "active-expire-effort", "activedefrag", "activerehashing", "always-show-logo",
    "aof-disable-auto-gc", "aof-load-truncated", "aof-rewrite-cpulist", "aof-rewrite-incremental-fsync",
    "aof-timestamp-enabled", "aof-use-rdb-preamble", "appenddirname", "appendfilename", "appendfsync",
    "auto-aof-rewrite-min-size", "auto-aof-rewrite-percentage", "bgsave-cpulist", "bind-source-addr", "bio-cpulist",
    "cluster-allow-pubsubshard-when-down", "cluster-allow-reads-when-down", "cluster-allow-replica-migration",
    "cluster-announce-bus-port", "cluster-announce-hostname", "cluster-announce-human-nodename", "cluster-announce-ip",
    "cluster-announce-port", "cluster-announce-tls-port", "cluster-config-file", "cluster-link-sendbuf-limit",
    "cluster-migration-barrier", "cluster-node-timeout", "cluster-port", "cluster-preferred-endpoint-type",
    "cluster-replica-no-failover", "cluster-replica-validity-factor", "cluster-require-full-coverage",
    "cluster-slave-no-failover", "cluster-slave-validity-factor", "crash-log-enabled", "crash-memcheck-enabled",
    "dbfilename", "disable-thp", "dynamic-hz", "enable-module-command", "enable-protected-configs", "hz",
    "ignore-warnings", "io-threads", "io-threads-do-reads", "jemalloc-bg-thread", "latency-tracking-info-percentiles",
    "lazyfree-lazy-eviction", "lazyfree-lazy-expire", "lazyfree-lazy-server-del", "lazyfree-lazy-user-del",
    "lazyfree-lazy-user-flush", "lfu-decay-time", "lfu-log-factor", "locale-collate", "lua-replicate-commands",
    "maxmemory-eviction-tenacity", "max-new-connections-per-cycle", "max-new-tls-connections-per-cycle",
    "min-replicas-max-lag", "min-slaves-max-lag", "no-appendfsync-on-rewrite", "oom-score-adj", "oom-score-adj-values",
    "proc-title-template", "propagation-error-behavior", "rdb-del-sync-files", "rdb-save-incremental-fsync",
    "rdbchecksum", "rdbcompression", "repl-backlog-size", "repl-backlog-ttl", "repl-disable-tcp-nodelay",
    "repl-diskless-load", "repl-diskless-sync", "repl-diskless-sync-delay", "repl-diskless-sync-max-replicas",
    "repl-ping-replica-period", "repl-ping-slave-period", "repl-timeout", "replica-announce-ip",
    "replica-announce-port", "replica-announced", "replica-ignore-disk-write-errors", "replica-ignore-maxmemory",
    "replica-lazy-flush", "replica-priority", "replica-read-only", "replica-serve-stale-data", "sanitize-dump-payload",
    "server-cpulist", "set-proc-title", "shutdown-on-sigint", "shutdown-on-sigterm", "slave-announce-ip",
    "slave-announce-port", "slave-ignore-maxmemory", "slave-lazy-flush", "slave-priority", "slave-read-only",
    "slave-serve-stale-data", "socket-mark-id", "stop-writes-on-bgsave-error", "syslog-facility", "syslog-ident",
    "tls-auth-clients", "tls-ca-cert-dir", "tls-ca-cert-file", "tls-cert-file", "tls-ciphers", "tls-ciphersuites",
    "tls-client-cert-file", "tls-client-key-file", "tls-client-key-file-pass", "tls-cluster", "tls-dh-params-file",
    "tls-key-file", "tls-key-file-pass", "tls-prefer-server-ciphers", "tls-protocols", "tls-replication",
    "tls-session-cache-size", "tls-session-cache-timeout", "tls-session-caching", "use-exit-on-panic",
];

/// The options that may have several words on the command line.
const WORDY: &[&str] = &["oom-score-adj-values", "rename-command", "replicaof", "save", "slaveof", "user"];

/// The names of all these options.
pub fn names() -> impl Iterator<Item = &'static str> {
    DECIDED.iter().map(|(name, _)| *name).chain(UNUSED.iter().copied())
}

/// True if the option takes several words.
pub fn is_wordy(name: &str) -> bool {
    WORDY.contains(&name)
}

/// Looks at a setting of Redis that is none here. `None` if Redis has no such option either. Otherwise the name, if the setting
/// may be ignored.
///
/// # Errors
/// Why the setting must not be ignored.
pub fn judge(name: &str, value: &str) -> Option<Result<&'static str, String>> {
    // Redis writes some of its names with underscores.
    let name = name.replace('_', "-");
    let known = names().find(|known| **known == *name)?;
    let decided = DECIDED.iter().find(|(decided, _)| *decided == known);
    Some(match decided.map_or(Fate::Unused, |(_, fate)| *fate) {
        Fate::Only(harmless, why) if !harmless.iter().any(|word| word.eq_ignore_ascii_case(value)) => {
            let harmless = harmless.iter().map(|word| if word.is_empty() { "\"\"" } else { *word });
            let only = harmless.collect::<Vec<&str>>().join(" or ");
            Err(format!("only {known} {only} works here: {why}"))
        }
        Fate::Refused(why) => Err(format!("{known} does not exist here: {why}")),
        Fate::Unused | Fate::Only(..) => Ok(known),
    })
}

#[cfg(test)]
mod tests {
    use super::super::names::ALIASES;
    use super::super::options::OPTIONS;
    use super::*;

    #[test]
    fn no_option_is_both_ours_and_foreign() {
        let mut all: Vec<&str> = names().chain(OPTIONS.iter().map(|opt| opt.name)).collect();
        all.extend(ALIASES.iter().map(|(old, _)| *old));
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count, "an option is listed twice");
    }

    #[test]
    fn what_would_be_dangerous_to_ignore_is_refused() {
        for (name, value) in [
            ("appendonly", "yes"),
            ("save", "900 1"),
            ("replicaof", "10.0.0.1 6379"),
            ("requirepass", "secret"),
            ("user", "default on"),
            ("aclfile", "/etc/redis/users.acl"),
            ("rename-command", "FLUSHALL "),
            ("tls-port", "6380"),
            ("cluster-enabled", "yes"),
            ("loadmodule", "/usr/lib/redis/x.so"),
            ("masterauth", "x"),
            ("min-replicas-to-write", "1"),
        ] {
            assert!(matches!(judge(name, value), Some(Err(_))), "{name} {value}");
        }
        for (name, value) in [
            ("appendonly", "NO"),
            ("save", ""),
            ("replicaof", "NO ONE"),
            ("requirepass", ""),
            ("server_cpulist", "0"),
        ] {
            assert!(matches!(judge(name, value), Some(Ok(_))), "{name} {value}");
        }
        assert!(judge("no-such-option", "1").is_none());
    }
}
