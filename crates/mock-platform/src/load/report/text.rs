use std::fmt;

use super::LoadReport;

impl fmt::Display for LoadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let summary = &self.summary;
        writeln!(f, "{}, over {} connections and {} threads", self.pace, self.connections, self.threads)?;
        writeln!(
            f,
            "planned {}, sent {}, acknowledged {}, errors {}, dropped by the generator {}",
            summary.planned,
            summary.attempts,
            summary.acknowledged,
            summary.errors,
            summary.dropped()
        )?;
        if self.stopped {
            writeln!(f, "stopped before its end: {} were due, and not sent", summary.unsent_at_stop)?;
        }
        if !summary.errors_by_kind.is_empty() {
            let kinds: Vec<String> =
                summary.errors_by_kind.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
            writeln!(f, "errors: {}", kinds.join(", "))?;
        }
        let known =
            |count: Option<u64>| count.map_or_else(|| "unknown".to_owned(), |count| count.to_string());
        writeln!(f, "lost {}, duplicated {}", known(summary.lost), known(summary.duplicated))?;
        if !summary.injected.is_empty() {
            let kinds: Vec<String> =
                summary.injected.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
            writeln!(f, "on purpose: {}", kinds.join(", "))?;
        }
        if let Some(audit) = &self.audit {
            write!(f, "{audit}")?;
        }
        if let Some(reason) = &self.audit_failed {
            writeln!(f, "what the receiver did could not be seen to the end: {reason}")?;
        }
        if let Some(reason) = &self.ledger_failed {
            writeln!(f, "it ended early: {reason}")?;
        }
        writeln!(f, "{:.1} webhooks per second over {:.1} s", summary.sent_per_second, summary.seconds)?;
        writeln!(f, "{:<18}{:>10}{:>10}{:>10}{:>10}{:>10}", "ms", "p50", "p90", "p99", "p99.9", "max")?;
        for (name, times) in self.times() {
            write!(f, "{name:<18}")?;
            for us in [times.p50, times.p90, times.p99, times.p999, times.max] {
                write!(f, "{:>10.3}", us as f64 / 1e3)?;
            }
            writeln!(f)?;
        }
        if let Some(capacity) = &self.capacity {
            write!(f, "{capacity}")?;
        }
        if let Some(reason) = &self.gave_way {
            writeln!(f, "gave way: {reason}")?;
        }
        match &self.saturation {
            Some(reason) => writeln!(f, "inconclusive: generator: {reason}"),
            None => Ok(()),
        }
    }
}
