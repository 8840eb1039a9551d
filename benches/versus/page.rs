//! The results as one page of HTML that needs no other file: drawings, tables, and how to read them.

use std::fmt::Write;

use super::figures::Metric;
use super::plots;
use super::report::Report;
use super::run::FLOOR;
use super::scenarios::{Kind, Scenario};

/// The style sheet.
const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;color:#282c34;max-width:960px;margin:2rem auto;\
padding:0 1rem}h1{margin-bottom:0}h2{margin:2.5rem 0 0}.when,.about{color:#666}table{border-collapse:collapse;\
font-size:13px;width:100%;margin:.5rem 0}th,td{text-align:right;padding:.15rem .5rem;border-bottom:1px solid \
#eee}th:first-child,td:first-child{text-align:left}tr.own{background:#e8f3f8;font-weight:600}svg{max-width:\
100%;height:auto}.plots{display:flex;flex-wrap:wrap;gap:.5rem}details summary{cursor:pointer;color:#0b6e99}";

/// How to read the page.
const READING: &str = "\
<p>The same generator sent the same requests to every server, one server after the other, in several \
rounds. Compare the <b>CPU time of the server's process per request</b>: other programs on the machine \
hardly change it, but they do change the requests per second. A bar shows the median of the rounds. The \
thin line in it reaches from the best round to the worst.</p>\
<p>The <b>floor</b> is a loop around the same system calls. It parses nothing, and answers every N bytes \
with a constant. The kernel takes the time up to the floor, and no server can avoid it. A server's own work \
takes the time above the floor. The factor (× floor) is taken within each round; the table shows its \
median.</p>\
<p>The <b>twins</b> (tokio, tokio-mt, smol, monoio, threads) run this daemon's own protocol, commands and \
keyspace behind another transport. They differ in nothing else. Every server runs on one core, even one \
with several threads.</p>\
<p>Latencies come from an open loop: requests are due at a fixed rate, and the time of a reply counts from \
when its request was due, not from when it could be sent. Every reply of each warm-up was compared byte by \
byte.</p>";

/// The whole page.
pub fn html(report: &Report<'_>) -> String {
    let mut page = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><title>Tidegate versus</title><style>{STYLE}</style>\
         <h1>Tidegate versus</h1><p class=when>{}</p>",
        escape(&report.circumstances())
    );
    page += "<h2>How to read it</h2>";
    page += READING;
    page += "<h2>The servers</h2><table>";
    for one in &report.plan.contenders {
        let _ = write!(page, "<tr><td>{}<td style=text-align:left>{}", escape(&one.name), escape(&one.about));
    }
    page += "</table>";
    for scenario in &report.plan.scenarios {
        section(report, scenario, &mut page);
    }
    if !report.notes.is_empty() {
        page += "<h2>What is missing, and what went wrong</h2><ul>";
        for note in report.notes {
            let _ = write!(page, "<li>{}", escape(note));
        }
        page += "</ul>";
    }
    page + "</html>\n"
}

/// Appends the section of one scenario.
fn section(report: &Report<'_>, scenario: &Scenario, page: &mut String) {
    let _ = write!(page, "<h2>{}</h2><p class=about>{}</p>", scenario.name, escape(scenario.about));
    if report.results.latencies(scenario.name, "tidegate").is_some() {
        *page += &plots::curves(report, scenario.name);
    } else {
        *page += "<div class=plots>";
        for &metric in drawn(scenario.kind) {
            *page += &plots::bars(report, scenario.name, metric);
        }
        *page += "</div>";
    }
    table(report, scenario, page);
}

/// The metrics that the page draws as bars; all of them are in the table.
fn drawn(kind: Kind) -> &'static [Metric] {
    match kind {
        Kind::Closed { .. } | Kind::Crowded { .. } | Kind::Churn | Kind::Publish { .. } => &[Metric::Cpu],
        Kind::Open { .. } | Kind::Beside { .. } => &[Metric::P99],
        Kind::Calls { .. } => &[Metric::Syscalls],
        Kind::Idle => &[Metric::Ready, Metric::Resident, Metric::Wakeups],
        Kind::ConnMemory { .. } => &[Metric::BytesPerConn],
        Kind::KeyMemory(_) => &[Metric::OverheadPerKey],
    }
}

/// Appends the table of one scenario.
fn table(report: &Report<'_>, scenario: &Scenario, page: &mut String) {
    let metrics = report.results.metrics(scenario.name);
    *page += "<details><summary>figures</summary><table><tr><th>";
    for &metric in &metrics {
        let _ = write!(page, "<th>{}", metric.label());
        if metric == Metric::Cpu {
            *page += "<th>× floor";
        }
    }
    for name in report.names() {
        if metrics.iter().all(|&metric| report.results.summary(scenario.name, name, metric).is_none()) {
            continue;
        }
        let class = if name == "tidegate" { " class=own" } else { "" };
        let _ = write!(page, "<tr{class}><td>{}", escape(name));
        for &metric in &metrics {
            let _ = write!(page, "<td>{}", report.cell(scenario.name, name, metric));
            if metric == Metric::Cpu {
                let over = report.results.over(scenario.name, name, FLOOR);
                let _ = write!(page, "<td>{}", over.map_or_else(String::new, |over| format!("{over:.2}")));
            }
        }
    }
    *page += "</table></details>";
}

/// Makes `text` safe to put into HTML.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
