//! The subcommands of `CONFIG`.

use crate::config::options::{CONSTANTS, OPTIONS, find};
use crate::config::{CONFIG_GET_PIECES_MAX, Config};
use crate::service::cx::{Cx, Failure, Outcome, SYNTAX};
use crate::service::glob::{Case, Pattern};
use crate::service::world::World;
use crate::stats::Stats;

/// `CONFIG GET pattern [pattern ...]`: the names and values of the settings that match a pattern.
pub fn get(cx: &mut Cx<'_>) -> Outcome {
    let pieces: usize = cx.args.from(2).map(|word| word.len() / 64 + 1).sum();
    if pieces > CONFIG_GET_PIECES_MAX {
        return Err(Failure::text("ERR too many or too long patterns for one CONFIG GET"));
    }
    let compiled = cx.args.from(2).map(|word| Pattern::new(word, Case::Ignored));
    let patterns = compiled.collect::<Result<Vec<Pattern>, Failure>>()?;
    // If a client asks for a name in full, the reply has the name as the client wrote it, because the
    // client looks up the value by that.
    let wanted = |name: &'static str| {
        let full = cx.args.from(2).find(|word| word.eq_ignore_ascii_case(name.as_bytes()));
        let by_pattern = || patterns.iter().any(|pattern| pattern.matches(name.as_bytes()));
        full.or_else(|| by_pattern().then_some(name.as_bytes()))
    };
    let options = OPTIONS.iter().map(|opt| (wanted(opt.name), (opt.get)(&cx.world.config)));
    let constants = CONSTANTS.iter().map(|(name, value)| (wanted(name), (*value).to_owned()));
    let mut found: Vec<(&[u8], String)> =
        options.chain(constants).filter_map(|(name, value)| Some((name?, value))).collect();
    found.sort_unstable();
    cx.reply.map(found.len());
    for (name, value) in found {
        cx.reply.bulk(name);
        cx.reply.bulk(value.as_bytes());
    }
    Ok(())
}

/// `CONFIG SET parameter value [parameter value ...]`: changes all of these settings or none.
pub fn set(cx: &mut Cx<'_>) -> Outcome {
    let words: Vec<&[u8]> = cx.args.from(2).collect();
    if !words.len().is_multiple_of(2) {
        return Err(SYNTAX);
    }
    let mut changed = cx.world.config.clone();
    for (at, pair) in words.chunks_exact(2).enumerate() {
        apply(&mut changed, pair[0], pair[1], &words[..2 * at])?;
    }
    changed.check().map_err(|why| {
        let told = |name: &&[u8]| find(name).is_some_and(|opt| why.contains(opt.name));
        let name = words.iter().step_by(2).copied().find(told);
        failed(name.unwrap_or_default(), &why)
    })?;
    cx.reply.assure();
    cx.world.adopt(changed);
    cx.reply.ok();
    Ok(())
}

/// Applies one setting to `config`. `earlier` are the names and values before it in the request.
fn apply(config: &mut Config, name: &[u8], value: &[u8], earlier: &[&[u8]]) -> Outcome {
    let text = std::str::from_utf8(value);
    if let Some((known, fixed)) =
        CONSTANTS.iter().find(|(known, _)| known.as_bytes().eq_ignore_ascii_case(name))
    {
        // A client may set a constant to the value that it has. Many start-up scripts do that.
        return if text == Ok(fixed) { Ok(()) } else { Err(failed(known, "can't set immutable config")) };
    }
    let Some(opt) = find(name) else {
        return Err(Failure::quoting(
            "ERR Unknown option or number of arguments for CONFIG SET - '",
            name,
            "'",
        ));
    };
    if !opt.live {
        return Err(failed(opt.name, "can't set immutable config"));
    }
    // This search comes last, because here it runs at most once for each option, and once more for the
    // duplicate that ends the command. So all searches together cost at most the length of the request
    // times the number of options.
    if earlier.chunks_exact(2).any(|pair| pair[0].eq_ignore_ascii_case(name)) {
        return Err(failed(name, "duplicate parameter"));
    }
    let text = text.map_err(|_| failed(opt.name, "argument is not UTF-8"))?;
    (opt.set)(config, text).map_err(|why| failed(opt.name, &why))
}

/// The error for a setting that cannot be applied.
fn failed(name: impl AsRef<[u8]>, why: &str) -> Failure {
    let before = "ERR CONFIG SET failed (possibly related to argument '";
    Failure::quoting(before, name.as_ref(), &format!("') - {why}"))
}

/// `CONFIG REWRITE`: writes the settings into the file that was given at the start.
pub fn rewrite(cx: &mut Cx<'_>) -> Outcome {
    cx.reply.assure();
    let World { sources, config, .. } = &mut *cx.world;
    match sources.rewrite(config) {
        Ok(()) => log::info!("CONFIG REWRITE executed with success."),
        Err(why) => {
            log::warn!("CONFIG REWRITE failed: {why}");
            return Err(Failure::quoting("ERR ", why.as_bytes(), ""));
        }
    }
    cx.reply.ok();
    Ok(())
}

/// `CONFIG RESETSTAT`: sets the counters to 0.
pub fn resetstat(cx: &mut Cx<'_>) -> Outcome {
    cx.reply.ok();
    // `present` says how things stand now, so the reset keeps it.
    cx.world.store.reset_counts();
    cx.world.latency.reset_histograms();
    let now = cx.world.stats.present;
    cx.world.stats = Stats { present: now, ..Stats::default() };
    Ok(())
}
