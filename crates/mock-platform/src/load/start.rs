use std::time::{Duration, SystemTime};

use super::clock::now_ns;
use super::{LoadError, LoadOptions};
use crate::judge::check::value::iso_ms;

/// Between the order and the first connection: threads begin meanwhile.
const LEAD: Duration = Duration::from_millis(100);

/// Reads an instant that several processes can be told to begin at: `2026-11-28T12:00:00Z`, with `+05:30` in place of the `Z` as well, or milliseconds
/// since 1970. `None` where it is none.
///
/// # Examples
/// ```
/// use std::time::{Duration, SystemTime};
///
/// use piopiy_mock_platform::load::start_instant;
///
/// let noon = SystemTime::UNIX_EPOCH + Duration::from_secs(43_200);
/// assert_eq!(start_instant("1970-01-01T12:00:00Z"), Some(noon));
/// assert_eq!(start_instant("1970-01-01T17:30:00+05:30"), Some(noon));
/// assert_eq!(start_instant("43200000"), Some(noon));
/// assert_eq!(start_instant("noon"), None);
/// ```
#[must_use]
pub fn start_instant(text: &str) -> Option<SystemTime> {
    let ms = match text.parse::<u64>() {
        Ok(ms) => ms,
        Err(_) if is_rfc_3339(text) => u64::try_from(iso_ms(text)?).ok()?,
        Err(_) => return None,
    };
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(ms))
}

/// `dddd-dd-ddTdd:dd:dd`, then `Z` or `+dd:dd`, with numbers that days and clocks have.
fn is_rfc_3339(text: &str) -> bool {
    let fits = |text: &str, form: &str| {
        text.len() == form.len()
            && text.bytes().zip(form.bytes()).all(|(is, wanted)| match wanted {
                b'd' => is.is_ascii_digit(),
                wanted => is == wanted,
            })
    };
    let Some((local, zone)) = text.split_at_checked(19) else { return false };
    let number = |at: std::ops::Range<usize>| local.get(at).and_then(|digits| digits.parse::<u32>().ok());
    fits(local, "dddd-dd-ddTdd:dd:dd")
        && (zone == "Z" || fits(zone, "+dd:dd") || fits(zone, "-dd:dd"))
        && number(5..7).is_some_and(|month| (1..=12).contains(&month))
        && number(8..10).is_some_and(|day| (1..=31).contains(&day))
        && number(11..13).is_some_and(|hour| hour < 24)
        && [14..16, 17..19].into_iter().all(|at| number(at).is_some_and(|sixtieth| sixtieth < 60))
}

/// How long connections are opened before the first webhook, and how much longer for each of them where TLS is agreed on.
const OPENING: Duration = Duration::from_millis(50);
const HANDSHAKE: Duration = Duration::from_millis(2);

/// How long before it begins its connections are opened.
pub(super) fn opening(options: &LoadOptions, is_tls: bool) -> Duration {
    let connections = u32::try_from(options.connections).unwrap_or(u32::MAX);
    if is_tls { OPENING.saturating_add(HANDSHAKE.saturating_mul(connections)) } else { OPENING }
}

/// When the run begins, by the monotonic clock; at the earliest when its connections are open.
pub(super) fn start_ns(options: &LoadOptions, opening: Duration) -> Result<u64, LoadError> {
    let Some(start_at) = options.start_at else {
        let lead = LEAD.saturating_add(opening);
        return Ok(now_ns().saturating_add(u64::try_from(lead.as_nanos()).unwrap_or(u64::MAX)));
    };
    let ahead = start_at.duration_since(SystemTime::now());
    let ahead = ahead.map_err(|late| LoadError::Late { late: late.duration().as_secs_f64() })?;
    Ok(now_ns().saturating_add(u64::try_from(ahead.as_nanos()).unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_instant_is_refused() {
        for text in [
            "",
            "-1",
            "12:00",
            "2026-11-28",
            "2026-11-28T12:00:00",
            "2026-13-28T12:00:00Z",
            "2026-11-28T24:00:00Z",
            "2026-11-28T12:60:00Z",
            "2026-11-28 12:00:00Z",
            "2026-11-28T12:00:00+5:30",
            "2026-11-28T12:00:0€Z",
            "1900-01-01T00:00:00Z",
        ] {
            assert_eq!(start_instant(text), None, "{text}");
        }
        let at = start_instant("2026-11-28T12:00:00Z").unwrap();
        assert_eq!(at.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs(), 1_795_867_200);
    }
}
