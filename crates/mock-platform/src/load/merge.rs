//! Several reports of one plan's shards as the report of the whole. Pure.

use std::collections::{BTreeMap, BTreeSet};

use hdrhistogram::Histogram;

use super::audit::{LoadAudit, NAMED};
use super::packed;
use super::report::{Difference, LoadHistograms, LoadInterval, LoadReport, LoadSummary, Percentiles};
use super::tally::histogram;

/// Why reports are not those of one load.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MergeError {
    /// There are none.
    #[error("there is no report to join")]
    None,
    /// One is not of a shard.
    #[error(
        "the report of {target} from {started_ms} ms is of a whole plan, and no shard (`load --shard i/n`)"
    )]
    Whole {
        /// Where the load went.
        target: String,
        /// When it began.
        started_ms: u64,
    },
    /// They are not shards of one plan.
    #[error("the reports are not of one plan: one has {what} {one:?}, another {other:?}")]
    Differ {
        /// What differs.
        what: &'static str,
        /// What one has.
        one: String,
        /// What another has.
        other: String,
    },
    /// They did not begin together.
    #[error(
        "the shards began {seconds:.0} s apart, so they are no one load: give all of them the same `--start-at`, and let their machines' clocks agree"
    )]
    Apart {
        /// From the first to the last.
        seconds: f64,
    },
    /// The report of a shard has intervals where no run has any.
    #[error(
        "the report of shard {0} has an interval that lies {1} s behind its start, among {2}: it is damaged"
    )]
    Interval(String, f64, usize),
    /// One shard comes twice.
    #[error("two reports are of shard {0}")]
    Twice(String),
    /// Shards are left out.
    #[error("the reports are not the whole plan: shards {} are missing", .0.join(", "))]
    Missing(Vec<String>),
}

/// Joins the reports of all shards of a plan: counts are summed up, histograms bucket by bucket.
///
/// # Errors
/// Where they are not all shards of one plan, each once.
pub fn merge(reports: &[LoadReport]) -> Result<LoadReport, MergeError> {
    let first = reports.first().ok_or(MergeError::None)?;
    check(first, reports)?;
    let began_ms = reports.iter().map(|report| report.started_ms).min().unwrap_or_default();
    // Each from when the first began.
    let parts: Vec<(f64, &LoadReport)> =
        reports.iter().map(|report| ((report.started_ms - began_ms) as f64 / 1e3, report)).collect();
    let histograms = LoadHistograms::joined(reports);
    let reasons = |of: &dyn Fn(&LoadReport) -> Option<&str>| {
        let told = reports
            .iter()
            .filter_map(|report| Some(format!("shard {}: {}", report.shard.as_deref()?, of(report)?)));
        let told: Vec<String> = told.collect();
        (!told.is_empty()).then(|| told.join("; "))
    };
    let audit = audit(reports);
    let mut mix = BTreeMap::new();
    reports.iter().for_each(|report| add_counts(&mut mix, &report.mix));
    let targets: BTreeSet<&str> = reports.iter().map(|report| report.target.as_str()).collect();
    Ok(LoadReport {
        verdict: String::new(),
        reason: None,
        target: targets.into_iter().collect::<Vec<_>>().join(", "),
        connections: reports.iter().map(|report| report.connections).sum(),
        threads: reports.iter().map(|report| report.threads).sum(),
        shard: None,
        started_ms: began_ms,
        // Those of several machines cannot be compared.
        started_at_monotonic_ns: 0,
        saturation: reasons(&|report| report.saturation.as_deref()),
        fine_at: fine_at(reports),
        gave_way: reasons(&|report| report.gave_way.as_deref()),
        stopped: reports.iter().any(|report| report.stopped),
        thresholds: Vec::new(),
        summary: summary(&parts, &histograms, audit.as_ref()),
        capacity: None,
        audit_failed: reasons(&|report| {
            let nobody = report.audit.is_none() && audit.is_some();
            report.audit_failed.as_deref().or(nobody.then_some(NOBODY))
        }),
        audit,
        ledger_failed: reasons(&|report| report.ledger_failed.as_deref()),
        mix,
        series: series(&parts),
        histograms,
        ..first.clone()
    })
}

