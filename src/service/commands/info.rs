//! What `INFO` says, section by section.
//!
//! Where Redis reports the same fact, the field has Redis's name. Many clients look at `redis_version`
//! before they use a command, so it names the version of Redis that the commands follow. The version of
//! this daemon is in `tidegate_version`.

use std::fmt::Write as _;

use crate::base::Reason;
use crate::service::catalog;
use crate::service::memory::resident_bytes;
use crate::service::world::World;

/// The version of Redis that the commands and their texts follow.
pub const REDIS_VERSION: &str = "7.2.0";

/// The name of a section, and the function that writes its fields.
type Section = (&'static str, fn(&mut String, &World));

/// All sections: Redis's in Redis's order, then our own, then the one that does not appear by default.
const SECTIONS: [Section; 12] = [
    ("Server", server),
    ("Clients", clients),
    ("Memory", memory),
    ("Persistence", persistence),
    ("Stats", stats),
    ("Replication", replication),
    ("CPU", cpu),
    ("Cluster", cluster),
    ("Keyspace", keyspace),
    ("Reactor", reactor),
    ("Closes", closes),
    ("Commandstats", commandstats),
];
/// Number of sections that appear by default: the first ones of the list. The others appear only if a
/// client asks for them by name or for `all` or `everything`.
const DEFAULT_SECTIONS: usize = 11;

/// The text of the sections with these names, or of the default sections if there are no names.
pub fn render(wanted: &[&[u8]], world: &World) -> String {
    let asked = |name: &str| wanted.iter().any(|word| word.eq_ignore_ascii_case(name.as_bytes()));
    let everything = asked("all") || asked("everything");
    let defaults = wanted.is_empty() || asked("default") || everything;
    let mut text = String::new();
    for (at, (name, write)) in SECTIONS.into_iter().enumerate() {
        if everything || defaults && at < DEFAULT_SECTIONS || asked(name) {
            if !text.is_empty() {
                text += "\r\n";
            }
            let _ = write!(text, "# {name}\r\n");
            write(&mut text, world);
        }
    }
    text
}

/// Appends a line `name:value`.
fn field(text: &mut String, name: &str, value: impl std::fmt::Display) {
    let _ = write!(text, "{name}:{value}\r\n");
}

fn server(text: &mut String, world: &World) {
    let uptime = world.now.at.since(world.started.at).as_secs();
    field(text, "redis_version", REDIS_VERSION);
    field(text, "tidegate_version", env!("CARGO_PKG_VERSION"));
    field(text, "redis_mode", "standalone");
    field(text, "os", std::env::consts::OS);
    field(text, "arch_bits", usize::BITS);
    field(
        text,
        "multiplexing_api",
        if cfg!(any(target_os = "linux", target_os = "android")) { "epoll" } else { "kqueue" },
    );
    field(text, "process_id", std::process::id());
    field(text, "tcp_port", world.config.port);
    field(text, "server_time_usec", world.now.unix_us);
    field(text, "uptime_in_seconds", uptime);
    field(text, "uptime_in_days", uptime / 86_400);
}

fn clients(text: &mut String, world: &World) {
    field(text, "connected_clients", world.stats.present.clients);
    field(text, "maxclients", world.config.maxclients);
    field(text, "blocked_clients", 0);
    field(text, "tracking_clients", world.tracking.clients());
}

fn memory(text: &mut String, world: &World) {
    let present = &world.stats.present;
    field(text, "used_memory", world.used_memory());
    field(text, "used_memory_dataset", world.dataset_memory());
    field(text, "mem_clients_normal", present.held_bytes);
    field(text, "used_memory_rss", resident_bytes().unwrap_or(0));
    field(text, "maxmemory", world.config.maxmemory.bytes);
    field(text, "maxmemory_policy", world.config.maxmemory_policy.name());
    field(text, "maxmemory_clients", world.config.maxmemory_clients);
}

fn persistence(text: &mut String, _: &World) {
    field(text, "loading", 0);
    field(text, "rdb_bgsave_in_progress", 0);
    field(text, "aof_enabled", 0);
}

fn stats(text: &mut String, world: &World) {
    let stats = &world.stats;
    field(text, "total_connections_received", stats.accepted);
    field(text, "total_commands_processed", stats.commands);
    field(text, "total_net_input_bytes", stats.bytes_in);
    field(text, "total_net_output_bytes", stats.bytes_out);
    field(text, "rejected_connections", stats.rejected);
    field(text, "expired_keys", world.store.expired());
    let overdue = world.store.overdue(world.now.unix_ms);
    field(text, "expire_overdue_keys", overdue.keys);
    field(text, "expire_overdue_ms", overdue.oldest_ms);
    field(text, "evicted_keys", world.store.evicted());
    field(text, "evicted_clients", stats.closes[Reason::Evicted.index()]);
    field(text, "keyspace_hits", stats.keyspace_hits);
    field(text, "keyspace_misses", stats.keyspace_misses);
    field(text, "total_error_replies", stats.errors);
    field(text, "tracking_total_keys", world.tracking.keys());
    field(text, "tracking_total_items", world.tracking.items());
    field(text, "tracking_total_prefixes", world.tracking.prefixes());
    field(text, "client_query_buffer_limit_disconnections", stats.closes[Reason::QueryBufferLimit.index()]);
    field(text, "client_output_buffer_limit_disconnections", stats.closes[Reason::SlowConsumer.index()]);
}

fn replication(text: &mut String, _: &World) {
    field(text, "role", "master");
    field(text, "connected_slaves", 0);
}

fn cpu(text: &mut String, _: &World) {
    use nix::sys::resource::{UsageWho, getrusage};
    let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else { return };
    let (system, user) = (usage.system_time(), usage.user_time());
    let _ = write!(text, "used_cpu_sys:{}.{:06}\r\n", system.tv_sec(), system.tv_usec());
    let _ = write!(text, "used_cpu_user:{}.{:06}\r\n", user.tv_sec(), user.tv_usec());
}

fn cluster(text: &mut String, _: &World) {
    field(text, "cluster_enabled", 0);
}

fn keyspace(text: &mut String, world: &World) {
    for (db, size) in world.store.sizes() {
        let _ = write!(text, "db{db}:keys={},expires={},avg_ttl=0\r\n", size.keys, size.expiring);
    }
}

fn reactor(text: &mut String, world: &World) {
    let stats = &world.stats;
    field(text, "ticks", stats.ticks);
    field(text, "turns_yielded", stats.yields);
    field(text, "turns_paused", stats.pauses);
    field(text, "command_panics", stats.panics);
    field(text, "keyspace_events_lost", stats.events_lost);
    field(text, "unwatched_connections", stats.unwatched);
    field(text, "descriptor_exhaustions", stats.descriptor_episodes);
    field(text, "descriptor_refusing_usec", stats.descriptor_refusing_us);
    field(text, "descriptor_refusing_now", u8::from(stats.present.refusing));
    field(text, "draining", u8::from(stats.present.draining));
    field(text, "log_lines_dropped", stats.present.log_lines_dropped);
}

fn closes(text: &mut String, world: &World) {
    for (name, count) in Reason::NAMES.iter().zip(world.stats.closes) {
        field(text, &format!("closed_{name}"), count);
    }
}

fn commandstats(text: &mut String, world: &World) {
    for command in catalog::everything() {
        let counted = &world.stats.per_command[command.id];
        if counted.calls + counted.rejected > 0 {
            let _ = write!(
                text,
                "cmdstat_{}:calls={},usec={:.0},usec_per_call={:.2},rejected_calls={},failed_calls={}\r\n",
                command.name,
                counted.calls,
                counted.usec(),
                counted.usec() / counted.calls.max(1) as f64,
                counted.rejected,
                counted.failed
            );
        }
    }
}
