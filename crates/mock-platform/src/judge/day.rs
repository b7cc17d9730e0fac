//! The calendar, for those who read days in reports.

/// Year, month and day so many days after 1970-01-01, by the civil calendar (Howard Hinnant's `civil_from_days`).
pub(crate) fn of(days: u64) -> (u64, u64, u64) {
    let z = days + 719_468;
    let (era, of_era) = (z / 146_097, z % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn days_are_those_of_the_calendar() {
        assert_eq!(of(0), (1970, 1, 1));
        assert_eq!(of(19_782), (2024, 2, 29));
        assert_eq!(of(20_454), (2026, 1, 1));
        assert_eq!(of(20_453), (2025, 12, 31));
    }
}