fn check(first: &LoadReport, reports: &[LoadReport]) -> Result<(), MergeError> {
    let mut seen = BTreeSet::new();
    let mut of = None;
    for report in reports {
        for (what, one, other) in [
            ("generator", &first.generator, &report.generator),
            ("profile", &first.profile, &report.profile),
            ("seed", &first.seed, &report.seed),
            ("nonce", &first.nonce, &report.nonce),
            ("pace", &first.pace, &report.pace),
        ] {
            if one != other {
                return Err(MergeError::Differ { what, one: one.clone(), other: other.clone() });
            }
        }
        if let Some(Difference { what, one, other }) = first.asked.differs(&report.asked) {
            return Err(MergeError::Differ { what, one, other });
        }
        let shard = report.shard.as_deref().and_then(|shard| {
            let (part, parts) = shard.split_once('/')?;
            Some((part.parse::<u64>().ok()?, parts.parse::<u64>().ok()?))
        });
        let shard = shard.filter(|(part, parts)| part < parts);
        let Some((part, parts)) = shard else {
            return Err(MergeError::Whole { target: report.target.clone(), started_ms: report.started_ms });
        };
        if let Some(of) = of.filter(|of| *of != parts) {
            let [one, other] = [of, parts].map(|parts| format!("of {parts}"));
            return Err(MergeError::Differ { what: "shards", one, other });
        }
        of = Some(parts);
        if !seen.insert(part) {
            return Err(MergeError::Twice(format!("{part}/{parts}")));
        }
    }
    let began = || reports.iter().map(|report| report.started_ms);
    let apart_ms = began().max().unwrap_or_default() - began().min().unwrap_or_default();
    if apart_ms > APART_MS {
        return Err(MergeError::Apart { seconds: apart_ms as f64 / 1e3 });
    }
    for report in reports {
        // One behind the other, however long they are: what is far behind would be filled up to.
        let most = (report.series.len() as f64 + 1.0) * width(report);
        if let Some(stray) = report.series.iter().find(|one| !(0.0..=most).contains(&one.at_s)) {
            let shard = report.shard.clone().unwrap_or_default();
            return Err(MergeError::Interval(shard, stray.at_s, report.series.len()));
        }
    }
    let parts = of.unwrap_or_default();
    if (seen.len() as u64) < parts {
        // A few names are enough.
        let missing = (0..parts).filter(|part| !seen.contains(part)).take(20);
        return Err(MergeError::Missing(missing.map(|part| format!("{part}/{parts}")).collect()));
    }
    Ok(())
}

impl LoadHistograms {
    /// Those of all reports together.
    pub(super) fn joined(reports: &[LoadReport]) -> Self {
        let join =
            |of: fn(&Self) -> &String| packed::write(&sum(reports.iter().map(|one| of(&one.histograms))));
        Self {
            latency: join(|all| &all.latency),
            service: join(|all| &all.service),
            publish_delay: join(|all| &all.publish_delay),
            scheduling_lag: join(|all| &all.scheduling_lag),
        }
    }
}

/// The bucket-wise sum.
fn sum<'a>(texts: impl Iterator<Item = &'a String>) -> Histogram<u64> {
    let mut whole = histogram();
    for text in texts {
        // They are of one range, and were read before.
        let added = packed::read(text).is_ok_and(|one| whole.add(one).is_ok());
        debug_assert!(added);
    }
    whole
}

fn add_counts(sum: &mut BTreeMap<String, u64>, counts: &BTreeMap<String, u64>) {
    for (name, count) in counts {
        *sum.entry(name.clone()).or_default() += count;
    }
}

