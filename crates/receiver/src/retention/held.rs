use crate::Settled;

/// So many looks in a row find one destination in the way before that is told: an hour, by the default of
/// [`Retention::every`](crate::Retention::every). What is asked for again is in the way for a moment.
const LONG: u32 = 6;
/// So many looks later it is told again: after a day.
const AGAIN: u32 = 144;

/// For whose sake old records were not forgotten, look after look.
#[derive(Debug, Default)]
pub(super) struct Held {
    by: Option<String>,
    looks: u32,
}

impl Held {
    /// Warns where one destination has been in the way for long.
    pub(super) fn tell(&mut self, by: Option<Settled>) {
        let through = by.as_ref().map(|last| last.through);
        if let (true, Some(destination)) = (self.is_to_be_told(by.map(|last| last.destination)), &self.by) {
            tracing::warn!(
                destination,
                through,
                "old records are not forgotten, for this destination has yet to get them: see `piopiy-receiver forward status`; `forward remove` forgets one that is not forwarded to any more"
            );
        }
    }

    /// Notes who is in the way now.
    fn is_to_be_told(&mut self, by: Option<String>) -> bool {
        if self.by != by {
            (self.by, self.looks) = (by, 0);
        }
        self.looks = self.looks.saturating_add(1);
        self.by.is_some() && self.looks >= LONG && (self.looks - LONG).is_multiple_of(AGAIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_in_the_way_for_long_is_told_now_and_then() {
        let told = |looks: &[Option<&str>]| {
            let mut held = Held::default();
            looks.iter().filter(|by| held.is_to_be_told(by.map(str::to_owned))).count()
        };
        let long = LONG as usize;
        assert_eq!(told(&vec![Some("app"); long - 1]), 0);
        assert_eq!(told(&vec![Some("app"); long]), 1);
        assert_eq!(told(&vec![Some("app"); long + AGAIN as usize - 1]), 1);
        assert_eq!(told(&vec![Some("app"); long + AGAIN as usize]), 2);
        assert_eq!(told(&vec![None; 10 * long]), 0);
        let others: Vec<Option<&str>> = (0..10 * long).map(|look| [Some("a"), Some("b")][look % 2]).collect();
        assert_eq!(told(&others), 0, "each for a moment");
    }
}
