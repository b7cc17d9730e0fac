use std::cmp::Reverse;
use std::ops::Range;

use super::draw::Draw;

/// The keys whose values are ids of the platform.
const ID_KEYS: [&str; 3] = ["cmiuuid", "conversation_uuid", "request_id"];

/// An id at least this long is replaced wherever it stands in a body; a shorter one only as a value of its key.
const UNMISTAKABLE: usize = 16;

/// Gives the ids in a body new values that follow from the old ones and a nonce.
///
/// The same id becomes the same id in every body, so the webhooks of a call stay together. Its shape stays: a digit
/// becomes a digit, a hexadecimal letter of a UUID one of those, any other letter a letter; the version and variant of
/// a UUID stay. Nothing else in the body moves by a byte, and the body need not be JSON.
///
/// # Examples
/// ```
/// use piopiy_mock_platform::deliver::rekey;
///
/// let once = rekey(br#"{"cmiuuid":"33079756-faed-4a29-8b36-c8ead67e047c","leg":"a"}"#, 1);
/// let again = rekey(br#"{"leg":"b", "conversation_uuid":"33079756-faed-4a29-8b36-c8ead67e047c"}"#, 1);
/// assert_eq!(once[12..48], again[33..69]);
/// assert_ne!(&once[12..48], b"33079756-faed-4a29-8b36-c8ead67e047c");
/// ```
#[must_use]
pub fn rekey(body: &[u8], nonce: u64) -> Vec<u8> {
    let edits = id_ranges(body);
    let mut out = Vec::with_capacity(body.len());
    let mut copied = 0;
    for edit in edits {
        if edit.start >= copied {
            out.extend_from_slice(&body[copied..edit.start]);
            out.extend(new_id(&body[edit.clone()], nonce));
            copied = edit.end;
        }
    }
    out.extend_from_slice(&body[copied..]);
    out
}

/// Where ids stand in a body, in order: ranges may overlap.
pub(crate) fn id_ranges(body: &[u8]) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for value in id_values(body) {
        let id = &body[value.clone()];
        if is_unmistakable(id.len()) {
            let found = body.windows(id.len()).enumerate().filter(|(_, window)| *window == id);
            ranges.extend(found.map(|(at, _)| at..at + id.len()));
        } else {
            ranges.push(value);
        }
    }
    ranges.sort_by_key(|range| (range.start, Reverse(range.end)));
    ranges
}

/// Whether an id of so many bytes is replaced wherever it stands.
pub(crate) fn is_unmistakable(length: usize) -> bool {
    length >= UNMISTAKABLE
}

/// Where the string values of [`ID_KEYS`] stand, quotes left out. Values with escapes are passed over: no id has any.
fn id_values(body: &[u8]) -> Vec<Range<usize>> {
    let mut values = Vec::new();
    for key in ID_KEYS {
        let quoted = format!("\"{key}\"");
        let quoted = quoted.as_bytes();
        for (at, _) in body.windows(quoted.len()).enumerate().filter(|(_, window)| *window == quoted) {
            let skip = |from: usize| {
                from + body[from..].iter().take_while(|byte| byte.is_ascii_whitespace()).count()
            };
            let colon = skip(at + quoted.len());
            if body.get(colon) != Some(&b':') {
                continue;
            }
            let quote = skip(colon + 1);
            if body.get(quote) != Some(&b'"') {
                continue;
            }
            let start = quote + 1;
            let length = body[start..].iter().position(|&byte| byte == b'"' || byte == b'\\');
            if let Some(length) = length.filter(|&length| length > 0 && body[start + length] == b'"') {
                values.push(start..start + length);
            }
        }
    }
    values
}

/// The new value of an id.
pub(crate) fn new_id(id: &[u8], nonce: u64) -> Vec<u8> {
    // FNV-1a over the id: every byte of the new one depends on all of the old one.
    let key = id.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let is_uuid = id.len() == 36
        && id.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        });
    let pick = |position: usize, from: &[u8]| {
        let position = u32::try_from(position).unwrap_or(u32::MAX);
        let index = Draw::new(nonce, key, position, "rekey").below(from.len() as u64);
        from[usize::try_from(index).unwrap_or(0)]
    };
    id.iter()
        .enumerate()
        .map(|(position, &byte)| match (position, byte) {
            (14 | 19, _) if is_uuid => byte,
            (_, b'A'..=b'F') if is_uuid => pick(position, b"0123456789ABCDEF"),
            (_, b'0'..=b'9' | b'a'..=b'f') if is_uuid => pick(position, b"0123456789abcdef"),
            (_, b'0'..=b'9') => pick(position, b"0123456789"),
            (_, b'a'..=b'z') => pick(position, b"abcdefghijklmnopqrstuvwxyz"),
            (_, b'A'..=b'Z') => pick(position, b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
            _ => byte,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(body: &str, nonce: u64) -> String {
        String::from_utf8(rekey(body.as_bytes(), nonce)).unwrap()
    }

    #[test]
    fn only_ids_move_and_their_shape_stays() {
        let body = r#"{ "cmiuuid" : "33079756-faed-4a29-8b36-c8ead67e047c", "x":"33079756", "request_id":"S9U4Mo29GHBfCJ2uHczcY75QQDri7HcAxXYZuktJLxf" }"#;
        let new = text(body, 7);
        assert_eq!(new.len(), body.len());
        let shape = |text: &str| -> String {
            text.chars().map(|c| if c.is_ascii_alphanumeric() { 'x' } else { c }).collect()
        };
        assert_eq!(shape(&new), shape(body));
        assert!(new.contains(r#""x":"33079756""#));
        assert_eq!(&new[29..30], "4", "the version stays: {new}");
        assert_eq!(new, text(body, 7));
        assert_ne!(new, text(body, 8));
    }

    #[test]
    fn the_same_id_stays_the_same_wherever_it_stands() {
        let id = "33079756-faed-4a29-8b36-c8ead67e047c";
        let body =
            format!(r#"{{"cmiuuid":"{id}","conversation_uuid":"{id}","extra_params":"{{call: {id}}}"}}"#);
        let new = text(&body, 1);
        assert!(!new.contains(id));
        let new_id = &new[12..48];
        assert_eq!(new.matches(new_id).count(), 3);
    }

    #[test]
    fn short_ids_move_as_values_only_and_odd_bodies_stay() {
        let new = text(r#"{"cmiuuid":"q","leg":"q"}"#, 3);
        assert!(new.ends_with(r#","leg":"q"}"#), "{new}");
        for body in [
            "",
            "\"cmiuuid\"",
            "\"cmiuuid\":",
            "\"cmiuuid\":\"",
            r#"{"cmiuuid":12}"#,
            r#"{"cmiuuid":""}"#,
            r#"{"cmiuuid":"a\"b"}"#,
        ] {
            assert_eq!(text(body, 3), body);
        }
    }
}