/// The lowest rate of those shards that were too slow. Where it was not the rate that was too much for one of them, no rate is fine.
fn fine_at(reports: &[LoadReport]) -> Option<f64> {
    let slow = reports.iter().filter(|report| report.saturation.is_some());
    let rates = slow.map(|report| report.fine_at).collect::<Option<Vec<f64>>>()?;
    rates.into_iter().min_by(f64::total_cmp)
}

fn summary(
    parts: &[(f64, &LoadReport)],
    histograms: &LoadHistograms,
    audit: Option<&LoadAudit>,
) -> LoadSummary {
    let total =
        |of: fn(&LoadSummary) -> u64| parts.iter().map(|(_, report)| of(&report.summary)).sum::<u64>();
    let known = |of: fn(&LoadSummary) -> Option<u64>| {
        parts.iter().map(|(_, report)| of(&report.summary)).sum::<Option<u64>>()
    };
    // Trouble that is known is told, though not all of it may be.
    let least = |of: fn(&LoadAudit) -> u64| audit.map(of).filter(|count| *count > 0);
    let mean = |of: fn(&LoadSummary) -> Option<f64>, weight: fn(&LoadReport) -> f64| {
        let weighed =
            parts.iter().map(|(_, report)| Some((of(&report.summary)? * weight(report), weight(report))));
        let weighed: Vec<(f64, f64)> = weighed.collect::<Option<_>>()?;
        let (sum, weights) = weighed.into_iter().fold((0.0, 0.0), |(a, b), (c, d)| (a + c, b + d));
        (weights > 0.0).then(|| sum / weights)
    };
    let latest = |of: fn(&LoadSummary) -> f64| {
        parts.iter().map(|(after, report)| after + of(&report.summary)).fold(0.0, f64::max)
    };
    let mut errors_by_kind = BTreeMap::new();
    parts.iter().for_each(|(_, report)| add_counts(&mut errors_by_kind, &report.summary.errors_by_kind));
    let mut injected = BTreeMap::new();
    parts.iter().for_each(|(_, report)| add_counts(&mut injected, &report.summary.injected));
    let percentiles = |text: &String| Percentiles::of(&sum(std::iter::once(text)));
    let attempts = total(|one| one.attempts);
    let sent_s = latest(|one| if one.attempts > 0 { one.attempts as f64 / one.sent_per_second } else { 0.0 });
    LoadSummary {
        planned: total(|one| one.planned),
        dropped_by_generator: total(|one| one.dropped_by_generator),
        unsent_at_stop: total(|one| one.unsent_at_stop),
        attempts,
        acknowledged: total(|one| one.acknowledged),
        errors: total(|one| one.errors),
        errors_by_kind,
        injected,
        ambiguous: total(|one| one.ambiguous),
        lost: known(|one| one.lost).or(least(|audit| audit.lost)),
        duplicated: known(|one| one.duplicated).or(least(|audit| audit.duplicated)),
        due_for_s: latest(|one| one.due_for_s),
        seconds: latest(|one| one.seconds),
        sent_per_second: if sent_s > 0.0 { attempts as f64 / sent_s } else { 0.0 },
        latency_us: percentiles(&histograms.latency),
        service_us: percentiles(&histograms.service),
        publish_delay_us: percentiles(&histograms.publish_delay),
        scheduling_lag_us: percentiles(&histograms.scheduling_lag),
        connections_opened: total(|one| one.connections_opened),
        connections_failed: total(|one| one.connections_failed),
        out_of_sockets: total(|one| one.out_of_sockets),
        most_waiting: parts.iter().map(|(_, report)| report.summary.most_waiting).sum(),
        cpu_us_per_attempt: mean(|one| one.cpu_us_per_attempt, |report| report.summary.attempts as f64),
        cpu: mean(|one| one.cpu, |report| report.summary.seconds * report.threads as f64),
    }
}

/// Said of a shard whose effects were not to be seen, beside others that have found trouble.
const NOBODY: &str = "nobody looked at its effects";

