//! Claims: a consumer takes over pending entries of others, those that it names (XCLAIM) or those that have waited long
//! (XAUTOCLAIM). Entries that are not in the stream any more are no longer pending afterwards.
//!
//! A claim is prepared first, which reserves all memory, and then committed, which cannot fail. Between the two, the
//! stream must not change.

use super::Stream;
use super::consumers::Reader;
use super::group::{Group, Pending};
use super::groups::GroupError;
use super::id::StreamId;
use super::log::Log;
use crate::base::{OutOfMemory, memory};

/// XAUTOCLAIM looks at this many times as many pending entries as it may claim, as in Redis.
const LOOKS_PER_CLAIM: usize = 10;

/// When the claimed entries were delivered, as the client wants it noted. A time in the future or before 1970 counts as
/// now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeliveredAt {
    /// Now.
    #[default]
    Now,
    /// This many milliseconds ago (IDLE).
    Ago(i64),
    /// At this Unix time in milliseconds (TIME).
    Time(i64),
}

/// The options of a claim.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClaimOptions {
    /// Only entries that were delivered at least this many milliseconds ago are claimed.
    pub min_idle_ms: u64,
    /// When the entries count as delivered.
    pub delivered: DeliveredAt,
    /// How often the entries count as delivered (RETRYCOUNT); once more than before if not given.
    pub retry_count: Option<u64>,
    /// True if entries that are not pending become so (FORCE).
    pub force: bool,
    /// True if the claim does not count as a delivery (JUSTID).
    pub just_id: bool,
    /// The group has read the stream at least this far (LASTID).
    pub last_id: Option<StreamId>,
}

/// A claim whose memory is reserved.
#[derive(Debug)]
pub struct Claim {
    group: usize,
    reader: Reader,
    options: ClaimOptions,
    now_ms: u64,
    claimed: Claimed,
}

/// What a claim does, or has done.
#[derive(Debug, Default)]
pub struct Claimed {
    /// The entries that the consumer gets, in the order of the request.
    pub ids: Vec<StreamId>,
    /// The entries that are no longer pending because they are not in the stream.
    pub deleted: Vec<StreamId>,
    /// Where the next XAUTOCLAIM should start; 0-0 at the end.
    pub next: StreamId,
}

impl ClaimOptions {
    fn delivered_ms(&self, now_ms: u64) -> u64 {
        let now = i64::try_from(now_ms).unwrap_or(i64::MAX);
        let wanted = match self.delivered {
            DeliveredAt::Now => now,
            DeliveredAt::Ago(ms) => now.saturating_sub(ms),
            DeliveredAt::Time(ms) => ms,
        };
        u64::try_from(wanted).map_or(now_ms, |ms| if ms > now_ms { now_ms } else { ms })
    }

    /// True if this pending entry has waited long enough.
    fn wants(&self, pending: &Pending, now_ms: u64) -> bool {
        now_ms.saturating_sub(pending.delivered_ms) >= self.min_idle_ms
    }
}

impl Claim {
    /// What the claim is going to do.
    pub fn outlook(&self) -> &Claimed {
        &self.claimed
    }

    /// True if the consumer is going to be created.
    pub fn creates_consumer(&self) -> bool {
        self.reader.number().is_none()
    }
}

impl Stream {
    /// Prepares to claim the entries with these ids (XCLAIM). A consumer that does not exist is going to be created.
    ///
    /// # Errors
    /// [`GroupError`]; nothing visible has changed.
    pub fn prepare_claim(
        &mut self,
        group: &[u8],
        consumer: &[u8],
        ids: impl Iterator<Item = StreamId>,
        options: ClaimOptions,
        now_ms: u64,
    ) -> Result<Claim, GroupError> {
        let Stream { log, groups } = self;
        let number = groups.find(group)?;
        groups.change(number, |group| {
            let mut claimed = Claimed::default();
            for id in ids {
                let pending = group.find_pending(id);
                let wanted = pending.as_ref().map_or(options.force, |there| options.wants(there, now_ms));
                if log.contains(id) {
                    if wanted {
                        memory::reserve(&mut claimed.ids, 1)?;
                        claimed.ids.push(id);
                    }
                } else if pending.is_some() {
                    memory::reserve(&mut claimed.deleted, 1)?;
                    claimed.deleted.push(id);
                }
            }
            if now_ms.saturating_sub(options.delivered_ms(now_ms)) < options.min_idle_ms {
                // After the first claim, an entry is too young for a second one.
                drop_repeated(&mut claimed.ids)?;
            }
            let reader = group.reserve_claim(consumer, &claimed, options.force)?;
            Ok(Claim { group: number, reader, options, now_ms, claimed })
        })?
    }

