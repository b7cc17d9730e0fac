//! Keeping phone numbers out of logs.

use std::borrow::Cow;

/// Digits in a row that are taken for a phone number.
const NUMBER: usize = 7;

/// The text with `…` in place of what may be a phone number. Keys and ids come from outside, so they may hold one too, and written as people
/// do: a run of digits goes on behind up to three characters that [`may_be_between`] them. What has the form of a UUID is one.
pub(super) fn without_numbers(text: &str) -> Cow<'_, str> {
    if is_uuid(text) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::new();
    // Up to where it is shown or left out.
    let mut done = 0;
    let mut chars = text.char_indices();
    while let Some((start, first)) = chars.next() {
        if !first.is_numeric() {
            continue;
        }
        let (mut digits, mut end) = (1, start + first.len_utf8());
        let mut ahead = chars.clone();
        let mut between = 0;
        while let Some((at, next)) = ahead.next() {
            if next.is_numeric() {
                (digits, end, between) = (digits + 1, at + next.len_utf8(), 0);
                chars = ahead.clone();
            } else if between < MOST_BETWEEN && may_be_between(next) {
                between += 1;
            } else {
                break;
            }
        }
        if digits >= NUMBER {
            shown.push_str(&text[done..start]);
            shown.push('…');
            done = end;
        }
    }
    if done == 0 {
        return Cow::Borrowed(text);
    }
    shown.push_str(&text[done..]);
    Cow::Owned(shown)
}

/// So many characters may be between two digits of a number: ` - `.
const MOST_BETWEEN: usize = 3;

/// What people put between digits: white space and hyphens of any kind, those of typesetters too, points and brackets.
fn may_be_between(c: char) -> bool {
    c.is_whitespace() || matches!(c, '-' | '.' | '(' | ')' | '\u{2010}'..='\u{2015}')
}

fn is_uuid(text: &str) -> bool {
    let is_form = |(at, byte): (usize, u8)| match at {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    text.len() == 36 && text.bytes().enumerate().all(is_form)
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
        check("12345678-1234-4296-aa5b-123456789012", "12345678-1234-4296-aa5b-123456789012");
        check("+44 7700 900123 called", "+… called");
        check("(0) 7700-900.123, 12 34", "(…, 12 34");
        check("at /٤٤٧٧٠٠٩٠٠/x", "at /…/x");
        check("12 - 34, 56 -- 78", "12 - 34, 56 -- 78");
        check("12 - 34", "12 - 34");
        check("030 - 12 34 56", "…");
        check("030 -- 12 34 56", "030 -- 12 34 56");
        check("+33 6 12 34 56 78", "+…");
        check("+33\u{A0}6\u{202F}12\u{202F}34\u{A0}56\u{202F}78\u{202F}é", "+…\u{202F}é");
        check("030\u{2013}12\u{2010}34\u{2011}56\u{2015}", "…\u{2015}");
    }
}