/// What became of the webhooks of all shards, where somebody looked for each. Whoever looks sees the effects of all of them. What
/// one shard has lost is lost, though nobody looked for those of another, or not to the end.
fn audit(reports: &[LoadReport]) -> Option<LoadAudit> {
    let audits: Vec<&LoadAudit> = reports.iter().filter_map(|report| report.audit.as_ref()).collect();
    let is_one_unseen = reports.iter().any(|report| report.audit.is_none() && report.audit_failed.is_none());
    if is_one_unseen && audits.iter().all(|audit| audit.is_clean()) {
        return None;
    }
    let total = |of: fn(&LoadAudit) -> u64| audits.iter().map(|audit| of(audit)).sum::<u64>();
    let most = |of: fn(&LoadAudit) -> u64| audits.iter().map(|audit| of(audit)).max().unwrap_or_default();
    let mut named: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (kind, names) in audits.iter().flat_map(|audit| &audit.named) {
        named.entry(kind.clone()).or_default().extend(names.iter().cloned());
    }
    named.values_mut().for_each(|names| {
        names.sort_unstable();
        names.dedup();
        names.truncate(NAMED);
    });
    Some(LoadAudit {
        rung: audits.first()?.rung.clone(),
        effects: most(|audit| audit.effects),
        lost: total(|audit| audit.lost),
        duplicated: total(|audit| audit.duplicated),
        corrupted: total(|audit| audit.corrupted),
        stale_overwrite: total(|audit| audit.stale_overwrite),
        // Strangers are seen by all, and what is of a shard's own calls by that one alone.
        phantom: most(|audit| audit.phantom.saturating_sub(audit.never_sent))
            + total(|audit| audit.never_sent),
        never_sent: total(|audit| audit.never_sent),
        quarantined: most(|audit| audit.quarantined),
        of_other_shards: 0,
        of_earlier_loads: most(|audit| audit.of_earlier_loads),
        ambiguous: total(|audit| audit.ambiguous),
        refused: total(|audit| audit.refused),
        // What one has lost when it had come to rest is lost, though another had not.
        is_unsettled: audits.iter().any(|audit| audit.is_unsettled)
            && audits.iter().all(|audit| audit.is_unsettled || audit.lost == 0),
        named,
    })
}

/// Clocks may differ, but no shard begins so much later than another.
const APART_MS: u64 = 60_000;

/// How long the intervals of a report are.
fn width(report: &LoadReport) -> f64 {
    match report.series.as_slice() {
        [one, two, ..] => two.at_s - one.at_s,
        _ => 1.0,
    }
}

/// Intervals side by side; those of the longest kind, for each is some of the shorter ones.
fn series(parts: &[(f64, &LoadReport)]) -> Vec<LoadInterval> {
    let wide = parts.iter().map(|(_, report)| width(report)).fold(1.0, f64::max);
    let mut joined: BTreeMap<u64, Vec<&LoadInterval>> = BTreeMap::new();
    let mut end = 0.0_f64;
    for (after, report) in parts {
        let shift = (after / wide).round();
        for interval in &report.series {
            end = end.max(shift * wide + interval.at_s + interval.seconds);
            // A little more, lest a whole number be read as just below it.
            let place = ((interval.at_s + 1e-6) / wide).floor() + shift;
            joined.entry(place as u64).or_default().push(interval);
        }
    }
    let last = joined.keys().next_back().copied().unwrap_or_default();
    let interval = |place: u64| {
        let intervals = joined.get(&place).map(Vec::as_slice).unwrap_or_default();
        let total = |of: fn(&LoadInterval) -> u64| intervals.iter().map(|one| of(one)).sum();
        let at_s = place as f64 * wide;
        LoadInterval {
            at_s,
            seconds: if place == last { (end - at_s).max(0.001) } else { wide },
            planned: total(|one| one.planned),
            sent: total(|one| one.sent),
            acknowledged: total(|one| one.acknowledged),
            errors: total(|one| one.errors),
            latency: packed::write(&sum(intervals.iter().map(|one| &one.latency))),
        }
    };
    if joined.is_empty() { Vec::new() } else { (0..=last).map(interval).collect() }
}

#[cfg(test)]
mod tests;
