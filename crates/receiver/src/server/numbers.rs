//! Keeping phone numbers out of logs.

use std::borrow::Cow;

/// Digits in a row that are taken for a phone number.
const NUMBER: usize = 7;

/// The text with `…` in place of what may be a phone number. Keys and ids come from outside, so they may hold one too.
pub(super) fn without_numbers(text: &str) -> Cow<'_, str> {
    let runs = || text.split(|c: char| !c.is_ascii_digit());
    if runs().all(|run| run.len() < NUMBER) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    for run in runs() {
        shown.push_str(if run.len() < NUMBER { run } else { "…" });
        // A run ends at a character that is no digit, or at the end.
        let mut others = rest[run.len()..].chars();
        shown.extend(others.next());
        rest = others.as_str();
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_masked_and_nothing_else() {
        let check = |text: &str, expected: &str| assert_eq!(without_numbers(text), expected);
        check("", "");
        check("at /extra_params/447700900123: twice", "at /extra_params/…: twice");
        check("+447700900123", "+…");
        check("447700900123é442080000000", "…é…");
        check("1234567", "…");
        check("123456", "123456");
        check("at byte 123456", "at byte 123456");
        check("c4ec9bd2-efad-4296-aa5b-eeafa6aeeea0", "c4ec9bd2-efad-4296-aa5b-eeafa6aeeea0");
    }
}
