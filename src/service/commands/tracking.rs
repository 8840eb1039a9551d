//! `CLIENT TRACKING` and its like: what a client that keeps copies of keys wants to be told.

use std::sync::Arc;

use super::clients::redirection;
use crate::base::memory;
use crate::config::TRACKED_PREFIXES_MAX;
use crate::resp::parse_i64;
use crate::service::cx::{Cx, Failure, NOT_INTEGER, Outcome, SYNTAX, is};
use crate::service::tracking::Wishes;

/// `CLIENT TRACKING ON | OFF [REDIRECT id] [PREFIX prefix ...] [BCAST] [OPTIN] [OPTOUT] [NOLOOP]`.
pub fn tracking(cx: &mut Cx<'_>) -> Outcome {
    let mut wishes = options(cx)?;
    let on = match cx.arg(2) {
        word if is(word, "ON") => true,
        word if is(word, "OFF") => false,
        _ => return Err(SYNTAX),
    };
    if on {
        check(cx, &wishes)?;
        if wishes.bcast {
            let before = cx.session().tracking().map_or(Vec::new(), |before| before.prefixes.clone());
            if wishes.prefixes.is_empty() {
                wishes.prefixes.push(Arc::default());
            }
            if wishes.prefixes.len() + before.len() > TRACKED_PREFIXES_MAX {
                return Err(too_many_prefixes());
            }
            wishes.prefixes.extend(before);
            wishes.prefixes.sort_unstable();
            wishes.prefixes.dedup();
        }
        memory::charge(wishes.memory())?;
    }
    cx.reply.assure();
    match on {
        true => cx.world.track(cx.me, wishes),
        false => cx.world.untrack(cx.me),
    }
    cx.session().drop_empty_extras();
    cx.reply.ok();
    Ok(())
}

fn too_many_prefixes() -> Failure {
    Failure::telling(format!("ERR at most {TRACKED_PREFIXES_MAX} prefixes"))
}

/// Reads the options of the request.
fn options(cx: &Cx<'_>) -> Result<Wishes, Failure> {
    let (mut wishes, mut at) = (Wishes::default(), 3);
    while at < cx.args.len() {
        let (word, value) = (cx.arg(at), cx.args.get(at + 1));
        match (word, value) {
            (_, Some(id)) if is(word, "REDIRECT") => {
                if wishes.redirect.is_some() {
                    return Err(Failure::text("ERR A client can only redirect to a single other client"));
                }
                let serial = parse_i64(id).ok_or(NOT_INTEGER)?;
                let found = u64::try_from(serial).ok().and_then(|serial| cx.world.sessions.by_serial(serial));
                let text = "ERR The client ID you want redirect to does not exist";
                wishes.redirect = Some(found.ok_or(Failure::text(text))?);
                at += 1;
            }
            (_, Some(prefix)) if is(word, "PREFIX") => {
                if wishes.prefixes.len() == TRACKED_PREFIXES_MAX {
                    return Err(too_many_prefixes());
                }
                wishes.prefixes.push(Arc::from(prefix));
                at += 1;
            }
            _ if is(word, "BCAST") => wishes.bcast = true,
            _ if is(word, "OPTIN") => wishes.optin = true,
            _ if is(word, "OPTOUT") => wishes.optout = true,
            _ if is(word, "NOLOOP") => wishes.noloop = true,
            _ => return Err(SYNTAX),
        }
        at += 1;
    }
    Ok(wishes)
}

