const MICROS: i64 = 1_000_000;
const DAY: i64 = 86_400;

/// When something was, in milliseconds since the first: the finer, the nearer to it.
///
/// # Examples
/// ```
/// assert_eq!([4, 10_000, 100_000].map(piopiy_ladder::since), ["0.004", "10.0", "1:40"]);
/// ```
#[must_use]
pub fn since(ms: u64) -> String {
    match ms {
        0..10_000 => format!("{}.{:03}", ms / 1_000, ms % 1_000),
        10_000..100_000 => format!("{}.{}", ms / 1_000, ms % 1_000 / 100),
        _ => format!("{}:{:02}", ms / 60_000, ms / 1_000 % 60),
    }
}

/// Microseconds since the epoch, as people read them, in UTC.
///
/// # Examples
/// ```
/// assert_eq!(piopiy_ladder::utc(1_795_867_201_123_000), "2026-11-28 12:00:01.123");
/// ```
#[must_use]
pub fn utc(micros: i64) -> String {
    let (days, within) = (micros.div_euclid(DAY * MICROS), micros.rem_euclid(DAY * MICROS));
    let (year, month, day) = date_of(days);
    let (seconds, millis) = (within / MICROS, within % MICROS / 1000);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{millis:03}")
}

/// Year, month and day of so many days since the epoch.
#[must_use]
pub fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, later) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + later, month, day)
}

#[cfg(test)]
mod tests {
    use super::{since, utc};

    #[test]
    fn times_are_as_fine_as_they_need_to_be() {
        assert_eq!([0, 4, 9_999].map(since), ["0.000", "0.004", "9.999"]);
        assert_eq!([10_000, 99_949].map(since), ["10.0", "99.9"]);
        assert_eq!([100_000, 3_600_000].map(since), ["1:40", "60:00"]);
    }

    #[test]
    fn an_instant_before_the_epoch_is_shown_too() {
        assert_eq!(utc(-1_000_000), "1969-12-31 23:59:59.000");
        assert_eq!(utc(1_709_164_800_000_000), "2024-02-29 00:00:00.000");
    }
}
