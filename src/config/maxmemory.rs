//! `maxmemory` and how keys are evicted: the limit in bytes or as a part of the memory that there is, and the policy.

use super::values::parse_bytes;

/// How much memory the server may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MaxMemory {
    /// Bytes; 0 = no limit.
    pub bytes: usize,
    /// If the limit was given as a part of the memory that there is: how much there is.
    pub part: Option<Part>,
}

/// A part of the memory that there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Percentage.
    pub percent: u8,
    /// The memory that there is, bytes.
    pub whole: usize,
    /// Where that number comes from.
    pub source: &'static str,
}

impl MaxMemory {
    /// Reads a size, or a percentage such as `75%`.
    ///
    /// # Errors
    /// If it is neither, or if it is a percentage and the machine does not say how much memory there is.
    pub fn parse(text: &str) -> Result<MaxMemory, String> {
        let Some(percent) = text.strip_suffix('%') else {
            return Ok(MaxMemory { bytes: parse_bytes(text, 0, usize::MAX)?, part: None });
        };
        let percent = percent.parse().ok().filter(|percent| (1..=100).contains(percent));
        let percent: u8 = percent.ok_or("argument must be a memory value or a percentage from 1% to 100%")?;
        let (whole, source) = there_is().ok_or("this machine does not say how much memory there is")?;
        let bytes = whole / 100 * usize::from(percent);
        Ok(MaxMemory { bytes, part: Some(Part { percent, whole, source }) })
    }

    /// The limit, as `CONFIG GET` shows it: in bytes.
    pub fn show(self) -> String {
        self.bytes.to_string()
    }
}

/// How much memory this process may use, in bytes, and where that is written: the limit of its container, or the memory of
/// the machine if that is less.
pub(super) fn there_is() -> Option<(usize, &'static str)> {
    available(|path| std::fs::read_to_string(path).ok())
}

/// The same, by what `read` finds in the files.
fn available(read: impl Fn(&str) -> Option<String>) -> Option<(usize, &'static str)> {
    let number = |path: &str| read(path)?.trim().parse::<usize>().ok();
    let groups = read("/proc/self/cgroup").unwrap_or_default();
    let mut limits = Vec::new();
    for line in groups.lines() {
        // A line is `number:controllers:path`. Version 2 has no controllers.
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        let (root, file, source) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.max", "cgroup v2"),
            _ if controllers.split(',').any(|name| name == "memory") => {
                ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "cgroup v1")
            }
            _ => continue,
        };
        // A container often sees its own group as the root. A group is also bound by those above it.
        for (at, _) in path.match_indices('/').chain([(path.len(), "")]) {
            let above = path[..at].trim_end_matches('/');
            limits.extend(number(&format!("{root}{above}/{file}")).map(|bytes| (bytes, source)));
        }
    }
    limits.extend(machine_memory(&read).map(|bytes| (bytes, "machine")));
    limits.into_iter().min_by_key(|(bytes, _)| *bytes)
}

fn machine_memory(read: impl Fn(&str) -> Option<String>) -> Option<usize> {
    let text = read("/proc/meminfo")?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.split_whitespace().next()?.parse::<usize>().ok().map(|kib| kib * 1_024)
}

/// Bytes of memory that the machine has. Only Linux tells this without unsafe code.
pub fn system_memory() -> Option<usize> {
    machine_memory(|path| std::fs::read_to_string(path).ok())
}

/// Which keys are evicted when the memory is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EvictionPolicy {
    /// None: writes are refused.
    NoEviction,
    /// Those that were used least recently.
    AllkeysLru,
    /// Those that were used least often.
    AllkeysLfu,
    /// Any.
    AllkeysRandom,
    /// Of those with a time of expiry, those that were used least recently.
    VolatileLru,
    /// Of those with a time of expiry, those that were used least often.
    VolatileLfu,
    /// Any with a time of expiry.
    VolatileRandom,
    /// Those that expire soonest.
    VolatileTtl,
}

/// The names of the policies, which are Redis's, in Redis's order.
pub(super) const POLICIES: [(&str, EvictionPolicy); 8] = [
    ("volatile-lru", EvictionPolicy::VolatileLru),
    ("volatile-lfu", EvictionPolicy::VolatileLfu),
    ("volatile-random", EvictionPolicy::VolatileRandom),
    ("volatile-ttl", EvictionPolicy::VolatileTtl),
    ("allkeys-lru", EvictionPolicy::AllkeysLru),
    ("allkeys-lfu", EvictionPolicy::AllkeysLfu),
    ("allkeys-random", EvictionPolicy::AllkeysRandom),
    ("noeviction", EvictionPolicy::NoEviction),
];

/// The same names, between `|`.
pub(super) const POLICY_NAMES: &str = "volatile-lru|volatile-lfu|volatile-random|volatile-ttl|allkeys-lru|allkeys-lfu|\
                                       allkeys-random|noeviction";

impl EvictionPolicy {
    /// The name of the policy.
    pub fn name(self) -> &'static str {
        POLICIES.iter().find(|(_, policy)| *policy == self).map_or("", |(name, _)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_limit_counts_wherever_it_is_written() {
        let meminfo = ("/proc/meminfo", "MemTotal:    1000 kB\nMemFree: 1 kB\n");
        for (files, expected) in [
            (&[meminfo][..], Some((1_024_000, "machine"))),
            (
                &[meminfo, ("/proc/self/cgroup", "0::/\n"), ("/sys/fs/cgroup/memory.max", "5000\n")],
                Some((5_000, "cgroup v2")),
            ),
            (
                &[meminfo, ("/proc/self/cgroup", "0::/a/b\n"), ("/sys/fs/cgroup/a/memory.max", "6000\n")],
                Some((6_000, "cgroup v2")),
            ),
            (
                &[meminfo, ("/proc/self/cgroup", "0::/a\n"), ("/sys/fs/cgroup/a/memory.max", "max\n")],
                Some((1_024_000, "machine")),
            ),
            (
                &[
                    meminfo,
                    ("/proc/self/cgroup", "9:cpu:/x\n8:memory,hugetlb:/d/e\n"),
                    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712"),
                    ("/sys/fs/cgroup/memory/d/e/memory.limit_in_bytes", "7000\n"),
                ],
                Some((7_000, "cgroup v1")),
            ),
            (&[("/proc/self/cgroup", "nonsense\n::\n0::\n")], None),
        ] {
            let read =
                |path: &str| files.iter().find(|(name, _)| *name == path).map(|(_, text)| text.to_string());
            assert_eq!(available(read), expected, "{files:?}");
        }
    }

    #[test]
    fn both_lists_name_the_same_policies() {
        assert_eq!(POLICIES.map(|(name, _)| name).join("|"), POLICY_NAMES);
    }

    #[test]
    fn sizes_and_percentages_are_told_apart() {
        assert_eq!(MaxMemory::parse("2mb").map(|max| max.bytes), Ok(2 << 20));
        assert!(MaxMemory::parse("0%").is_err() && MaxMemory::parse("101%").is_err());
        assert!(MaxMemory::parse("x%").is_err());
        if cfg!(target_os = "linux") {
            let half = MaxMemory::parse("50%").unwrap();
            assert_eq!(half.bytes, half.part.unwrap().whole / 100 * 50);
        }
    }
}
