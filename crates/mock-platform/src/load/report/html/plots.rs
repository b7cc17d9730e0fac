use hdrhistogram::Histogram;
use maud::{Markup, html};

use super::chart::{Numbers, SIDE, Times, framed, line, number, time};
use crate::load::coarse;
use crate::load::report::{LoadInterval, LoadReport, histogram_of};

/// How many points a curve has.
const POINTS: u32 = 240;
/// The most columns of a drawing over time.
const COLUMNS: usize = 120;

/// How long which share of them took at most, with the tail drawn as wide as it matters.
pub(super) fn percentiles(report: &LoadReport) -> Markup {
    let histograms = &report.histograms;
    let lines = [
        ("one", &histograms.latency),
        ("two dashed", &histograms.service),
        ("three", &histograms.publish_delay),
    ];
    let lines: Vec<(&str, Histogram<u64>)> = lines
        .into_iter()
        .map(|(class, text)| (class, histogram_of(text)))
        .filter(|(_, all)| !all.is_empty())
        .collect();
    let count = lines.iter().map(|(_, all)| all.len()).max().unwrap_or_default();
    let nines = (count.max(10) as f64).log10().floor().clamp(1.0, 6.0);
    let shortest = lines.iter().map(|(_, all)| all.value_at_quantile(0.01)).min().unwrap_or_default();
    let longest = lines.iter().map(|(_, all)| all.max()).max().unwrap_or_default();
    let axis = Times::new(shortest, longest);
    let across: Vec<(f64, String)> = (0..=nines as u32).map(|n| (f64::from(n) / nines, share(n))).collect();
    let point = |all: &Histogram<u64>, n: u32| {
        let x = f64::from(n) / f64::from(POINTS);
        Some((x, axis.at(all.value_at_quantile(1.0 - 10_f64.powf(-x * nines)))))
    };
    let drawn = html! {
        @for (class, all) in &lines { (line(class, (0..=POINTS).map(|n| point(all, n)))) }
    };
    html! {
        p.legend {
            span.k1 { "latency, from the planned instant" }
            span.k2.dash { "service time, from sending" }
            span.k3 { "publish delay" }
        }
        (framed("Percentile curves; the table above has the same in figures", &across, &axis.ticks(), &drawn))
    }
}

/// `90 %` for one nine, `99.9 %` for three.
fn share(nines: u32) -> String {
    match nines {
        0 => "0 %".to_owned(),
        1 => "90 %".to_owned(),
        2 => "99 %".to_owned(),
        _ => format!("99.{} %", "9".repeat(nines as usize - 2)),
    }
}

/// Neighbouring intervals together, so that there are few; with when they begin, how long they are, and their latencies.
struct Column {
    at_s: f64,
    seconds: f64,
    latencies: Histogram<u64>,
}

fn columns(series: &[LoadInterval]) -> Vec<Column> {
    let wide = series.len().div_ceil(COLUMNS).max(1);
    let column = |intervals: &[LoadInterval]| {
        let mut latencies = histogram_of("");
        for interval in intervals {
            // They are of one range.
            let added = latencies.add(interval.latencies());
            debug_assert!(added.is_ok());
        }
        let seconds = intervals.iter().map(|interval| interval.seconds).sum();
        Column { at_s: intervals.first().map_or(0.0, |first| first.at_s), seconds, latencies }
    };
    series.chunks(wide).map(column).collect()
}

fn end_s(series: &[LoadInterval]) -> f64 {
    series.last().map_or(1.0, |last| last.at_s + last.seconds).max(1e-3)
}

