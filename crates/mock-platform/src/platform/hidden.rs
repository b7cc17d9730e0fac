//! Payloads as they may be written down: as they came, but for the secrets of the URLs in them.

use crate::deliver::without_secrets;

/// A payload without the secrets of its URLs. Where it has none it is as it came, and so is everything around them: it may
/// be JSON in any spelling, or no JSON at all.
pub(super) fn hidden(payload: Vec<u8>) -> Vec<u8> {
    match without_secrets_of_urls(&String::from_utf8_lossy(&payload)) {
        Some(text) => text.into_bytes(),
        None => payload,
    }
}

/// None where there are no secrets.
fn without_secrets_of_urls(text: &str) -> Option<String> {
    let mut whole = String::new();
    let (mut rest, mut changed) = (text, false);
    while let Some(start) = rest.find('"') {
        let (before, quoted) = rest.split_at(start);
        changed |= push_words(&mut whole, before);
        let Some(end) = end_of_string(quoted) else {
            rest = quoted;
            break;
        };
        let literal = &quoted[..end];
        let string: Option<String> = serde_json::from_str(literal).ok();
        match string.map(|string| of_string(&string)) {
            Some(Some(shown)) => {
                changed = true;
                whole.push_str(&serde_json::Value::from(shown).to_string());
            }
            Some(None) => whole.push_str(literal),
            // A control character: it is no JSON, and a URL all the same.
            None => changed |= push_words(&mut whole, literal),
        }
        rest = &quoted[end..];
    }
    changed |= push_words(&mut whole, rest);
    changed.then_some(whole)
}

/// A string of JSON, which may be JSON itself.
pub(super) fn of_string(string: &str) -> Option<String> {
    if string.contains('"') {
        return without_secrets_of_urls(string);
    }
    Some(without_secrets(string)).filter(|shown| shown != string)
}

/// Behind the quote that ends a string.
fn end_of_string(quoted: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, byte) in quoted.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// A text that is no JSON, word by word: a URL ends where a word does. Whether it changed.
fn push_words(whole: &mut String, text: &str) -> bool {
    let mut changed = false;
    let ends = |c: char| c.is_whitespace() || matches!(c, '<' | '>' | '\'' | '"');
    for word in text.split_inclusive(ends) {
        let end = word.trim_end_matches(ends).len();
        let shown = without_secrets(&word[..end]);
        changed |= shown != word[..end];
        whole.push_str(&shown);
        whole.push_str(&word[end..]);
    }
    changed
}

#[cfg(test)]
mod tests {
    use super::hidden;

    #[test]
    fn secrets_of_urls_are_hidden_and_all_else_is_as_it_came() {
        for (text, expected) in [
            (r#"{"a": 1.0,"a" : 1e2}"#, r#"{"a": 1.0,"a" : 1e2}"#),
            (r#"[{"u":"ws://x/?token=a&n=1"} ]"#, r#"[{"u":"ws://x/?token=***&n=1"} ]"#),
            (r#"{"u":"ws:\/\/x\/?token=a","v":"\u00e9"}"#, r#"{"u":"ws://x/?token=***","v":"\u00e9"}"#),
            (r#"{"say":"a \"b\" http://me:a@x/"}"#, r#"{"say":"a \"b\" http://***@x/"}"#),
            (
                r#"{"p":"{\"u\":\"ws://x/?token=a\",\"n\":1}"}"#,
                r#"{"p":"{\"u\":\"ws://x/?token=***\",\"n\":1}"}"#,
            ),
            // Cut off, or never JSON.
            (r#"{"u":"ws://x/?token=a"#, r#"{"u":"ws://x/?token=***"#),
            ("see http://me:a@x/?key=a and <b>more</b>", "see http://***@x/?key=*** and <b>more</b>"),
            ("<a href=\"http://x/?sig=a\">no</a>", "<a href=\"http://x/?sig=***\">no</a>"),
            ("<a href='http://x/?sig=a'>no</a>", "<a href='http://x/?sig=***'>no</a>"),
            ("it's 5 o'clock", "it's 5 o'clock"),
            ("\"line\nhttp://x/?sig=a\"", "\"line\nhttp://x/?sig=***\""),
            ("", ""),
        ] {
            assert_eq!(String::from_utf8(hidden(text.as_bytes().to_vec())).unwrap(), expected, "{text}");
        }
        assert_eq!(hidden(vec![0xff, b'x']), [0xff, b'x']);
        let half = [b"\xffws://x/?sig=a".to_vec(), b"&n=1".to_vec()].concat();
        assert_eq!(hidden(half), "\u{fffd}ws://x/?sig=***&n=1".as_bytes());
    }
}
