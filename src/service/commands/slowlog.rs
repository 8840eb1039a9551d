//! `SLOWLOG` and `LATENCY`: what took long.

use crate::resp::parse_i64;
use crate::service::catalog::everything;
use crate::service::command::Command;
use crate::service::cx::{Cx, Failure, Outcome};
use crate::service::latency::Event;
use crate::service::names::find_full;

/// Number of entries of a `SLOWLOG GET` without a count.
const COUNT_DEFAULT: usize = 10;

/// `SLOWLOG GET [count]`: the newest entries; all of them if the count is -1.
pub fn get(cx: &mut Cx<'_>) -> Outcome {
    let count = match cx.args.get(2) {
        None => COUNT_DEFAULT,
        Some(word) => match parse_i64(word) {
            Some(-1) => usize::MAX,
            Some(count @ 0..) => usize::try_from(count).unwrap_or(usize::MAX),
            _ => return Err(Failure::text("ERR count should be greater than or equal to -1")),
        },
    };
    let entries = cx.world.slowlog.entries();
    cx.reply.array(entries.len().min(count));
    for entry in entries.take(count) {
        cx.reply.array(6);
        cx.reply.int(entry.id as i64);
        cx.reply.int(entry.unix_s as i64);
        cx.reply.int(entry.us as i64);
        cx.reply.array(entry.args.len());
        entry.args.iter().for_each(|arg| cx.reply.bulk(arg));
        cx.reply.bulk(entry.client.to_string().as_bytes());
        cx.reply.bulk(&entry.name);
    }
    Ok(())
}

/// `SLOWLOG LEN`: the number of entries.
pub fn len(cx: &mut Cx<'_>) -> Outcome {
    cx.reply.int(cx.world.slowlog.entries().len() as i64);
    Ok(())
}

/// `SLOWLOG RESET`: forgets all entries.
pub fn reset(cx: &mut Cx<'_>) -> Outcome {
    cx.world.slowlog.reset();
    cx.reply.ok();
    Ok(())
}

fn event_named(word: &[u8]) -> Option<Event> {
    Event::ALL.into_iter().find(|event| event.name().as_bytes() == word)
}

/// `LATENCY LATEST`: of each event that was slow its name, and when it was last, how long that took, and how long it took
/// at most.
pub fn latest(cx: &mut Cx<'_>) -> Outcome {
    let latency = &cx.world.latency;
    let known = Event::ALL.into_iter().filter_map(|event| {
        let series = latency.series(event);
        series.samples.back().map(|last| (event, *last, series.max_ms))
    });
    let known: Vec<_> = known.collect();
    cx.reply.array(known.len());
    for (event, last, max_ms) in known {
        cx.reply.array(4);
        cx.reply.bulk(event.name().as_bytes());
        cx.reply.int(last.unix_s as i64);
        cx.reply.int(last.ms as i64);
        cx.reply.int(max_ms as i64);
    }
    Ok(())
}

/// `LATENCY HISTORY event`: when it was slow, and how slow.
pub fn history(cx: &mut Cx<'_>) -> Outcome {
    let series = event_named(cx.arg(2)).map(|event| cx.world.latency.series(event));
    let samples: Vec<_> = series.into_iter().flat_map(|series| &series.samples).collect();
    cx.reply.array(samples.len());
    for sample in samples {
        cx.reply.array(2);
        cx.reply.int(sample.unix_s as i64);
        cx.reply.int(sample.ms as i64);
    }
    Ok(())
}

/// `LATENCY RESET [event ...]`: forgets the samples. The reply is the number of events that had any.
pub fn latency_reset(cx: &mut Cx<'_>) -> Outcome {
    let events: Vec<Event> = match cx.args.len() {
        2 => Event::ALL.to_vec(),
        _ => cx.args.from(2).filter_map(event_named).collect(),
    };
    let reset = events.into_iter().filter(|event| cx.world.latency.reset(*event)).count();
    cx.reply.int(reset as i64);
    Ok(())
}

/// `LATENCY GRAPH event`: the samples as a line of marks, the newest at the right.
pub fn graph(cx: &mut Cx<'_>) -> Outcome {
    let none = || Failure::quoting("ERR No samples available for event '", cx.arg(2), "'");
    let event = event_named(cx.arg(2)).ok_or_else(none)?;
    let series = cx.world.latency.series(event);
    if series.samples.is_empty() {
        return Err(none());
    }
    let least = series.samples.iter().map(|sample| sample.ms).min().unwrap_or_default();
    let most = series.samples.iter().map(|sample| sample.ms).max().unwrap_or_default();
    let mut text = format!(
        "{} - high {} ms, low {} ms (all time high {} ms)\n",
        event.name(),
        most,
        least,
        series.max_ms
    );
    text += &"-".repeat(80);
    text.push('\n');
    for row in (0..4).rev() {
        let marks = series.samples.iter().rev().take(80).collect::<Vec<_>>().into_iter().rev();
        text.extend(marks.map(|sample| {
            let height = 4 * (sample.ms - least) / (most - least + 1);
            if height >= row { '#' } else { ' ' }
        }));
        text.push('\n');
    }
    cx.reply.verbatim(&text);
    Ok(())
}

/// `LATENCY DOCTOR`: says in words what was slow.
pub fn doctor(cx: &mut Cx<'_>) -> Outcome {
    let threshold = cx.world.config.latency_monitor_threshold_ms;
    let mut text = String::new();
    for event in Event::ALL {
        let series = cx.world.latency.series(event);
        let count = series.samples.len() as u64;
        let sum: u64 = series.samples.iter().map(|sample| sample.ms).sum();
        if let Some(average_ms) = sum.checked_div(count) {
            text += &format!(
                "{}: {count} slow seconds, {} ms on average, {} ms at most. SLOWLOG GET names the commands.\n",
                event.name(),
                average_ms,
                series.max_ms
            );
        }
    }
    if text.is_empty() && threshold == 0 {
        text += "Latency monitoring is off. Use \"CONFIG SET latency-monitor-threshold <milliseconds>\" to turn it on.\n";
    } else if text.is_empty() {
        text += &format!("No command has taken {threshold} ms or more.\n");
    }
    cx.reply.verbatim(&text);
    Ok(())
}

/// `LATENCY HISTOGRAM [command ...]`: how long the calls of each command took, as far as they were timed.
pub fn histogram(cx: &mut Cx<'_>) -> Outcome {
    let commands: Vec<&Command> = match cx.args.len() {
        2 => everything().collect(),
        _ => {
            let named = cx.args.from(2).filter_map(find_full);
            named.flat_map(|command| std::iter::once(command).chain(command.subcommands)).collect()
        }
    };
    let latency = &cx.world.latency;
    let known: Vec<_> =
        commands.into_iter().filter_map(|command| Some((command, latency.histogram(command.id)?))).collect();
    cx.reply.map(known.len());
    for (command, histogram) in known {
        cx.reply.bulk(command.name.as_bytes());
        cx.reply.map(2);
        cx.reply.bulk(b"calls");
        cx.reply.int(histogram.iter().sum::<u64>() as i64);
        cx.reply.bulk(b"histogram_usec");
        let used = histogram.iter().filter(|count| **count > 0).count();
        cx.reply.map(used);
        let mut sum = 0;
        for (bucket, count) in histogram.iter().enumerate().filter(|(_, count)| **count > 0) {
            sum += count;
            cx.reply.int(1 << bucket);
            cx.reply.int(sum as i64);
        }
    }
    Ok(())
}
