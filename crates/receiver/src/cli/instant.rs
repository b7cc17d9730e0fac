//! Instants, as people write and read them. All of them are UTC.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use piopiy_ladder::date_of;
pub(super) use piopiy_ladder::utc as shown;

use super::quantity;

const MICROS: i64 = 1_000_000;
const DAY: i64 = 86_400;

/// Reads `2026-11-28`, `2026-11-28T12:00:00Z`, seconds since the epoch, or a time before now such as `24h`; the
/// microseconds since the epoch.
pub(super) fn instant(text: &str) -> Result<i64, String> {
    let seconds = match text.parse::<i64>() {
        Ok(seconds) => Some(seconds),
        Err(_) if text.contains('-') => civil(text),
        Err(_) => quantity::age(text).ok().and_then(before_now),
    };
    seconds.and_then(|seconds| seconds.checked_mul(MICROS)).ok_or_else(|| {
        "expected such as 2026-11-28, 2026-11-28T12:00:00Z (UTC), seconds since the epoch, or 24h or 7d for so long ago"
            .to_owned()
    })
}

/// Now, in microseconds since the epoch.
pub(super) fn now() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_micros()).unwrap_or(i64::MAX)
}

fn before_now(age: Duration) -> Option<i64> {
    Some(now() / MICROS - i64::try_from(age.as_secs()).ok()?)
}

/// Seconds since the epoch of a date, or of a date and a time.
fn civil(text: &str) -> Option<i64> {
    let (date, time) = match text.split_once('T') {
        Some((date, time)) => (date, time.strip_suffix('Z')?),
        None => (text, "00:00:00"),
    };
    let [year, month, day] = numbers(date, '-')?;
    let [hour, minute, second] = numbers(time, ':')?;
    let days = days_of(year, month, day)?;
    let is_time = hour < 24 && minute < 60 && second < 60;
    is_time.then_some(days * DAY + hour * 3600 + minute * 60 + second)
}

fn numbers(text: &str, separator: char) -> Option<[i64; 3]> {
    let is_number = |part: &&str| part.len() <= 4 && part.bytes().all(|byte| byte.is_ascii_digit());
    let parts: Option<Vec<i64>> =
        text.split(separator).map(|part| Some(part).filter(is_number)?.parse().ok()).collect();
    parts?.try_into().ok()
}

/// Days since the epoch; `None` where there is no such day.
fn days_of(year: i64, month: i64, day: i64) -> Option<i64> {
    // The Gregorian calendar, with years that begin in March, so that leap days come last.
    let (shifted, since_march) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let within = (153 * since_march + 2) / 5 + day - 1;
    let days =
        shifted * 365 + shifted.div_euclid(4) - shifted.div_euclid(100) + shifted.div_euclid(400) + within
            - 719_468;
    (date_of(days) == (year, month, day)).then_some(days)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_read_and_shown() {
        let check = |text, seconds: i64, told: &str| {
            assert_eq!(instant(text), Ok(seconds * MICROS), "{text}");
            assert_eq!(shown(seconds * MICROS), told);
        };
        check("0", 0, "1970-01-01 00:00:00.000");
        check("1970-01-01", 0, "1970-01-01 00:00:00.000");
        check("2026-11-28T12:00:01Z", 1_795_867_201, "2026-11-28 12:00:01.000");
        check("2024-02-29", 1_709_164_800, "2024-02-29 00:00:00.000");
        check("2000-03-01T23:59:59Z", 951_955_199, "2000-03-01 23:59:59.000");
        check("-1", -1, "1969-12-31 23:59:59.000");
        let wrong = [
            "",
            "x",
            "2026-11-28T12:00:00",
            "2026-02-30",
            "2026-13-01",
            "2026-11-28T24:00:00Z",
            "1.5h",
            "99999-01-01",
        ];
        for text in wrong {
            assert!(instant(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_time_ago_is_before_now() {
        let (before, day) = (now(), 86_400 * MICROS);
        let yesterday = instant("1d").unwrap();
        assert!((before - day - MICROS..=now() - day + MICROS).contains(&yesterday), "{yesterday}");
    }

    #[test]
    fn every_day_is_itself() {
        for days in (-200_000..200_000).step_by(37) {
            let (year, month, day) = date_of(days);
            assert_eq!(days_of(year, month, day), Some(days), "{year}-{month}-{day}");
        }
    }
}
