//! The limits and the faults that a run is played under.

use rand::RngExt;
use tidegate::config::{
    AtMaxclients, Bounds, Config, DebugCommand, Events, EvictionPolicy, MaxMemory, OutputLimit,
};

use crate::model;
use crate::script::Theme;
use crate::scripts::Scripts;
use crate::world::Faults;

const POLICIES: [EvictionPolicy; 8] = [
    EvictionPolicy::NoEviction,
    EvictionPolicy::AllkeysLru,
    EvictionPolicy::AllkeysLfu,
    EvictionPolicy::AllkeysRandom,
    EvictionPolicy::VolatileLru,
    EvictionPolicy::VolatileLfu,
    EvictionPolicy::VolatileRandom,
    EvictionPolicy::VolatileTtl,
];

/// Random limits. In some seeds each safety net is switched off, because a net hides the bugs that it catches.
pub fn draw(rng: &mut rand::rngs::StdRng, calm: bool, theme: Theme) -> Config {
    let mut net = |max: u64| if calm || rng.random_bool(0.4) { 0 } else { rng.random_range(1..max) };
    let (timeout_ms, request_timeout_ms, write_timeout_ms) = (net(2_000), net(2_000), net(2_000));
    let mut maxmemory_clients = net(8_000) as usize;
    let mut pubsub_output_limit =
        OutputLimit { hard_bytes: net(2_000) as usize, soft_bytes: net(1_000) as usize, soft_ms: net(2_000) };
    match theme {
        Theme::Memory if !calm => maxmemory_clients = 1 << rng.random_range(9..14),
        Theme::Messages if !calm => pubsub_output_limit.hard_bytes = rng.random_range(1..1_500),
        _ => {}
    }
    let notify_keyspace_events =
        Events::parse(if rng.random_bool(0.5) { "KEA" } else { "" }).expect("these are classes");
    let (mut maxmemory, mut maxmemory_policy) = (MaxMemory::default(), EvictionPolicy::NoEviction);
    if theme == Theme::Eviction {
        maxmemory.bytes = rng.random_range(15_000..90_000);
        maxmemory_policy = POLICIES[rng.random_range(0..POLICIES.len())];
    }
    let tight_input = !calm && rng.random_bool(0.2);
    let mut config = Config {
        maxclients: if calm || rng.random_bool(0.5) { 100 } else { rng.random_range(1..5) },
        at_maxclients: if rng.random_bool(0.7) { AtMaxclients::Reject } else { AtMaxclients::Wait },
        timeout_ms,
        request_timeout_ms,
        write_timeout_ms,
        lame_duck_ms: if rng.random_bool(0.3) { rng.random_range(0..1_000) } else { 0 },
        shutdown_timeout_ms: rng.random_range(0..3_000),
        shutdown_flush_timeout_ms: rng.random_range(0..1_000),
        max_key_bytes: model::KEY_MAX,
        proto_max_bulk_len: model::BULK_MAX,
        max_request_args: model::ARGS_MAX,
        max_inline_bytes: model::INLINE_MAX,
        max_request_bytes: model::REQUEST_MAX,
        client_query_buffer_limit: if tight_input { rng.random_range(64..2_000) } else { 6_000 },
        maxmemory_clients,
        pubsub_output_limit,
        notify_keyspace_events,
        maxmemory,
        maxmemory_policy,
        enable_debug_command: DebugCommand::Yes,
        bounds: Bounds {
            read_bytes_per_turn: rng.random_range(1..3_000),
            commands_per_turn: rng.random_range(1..20),
            turns_together: rng.random_range(1..6),
            flush_early_bytes: if rng.random_bool(0.5) { usize::MAX } else { rng.random_range(1..2_000) },
            bytes_per_flush: rng.random_range(1..3_000),
            accepts_per_tick: rng.random_range(1..4),
            output_pause_bytes: rng.random_range(1..if theme == Theme::Messages { 200 } else { 2_000 }),
            lent_bytes: rng.random_range(64..2_048),
            pool_spare_bytes_max: rng.random_range(0..8_000),
            refusals_max: rng.random_range(0..4),
            linger_ms: rng.random_range(1..2_000),
            ..Bounds::default()
        },
        ..Config::default()
    };
    // They follow from another bound, so that each seed draws what it drew before there were these.
    config.bounds.kept_bytes_min = 1 + config.bounds.lent_bytes * 7 % 1_999;
    config.bounds.bytes_together = 1 + config.bounds.lent_bytes as u64 * 13 % 8_999;
    config
}

/// The limits of a run in which clients send scripts, and what these may then be.
pub fn for_scripts(rng: &mut rand::rngs::StdRng, config: &mut Config, scarce: bool) -> Scripts {
    config.databases = 64;
    config.script_memory_limit = 1 << 20;
    let busy = !scarce && rng.random_bool(0.5);
    let limit_max = if busy { 200 } else { 60 };
    config.script_time_limit_ms = if rng.random_bool(0.85) { rng.random_range(1..limit_max) } else { 0 };
    config.busy_reply_threshold_ms = if busy { rng.random_range(1..30) } else { 0 };
    let events = config.notify_keyspace_events.is_on() && !scarce;
    Scripts { limited: config.script_time_limit_ms > 0, busy, events }
}

/// How often each fault happens. Faults that clients would notice do not happen in calm runs.
pub fn faults(rng: &mut rand::rngs::StdRng, calm: bool, theme: Theme) -> Faults {
    let mut often = |max: u32| if rng.random_bool(0.5) { rng.random_range(0..max) } else { 0 };
    let mut faults = Faults {
        interrupted: often(200),
        short: often(500),
        spurious: often(100),
        delayed: often(600),
        urgent: often(100),
        slow: often(300),
        ..Faults::default()
    };
    if !calm {
        faults.watch_fails = often(100);
        faults.aborted = often(100);
    }
    if theme == Theme::Time {
        faults.slow = rng.random_range(50..300);
    }
    faults
}
