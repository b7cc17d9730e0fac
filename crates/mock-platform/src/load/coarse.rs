//! Latencies in few steps, cheap enough to be told while a load goes on: four to each doubling.

/// So many steps reach beyond an hour.
pub(super) const STEPS: usize = 128;

/// How many took how long.
pub(super) type Coarse = [u64; STEPS];

/// The step of a time in microseconds.
pub(super) fn step(us: u64) -> usize {
    if us < 4 {
        return us as usize;
    }
    let octave = 63 - us.leading_zeros() as usize;
    ((octave - 1) * 4 + ((us >> (octave - 2)) & 3) as usize).min(STEPS - 1)
}

/// Where a step ends: all that is in it took less, in microseconds.
pub(super) const fn end(step: usize) -> u64 {
    if step < 4 {
        return step as u64 + 1;
    }
    let octave = step / 4 + 1;
    (step as u64 % 4 + 5) << (octave - 2)
}

/// What so many in a thousand took at most, in microseconds; `None` where there were none.
pub(super) fn quantile(counts: &Coarse, thousandths: u64) -> Option<u64> {
    let total: u64 = counts.iter().sum();
    let rank = (total * thousandths).div_ceil(1_000).max(1);
    let mut passed = 0;
    let step = counts.iter().position(|count| {
        passed += count;
        passed >= rank
    })?;
    Some(end(step))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_time_is_in_its_step() {
        proptest!(|(us in 0..3_600_000_000_u64)| {
            let step = step(us);
            prop_assert!(us < end(step), "{us} in {step}");
            prop_assert!(step == 0 || us >= end(step - 1));
            prop_assert!(end(step) as f64 <= us as f64 * 1.25 + 1.0);
        });
        assert_eq!(step(u64::MAX), STEPS - 1);
    }

    #[test]
    fn quantiles_are_the_ends_of_steps() {
        let mut counts = [0; STEPS];
        assert_eq!(quantile(&counts, 500), None);
        for us in 1..=100 {
            counts[step(us * 1_000)] += 1;
        }
        let within = |thousandths, us: u64| {
            let at = quantile(&counts, thousandths).unwrap();
            assert!((us..=us * 5 / 4 + 1).contains(&at), "{at} for {us}");
        };
        within(500, 50_000);
        within(990, 99_000);
        within(1_000, 100_000);
    }
}
