//! The drawings: bars with their spread and a line for the floor, and curves of latency percentiles.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::figures::{Metric, Summary};
use super::report::{Report, number};
use super::run::FLOOR;

/// The daemon, wherever it is drawn.
const STRONG: RGBColor = RGBColor(11, 110, 153);
/// The bars of all others.
const GREY: RGBColor = RGBColor(200, 204, 210);
/// Colours of curves, in the order of the contenders, since curves cross each other.
const PALETTE: &[RGBColor] = &[
    STRONG,
    RGBColor(239, 159, 118),
    RGBColor(229, 200, 144),
    RGBColor(166, 209, 137),
    RGBColor(129, 200, 190),
    RGBColor(202, 158, 230),
    RGBColor(234, 153, 156),
    RGBColor(186, 187, 241),
    RGBColor(244, 184, 228),
    RGBColor(181, 191, 226),
    RGBColor(201, 173, 147),
    RGBColor(190, 196, 158),
];
/// The colour of text and thin lines.
const INK: RGBColor = RGBColor(40, 44, 52);
/// The colour of the floor.
const GROUND: RGBColor = RGBColor(120, 124, 132);
const DAEMON: &str = "tidegate";
/// Height of a bar with its gap.
const STEP: i32 = 22;
/// Room for names to the left of the bars, in pixels.
const LEFT: i32 = 84;
/// Room for figures to the right of the bars, in pixels.
const RIGHT: i32 = 96;
/// Height of the title above the bars, in pixels.
const HEAD: i32 = 30;
/// How many nines the last percentile of a curve has: with four it is 99.99.
const NINES: f64 = 4.0;
/// Number of steps between the points of a curve.
const CURVE_STEPS: u32 = 80;
/// The scenarios in the overview.
const OVERVIEW: &[&str] = &["get-p1", "get-p16", "get-p100", "set-p100", "get-among-9000-idle", "churn"];

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), DrawingAreaErrorKind<std::io::Error>>;

/// One bar of a drawing.
struct Bar<'a> {
    /// The name of the contender.
    name: &'a str,
    /// The bar ends at the median. The thin line goes from the least value to the greatest.
    found: Summary,
}

impl Bar<'_> {
    fn is_daemon(&self) -> bool {
        self.name == DAEMON
    }
}

/// The picture for README.md and docs/benchmarks.md: CPU a request in the scenarios that say most.
pub fn overview(report: &Report<'_>) -> String {
    let shown: Vec<_> = report.plan.scenarios.iter().filter(|one| OVERVIEW.contains(&one.name)).collect();
    let rows = shown.len().div_ceil(2).max(1);
    let height = HEAD + STEP * report.names().len() as i32 + 14;
    draw((900, (height * rows as i32) as u32), |area| {
        for (cell, scenario) in area.split_evenly((rows, 2)).iter().zip(&shown) {
            let title = format!("{}: {}", scenario.name, Metric::Cpu.label());
            draw_bars(cell, &title, &bars_of(report, scenario.name, Metric::Cpu))?;
        }
        Ok(())
    })
}

/// A drawing with the bars of one scenario and metric.
pub fn bars(report: &Report<'_>, scenario: &str, metric: Metric) -> String {
    let bars = bars_of(report, scenario, metric);
    let height = HEAD + STEP * bars.len() as i32 + 10;
    draw((520, height as u32), |area| draw_bars(area, metric.label(), &bars))
}

/// The colour of a contender.
fn colour(report: &Report<'_>, name: &str) -> RGBColor {
    let place = report.plan.contenders.iter().position(|one| one.name == name);
    place.map_or(GROUND, |place| PALETTE[place % PALETTE.len()])
}

/// The bars of one scenario and metric, the floor first.
fn bars_of<'a>(report: &Report<'a>, scenario: &str, metric: Metric) -> Vec<Bar<'a>> {
    let names = report.plan.contenders.iter().map(|one| one.name.as_str());
    std::iter::once(FLOOR)
        .chain(names)
        .filter_map(|name| {
            let found = report.results.summary(scenario, name, metric)?;
            Some(Bar { name, found })
        })
        .collect()
}

