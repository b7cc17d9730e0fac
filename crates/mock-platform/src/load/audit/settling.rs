use std::time::Duration;

/// Whether a receiver has come to rest, by what one look at its effects after the other shows. Pure: instants are from its beginning.
#[derive(Debug, Clone)]
pub(super) struct Settling {
    settle: Duration,
    /// When something was new last, or nothing could be seen.
    changed: Duration,
    /// When its effects could be seen last.
    seen: Duration,
    /// When something was new last.
    news: Duration,
}

/// What a look comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    NotYet,
    /// Nothing more comes.
    Settled,
    /// More comes, and has for long enough.
    Unsettled,
    /// Nothing can be seen, and has not been for long enough.
    Unseen,
}

/// A receiver that changes without an end is looked at for this many times the settling time.
const MOST_SETTLES: u32 = 60;
/// How long a receiver that was overloaded may take to show its effects again.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

impl Settling {
    pub(super) fn new(settle: Duration) -> Self {
        Self { settle, changed: Duration::ZERO, seen: Duration::ZERO, news: Duration::ZERO }
    }

    /// A look that was begun and ended then, and whether it showed something new; `None` where it showed nothing at all.
    pub(super) fn looked(&mut self, began: Duration, ended: Duration, is_new: Option<bool>) -> Rest {
        let most = self.settle.saturating_mul(MOST_SETTLES).max(PATIENCE);
        // One that can be seen only now and then never rests for as long as it is to.
        let is_over = began.saturating_sub(self.news) > most;
        match is_new {
            // Reading what there is may take as long as it will: what was new behind the limit is what does not cease.
            Some(true) if began > most => Rest::Unsettled,
            Some(true) => {
                (self.seen, self.changed, self.news) = (ended, ended, ended);
                Rest::NotYet
            }
            Some(false) => {
                self.seen = ended;
                match () {
                    () if ended.saturating_sub(self.changed) >= self.settle => Rest::Settled,
                    () if is_over => Rest::Unsettled,
                    () => Rest::NotYet,
                }
            }
            None if is_over || ended.saturating_sub(self.seen) > PATIENCE => Rest::Unseen,
            None => {
                self.changed = ended;
                Rest::NotYet
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks of so many milliseconds each, one right behind the other, with what each of them shows.
    fn rests(looks: impl IntoIterator<Item = (u64, Option<bool>)>) -> (Rest, u64) {
        let mut settling = Settling::new(Duration::from_millis(500));
        let mut now = 0;
        for (ms, is_new) in looks {
            let (began, ended) = (now, now + ms);
            now = ended;
            let rest = settling.looked(Duration::from_millis(began), Duration::from_millis(ended), is_new);
            if rest != Rest::NotYet {
                return (rest, now);
            }
        }
        (Rest::NotYet, now)
    }

    #[test]
    fn it_is_at_rest_when_nothing_was_new_for_a_while() {
        assert_eq!(rests(vec![(50, Some(false)); 20]), (Rest::Settled, 500));
        assert_eq!(rests([(50, Some(true)), (50, Some(false)), (400, Some(false))]), (Rest::NotYet, 500));
        let trickle = (0..2_000).map(|n| (50, Some(n % 8 == 0)));
        // Behind half a minute, and then with the next that is new.
        let (rest, ms) = rests(trickle);
        assert_eq!(rest, Rest::Unsettled);
        assert!((30_000..=30_500).contains(&ms), "{ms}");
    }

    #[test]
    fn a_look_that_fails_once_is_no_end_however_long_ago_it_began() {
        // It is read for long, and then it has no time for a moment.
        let looks = [(25_000, Some(true)), (50, None), (50, Some(false)), (500, Some(false))];
        assert_eq!(rests(looks), (Rest::Settled, 25_600));
        // It does not come back.
        let gone = std::iter::once((25_000, Some(true))).chain(std::iter::repeat_n((50, None), 400));
        assert_eq!(rests(gone), (Rest::Unseen, 35_050));
    }

    #[test]
    fn one_that_is_seen_only_now_and_then_is_not_waited_for_without_an_end() {
        let now_and_then = (0..2_000).map(|n| (50, (n % 4 > 0).then_some(false)));
        let (rest, ms) = rests(now_and_then);
        assert!(matches!(rest, Rest::Unsettled | Rest::Unseen), "{rest:?}");
        assert!((30_000..=30_500).contains(&ms), "{ms}");
    }

    #[test]
    fn reading_may_take_as_long_as_it_will() {
        let looks = [(90_000, Some(true)), (50, Some(false)), (450, Some(false))];
        assert_eq!(rests(looks), (Rest::Settled, 90_500));
    }
}
