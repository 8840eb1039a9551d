//! The commands about the time of expiry of a key, and what the options of other commands say about it.

use crate::service::cx::{Cx, Failure, Outcome, SYNTAX, is};
use crate::service::events::{DEL, EXPIRE, PERSIST};
use crate::store::Expiry;

/// What the options of a command say about the time of expiry: a unit with a number, or a word that only
/// this command has (`KEEPTTL`, `PERSIST`). As in Redis, a client may repeat the same option; then the last
/// number counts.
#[derive(Clone, Copy, Default)]
pub enum When {
    /// Nothing.
    #[default]
    Unsaid,
    /// The command's own word.
    Word,
    /// A time in this unit. Its number is the argument at `index`.
    At { unit: Unit, index: usize },
}

impl When {
    /// Reads the option at position `at`; `own` is the command's own word. Returns the position of the
    /// option's last word.
    pub fn option(&mut self, cx: &Cx<'_>, at: usize, own: &str) -> Result<usize, Failure> {
        let word = cx.arg(at);
        match (*self, Unit::named(word)) {
            (When::Unsaid | When::Word, None) if is(word, own) => {
                *self = When::Word;
                Ok(at)
            }
            (When::Unsaid, Some(unit)) if at + 1 < cx.args.len() => {
                *self = When::At { unit, index: at + 1 };
                Ok(at + 1)
            }
            (When::At { unit, .. }, Some(again)) if unit == again && at + 1 < cx.args.len() => {
                *self = When::At { unit, index: at + 1 };
                Ok(at + 1)
            }
            _ => Err(SYNTAX),
        }
    }
}

/// The units in which a client gives a time of expiry.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// `EX`: seconds from now.
    Seconds,
    /// `PX`: milliseconds from now.
    Milliseconds,
    /// `EXAT`: Unix seconds.
    UnixSeconds,
    /// `PXAT`: Unix milliseconds.
    UnixMilliseconds,
}

impl Unit {
    /// The unit of an option, if it is one of the four.
    pub(super) fn named(word: &[u8]) -> Option<Unit> {
        let units = [
            ("EX", Unit::Seconds),
            ("PX", Unit::Milliseconds),
            ("EXAT", Unit::UnixSeconds),
            ("PXAT", Unit::UnixMilliseconds),
        ];
        units.into_iter().find(|(name, _)| is(word, name)).map(|(_, unit)| unit)
    }

    /// The expiry that the argument at `index` gives in this unit. The number must be positive, and the
    /// time must not overflow.
    pub fn expiry(self, cx: &mut Cx<'_>, index: usize) -> Result<Expiry, Failure> {
        let number = cx.int(index)?;
        match self.unix_ms(number, cx.exact_unix_ms()) {
            Some(ms) if number > 0 => Ok(Expiry::At(ms as u64)),
            _ => Err(invalid_expire(cx)),
        }
    }

    /// The Unix time in milliseconds that `number` means in this unit; `None` on overflow.
    pub fn unix_ms(self, number: i64, now_ms: u64) -> Option<i64> {
        let (scale, base) = match self {
            Unit::Seconds => (1_000, now_ms as i64),
            Unit::Milliseconds => (1, now_ms as i64),
            Unit::UnixSeconds => (1_000, 0),
            Unit::UnixMilliseconds => (1, 0),
        };
        number.checked_mul(scale)?.checked_add(base)
    }
}

/// Redis's error for a time of expiry that is not allowed.
pub fn invalid_expire(cx: &Cx<'_>) -> Failure {
    Failure::telling(format!("ERR invalid expire time in '{}' command", cx.command.name))
}

/// `EXPIRE key seconds [NX | XX | GT | LT]`: lets a key expire after this number of seconds.
pub fn expire(cx: &mut Cx<'_>) -> Outcome {
    expire_in(cx, Unit::Seconds)
}

/// `PEXPIRE key milliseconds [NX | XX | GT | LT]`: lets a key expire after this number of milliseconds.
pub fn pexpire(cx: &mut Cx<'_>) -> Outcome {
    expire_in(cx, Unit::Milliseconds)
}

/// `EXPIREAT key unix-seconds [NX | XX | GT | LT]`: lets a key expire at this Unix time.
pub fn expireat(cx: &mut Cx<'_>) -> Outcome {
    expire_in(cx, Unit::UnixSeconds)
}

/// `PEXPIREAT key unix-milliseconds [NX | XX | GT | LT]`: lets a key expire at this Unix time.
pub fn pexpireat(cx: &mut Cx<'_>) -> Outcome {
    expire_in(cx, Unit::UnixMilliseconds)
}

/// When a command may change the expiry of a key.
#[derive(Default)]
struct Conditions {
    /// `NX`: only if the key has no time of expiry.
    only_without: bool,
    /// `XX`: only if the key has a time of expiry.
    only_with: bool,
    /// `GT`: only if the new time is later.
    only_later: bool,
    /// `LT`: only if the new time is earlier.
    only_sooner: bool,
}