/// Draws an SVG of this size, in pixels.
fn draw((width, height): (u32, u32), paint: impl FnOnce(&Area<'_>) -> Drawn) -> String {
    let mut svg = String::new();
    let area = SVGBackend::with_string(&mut svg, (width, height)).into_drawing_area();
    let drawn = area.fill(&WHITE).and_then(|()| paint(&area)).and_then(|()| area.present());
    drop(area);
    // Drawing into a string does not fail.
    if drawn.is_ok() { svg } else { String::new() }
}

/// The style of a text.
fn text(size: i32, at: HPos) -> TextStyle<'static> {
    TextStyle::from(("sans-serif", size)).color(&INK).pos(Pos::new(at, VPos::Center))
}

/// Draws a title and the bars below it.
fn draw_bars(area: &Area<'_>, title: &str, bars: &[Bar<'_>]) -> Drawn {
    let (width, _) = area.dim_in_pixel();
    let right = width as i32 - RIGHT;
    let most = bars.iter().map(|bar| bar.found.max).fold(f64::MIN_POSITIVE, f64::max);
    let x = |value: f64| LEFT + (value.max(0.0) / most * f64::from(right - LEFT)) as i32;
    area.draw(&Text::new(title.to_owned(), (8, HEAD / 2), text(14, HPos::Left)))?;
    for (index, bar) in bars.iter().enumerate() {
        let top = HEAD + STEP * index as i32;
        let middle = top + STEP / 2 - 2;
        let colour = if bar.is_daemon() { STRONG } else { GREY };
        let shape = Rectangle::new([(LEFT, top), (x(bar.found.median), top + STEP - 5)], colour.filled());
        area.draw(&shape)?;
        if bar.found.min < bar.found.max {
            let spread = [(x(bar.found.min), middle), (x(bar.found.max), middle)];
            area.draw(&PathElement::new(spread, INK.stroke_width(1)))?;
        }
        let style = |at| if bar.is_daemon() { text(13, at).color(&STRONG) } else { text(13, at) };
        area.draw(&Text::new(bar.name.to_owned(), (LEFT - 6, middle), style(HPos::Right)))?;
        area.draw(&Text::new(number(bar.found.median), (right + 8, middle), style(HPos::Left)))?;
    }
    if let Some(floor) = bars.iter().find(|bar| bar.name == FLOOR) {
        let x = x(floor.found.median);
        let bottom = HEAD + STEP * bars.len() as i32 - 5;
        area.draw(&PathElement::new([(x, HEAD), (x, bottom)], GROUND.stroke_width(1)))?;
    }
    Ok(())
}

/// A contender's name, and its points: the number of nines of a percentile, and the latency there in
/// microseconds.
type Curve<'a> = (&'a str, Vec<(f64, f64)>);

/// The curve of one contender; `None` if its latencies were not measured.
fn curve<'a>(report: &Report<'_>, scenario: &str, name: &'a str) -> Option<Curve<'a>> {
    let took = report.results.latencies(scenario, name)?;
    let at = |step: u32| {
        let nines = f64::from(step) * NINES / f64::from(CURVE_STEPS);
        (nines, took.value_at_quantile(1.0 - 10_f64.powf(-nines)) as f64 / 1e3)
    };
    Some((name, (0..=CURVE_STEPS).map(at).collect()))
}

/// A drawing of latencies over percentiles. Both scales spread the tail, where the contenders differ most.
pub fn curves(report: &Report<'_>, scenario: &str) -> String {
    let curves: Vec<Curve<'_>> =
        report.names().into_iter().filter_map(|name| curve(report, scenario, name)).collect();
    let values = || curves.iter().flat_map(|(_, points)| points).map(|&(_, value)| value);
    let (least, most) = (values().fold(f64::MAX, f64::min), values().fold(1.0, f64::max));
    draw((900, 420), |area| {
        let mut chart = ChartBuilder::on(area)
            .margin(14)
            .x_label_area_size(36)
            .y_label_area_size(60)
            .build_cartesian_2d(0.0..NINES, (least.min(most) * 0.8..most * 1.3).log_scale())?;
        chart
            .configure_mesh()
            .light_line_style(WHITE)
            .x_desc("percentile")
            .y_desc("µs")
            .x_labels(5)
            .x_label_formatter(&|nines| format!("{:.4}", 100.0 * (1.0 - 10_f64.powf(-nines))))
            .y_label_formatter(&|value| number(*value))
            .draw()?;
        for (name, points) in curves {
            let style = colour(report, name).stroke_width(if name == DAEMON { 3 } else { 2 });
            chart
                .draw_series(LineSeries::new(points, style))?
                .label(name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style));
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .background_style(WHITE)
            .draw()
    })
}
