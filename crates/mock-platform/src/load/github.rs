//! What GitHub Actions is told of a load, and of two that were compared. Pure.

use super::compare::{Change, LoadComparison};
use super::report::LoadReport;
use crate::judge::report::github::{command, lines};

const TITLE: &str = "piopiy-mock load";

impl LoadReport {
    /// Workflow commands: what does not hold is an error, and what says nothing is a warning.
    #[must_use]
    pub fn annotations(&self) -> String {
        let broken = self.thresholds.iter().filter_map(|threshold| {
            let kind = if threshold.is_failed() && self.is_measured() { "error" } else { "warning" };
            Some(command(kind, TITLE, threshold.broken.as_ref()?))
        });
        let wrong = self.audit.iter().filter(|audit| !audit.is_clean()).map(|audit| {
            let counts = [
                ("lost", audit.lost),
                ("duplicated", audit.duplicated),
                ("corrupted", audit.corrupted),
                ("stale_overwrite", audit.stale_overwrite),
                ("phantom", audit.phantom),
            ];
            let told = counts.iter().filter(|(_, count)| *count > 0);
            let told: Vec<String> = told.map(|(name, count)| format!("{name} {count}")).collect();
            command(
                if self.verdict() == "failed" { "error" } else { "warning" },
                TITLE,
                &format!("effects: {}", told.join(", ")),
            )
        });
        let refused = (self.judged().1 == Some("not_acknowledged")).then(|| {
            command("error", TITLE, &format!("none of {} webhooks was acknowledged", self.summary.attempts))
        });
        let saturated = self
            .saturation
            .iter()
            .map(|reason| command("warning", TITLE, &format!("inconclusive: {reason}")));
        let gave_way = self.gave_way.iter().map(|reason| {
            command(
                if self.is_measured() { "error" } else { "warning" },
                TITLE,
                &format!("gave way: {reason}"),
            )
        });
        let unseen = self.audit_failed.iter().map(|reason| {
            command("warning", TITLE, &format!("inconclusive: effects could not be seen: {reason}"))
        });
        let cut_short = self
            .ledger_failed
            .iter()
            .map(|reason| command("warning", TITLE, &format!("inconclusive: it ended early: {reason}")));
        let unfinished = self.capacity.iter().filter_map(|capacity| capacity.unfinished.as_ref());
        let unfinished = unfinished.map(|reason| {
            let told = format!("inconclusive: the search did not come to its end: {reason}");
            command("warning", TITLE, &told)
        });
        broken
            .chain(wrong)
            .chain(refused)
            .chain(gave_way)
            .chain(saturated)
            .chain(unseen)
            .chain(cut_short)
            .chain(unfinished)
            .collect()
    }

    /// Lines of `$GITHUB_OUTPUT`: `result`, `failed` with the thresholds that do not hold, `seed`.
    #[must_use]
    pub fn outputs(&self) -> String {
        let broken = self.thresholds.iter().filter(|threshold| threshold.is_failed() && self.is_measured());
        let failed: Vec<&str> = broken.map(|threshold| threshold.threshold.as_str()).collect();
        lines(&[("result", self.verdict()), ("failed", &failed.join(",")), ("seed", &self.seed)])
    }
}

impl LoadReport {
    /// Whether its figures say anything of the receiver.
    fn is_measured(&self) -> bool {
        !self.stopped && self.saturation.is_none() && self.ledger_failed.is_none()
    }
}

impl LoadComparison {
    /// Workflow commands: what is worse is an error, what may be so a warning.
    #[must_use]
    pub fn annotations(&self) -> String {
        let figures = self.figures.iter().filter_map(|figure| {
            let (kind, word) = match figure.change {
                Change::Worse if self.inconclusive.is_some() => ("warning", "seems to be worse"),
                Change::Worse => ("error", "is worse"),
                Change::Unclear => ("warning", "may be worse"),
                _ => return None,
            };
            let by = figure.worse_by.unwrap_or_default() * 100.0;
            Some(command(kind, TITLE, &format!("{} {word} than before, by {by:.1} %", figure.name)))
        });
        let unfit = self
            .inconclusive
            .iter()
            .map(|reason| command("warning", TITLE, &format!("inconclusive: {reason}")));
        let warnings = self.warnings.iter().map(|warning| command("warning", TITLE, warning));
        figures.chain(warnings).chain(unfit).collect()
    }

    /// Lines of `$GITHUB_OUTPUT`: `result`, and `failed` with the figures that are worse, where the comparison says anything.
    #[must_use]
    pub fn outputs(&self) -> String {
        let is_sure = self.inconclusive.is_none();
        let worse: Vec<&str> = self.regressions().filter(|_| is_sure).map(|figure| figure.name).collect();
        let result = match () {
            () if self.inconclusive.is_some() => "inconclusive",
            () if worse.is_empty() => "passed",
            () => "regression",
        };
        lines(&[("result", result), ("failed", &worse.join(","))])
    }
}

#[cfg(test)]
mod tests {
    use crate::load::audit::LoadAudit;
    use crate::load::report::testing::{Sent, report};

    #[test]
    fn what_does_not_hold_is_an_error_and_an_output() {
        let mut report = report(&Sent::each_second(3));
        assert_eq!(
            (report.annotations(), report.outputs()),
            (String::new(), "result=passed\nfailed=\nseed=0x5eed\n".replace("0x5eed", &report.seed))
        );
        report.judge(&["errors==0".parse().unwrap(), "p99<1us".parse().unwrap()]);
        assert_eq!(
            report.annotations(),
            "::error title=piopiy-mock load::p99<1us does not hold: it is 1 ms\n"
        );
        assert!(report.outputs().starts_with("result=failed\nfailed=p99<1us\n"), "{}", report.outputs());
        report.audit = Some(LoadAudit { lost: 5, phantom: 1, ..LoadAudit::default() });
        assert!(
            report.annotations().ends_with("::error title=piopiy-mock load::effects: lost 5, phantom 1\n"),
            "{}",
            report.annotations()
        );
        report.audit = None;
        report.saturation = Some("it dropped 100 %".to_owned());
        let told = report.annotations();
        assert!(told.starts_with("::warning title=piopiy-mock load::p99<1us does not hold"), "{told}");
        assert!(report.outputs().starts_with("result=inconclusive\nfailed=\n"), "{}", report.outputs());
        report.audit = Some(LoadAudit { duplicated: 1, ..LoadAudit::default() });
        assert!(report.outputs().starts_with("result=failed\nfailed=\n"), "{}", report.outputs());
        let told = report.annotations();
        assert!(
            told.starts_with("::warning") && told.contains("::error title=piopiy-mock load::effects:"),
            "{told}"
        );
        assert!(
            report
                .annotations()
                .ends_with("::warning title=piopiy-mock load::inconclusive: it dropped 100 %25\n")
        );
    }
}
