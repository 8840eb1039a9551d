//! What `INFO` says, section by section.
//!
//! Where Redis reports the same fact, the field has Redis's name. Many clients look at `redis_version`
//! before they use a command, so it names a version whose commands are here. The version of
//! this daemon is in `tidegate_version`.

use std::fmt::Write as _;
use std::path::Path;

use crate::base::{Reason, outliving_bytes};
use crate::config::{REDIS_VERSION, system_memory};
use crate::script::{engine_memory, functions_memory};
use crate::service::catalog;
use crate::service::channels::Kind;
use crate::service::latency::percentile;
use crate::service::memory::resident_bytes;
use crate::service::world::World;

/// The name of a section, and the function that writes its fields.
type Section = (&'static str, fn(&mut String, &World));

/// All sections: Redis's in Redis's order, then our own, then the one that does not appear by default.
const SECTIONS: [Section; 16] = [
    ("Server", server),
    ("Clients", clients),
    ("Memory", memory),
    ("Persistence", persistence),
    ("Stats", stats),
    ("Replication", replication),
    ("CPU", cpu),
    ("Modules", modules),
    ("Errorstats", errorstats),
    ("Cluster", cluster),
    ("Keyspace", keyspace),
    ("Reactor", reactor),
    ("Drain", drain),
    ("Closes", closes),
    ("Commandstats", commandstats),
    ("Latencystats", latencystats),
];
/// Number of sections that appear by default: the first ones of the list. The others appear only if a
/// client asks for them by name or for `all` or `everything`.
const DEFAULT_SECTIONS: usize = 14;

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

/// Appends a number of bytes, and again in a form for people.
fn bytes(text: &mut String, name: &str, bytes: usize) {
    field(text, name, bytes);
    field(text, &format!("{name}_human"), human(bytes));
}

/// A number of bytes as Redis shows it to people.
fn human(bytes: usize) -> String {
    let units = [(30, 'G'), (20, 'M'), (10, 'K')];
    match units.into_iter().find(|(shift, _)| bytes >> shift > 0) {
        Some((shift, unit)) => format!("{:.2}{unit}", bytes as f64 / (1_u64 << shift) as f64),
        None => format!("{bytes}B"),
    }
}

/// Appends a field that is 0 because this server has no such thing. Exporters look for it.
fn zeros(text: &mut String, names: &[&str]) {
    names.iter().for_each(|name| field(text, name, 0));
}

fn server(text: &mut String, world: &World) {
    let uptime = world.now.at.since(world.started.at).as_secs();
    field(text, "redis_version", REDIS_VERSION);
    field(text, "tidegate_version", env!("CARGO_PKG_VERSION"));
    field(text, "redis_git_sha1", "00000000");
    field(text, "redis_git_dirty", 0);
    field(text, "redis_build_id", 0);
    field(text, "redis_mode", "standalone");
    field(text, "os", std::env::consts::OS);
    field(text, "arch_bits", usize::BITS);
    field(
        text,
        "multiplexing_api",
        if cfg!(any(target_os = "linux", target_os = "android")) { "epoll" } else { "kqueue" },
    );
    field(text, "process_id", std::process::id());
    field(text, "run_id", run_id(world));
    field(text, "tcp_port", world.config.port);
    field(text, "server_time_usec", world.now.unix_us);
    field(text, "uptime_in_seconds", uptime);
    field(text, "uptime_in_days", uptime / 86_400);
    field(text, "lru_clock", (world.now.unix_ms / 1_000) & 0xff_ffff);
    field(text, "executable", std::env::current_exe().unwrap_or_default().display());
    field(text, "config_file", world.sources.path().unwrap_or(Path::new("")).display());
    field(text, "io_threads_active", 0);
    if let Some(ms) = ms_to_end(world) {
        field(text, "shutdown_in_milliseconds", ms);
    }
}

/// Another number for each run of the server: 40 hexadecimal digits.
fn run_id(world: &World) -> String {
    format!("{:08x}{:032x}", std::process::id(), u128::from(world.started.unix_us))
}

fn clients(text: &mut String, world: &World) {
    field(text, "connected_clients", world.stats.present.clients);
    field(text, "cluster_connections", 0);
    field(text, "maxclients", world.config.maxclients);
    field(text, "blocked_clients", world.waiting.clients());
    field(text, "tracking_clients", world.tracking.clients());
    field(text, "pubsub_clients", world.sessions.subscribers());
    field(text, "clients_in_timeout_table", world.waiting.timed());
    field(text, "total_blocking_keys", world.waiting.keys());
}

fn memory(text: &mut String, world: &World) {
    let (used, dataset) = (world.used_memory(), world.dataset_memory());
    let held = world.stats.present.held_bytes;
    let resident = resident_bytes().unwrap_or(0);
    let peak = world.memory.peak.max(used);
    bytes(text, "used_memory", used);
    bytes(text, "used_memory_rss", resident);
    bytes(text, "used_memory_peak", peak);
    field(text, "used_memory_peak_perc", format!("{:.2}%", used as f64 * 100.0 / peak.max(1) as f64));
    field(text, "used_memory_overhead", used - dataset);
    field(text, "used_memory_dataset", dataset);
    field(text, "used_memory_dataset_perc", format!("{:.2}%", dataset as f64 * 100.0 / used.max(1) as f64));
    let (scripts, interpreter) = (world.scripts.memory(), engine_memory());
    let (functions, of_functions) = (world.functions.memory(), functions_memory());
    bytes(text, "used_memory_lua", interpreter);
    field(text, "used_memory_vm_eval", interpreter);
    field(text, "used_memory_scripts_eval", scripts);
    field(text, "number_of_cached_scripts", world.scripts.len());
    field(text, "number_of_functions", world.functions.len());
    field(text, "number_of_libraries", world.functions.libraries().len());
    field(text, "used_memory_vm_functions", of_functions);
    bytes(text, "used_memory_vm_total", interpreter + of_functions);
    field(text, "used_memory_functions", functions);
    bytes(text, "used_memory_scripts", scripts + functions);
    bytes(text, "maxmemory", world.config.maxmemory.bytes);
    field(text, "maxmemory_policy", world.config.maxmemory_policy.name());
    field(text, "maxmemory_clients", world.config.maxmemory_clients);
    field(text, "mem_fragmentation_ratio", format!("{:.2}", resident as f64 / used.max(1) as f64));
    field(text, "mem_fragmentation_bytes", resident as i64 - used as i64);
    field(text, "mem_not_counted_for_evict", world.store.waiting_bytes());
    field(text, "mem_clients_normal", held);
    field(text, "mem_clients_shared", world.stats.present.shared_bytes);
    field(text, "mem_outliving_values", outliving_bytes());
    zeros(text, &["mem_clients_slaves", "mem_replication_backlog", "mem_cluster_links", "mem_aof_buffer"]);
    field(text, "mem_allocator", if cfg!(target_env = "gnu") { "glibc" } else { "system" });
    field(text, "active_defrag_running", 0);
    field(text, "lazyfree_pending_bytes", world.store.waiting_bytes());
    bytes(text, "total_system_memory", system_memory().unwrap_or(0));
    field(text, "mem_total_replication_buffers", 0);
    // The allocator does not tell more than the system does. Redis says the same with such an allocator.
    field(text, "allocator_allocated", used);
    field(text, "allocator_active", resident);
    field(text, "allocator_resident", resident);
    field(text, "allocator_frag_ratio", format!("{:.2}", resident as f64 / used.max(1) as f64));
    field(text, "allocator_frag_bytes", resident as i64 - used as i64);
    field(text, "allocator_rss_ratio", "1.00");
    zeros(text, &["allocator_rss_bytes", "rss_overhead_bytes"]);
    field(text, "rss_overhead_ratio", "1.00");
}

fn persistence(text: &mut String, world: &World) {
    zeros(text, &["loading", "async_loading", "rdb_bgsave_in_progress"]);
    // Nothing is saved. Like the other statistics, these begin anew at `CONFIG RESETSTAT`.
    let writes = catalog::everything().filter(|command| command.writes);
    let counted = writes.map(|command| &world.stats.per_command[command.id]);
    let changes: u64 = counted.map(|counted| counted.calls.saturating_sub(counted.failed)).sum();
    field(text, "rdb_changes_since_last_save", changes);
    field(text, "rdb_last_cow_size", 0);
    field(text, "rdb_last_save_time", world.started.unix_ms / 1_000);
    field(text, "rdb_last_bgsave_status", "ok");
    field(text, "rdb_last_bgsave_time_sec", -1);
    field(text, "rdb_current_bgsave_time_sec", -1);
    zeros(text, &["rdb_saves", "aof_enabled", "aof_rewrite_in_progress", "aof_rewrite_scheduled"]);
    field(text, "aof_last_rewrite_time_sec", -1);
    field(text, "aof_current_rewrite_time_sec", -1);
    field(text, "aof_last_bgrewrite_status", "ok");
    field(text, "aof_last_write_status", "ok");
}

fn stats(text: &mut String, world: &World) {
    let stats = &world.stats;
    let rates = world.rates.per_second();
    field(text, "total_connections_received", stats.accepted);
    field(text, "total_commands_processed", stats.commands);
    field(text, "instantaneous_ops_per_sec", rates.commands);
    field(text, "total_net_input_bytes", stats.bytes_in);
    field(text, "total_net_output_bytes", stats.bytes_out);
    field(text, "instantaneous_input_kbps", format!("{:.2}", rates.bytes_in as f64 / 1_024.0));
    field(text, "instantaneous_output_kbps", format!("{:.2}", rates.bytes_out as f64 / 1_024.0));
    field(text, "rejected_connections", stats.rejected);
    zeros(text, &["sync_full", "sync_partial_ok", "sync_partial_err"]);
    field(text, "expired_subkeys", world.store.expired_fields());
    field(text, "expired_keys", world.store.expired());
    let overdue = world.store.overdue(world.now.unix_ms);
    field(text, "expire_overdue_keys", overdue.keys);
    field(text, "expire_overdue_ms", overdue.oldest_ms);
    field(text, "evicted_keys", world.store.evicted());
    field(text, "evicted_scripts", world.scripts.evicted);
    field(text, "evicted_clients", stats.closes[Reason::Evicted.index()]);
    field(text, "keyspace_hits", stats.keyspace_hits);
    field(text, "keyspace_misses", stats.keyspace_misses);
    field(text, "pubsub_channels", world.channels.names(Kind::Channel).len());
    field(text, "pubsub_patterns", world.channels.names(Kind::Pattern).len());
    field(text, "pubsubshard_channels", world.channels.names(Kind::Shard).len());
    zeros(text, &["latest_fork_usec", "total_forks", "active_defrag_hits", "active_defrag_misses"]);
    field(text, "total_error_replies", stats.errors);
    zeros(text, &["unexpected_error_replies", "dump_payload_sanitizations"]);
    field(text, "tracking_total_keys", world.tracking.keys());
    field(text, "tracking_total_items", world.tracking.items());
    field(text, "tracking_total_prefixes", world.tracking.prefixes());
    field(text, "client_query_buffer_limit_disconnections", stats.closes[Reason::QueryBufferLimit.index()]);
    field(text, "client_output_buffer_limit_disconnections", stats.closes[Reason::SlowConsumer.index()]);
}

fn replication(text: &mut String, world: &World) {
    field(text, "role", "master");
    field(text, "connected_slaves", 0);
    field(text, "master_failover_state", "no-failover");
    field(text, "master_replid", run_id(world));
    field(text, "master_replid2", "0".repeat(40));
    field(text, "master_repl_offset", 0);
    field(text, "second_repl_offset", -1);
    zeros(
        text,
        &[
            "repl_backlog_active",
            "repl_backlog_size",
            "repl_backlog_first_byte_offset",
            "repl_backlog_histlen",
        ],
    );
}

fn cpu(text: &mut String, _: &World) {
    use nix::sys::resource::{UsageWho, getrusage};
    let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else { return };
    let (system, user) = (usage.system_time(), usage.user_time());
    for thread in ["", "_main_thread"] {
        let _ = write!(text, "used_cpu_sys{thread}:{}.{:06}\r\n", system.tv_sec(), system.tv_usec());
        let _ = write!(text, "used_cpu_user{thread}:{}.{:06}\r\n", user.tv_sec(), user.tv_usec());
    }
    field(text, "used_cpu_sys_children", "0.000000");
    field(text, "used_cpu_user_children", "0.000000");
}

fn modules(_: &mut String, _: &World) {}

/// Error replies by their first word.
fn errorstats(text: &mut String, world: &World) {
    for (code, count) in &world.stats.error_codes {
        let _ = write!(text, "errorstat_{code}:count={count}\r\n");
    }
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
    field(text, "worst_tick_usec", stats.worst_tick.us);
    field(text, "worst_tick_command", stats.worst_tick.command);
    field(text, "worst_tick_command_usec", stats.worst_tick.command_us);
    field(text, "turns_yielded", stats.yields);
    field(text, "turns_paused", stats.pauses);
    field(text, "command_panics", stats.panics);
    field(text, "keyspace_events_lost", stats.events_lost);
    field(text, "unwatched_connections", stats.unwatched);
    field(text, "descriptor_exhaustions", stats.descriptor_episodes);
    field(text, "descriptor_refusing_usec", stats.descriptor_refusing_us);
    field(text, "descriptor_refusing_now", u8::from(stats.present.refusing));
    field(text, "draining", u8::from(!stats.present.stage.admits()));
    field(text, "log_lines_dropped", stats.present.log_lines_dropped);
}

/// How far the server is on its way to its end.
fn drain(text: &mut String, world: &World) {
    let present = &world.stats.present;
    field(text, "drain_state", present.stage.name());
    field(text, "drain_ends_in_ms", ms_to_end(world).unwrap_or(0));
    field(text, "drain_clients_left", if present.end.is_some() { present.clients } else { 0 });
    field(text, "drain_bytes_left", present.bytes_left);
    field(text, "drain_clients_clean", present.clean);
    field(text, "drain_clients_flushed", present.flushed);
    field(text, "drain_clients_cut", present.cut);
}

/// Milliseconds until the server ends at the latest; `None` while it serves.
fn ms_to_end(world: &World) -> Option<u128> {
    world.stats.present.end.map(|end| end.since(world.now.at).as_millis())
}

fn closes(text: &mut String, world: &World) {
    for (name, count) in Reason::NAMES.iter().zip(world.stats.closes) {
        field(text, &format!("closed_{name}"), count);
    }
}

/// Percentiles of the times of commands, while `latency-tracking` asks for these times.
fn latencystats(text: &mut String, world: &World) {
    for command in catalog::everything() {
        if let Some(histogram) = world.latency.histogram(command.id) {
            let us = |share| percentile(histogram, share);
            let name = command.name;
            let (p50, p99, p999) = (us(0.5), us(0.99), us(0.999));
            let _ =
                write!(text, "latency_percentiles_usec_{name}:p50={p50:.3},p99={p99:.3},p99.9={p999:.3}\r\n");
        }
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
