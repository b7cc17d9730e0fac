use std::fmt::{self, Write};
use std::time::Duration;

use super::Summary;

/// For people: the table that ends every run.
impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rows =
            vec![("planned", self.planned.to_string(), format!("webhooks of {}", many(self.calls, "call")))];
        if self.injected_losses > 0 {
            rows.push((
                "injected losses",
                self.injected_losses.to_string(),
                "never sent, on purpose".to_owned(),
            ));
        }
        rows.push(("acknowledged", self.acknowledged.to_string(), self.attempts_note()));
        if self.unacknowledged > 0 {
            let note = match self.ambiguous {
                0 => self.failures(),
                ambiguous => {
                    format!("{} ({ambiguous} ambiguous: the receiver may have acted)", self.failures())
                }
            };
            rows.push(("not acknowledged", self.unacknowledged.to_string(), note));
        }
        if self.interrupted > 0 {
            rows.push((
                "interrupted",
                self.interrupted.to_string(),
                "not over when the run stopped".to_owned(),
            ));
        }
        match &self.observed {
            Some(observed) => {
                rows.push((
                    "effects",
                    observed.effects.to_string(),
                    format!("of {}", many(observed.distinct, "webhook")),
                ));
                rows.push(("lost", observed.lost.to_string(), first_of(&observed.lost_webhooks)));
                rows.push((
                    "duplicated",
                    observed.duplicated.to_string(),
                    first_of(&observed.duplicated_webhooks),
                ));
                if observed.phantom > 0 {
                    rows.push(("phantom", observed.phantom.to_string(), first_of(&observed.phantom_effects)));
                }
                if observed.unattributed > 0 {
                    let note = "of bodies that have nothing to tell them by".to_owned();
                    rows.push(("unattributed", observed.unattributed.to_string(), note));
                }
                if observed.quarantined > 0 {
                    rows.push(("quarantined", observed.quarantined.to_string(), "kept aside".to_owned()));
                }
            }
            None => {
                for row in ["effects", "lost", "duplicated"] {
                    rows.push((row, "unknown".to_owned(), String::new()));
                }
                if let Some(last) = rows.last_mut() {
                    last.2 = "give --observe-url to see what the receiver did".to_owned();
                }
            }
        }
        if !self.faults.is_empty() {
            let faults: Vec<String> =
                self.faults.iter().map(|(name, count)| format!("{name} {count}")).collect();
            rows.push(("faults", self.faults.values().sum::<u64>().to_string(), faults.join(", ")));
        }
        let width = rows.iter().map(|(_, value, _)| value.len()).max().unwrap_or(0);
        for (name, value, note) in rows {
            let mut line = format!("  {name:<16} {value:>width$}");
            if !note.is_empty() {
                write!(line, "  {note}")?;
            }
            writeln!(f, "{line}")?;
        }
        for (name, times) in [("latency", &self.latency), ("started late by", &self.lateness)] {
            let Some(times) = times else { continue };
            writeln!(
                f,
                "  {name:<16} p50 {}  p95 {}  p99 {}  max {}",
                millis(times.p50_ns),
                millis(times.p95_ns),
                millis(times.p99_ns),
                millis(times.max_ns)
            )?;
        }
        writeln!(f, "  {}", self.equation())
    }
}

impl Summary {
    /// The sum in one line: `planned 120 = acknowledged 120 = effects 120, lost 0, duplicated 0`.
    #[must_use]
    pub fn equation(&self) -> String {
        let sign = |left: u64, right: u64| if left == right { "=" } else { "≠" };
        let mut line = format!("planned {}", self.planned);
        if self.injected_losses > 0 {
            // Writing to a String cannot fail.
            let _ = write!(line, " − injected losses {}", self.injected_losses);
        }
        let _ = write!(line, " {} acknowledged {}", sign(self.meant(), self.acknowledged), self.acknowledged);
        match &self.observed {
            Some(observed) => {
                let _ = write!(
                    line,
                    " {} effects {}, lost {}, duplicated {}",
                    sign(self.acknowledged, observed.effects),
                    observed.effects,
                    observed.lost,
                    observed.duplicated
                );
                if observed.phantom > 0 {
                    let _ = write!(line, ", phantom {}", observed.phantom);
                }
            }
            None => line.push_str("; effects, lost and duplicated unknown"),
        }
        line
    }

    fn attempts_note(&self) -> String {
        let mut note = format!("in {}", many(self.attempts, "attempt"));
        let more = [(self.redeliveries, "redeliveries"), (self.copies, "injected copies")];
        for (count, name) in more.into_iter().filter(|(count, _)| *count > 0) {
            let _ = write!(note, ", {count} {name}");
        }
        note
    }

    fn failures(&self) -> String {
        let failed = self.attempts_by_outcome.iter().filter(|(name, _)| *name != "acknowledged");
        let failed: Vec<String> = failed.map(|(name, count)| format!("{name} {count}")).collect();
        format!("attempts: {}", failed.join(", "))
    }
}

fn many(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn first_of(names: &[String]) -> String {
    names.first().map_or_else(String::new, |name| format!("first: {name}"))
}

fn millis(ns: u64) -> String {
    let duration = Duration::from_nanos(ns);
    format!("{:.1} ms", duration.as_secs_f64() * 1e3)
}
