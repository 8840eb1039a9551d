//! How many descriptors the process may have, and how they are shared out.

use nix::sys::resource::{Resource, getrlimit, rlim_t, setrlimit};

use crate::config::{Config, DESCRIPTORS_RESERVED};

/// Raises the soft limit on open descriptors to what `maxclients` needs, as far as the hard limit allows. If that is
/// not enough, lowers `maxclients` and returns its old value.
pub fn provide_descriptors(config: &mut Config) -> Option<u32> {
    let needed = u64::from(config.maxclients) + reserved(config) + newcomers_max(config);
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return None };
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

/// How many descriptors the process may have open: its soft limit.
pub fn descriptors_allowed() -> u64 {
    getrlimit(Resource::RLIMIT_NOFILE).map_or(u64::MAX, |(soft, _)| bounded(soft))
}

/// A limit as a number. On some systems it is a signed number, and "no limit" may be negative.
fn bounded(limit: rlim_t) -> u64 {
    u64::try_from(i128::from(limit)).unwrap_or(u64::MAX)
}

/// Shares out `available` descriptors and returns how many clients there may be. The shares together never exceed
/// `available`, unless it is so small that even one client does not fit. If it is small, clients get half of it, and
/// the server accepts and refuses fewer newcomers at once.
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

/// Number of descriptors for everything but connections.
fn reserved(config: &Config) -> u64 {
    DESCRIPTORS_RESERVED + listeners(config)
}

/// Most connections that are not clients: the connections that are being refused, and those that wait in the lobby.
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
        assert_eq!(share_descriptors(3, &mut Config::default()), 1, "the server still tries to start");
    }
}