/// Latency over time: the darker, the more of those that ended in a moment took so long.
pub(super) fn heat(report: &LoadReport) -> Markup {
    let end = end_s(&report.series);
    let columns = columns(&report.series);
    let filled = || columns.iter().filter(|column| !column.latencies.is_empty());
    let shortest = filled().map(|column| column.latencies.min()).min().unwrap_or_default();
    let longest = filled().map(|column| column.latencies.max()).max().unwrap_or_default();
    let axis = Times::new(shortest, longest);
    let along = |quantile: f64| {
        columns.iter().map(move |column| {
            let middle = (column.at_s + column.seconds / 2.0) / end;
            let at = axis.at(column.latencies.value_at_quantile(quantile));
            (!column.latencies.is_empty()).then_some((middle, at))
        })
    };
    let drawn = html! {
        @for column in &columns { (cells(column, end, axis)) }
        (line("two", along(0.5)))
        (line("three dashed", along(0.99)))
    };
    html! {
        p.legend {
            span.k1.box { "how many of those that ended then" }
            span.k2 { "half" }
            span.k3.dash { "99 in 100" }
        }
        (framed("Latency over time", &Numbers::until(end), &axis.ticks(), &drawn))
    }
}

fn cells(column: &Column, end: f64, axis: Times) -> Markup {
    let mut counts = [0_u64; coarse::STEPS];
    for value in column.latencies.iter_recorded() {
        counts[coarse::step(value.value_iterated_to())] += value.count_since_last_iteration();
    }
    let most = counts.iter().copied().max().unwrap_or_default().max(1);
    let (x, width) = (column.at_s / end * SIDE, column.seconds / end * SIDE);
    html! {
        @for (step, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            @let top = (1.0 - axis.at(coarse::end(step))) * SIDE;
            @let bottom = (1.0 - axis.at(if step == 0 { 0 } else { coarse::end(step - 1) })) * SIDE;
            // A single one can be seen, too.
            @let strength = 0.12 + 0.88 * (*count as f64 / most as f64).sqrt();
            rect.cell x=(number(x)) y=(number(top)) width=(number(width)) height=(number((bottom - top).max(4.0)))
                fill-opacity=(format!("{strength:.2}")) {
                title { (count) " took up to " (time(coarse::end(step))) }
            }
        }
    }
}

/// What was planned, sent, and went wrong, per second.
pub(super) fn rates(report: &LoadReport) -> Markup {
    let end = end_s(&report.series);
    // A piece at the end makes no rate.
    let whole = report.series.first().map_or(0.0, |first| first.seconds) / 2.0;
    let series: Vec<&LoadInterval> =
        report.series.iter().filter(|one| one.seconds >= whole || report.series.len() == 1).collect();
    let per_second = |count: u64, interval: &LoadInterval| count as f64 / interval.seconds.max(1e-3);
    let most = series.iter().map(|one| per_second(one.planned.max(one.sent), one)).fold(0.0, f64::max);
    let axis = Numbers::new(most);
    let along = |of: fn(&LoadInterval) -> u64| {
        series.iter().flat_map(move |one| {
            let y = axis.at(per_second(of(one), one));
            // Steps: a rate holds for all of its interval.
            [Some((one.at_s / end, y)), Some(((one.at_s + one.seconds) / end, y))]
        })
    };
    let drawn = html! {
        @for one in series.iter().filter(|one| one.errors > 0) {
            @let height = (axis.at(per_second(one.errors, one)) * SIDE).max(6.0);
            rect.errors x=(number(one.at_s / end * SIDE)) y=(number(SIDE - height))
                width=(number(one.seconds / end * SIDE)) height=(number(height)) {
                title { (one.errors) " errors" }
            }
        }
        (line("one", along(|one| one.sent)))
        (line("three dashed", along(|one| one.planned)))
    };
    html! {
        p.legend {
            span.k3.dash { "planned" }
            span.k1 { "sent" }
            span.k4.box { "errors" }
        }
        (framed("Webhooks per second, planned and sent, and errors", &Numbers::until(end), &axis.ticks("/s"), &drawn))
    }
}

impl Numbers {
    /// Seconds, to the end of a run.
    fn until(end_s: f64) -> Vec<(f64, String)> {
        let ticks = Self::new(end_s).ticks(" s");
        let scale = Self::new(end_s);
        // The axis ends where the run does, and not at a round number.
        let whole = 1.0 / scale.at(end_s).max(1e-9);
        ticks.into_iter().map(|(at, word)| (at * whole, word)).filter(|(at, _)| *at <= 1.0).collect()
    }
}
