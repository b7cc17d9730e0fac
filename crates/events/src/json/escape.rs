//! The inside of JSON strings: from escapes to text and back.

use std::borrow::Cow;

/// The text of a string token's inside (without the quotes). A lone surrogate, which text cannot hold, reads
/// as U+FFFD; the token itself keeps it.
pub(crate) fn decode(inner: &str) -> Cow<'_, str> {
    unescape(inner, |code, text| {
        text.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
    })
}

/// The form in which a string token's inside is compared: the same for two tokens just where they spell the same
/// string, lone surrogates told apart. It is the text itself, but for a backslash, which is doubled, and a lone
/// surrogate, which is written `\udxxx`.
pub(crate) fn compared(inner: &str) -> Cow<'_, str> {
    unescape(inner, |code, text| match char::from_u32(code) {
        Some('\\') => text.push_str("\\\\"),
        Some(character) => text.push(character),
        None => push_escape(code, text),
    })
}

/// Text in the form of [`compared`].
pub(crate) fn doubled(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.as_bytes().contains(&b'\\') { Cow::Owned(text.replace('\\', "\\\\")) } else { text }
}

/// Whether a string token's inside spells just `text`; a lone surrogate spells none.
pub(crate) fn spells(inner: &str, text: &str) -> bool {
    if inner.as_bytes().contains(&b'\\') {
        compared(inner) == doubled(Cow::Borrowed(text))
    } else {
        inner == text
    }
}

/// Hands each escape to `push`, and copies what is between them.
fn unescape(inner: &str, push: impl Fn(u32, &mut String)) -> Cow<'_, str> {
    if !inner.as_bytes().contains(&b'\\') {
        return Cow::Borrowed(inner);
    }
    let mut text = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        let (code, used) = escape(&rest[at..]);
        push(code, &mut text);
        rest = &rest[at + used..];
    }
    text.push_str(rest);
    Cow::Owned(text)
}

/// What the escape that `text` begins with stands for, a lone surrogate as its own code, and its length in bytes.
fn escape(text: &str) -> (u32, usize) {
    let code = match text.as_bytes().get(1).copied().unwrap_or(b'\\') {
        b'b' => 0x8,
        b'f' => 0xc,
        b'n' => 0xa,
        b'r' => 0xd,
        b't' => 0x9,
        b'u' => {
            let high = hex4(text, 2);
            if (0xd800..0xdc00).contains(&high) && text[6..].starts_with("\\u") {
                let low = hex4(text, 8);
                if (0xdc00..0xe000).contains(&low) {
                    return (0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00), 12);
                }
            }
            return (high, 6);
        }
        other => u32::from(other),
    };
    (code, 2)
}

fn hex4(text: &str, at: usize) -> u32 {
    text.get(at..at + 4).and_then(|digits| u32::from_str_radix(digits, 16).ok()).unwrap_or(0xfffd)
}

fn push_escape(code: u32, out: &mut String) {
    out.push_str("\\u");
    for shift in [12, 8, 4, 0] {
        out.push(char::from_digit(code >> shift & 15, 16).unwrap_or('0'));
    }
}

/// A piece of a token that counts when values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// A character outside strings, a quote too.
    Outside(char),
    /// What a string holds: a character, or a lone surrogate.
    Inside(u32),
}

/// A token without white space outside strings, and without a trace of how its strings are spelt.
pub(crate) fn units(token: &str) -> impl Iterator<Item = Unit> {
    let (mut rest, mut inside) = (token, false);
    std::iter::from_fn(move || {
        loop {
            let first = rest.chars().next()?;
            if inside && first == '\\' {
                let (code, used) = escape(rest);
                rest = &rest[used..];
                return Some(Unit::Inside(code));
            }
            rest = &rest[first.len_utf8()..];
            match first {
                '"' => {
                    inside = !inside;
                    return Some(Unit::Outside('"'));
                }
                _ if inside => return Some(Unit::Inside(u32::from(first))),
                ' ' | '\n' | '\r' | '\t' => {}
                _ => return Some(Unit::Outside(first)),
            }
        }
    })
}

/// A token with one spelling for each value: no white space outside strings, no escape that need not be.
pub(crate) fn respelt(token: &str) -> String {
    let mut out = String::with_capacity(token.len());
    for unit in units(token) {
        match unit {
            Unit::Outside(character) => out.push(character),
            Unit::Inside(code) => match char::from_u32(code) {
                Some(character) => encode_into(character.encode_utf8(&mut [0; 4]), &mut out),
                None => push_escape(code, &mut out),
            },
        }
    }
    out
}

/// Appends `text` as a string token, with its quotes.
pub(crate) fn encode(text: &str, out: &mut String) {
    out.push('"');
    encode_into(text, out);
    out.push('"');
}

/// The same without the quotes.
fn encode_into(text: &str, out: &mut String) {
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
            control => push_escape(u32::from(control), out),
        }
    }
    out.push_str(&text[plain..]);
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
    fn what_is_compared_tells_strings_apart_and_spellings_not() {
        fn check(inner: &str, expected: &str) {
            assert_eq!(compared(inner), expected);
        }
        check("plain \u{1f600}", "plain \u{1f600}");
        check(r"\u0070lain \ud83d\ude00", "plain \u{1f600}");
        check(r"\ud800x", r"\ud800x");
        check(r"\uD800\udFfF\udc0A", "\u{103ff}\\udc0a");
        check(r"\\ud800", r"\\ud800");
        check(r"a\\b\u005c", r"a\\b\\");
        check("\u{fffd}", "\u{fffd}");
        assert_eq!(doubled(Cow::Borrowed(r"a\b")), compared(r"a\\b"));
        assert!(spells(r"\u0061", "a") && spells("a", "a") && spells(r"\\", r"\"));
        assert!(!spells(r"\ud800", "\u{fffd}") && !spells(r"\ud800", r"\ud800"));
    }

    #[test]
    fn respelt_tokens_have_one_spelling() {
        let token = r#" { "\u0061\/" : [ 1.0 , "\\ \ud800\u0000" ] } "#;
        assert_eq!(respelt(token), r#"{"a/":[1.0,"\\ \ud800\u0000"]}"#);
        assert_eq!(respelt(&respelt(token)), respelt(token));
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