    /// Prepares to claim up to `count` entries that have been pending for some time, from `start` on (XAUTOCLAIM). Of the
    /// options, only the idle time and JUSTID matter.
    ///
    /// # Errors
    /// [`GroupError`]; nothing visible has changed.
    pub fn prepare_autoclaim(
        &mut self,
        group: &[u8],
        consumer: &[u8],
        start: StreamId,
        count: usize,
        options: ClaimOptions,
        now_ms: u64,
    ) -> Result<Claim, GroupError> {
        let Stream { log, groups } = self;
        let options =
            ClaimOptions { min_idle_ms: options.min_idle_ms, just_id: options.just_id, ..Default::default() };
        let number = groups.find(group)?;
        groups.change(number, |group| {
            let claimed = group.look_for_claims(log, start, count, &options, now_ms)?;
            let reader = group.reserve_claim(consumer, &claimed, false)?;
            Ok(Claim { group: number, reader, options, now_ms, claimed })
        })?
    }

    /// Claims the entries. Cannot fail. Returns what it has done.
    pub fn commit_claim(&mut self, claim: Claim) -> Claimed {
        let Claim { group, reader, options, now_ms, mut claimed } = claim;
        let _ = self.groups.change(group, |group| {
            let consumer = group.enter(reader, now_ms);
            group.note_progress();
            group.last_id = group.last_id.max(options.last_id.unwrap_or_default());
            // Insertions come before removals, because removals may use up the room that is reserved.
            claimed.ids.retain(|id| group.claim(*id, consumer, &options, now_ms));
            group.release_spares(consumer);
            claimed.deleted.retain(|id| group.acknowledge(*id));
            if !claimed.ids.is_empty() {
                group.consumers.change(consumer, |consumer| consumer.active_ms = Some(now_ms));
            }
        });
        claimed
    }
}

impl Group {
    /// Looks for up to `count` entries to claim, from `start` on.
    fn look_for_claims(
        &self,
        log: &Log,
        start: StreamId,
        count: usize,
        options: &ClaimOptions,
        now_ms: u64,
    ) -> Result<Claimed, OutOfMemory> {
        let mut claimed = Claimed::default();
        let looks = count.saturating_mul(LOOKS_PER_CLAIM);
        for (look, pending) in self.pending.from(self.pending.at_least(start)).enumerate() {
            if look == looks || claimed.ids.len() + claimed.deleted.len() == count {
                claimed.next = pending.id;
                break;
            }
            if !log.contains(pending.id) {
                memory::reserve(&mut claimed.deleted, 1)?;
                claimed.deleted.push(pending.id);
            } else if options.wants(pending, now_ms) {
                memory::reserve(&mut claimed.ids, 1)?;
                claimed.ids.push(pending.id);
            }
        }
        Ok(claimed)
    }

    /// Reserves memory for a claim. With `force`, the ids need not be pending yet.
    fn reserve_claim(
        &mut self,
        consumer: &[u8],
        claimed: &Claimed,
        force: bool,
    ) -> Result<Reader, OutOfMemory> {
        let mut reader = self.consumers.prepare(consumer)?;
        let ids = claimed.ids.iter().copied();
        if force {
            self.pending.reserve_insert(ids.clone())?;
        }
        self.consumers.reserve(&mut reader, |pending| pending.reserve_insert(ids))?;
        Ok(reader)
    }

    /// Gives an entry to a consumer, for which room is reserved. Returns false if it must not.
    fn claim(&mut self, id: StreamId, consumer: u32, options: &ClaimOptions, now_ms: u64) -> bool {
        let delivered_ms = options.delivered_ms(now_ms);
        let retry_count = options.retry_count.map(|count| u32::try_from(count).unwrap_or(u32::MAX));
        let counted = |before: u32| retry_count.unwrap_or(before.saturating_add(u32::from(!options.just_id)));
        self.note_pending(id);
        let Some(pending) = self.find_pending(id) else {
            self.pending.insert(Pending { id, delivered_ms, consumer, deliveries: counted(1) });
            self.consumers.change(consumer, |consumer| consumer.pending.insert(id));
            return true;
        };
        if !options.wants(pending, now_ms) {
            return false;
        }
        let from = pending.consumer;
        *pending = Pending { id, delivered_ms, consumer, deliveries: counted(pending.deliveries) };
        self.change_hands(id, from, consumer);
        true
    }
}

/// Removes all but the first of equal ids.
fn drop_repeated(ids: &mut Vec<StreamId>) -> Result<(), OutOfMemory> {
    let mut sorted = memory::collect(ids.iter().copied().zip(0_usize..))?;
    sorted.sort_unstable();
    let repeated = sorted.windows(2).filter(|two| two[0].0 == two[1].0).map(|two| two[1].1);
    let mut repeated = memory::collect(repeated)?;
    repeated.sort_unstable();
    let (mut at, mut next) = (0, repeated.into_iter().peekable());
    ids.retain(|_| {
        let keep = next.next_if_eq(&at).is_none();
        at += 1;
        keep
    });
    Ok(())
}
