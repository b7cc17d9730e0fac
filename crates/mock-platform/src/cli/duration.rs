use std::time::Duration;

/// Reads `250ms`, `5s`, `10m`, `1h`, `1.5s`.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "ms" => 1.0,
        "s" => 1_000.0,
        "m" => 60_000.0,
        "h" => 3_600_000.0,
        _ => return Err(format!("{text:?} is no duration: write it like 250ms, 5s, 10m or 1h")),
    };
    let count: f64 = digits
        .parse()
        .map_err(|_| format!("{digits:?} is no number: write a duration like 250ms, 5s, 10m or 1h"))?;
    Duration::try_from_secs_f64(count * unit / 1_000.0).map_err(|error| format!("{text:?}: {error}"))
}

/// A duration in milliseconds.
pub(crate) fn parse_ms(text: &str) -> Result<u64, String> {
    u64::try_from(parse(text)?.as_millis()).map_err(|_| format!("{text:?} is too long"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_number_and_a_unit() {
        for (text, ms) in
            [("250ms", 250), ("5s", 5_000), ("10m", 600_000), ("1h", 3_600_000), ("0s", 0), ("1.5s", 1_500)]
        {
            assert_eq!(parse_ms(text), Ok(ms), "{text}");
        }
        for text in ["", "5", "s", "5 s", "-1s", "5d", "nans", "1e400s"] {
            assert!(parse_ms(text).is_err(), "{text}");
        }
    }
}
