//! Whether what a receiver takes up grows with what it is sent.

use super::{Case, Findings, Flow, Flowed, Sample, Signal, Step, Usage};

/// Caches, pools and allocators fill up at first.
const FLOOR_BYTES: u64 = 16 << 20;
/// Connections come and go while it is measured.
const FLOOR_DESCRIPTORS: u64 = 16;

/// A flow into a fresh process: what all checks before have filled up would be large enough to hide what comes on top.
pub(super) fn case(flow: Flow) -> Case {
    Case::new("").step(Step::Stop(Signal::Terminate)).step(Step::Start).step(Step::Flow(flow)).may_overload()
}

/// How much more the receiver took up in the last third of a flow than in the second; `None` where the system does not
/// tell.
pub(super) struct Growth {
    pub(super) bytes: u64,
    pub(super) descriptors: u64,
    /// Webhooks from the middle of the second third to that of the last.
    pub(super) webhooks: u32,
    /// What it took up in the second third.
    pub(super) from_bytes: u64,
    /// What it takes up in the end.
    pub(super) to_bytes: u64,
}

impl Growth {
    pub(super) fn of(flowed: &Flowed) -> Option<Self> {
        let third = flowed.samples.len() / 3;
        let (before, after) = (&flowed.samples[third..2 * third], &flowed.samples[2 * third..]);
        let (from_bytes, to_bytes) =
            (median(before, Usage::resident_bytes)?, median(after, Usage::resident_bytes)?);
        let from_descriptors = median(before, Usage::descriptors)?;
        let middle = |part: &[Sample]| part.get(part.len() / 2).map_or(0, |sample| sample.sent);
        Some(Self {
            bytes: to_bytes.saturating_sub(from_bytes),
            descriptors: median(after, Usage::descriptors)?.saturating_sub(from_descriptors),
            webhooks: middle(after).saturating_sub(middle(before)),
            from_bytes,
            to_bytes: after.last()?.usage.as_ref()?.resident_bytes(),
        })
    }
}

/// The upper median: what only goes up and down is no growth.
fn median(samples: &[Sample], what: fn(&Usage) -> u64) -> Option<u64> {
    let mut values: Vec<u64> =
        samples.iter().map(|sample| sample.usage.as_ref().map(what)).collect::<Option<_>>()?;
    values.sort_unstable();
    values.get(values.len() / 2).copied()
}

/// Memory and descriptors stay what they were, all but `bytes_per_webhook`.
pub(super) fn judge(flowed: &Flowed, bytes_per_webhook: u64, findings: &mut Findings) {
    if flowed.acknowledged == 0 {
        let trouble = flowed.trouble.as_deref().unwrap_or("none was sent");
        findings.fail("", format!("none of {} webhooks was acknowledged: {trouble}", flowed.sent));
        return;
    }
    let Some(growth) = Growth::of(flowed) else {
        findings.not_observed("", "this system does not tell what a process takes up");
        return;
    };
    let limit = FLOOR_BYTES.max(growth.from_bytes / 10) + bytes_per_webhook * u64::from(growth.webhooks);
    if growth.bytes > limit {
        findings.fail(
            "",
            format!(
                "memory grew from {} to {} over {} webhooks, limit {}",
                mib(growth.from_bytes),
                mib(growth.from_bytes + growth.bytes),
                growth.webhooks,
                mib(limit)
            ),
        );
    }
    if growth.descriptors > FLOOR_DESCRIPTORS {
        let text =
            format!("{} more open file descriptors after {} webhooks", growth.descriptors, growth.webhooks);
        findings.fail("", text);
    }
    findings.note(format!("{} in use after {} webhooks", mib(growth.to_bytes), flowed.sent));
}

fn mib(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::check::ProcessUsage;

    fn check(resident_mib: &[u64], descriptors: &[u64], expected: Option<(u64, u64)>) {
        let samples = resident_mib.iter().zip(descriptors).zip(1..).map(|((mib, descriptors), n)| {
            let process =
                ProcessUsage { resident_bytes: mib << 20, descriptors: *descriptors, ..Default::default() };
            Sample { sent: n * 100, usage: Some(Usage { processes: [(1, process)].into() }) }
        });
        let flowed = Flowed { samples: samples.collect(), ..Flowed::default() };
        let growth = Growth::of(&flowed);
        assert_eq!(growth.map(|growth| (growth.bytes >> 20, growth.descriptors)), expected);
    }

    #[test]
    fn growth_is_what_does_not_come_down_again() {
        check(&[10, 20, 30, 31, 29, 30], &[9; 6], Some((0, 0)));
        check(&[10, 20, 30, 90, 60, 90], &[9; 6], Some((0, 0)));
        check(&[10, 20, 30, 40, 50, 60], &[10, 20, 30, 40, 50, 60], Some((20, 20)));
        check(&[10], &[9], None);
        check(&[], &[], None);
    }
}
