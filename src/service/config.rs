//! `CONFIG` and its subcommands.

use super::cx::{Cx, Failure, Outcome, pattern, shown};
use super::glob;
use crate::config::Config;
use crate::config::options::{CONSTANTS, OPTIONS, find};
use crate::stats::Stats;

/// `CONFIG GET pattern [pattern ...]`
pub fn get(cx: &mut Cx<'_>) -> Outcome {
    for word in cx.args.from(2) {
        pattern(word)?;
    }
    let wanted = |name: &str| cx.args.from(2).any(|p| glob::matches_ignoring_case(p, name.as_bytes()));
    let mut found: Vec<(&str, String)> = OPTIONS
        .iter()
        .filter(|opt| wanted(opt.name))
        .map(|opt| (opt.name, (opt.get)(cx.config)))
        .chain(
            CONSTANTS
                .iter()
                .filter(|(name, _)| wanted(name))
                .map(|(name, value)| (*name, (*value).to_owned())),
        )
        .collect();
    found.sort_unstable();
    cx.reply.map(found.len());
    for (name, value) in found {
        cx.reply.bulk(name.as_bytes());
        cx.reply.bulk(value.as_bytes());
    }
    Ok(())
}

/// `CONFIG SET parameter value [parameter value ...]`: all of it or nothing.
pub fn set(cx: &mut Cx<'_>) -> Outcome {
    let words: Vec<&[u8]> = cx.args.from(2).collect();
    if !words.len().is_multiple_of(2) {
        return Err(Failure::text("ERR wrong number of arguments for 'config|set' command"));
    }
    let mut changed = cx.config.clone();
    for (at, pair) in words.chunks_exact(2).enumerate() {
        let again = words.chunks_exact(2).take(at).any(|earlier| earlier[0].eq_ignore_ascii_case(pair[0]));
        apply(&mut changed, pair[0], pair[1], again)?;
    }
    cx.reply.ok();
    log::set_max_level(changed.loglevel);
    *cx.config = changed;
    Ok(())
}

fn apply(config: &mut Config, name: &[u8], value: &[u8], again: bool) -> Outcome {
    let failed = |name: &str, why: &str| {
        Failure::quoting(format!("ERR CONFIG SET failed (possibly related to argument '{name}') - {why}"))
    };
    let Some(opt) = find(name) else {
        if let Some((name, _)) =
            CONSTANTS.iter().find(|(known, _)| known.as_bytes().eq_ignore_ascii_case(name))
        {
            return Err(failed(name, "can't set immutable config"));
        }
        return Err(Failure::quoting(format!(
            "ERR Unknown option or number of arguments for CONFIG SET - '{}'",
            shown(name, 128)
        )));
    };
    if !opt.live {
        return Err(failed(opt.name, "can't set immutable config"));
    }
    if again {
        return Err(failed(opt.name, "duplicate parameter"));
    }
    let text = std::str::from_utf8(value).map_err(|_| failed(opt.name, "argument is not UTF-8"))?;
    (opt.set)(config, text).map_err(|why| failed(opt.name, &why))
}

/// `CONFIG RESETSTAT`
pub fn resetstat(cx: &mut Cx<'_>) -> Outcome {
    cx.reply.ok();
    // What describes the present is no statistic.
    let now = cx.stats.present;
    *cx.stats = Stats { present: now, ..Stats::default() };
    Ok(())
}
