//! Gives one member of a large sorted set another score. Nearly all updates of large sorted sets are of this kind.
//!
//! It is the short way beside `zsets`: the member is looked up once. The change keeps where it is, because nothing comes
//! between the look-up and the commit. It is only for changes that need no memory.

use super::Store;
use super::journal::What;
use super::large::Large;
use super::prepared::WrongKind;
use super::record::Kind;
use super::undo::noter;
use super::zset::Spot;
use crate::base::fault;

/// A member of a large sorted set that can get another score without memory. [`Store::commit_score`] gives it.
#[derive(Debug)]
pub struct ReadyMember<'a> {
    key: &'a [u8],
    /// The number of the body that has the sorted set.
    body: u32,
    spot: Spot,
    score: f64,
}

impl ReadyMember<'_> {
    /// The score that the member has.
    pub fn score(&self) -> f64 {
        self.score
    }
}

impl Store {
    /// Finds `member`, if `key` holds a large sorted set that has it, and if no memory is needed to give it another score.
    /// Otherwise returns `None`, and the score takes the way of [`Store::prepare_zset_add`].
    ///
    /// # Errors
    /// [`WrongKind`] if the key holds another kind of value.
    #[inline]
    pub fn ready_member<'a>(
        &mut self,
        key: &'a [u8],
        member: &[u8],
        now_ms: u64,
    ) -> Result<Option<ReadyMember<'a>>, WrongKind> {
        fault::point();
        let Some(place) = self.find(key, now_ms) else { return Ok(None) };
        let record = self.table.record(place);
        if record.kind() != Kind::Zset {
            return Err(WrongKind);
        }
        let Some(body) = record.body() else { return Ok(None) };
        let Some(Large::Zset(zset)) = self.table.bodies.get(body).large() else { return Ok(None) };
        let ready = zset.value.ready_member(member);
        Ok(ready.map(|(spot, score)| ReadyMember { key, body, spot, score }))
    }

    /// Gives the member this score, which is not NaN. Nothing may have changed since [`Store::ready_member`]. Cannot fail
    /// or panic half-way.
    #[inline]
    pub fn commit_score(&mut self, ready: ReadyMember<'_>, score: f64) {
        let ReadyMember { key, body, .. } = ready;
        debug_assert_eq!(self.table.bodies.get(body).key(), key, "the body belongs to another key");
        self.changes.note(What::Set, key);
        if self.undo.is_some() {
            self.note_score(&ready);
        }
        let ReadyMember { body, spot, .. } = ready;
        // A zero loses its sign, as it does when a member is added.
        self.table.with_body(body, |body| body.zset_mut().set_score(spot, score + 0.0));
    }

    /// Notes the score that the member has.
    #[cold]
    #[inline(never)]
    fn note_score(&mut self, ready: &ReadyMember<'_>) {
        let body = self.table.bodies.get(ready.body);
        if let (Some(mut noter), Some(Large::Zset(zset))) =
            (noter(&mut self.undo, self.changes.db, body.hash(), ready.key), body.large())
        {
            noter.change_score(&zset.value, zset.value.member_at(ready.spot));
        }
    }
}
