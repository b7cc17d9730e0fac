/// Why a text is no list of arrivals.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ArrivalsError {
    /// A line that is no instant.
    #[error("line {line}: {text:?} is no instant: write seconds from the start, such as 12.5")]
    NoInstant {
        /// Which line, from 1.
        line: usize,
        /// What is there.
        text: String,
    },
    /// An instant before the one above it.
    #[error("line {line}: {text} is earlier than the arrival before it: sort the file")]
    Falls {
        /// Which line, from 1.
        line: usize,
        /// What is there.
        text: String,
    },
    /// Nothing is due.
    #[error("there is no arrival in it: write one a line, in seconds from the start")]
    Empty,
}

/// Reads when calls arrive: an instant a line, in seconds from the start, rising; empty lines and those that begin with `#` are
/// passed over. In nanoseconds.
///
/// # Errors
/// Where a line is no instant, or one falls.
///
/// # Examples
/// ```
/// use piopiy_mock_platform::plan::arrivals_from_text;
///
/// assert_eq!(arrivals_from_text("# a busy minute\n0\n0.25\n\n12.5\n")?, [0, 250_000_000, 12_500_000_000]);
/// assert!(arrivals_from_text("1\n0.5\n").is_err());
/// # Ok::<(), piopiy_mock_platform::plan::ArrivalsError>(())
/// ```
pub fn arrivals_from_text(text: &str) -> Result<Vec<u64>, ArrivalsError> {
    let mut arrivals = Vec::new();
    for (line, text) in (1..).zip(text.lines().map(str::trim)) {
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let text = text.to_owned();
        let Some(at_ns) = nanoseconds(&text) else { return Err(ArrivalsError::NoInstant { line, text }) };
        if arrivals.last().is_some_and(|before| at_ns < *before) {
            return Err(ArrivalsError::Falls { line, text });
        }
        arrivals.push(at_ns);
    }
    if arrivals.is_empty() { Err(ArrivalsError::Empty) } else { Ok(arrivals) }
}

/// Decimal seconds, to the nanosecond; what is finer is cut off.
fn nanoseconds(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    let fraction = fraction.chars().chain(std::iter::repeat('0')).take(9);
    let fraction =
        fraction.fold(0, |sum, digit| sum * 10 + u64::from(digit.to_digit(10).unwrap_or_default()));
    whole.parse::<u64>().ok()?.checked_mul(1_000_000_000)?.checked_add(fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_none_is_told_with_its_line() {
        let check = |text: &str, expected: &str| {
            let error = arrivals_from_text(text).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        };
        check("0\n\n# x\nsoon", "line 4: \"soon\" is no instant");
        check("-1", "line 1: \"-1\"");
        check("1e3", "line 1: \"1e3\"");
        check("99999999999", "line 1: \"99999999999\"");
        check("2\n1.999", "line 2: 1.999 is earlier");
        check("# nothing\n", "there is no arrival in it");
        assert_eq!(arrivals_from_text(" 0.0000000019 \n0.1\n0.1"), Ok(vec![1, 100_000_000, 100_000_000]));
    }
}
