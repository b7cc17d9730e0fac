use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use crate::judge::Effect;

/// How long a number that was passed over may still come: a database gives numbers before what they are for is committed.
const LATE: Duration = Duration::from_secs(5);

/// What was read.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) effects: Vec<Effect>,
    /// When the last of them was read, whoever did.
    pub(super) changed: Option<Instant>,
    /// Where numbers were passed over, and when: the number before the first of them.
    passed: Vec<(u64, Instant)>,
}

impl Seen {
    /// Takes what was read behind `since`.
    pub(super) fn take(&mut self, since: u64, more: Vec<Effect>) {
        if more.is_empty() {
            return;
        }
        let now = Instant::now();
        self.changed = Some(now);
        let before = std::iter::once(since).chain(more.iter().map(|effect| effect.seq));
        let mut pairs = before.zip(&more);
        if let Some((before, _)) = pairs.find(|(before, effect)| effect.seq > before.saturating_add(1)) {
            self.passed.push((before, now));
        }
        self.effects.extend(more);
    }

    /// From where to read again, as numbers were passed over that may have come by now.
    pub(super) fn passed_over(&mut self) -> Option<u64> {
        self.passed.retain(|(_, at)| at.elapsed() < LATE);
        self.passed.iter().map(|(before, _)| *before).min()
    }

    /// Takes what was passed over before; false if that is nothing.
    pub(super) fn take_late(&mut self, again: Vec<Effect>) -> bool {
        let known: BTreeSet<u64> = self.effects.iter().map(|effect| effect.seq).collect();
        let late: Vec<Effect> = again.into_iter().filter(|effect| !known.contains(&effect.seq)).collect();
        if late.is_empty() {
            return false;
        }
        self.changed = Some(Instant::now());
        self.effects.extend(late);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn effects(numbers: &[u64]) -> Vec<Effect> {
        let effect = |seq: &u64| serde_json::from_str(&format!("{{\"seq\":{seq}}}")).unwrap();
        numbers.iter().map(effect).collect()
    }

    fn check(reads: &[(u64, &[u64])], expected: Option<u64>) {
        let mut seen = Seen::default();
        for (since, numbers) in reads {
            seen.take(*since, effects(numbers));
        }
        assert_eq!(seen.passed_over(), expected, "{reads:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn numbers_that_were_passed_over_are_read_again_for_a_while() {
        check(&[(0, &[1, 2, 3]), (3, &[4])], None);
        check(&[(0, &[1, 3])], Some(1));
        check(&[(0, &[1]), (1, &[3]), (3, &[7])], Some(1));
        check(&[(9, &[10, 11, 14, 17])], Some(11));

        let mut seen = Seen::default();
        seen.take(0, effects(&[1, 3]));
        assert!(!seen.take_late(effects(&[3])));
        assert!(seen.take_late(effects(&[2, 3])));
        assert!(!seen.take_late(effects(&[2, 3])));
        assert_eq!(seen.effects, effects(&[1, 3, 2]));
        tokio::time::advance(LATE).await;
        assert_eq!(seen.passed_over(), None);
    }
}