/// Checks that the wishes go together, and with what the client has wished before.
fn check(cx: &mut Cx<'_>, wishes: &Wishes) -> Outcome {
    let fail = |text| Err(Failure::text(text));
    if !wishes.bcast && !wishes.prefixes.is_empty() {
        return fail("ERR PREFIX option requires BCAST mode to be enabled");
    }
    let before = cx.session().tracking().cloned();
    if before.as_ref().is_some_and(|before| before.bcast != wishes.bcast) {
        return fail(
            "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling \
             it with a different mode.",
        );
    }
    if wishes.bcast && (wishes.optin || wishes.optout) {
        return fail("ERR OPTIN and OPTOUT are not compatible with BCAST");
    }
    if wishes.optin && wishes.optout {
        return fail("ERR You can't specify both OPTIN mode and OPTOUT mode");
    }
    if before.as_ref().is_some_and(|b| wishes.optin && b.optout || wishes.optout && b.optin) {
        return fail(
            "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it \
             with a different mode.",
        );
    }
    let known = before.map_or(Vec::new(), |before| before.prefixes);
    for (nth, prefix) in wishes.prefixes.iter().enumerate() {
        if let Some(other) = known.iter().find(|other| overlap(prefix, other)) {
            return Err(overlapping(prefix, "an existing", other));
        }
        if let Some(other) = wishes.prefixes[nth + 1..].iter().find(|other| overlap(prefix, other)) {
            return Err(overlapping(prefix, "another provided", other));
        }
    }
    Ok(())
}

/// True if one of the two begins with the other.
fn overlap(one: &[u8], other: &[u8]) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

fn overlapping(one: &[u8], which: &str, other: &[u8]) -> Failure {
    let end = "'. Prefixes for a single client must not overlap.";
    let text =
        [b"ERR Prefix '", one, b"' overlaps with ", which.as_bytes(), b" prefix '", other, end.as_bytes()];
    Failure(text.concat().into())
}

/// `CLIENT CACHING YES | NO`: whether the keys of the next request are tracked, with `OPTIN` or `OPTOUT`.
pub fn caching(cx: &mut Cx<'_>) -> Outcome {
    let word = cx.arg(2);
    let Some(wishes) = cx.session().tracking_mut() else {
        return Err(Failure::text(
            "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled",
        ));
    };
    let (allowed, text) = match word {
        _ if is(word, "YES") => {
            (wishes.optin, "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.")
        }
        _ if is(word, "NO") => {
            (wishes.optout, "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.")
        }
        _ => return Err(SYNTAX),
    };
    if !allowed {
        return Err(Failure::text(text));
    }
    wishes.caching = true;
    cx.reply.ok();
    Ok(())
}

/// `CLIENT GETREDIR`: the client to which the messages are redirected: 0 for none, -1 if the caller is not tracking.
pub fn getredir(cx: &mut Cx<'_>) -> Outcome {
    let id = redirection(cx.session());
    cx.reply.int(id);
    Ok(())
}

/// `CLIENT TRACKINGINFO`: what the caller has asked for with `CLIENT TRACKING`.
pub fn trackinginfo(cx: &mut Cx<'_>) -> Outcome {
    let id = redirection(cx.session());
    let wishes = cx.session().tracking().cloned();
    let flags: Vec<&str> = match &wishes {
        None => vec!["off"],
        Some(wishes) => [
            ("on", true),
            ("bcast", wishes.bcast),
            ("optin", wishes.optin),
            ("caching-yes", wishes.optin && wishes.caching),
            ("optout", wishes.optout),
            ("caching-no", wishes.optout && wishes.caching),
            ("noloop", wishes.noloop),
            ("broken_redirect", wishes.broken),
        ]
        .into_iter()
        .filter_map(|(flag, is)| is.then_some(flag))
        .collect(),
    };
    let prefixes = wishes.map_or(Vec::new(), |wishes| wishes.prefixes);
    cx.reply.map(3);
    cx.reply.bulk(b"flags");
    cx.reply.set(flags.len());
    flags.iter().for_each(|flag| cx.reply.bulk(flag.as_bytes()));
    cx.reply.bulk(b"redirect");
    cx.reply.int(id);
    cx.reply.bulk(b"prefixes");
    cx.reply.array(prefixes.len());
    prefixes.iter().for_each(|prefix| cx.reply.bulk(prefix));
    Ok(())
}
