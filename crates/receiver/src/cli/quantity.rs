//! Durations and sizes, as people write them.

use std::time::Duration;

/// Reads `250ms`, `5s`, `10m`, `1h`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let millis_per_unit = match &text[digits.len()..] {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err("expected a number and ms, s, m or h, such as 250ms or 5s".to_owned()),
    };
    let millis = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(millis_per_unit));
    match millis {
        Some(0) => Err("must be more than nothing".to_owned()),
        Some(millis) => Ok(Duration::from_millis(millis)),
        None => Err("expected a whole number before the unit, such as 250ms or 5s".to_owned()),
    }
}

/// Reads how long ago something was, or for how long it is kept: `30m`, `24h`, `90d`, `52w`.
pub(crate) fn age(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let seconds_per_unit = match &text[digits.len()..] {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return Err("expected a number and s, m, h, d or w, such as 24h or 90d".to_owned()),
    };
    match digits.parse::<u64>().ok().and_then(|number| number.checked_mul(seconds_per_unit)) {
        Some(0) => Err("must be more than nothing".to_owned()),
        Some(seconds) => Ok(Duration::from_secs(seconds)),
        None => Err("expected a whole number before the unit, such as 24h or 90d".to_owned()),
    }
}

/// Reads `1024`, `64KiB`, `1MiB`, `1GiB`.
pub(crate) fn bytes(text: &str) -> Result<usize, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err("expected a number of bytes, or one with KiB, MiB or GiB, such as 64KiB".to_owned()),
    };
    match digits.parse::<usize>().ok().and_then(|number| number.checked_mul(unit)) {
        Some(0) => Err("must be more than nothing".to_owned()),
        Some(bytes) => Ok(bytes),
        None => Err("expected a whole number before the unit, such as 64KiB".to_owned()),
    }
}

/// Reads a part of a whole: `0.01`.
pub(crate) fn ratio(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|part| (0.0..=1.0).contains(part))
        .ok_or("expected a number from 0 to 1".to_owned())
}

/// Reads a number of things of which there must be one.
pub(crate) fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("must be at least 1".to_owned()),
        Ok(number) => Ok(number),
        Err(_) => Err("expected a whole number from 1".to_owned()),
    }
}

/// Reads `50/s`.
pub(crate) fn rate(text: &str) -> Result<u32, String> {
    match text.strip_suffix("/s").map(str::parse) {
        Some(Ok(0)) => Err("must be more than nothing".to_owned()),
        Some(Ok(number)) => Ok(number),
        _ => Err("expected a whole number for each second, such as 50/s".to_owned()),
    }
}

/// Reads a number of things of which there must be one, and no more than 4 billion.
pub(crate) fn small(text: &str) -> Result<u32, String> {
    u32::try_from(at_least_one(text)?).map_err(|_| "is too much".to_owned())
}

/// Reads a size that a request head may have.
pub(crate) fn head_bytes(text: &str) -> Result<usize, String> {
    match bytes(text)? {
        size if size < LEAST_HEAD => Err(format!("must be at least {LEAST_HEAD} bytes")),
        size => Ok(size),
    }
}

/// The HTTP library reads that much in any case.
const LEAST_HEAD: usize = 8192;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let check =
            |text, millis| assert_eq!(duration(text).ok(), Some(Duration::from_millis(millis)), "{text}");
        check("250ms", 250);
        check("5s", 5_000);
        check("10m", 600_000);
        check("1h", 3_600_000);
        for text in ["", "5", "s", "0s", "-1s", "1.5s", "5 s", "99999999999999999999s", "9999999999999999h"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn ages() {
        let check = |text, seconds| assert_eq!(age(text).ok(), Some(Duration::from_secs(seconds)), "{text}");
        check("30m", 1800);
        check("24h", 86_400);
        check("90d", 7_776_000);
        check("2w", 1_209_600);
        for text in ["", "90", "d", "0d", "-1d", "1.5d", "90 d", "90D", "99999999999999999999d"] {
            assert!(age(text).is_err(), "{text}");
        }
    }

    #[test]
    fn ratios() {
        assert_eq!((ratio("0"), ratio("0.25"), ratio("1")), (Ok(0.0), Ok(0.25), Ok(1.0)));
        for text in ["", "1%", "1.01", "-0.1", "NaN", "inf"] {
            assert!(ratio(text).is_err(), "{text}");
        }
    }

    #[test]
    fn rates() {
        assert_eq!(rate("50/s"), Ok(50));
        for text in ["", "50", "0/s", "-1/s", "50/m", "1.5/s", "4294967296/s"] {
            assert!(rate(text).is_err(), "{text}");
        }
        assert_eq!(small("7"), Ok(7));
        for text in ["0", "4294967296", "x"] {
            assert!(small(text).is_err(), "{text}");
        }
    }

    #[test]
    fn counts_and_head_sizes() {
        assert_eq!(at_least_one("1"), Ok(1));
        assert_eq!(at_least_one("18446744073709551615"), Ok(usize::MAX));
        assert_eq!(head_bytes("8KiB"), Ok(8192));
        for text in ["0", "-1", "", "x", "18446744073709551616"] {
            assert!(at_least_one(text).is_err(), "{text}");
        }
        for text in ["8191", "0", "x"] {
            assert!(head_bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes() {
        let check = |text, expected| assert_eq!(bytes(text), Ok(expected), "{text}");
        check("1024", 1024);
        check("64KiB", 65_536);
        check("1MiB", 1_048_576);
        for text in ["", "0", "1MB", "KiB", "1.5MiB", "99999999999999999999"] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }
}
