//! Reads records that are no JSON, for what a receiver was sent is in them: the effect is there all the same.

use crate::judge::Effect;

/// The effect of a line that no reader of JSON takes.
pub(super) fn effect(line: &[u8]) -> Option<Effect> {
    let text = std::str::from_utf8(line).ok();
    let whole = text.and_then(|text| serde_json::from_str(&with_quoted_words(text)).ok());
    whole.or_else(|| {
        let text = String::from_utf8_lossy(line);
        Effect::without_fields(&text).or_else(|_| Effect::without_fields(&without_fields(&text)?)).ok()
    })
}

/// With the words that Python writes for numbers, and JSON has not, as strings.
fn with_quoted_words(text: &str) -> String {
    const WORDS: [&str; 3] = ["-Infinity", "Infinity", "NaN"];
    let mut quoted = String::with_capacity(text.len());
    let mut scan = Scan::default();
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let word = WORDS.into_iter().find(|word| !scan.in_string && rest.starts_with(word));
        if let Some(word) = word {
            quoted.extend(["\"", word, "\""]);
            rest = &rest[word.len()..];
        } else {
            scan.see(next);
            quoted.push(next);
            rest = &rest[next.len_utf8()..];
        }
    }
    quoted
}

/// Without the member `fields` of the outermost object.
fn without_fields(text: &str) -> serde_json::Result<String> {
    const KEY: &str = "\"fields\"";
    let mut scan = Scan::default();
    let mut begin = None;
    for (at, next) in text.char_indices() {
        if begin.is_none() && scan.depth == 1 && !scan.in_string && text[at..].starts_with(KEY) {
            begin = Some(at);
        }
        let is_end = scan.depth == 1 && !scan.in_string && matches!(next, ',' | '}');
        if let Some(begin) = begin.filter(|_| is_end) {
            let (before, after) = (text[..begin].trim_end(), &text[at..]);
            // One comma goes with it: the one after it or, where it is the last, the one before.
            return Ok(match after.strip_prefix(',') {
                Some(after) => format!("{before}{after}"),
                None => format!("{}{after}", before.strip_suffix(',').unwrap_or(before)),
            });
        }
        scan.see(next);
    }
    Ok(text.to_owned())
}

/// Where in a text of JSON, or almost JSON, one is.
#[derive(Debug, Default)]
struct Scan {
    depth: usize,
    in_string: bool,
    is_escaped: bool,
}

impl Scan {
    fn see(&mut self, next: char) {
        match next {
            _ if self.is_escaped => self.is_escaped = false,
            '\\' if self.in_string => self.is_escaped = true,
            '"' => self.in_string = !self.in_string,
            '{' | '[' if !self.in_string => self.depth += 1,
            '}' | ']' if !self.in_string => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, fields: Option<&str>) {
        let effect = effect(line.as_bytes()).unwrap_or_else(|| panic!("{line}"));
        assert_eq!((effect.seq, effect.state.as_deref()), (7, Some("active")), "{line}");
        assert_eq!(effect.fields.map(|fields| fields.as_json().to_owned()).as_deref(), fields, "{line}");
    }

    #[test]
    fn what_is_no_json_loses_its_fields_at_most() {
        check(
            r#"{"seq":7,"fields":{"to":Infinity,"n":[NaN,-Infinity],"text":"NaN"},"state":"active"}"#,
            Some(r#"{"to":"Infinity","n":["NaN","-Infinity"],"text":"NaN"}"#),
        );
        check(r#"{"seq":7,"fields":{"a":1,/* leg */"b":{"c":'x'}},"state":"active"}"#, None);
        check(r#"{"seq":7,"state":"active","fields":{"a":1,}}"#, None);
        check(r#"{"fields":{"a":"}\"{"} , "seq":7,"state":"active"}"#, Some(r#"{"a":"}\"{"}"#));
        assert_eq!(effect(b"{\"seq\":"), None);
    }
}
