//! The inside of JSON strings: from escapes to text and back.

use std::borrow::Cow;

/// The text of a string token's inside (without the quotes). A lone surrogate, which text cannot hold, reads
/// as U+FFFD; the token itself keeps it.
pub(crate) fn decode(inner: &str) -> Cow<'_, str> {
    if !inner.as_bytes().contains(&b'\\') {
        return Cow::Borrowed(inner);
    }
    let mut text = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        let escape = rest.as_bytes().get(at + 1).copied().unwrap_or(b'\\');
        let mut used = 2;
        match escape {
            b'b' => text.push('\u{8}'),
            b'f' => text.push('\u{c}'),
            b'n' => text.push('\n'),
            b'r' => text.push('\r'),
            b't' => text.push('\t'),
            b'u' => {
                let high = hex4(rest, at + 2);
                used = 6;
                let mut decoded = char::from_u32(high);
                if (0xd800..0xdc00).contains(&high) && rest[at + 6..].starts_with("\\u") {
                    let low = hex4(rest, at + 8);
                    if (0xdc00..0xe000).contains(&low) {
                        decoded = char::from_u32(0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00));
                        used = 12;
                    }
                }
                text.push(decoded.unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            other => text.push(char::from(other)),
        }
        rest = &rest[at + used..];
    }
    text.push_str(rest);
    Cow::Owned(text)
}

fn hex4(text: &str, at: usize) -> u32 {
    text.get(at..at + 4).and_then(|digits| u32::from_str_radix(digits, 16).ok()).unwrap_or(0xfffd)
}

/// Appends `text` as a string token, with its quotes.
pub(crate) fn encode(text: &str, out: &mut String) {
    out.push('"');
    let mut plain = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.push_str(&text[plain..at]);
        plain = at + 1;
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            control => {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                out.push_str("\\u00");
                out.push(char::from(HEX[usize::from(control >> 4)]));
                out.push(char::from(HEX[usize::from(control & 15)]));
            }
        }
    }
    out.push_str(&text[plain..]);
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(inner: &str, expected: &str) {
        assert_eq!(decode(inner), expected);
    }

    #[test]
    fn escapes_decode() {
        check("plain", "plain");
        check(r#"\"a\"\\\/\b\f\n\r\t"#, "\"a\"\\/\u{8}\u{c}\n\r\t");
        check(r"\u00e9\ud83d\ude00!", "é😀!");
        check(r"\ud800x", "\u{fffd}x");
        check(r"\ud800\u0041", "\u{fffd}A");
        check(r"\udc00\ud800", "\u{fffd}\u{fffd}");
    }

    #[test]
    fn encode_then_decode_is_identity() {
        for text in ["", "a\"b\\c", "\u{0}\u{1f}\n\r\t", "é😀"] {
            let mut token = String::new();
            encode(text, &mut token);
            assert_eq!(decode(&token[1..token.len() - 1]), text);
        }
    }
}
