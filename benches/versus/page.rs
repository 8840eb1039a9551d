//! The findings as one self-contained page: drawings, tables, and how to read them.

use std::fmt::Write;

use super::figures::Metric;
use super::plots;
use super::report::Report;
use super::run::FLOOR;
use super::scenarios::{Kind, Scenario};

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;color:#282c34;max-width:960px;margin:2rem auto;\
padding:0 1rem}h1{margin-bottom:0}h2{margin:2.5rem 0 0}.when,.about{color:#666}table{border-collapse:collapse;\
font-size:13px;width:100%;margin:.5rem 0}th,td{text-align:right;padding:.15rem .5rem;border-bottom:1px solid \
#eee}th:first-child,td:first-child{text-align:left}tr.own{background:#e8f3f8;font-weight:600}svg{max-width:\
100%;height:auto}.plots{display:flex;flex-wrap:wrap;gap:.5rem}details summary{cursor:pointer;color:#0b6e99}";

const READING: &str = "<p>Every server was asked the same questions by the same generator, one after the other, \
several rounds over. The figure to compare is <b>CPU time of the server's process for each request</b>: it hardly \
changes when a neighbour on the machine is busy, which requests a second do. Bars are medians of the rounds; the \
thin line in a bar reaches from the best to the worst round.</p>\
<p>The <b>floor</b> is a loop around the same system calls that parses nothing and answers each N bytes with a \
constant. What lies above it is what a server costs; what lies below it is the kernel, and nobody can save it. The \
factor is taken within each round.</p>\
<p>The <b>twins</b> (tokio, tokio-mt, smol, monoio, threads) are this daemon's own protocol, commands and keyspace \
behind another transport: they differ in nothing else. All servers have one core; the multi-threaded ones too.</p>\
<p>Latencies are of an open loop: requests are due at a fixed rate, and time counts from when a request was due, \
not from when it could be sent. Every reply of each warm-up was compared byte by byte.</p>";

/// The page.
pub fn html(report: &Report<'_>) -> String {
    let mut page = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><title>Tidegate versus</title><style>{STYLE}</style>\
         <h1>Tidegate versus</h1><p class=when>{}</p>",
        escape(&report.circumstances())
    );
    page += "<h2>How to read it</h2>";
    page += READING;
    page += "<h2>Who</h2><table>";
    for one in &report.plan.contenders {
        let _ = write!(page, "<tr><td>{}<td style=text-align:left>{}", escape(&one.name), escape(&one.about));
    }
    page += "</table>";
    for scenario in &report.plan.scenarios {
        section(report, scenario, &mut page);
    }
    if !report.notes.is_empty() {
        page += "<h2>Left out, and gone wrong</h2><ul>";
        for note in report.notes {
            let _ = write!(page, "<li>{}", escape(note));
        }
        page += "</ul>";
    }
    page + "</html>\n"
}

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

/// What is worth a drawing.
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

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
