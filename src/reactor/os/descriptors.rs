//! How many descriptors the process may have, and what they are for.

use nix::sys::resource::{Resource, getrlimit, rlim_t, setrlimit};

use crate::config::{Config, DESCRIPTORS_RESERVED};

/// Raises the soft limit on open descriptors towards what `maxclients` needs. Lowers `maxclients`
/// if that is not possible, and returns what it was.
pub fn provide_descriptors(config: &mut Config) -> Option<u32> {
    let needed = u64::from(config.maxclients) + reserved(config) + newcomers_max(config);
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return None };
    // Signed on some systems, where "no limit" may be negative.
    let bounded = |limit: rlim_t| u64::try_from(i128::from(limit)).unwrap_or(u64::MAX);
    let mut available = bounded(soft);
    if available < needed {
        let wanted = needed.min(bounded(hard));
        if setrlimit(Resource::RLIMIT_NOFILE, wanted as rlim_t, hard).is_ok() {
            available = wanted;
        }
    }
    let lowered_to = share_descriptors(available, config).min(config.maxclients);
    let wanted = std::mem::replace(&mut config.maxclients, lowered_to);
    (wanted > lowered_to).then_some(wanted)
}

/// Shares out `available` descriptors and returns how many clients there may be. All shares together never need more
/// than there are. If the limit is small, clients get half of it, and fewer newcomers are accepted at once.
fn share_descriptors(available: u64, config: &mut Config) -> u32 {
    let (reserved, listeners) = (reserved(config), listeners(config));
    let newcomers = newcomers_max(config).min((available / 2).saturating_sub(reserved)).max(listeners);
    let accepts = (newcomers / 2 / listeners).clamp(1, config.bounds.accepts_per_tick.into());
    config.bounds.accepts_per_tick = accepts as u32;
    config.bounds.refusals_max = (newcomers - accepts * listeners) as usize;
    let clients = available.saturating_sub(reserved + newcomers);
    config.maxclients_ceiling = u32::try_from(clients).unwrap_or(u32::MAX).max(1);
    config.maxclients_ceiling
}

/// Descriptors for other things than connections.
fn reserved(config: &Config) -> u64 {
    DESCRIPTORS_RESERVED + listeners(config)
}

/// Connections that are no clients: those that are being refused, and those that a tick has accepted and not decided
/// about.
fn newcomers_max(config: &Config) -> u64 {
    let undecided = u64::from(config.bounds.accepts_per_tick) * listeners(config);
    config.bounds.refusals_max as u64 + undecided
}

fn listeners(config: &Config) -> u64 {
    config.bind.len() as u64 + u64::from(!config.unixsocket.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_get_half_of_a_small_limit_and_nobody_more_than_there_is() {
        for listeners in [1, 2, 9] {
            for available in (40 + 4 * listeners as u64..200).chain([1_024, 20_000]) {
                let mut config = Config { bind: vec!["host".to_owned(); listeners], ..Config::default() };
                let whole = newcomers_max(&config);
                let clients = u64::from(share_descriptors(available, &mut config));
                let all = clients + reserved(&config) + newcomers_max(&config);
                assert!(all <= available, "{all} of {available}");
                assert!(
                    clients >= available / 2 || whole == newcomers_max(&config),
                    "{clients} of {available}"
                );
                assert!(config.bounds.accepts_per_tick > 0 && config.bounds.refusals_max > 0);
            }
        }
        let mut config = Config::default();
        assert_eq!(share_descriptors(64, &mut config), 32);
        assert_eq!((config.bounds.accepts_per_tick, config.bounds.refusals_max), (8, 9));
        assert_eq!(share_descriptors(3, &mut Config::default()), 1, "so few that it fails on its own");
    }
}