impl Conditions {
    /// Reads the conditions from the request.
    fn of(cx: &Cx<'_>) -> Result<Conditions, Failure> {
        let mut when = Conditions::default();
        for word in cx.args.from(3) {
            let flag = match word {
                _ if is(word, "NX") => &mut when.only_without,
                _ if is(word, "XX") => &mut when.only_with,
                _ if is(word, "GT") => &mut when.only_later,
                _ if is(word, "LT") => &mut when.only_sooner,
                _ => return Err(Failure::quoting("ERR Unsupported option ", word, "")),
            };
            *flag = true;
        }
        if when.only_without && (when.only_with || when.only_later || when.only_sooner) {
            let text = "ERR NX and XX, GT or LT options at the same time are not compatible";
            return Err(Failure::text(text));
        }
        if when.only_later && when.only_sooner {
            return Err(Failure::text("ERR GT and LT options at the same time are not compatible"));
        }
        Ok(when)
    }

    /// True if the expiry may change from `before` to `after`, both in Unix milliseconds. A key without
    /// expiry counts as one that expires infinitely late.
    fn hold(&self, before: Option<u64>, after: i64) -> bool {
        let before = before.map(|ms| ms as i64);
        !(self.only_without && before.is_some()
            || self.only_with && before.is_none()
            || self.only_later && before.is_none_or(|before| after <= before)
            || self.only_sooner && before.is_some_and(|before| after >= before))
    }
}

/// Lets a key expire. The reply is 1, or 0 if there is no key or a condition forbids it.
fn expire_in(cx: &mut Cx<'_>, unit: Unit) -> Outcome {
    let key = cx.arg(1);
    // Redis checks the options first. If the number is wrong as well, it reports the mistake in the
    // options.
    let when = Conditions::of(cx)?;
    let number = cx.int(2)?;
    let at = unit.unix_ms(number, cx.exact_unix_ms()).ok_or_else(|| invalid_expire(cx))?;
    let Some(before) = cx.world.store.expiry(key, cx.world.now.unix_ms) else {
        cx.reply.int(0);
        return Ok(());
    };
    if !when.hold(before, at) {
        cx.reply.int(0);
        return Ok(());
    }
    cx.world.store.prepare_expiry(key)?;
    cx.reply.assure();
    match u64::try_from(at) {
        Ok(ms) if ms > cx.world.now.unix_ms => {
            cx.world.store.expire(key, Some(ms));
            cx.world.store.tell(EXPIRE, key);
        }
        // A time that has already passed removes the key at once.
        _ => {
            cx.world.store.remove(key, cx.world.now.unix_ms);
            cx.world.store.tell(DEL, key);
        }
    }
    cx.reply.int(1);
    Ok(())
}

/// `PERSIST key`: removes the time of expiry of a key. The reply is 1 if it had one, else 0.
pub fn persist(cx: &mut Cx<'_>) -> Outcome {
    let key = cx.arg(1);
    let had_expiry = cx.world.store.expiry(key, cx.world.now.unix_ms).flatten().is_some();
    cx.reply.assure();
    if had_expiry {
        cx.world.store.expire(key, None);
        cx.world.store.tell(PERSIST, key);
    }
    cx.reply.int(i64::from(had_expiry));
    Ok(())
}

/// `EXPIRETIME key`: at which Unix time in seconds a key expires; -1 if it never does, -2 if there is no key.
pub fn expiretime(cx: &mut Cx<'_>) -> Outcome {
    about_expiry(cx, |at_ms, _| (at_ms + 500) / 1_000)
}

/// `PEXPIRETIME key`: at which Unix time in milliseconds a key expires; -1 if it never does, -2 if there is no
/// key.
pub fn pexpiretime(cx: &mut Cx<'_>) -> Outcome {
    about_expiry(cx, |at_ms, _| at_ms)
}

/// `TTL key`: in how many seconds a key expires; -1 if it never does, -2 if there is no key.
pub fn ttl(cx: &mut Cx<'_>) -> Outcome {
    // Redis rounds to the nearest second.
    about_expiry(cx, |at_ms, now_ms| (at_ms.saturating_sub(now_ms) + 500) / 1_000)
}

/// `PTTL key`: in how many milliseconds a key expires; -1 if it never does, -2 if there is no key.
pub fn pttl(cx: &mut Cx<'_>) -> Outcome {
    about_expiry(cx, u64::saturating_sub)
}

/// Replies with what `tell` says of the time at which a key expires and of the present, both in Unix
/// milliseconds.
fn about_expiry(cx: &mut Cx<'_>, tell: fn(u64, u64) -> u64) -> Outcome {
    let found = cx.world.store.expiry(cx.arg(1), cx.world.now.unix_ms);
    cx.world.count_lookup(found.is_some(), cx.arg(1));
    let answer = match found {
        None => -2,
        Some(None) => -1,
        Some(Some(at)) => tell(at, cx.world.now.unix_ms) as i64,
    };
    cx.reply.int(answer);
    Ok(())
}
