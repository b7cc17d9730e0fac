//! Whether a value was stored as it was sent.

use piopiy_events::{JsonType, Raw, Webhook};

/// Whether `stored` says what `sent` says: a number by its exact decimal value, quoted or not; a text by its exact
/// text, or its value where it is a number or JSON; objects member by member.
pub(crate) fn is_same(sent: &Raw, stored: &Raw) -> bool {
    let (plain, kept) = (sent.plain(), stored.plain());
    if plain == kept {
        return true;
    }
    match sent.json_type() {
        JsonType::Number => same_number(&plain, &kept),
        // Empty and absent are one to many stores.
        JsonType::String if plain.trim().is_empty() => stored.is_null() || kept.trim().is_empty(),
        JsonType::String => {
            same_number(&plain, &kept)
                || plain.parse::<Raw>().is_ok_and(|inner| is_composite(&inner) && is_same(&inner, stored))
        }
        JsonType::Boolean => is_boolean(&plain, &kept),
        JsonType::Null => kept.is_empty(),
        JsonType::Array => match (items(sent), items(stored)) {
            (Some(sent), Some(stored)) => {
                sent.len() == stored.len()
                    && sent.iter().zip(&stored).all(|(sent, stored)| is_same(sent, stored))
            }
            _ => unquoted(stored).is_some_and(|stored| is_same(sent, &stored)),
        },
        JsonType::Object => match (members(sent), members(stored)) {
            (Some(sent), Some(stored)) => {
                sent.members().len() == stored.members().len()
                    && sent
                        .members()
                        .iter()
                        .all(|(key, value)| stored.get(key).is_some_and(|kept| is_same(value, kept)))
            }
            _ => unquoted(stored).is_some_and(|stored| is_same(sent, &stored)),
        },
    }
}

/// Whether both are the same point in time, as far as that can be told: numbers of seconds, milliseconds or less, and
/// ISO 8601, to the second; of two numbers of milliseconds each digit counts. What may be a date in another notation is
/// given the benefit of the doubt.
pub(crate) fn is_same_instant(sent: &Raw, stored: &Raw) -> bool {
    let (plain, kept) = (sent.plain(), stored.plain());
    match (instant_ms(&plain), instant_ms(&kept)) {
        (None, _) => true,
        (Some(sent), Some(stored)) if is_in_ms(&plain, sent) && is_in_ms(&kept, stored) => sent == stored,
        (Some(sent), Some(stored)) => sent / 1_000 == stored / 1_000,
        // Of a call that nobody answered, say.
        (Some(sent), None) if stored.is_null() => sent == 0,
        (Some(_), None) => is_composite(stored) || may_be_a_date(&kept),
    }
}

/// Whether it is known that `stored` is the point in time that was sent, but for its milliseconds.
pub(crate) fn is_cut_to_seconds(sent: &Raw, stored: &Raw) -> bool {
    let instants = (instant_ms(&sent.plain()), instant_ms(&stored.plain()));
    matches!(instants, (Some(sent), Some(stored)) if sent != stored && sent / 1_000 * 1_000 == stored)
}

/// Whether nothing that is known of the two says that they are different points in time, to the second: enough to tell
/// whose an effect is.
pub(crate) fn may_be_same_instant(sent: &str, stored: &str) -> bool {
    match (instant_ms(sent), instant_ms(stored)) {
        (Some(sent), Some(stored)) => sent / 1_000 == stored / 1_000,
        _ => true,
    }
}

/// Whether the text is a number, and that of the milliseconds.
fn is_in_ms(text: &str, ms: i128) -> bool {
    decimal(text).is_some_and(|number| decimal(&ms.to_string()) == Some(number))
}

/// Whether it has two numbers at least, as a day and a year, and is none itself: no `Invalid Date`, no `-1`.
fn may_be_a_date(text: &str) -> bool {
    let numbers = text.split(|c: char| !c.is_ascii_digit()).filter(|digits| !digits.is_empty()).count();
    numbers >= 2 && decimal(text).is_none()
}

fn is_composite(value: &Raw) -> bool {
    matches!(value.json_type(), JsonType::Array | JsonType::Object)
}

fn unquoted(stored: &Raw) -> Option<Raw> {
    stored.text()?.parse::<Raw>().ok().filter(is_composite)
}

fn items(value: &Raw) -> Option<Vec<Raw>> {
    serde_json::from_str(value.as_json()).ok()
}

fn members(value: &Raw) -> Option<Webhook> {
    Webhook::parse(value.as_json().as_bytes()).ok()
}

fn is_boolean(sent: &str, stored: &str) -> bool {
    let truth = |text: &str| match text {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    };
    truth(sent).is_some_and(|sent| truth(stored) == Some(sent))
}

fn same_number(one: &str, other: &str) -> bool {
    decimal(one).is_some_and(|one| decimal(other) == Some(one))
}

/// Sign, digits without zeros around them, and the power of ten that they count; `None` where the text is no number
/// of JSON.
fn decimal(text: &str) -> Option<(bool, String, i128)> {
    let (is_negative, rest) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (mantissa, exponent) = match rest.find(['e', 'E']) {
        Some(at) => {
            let digits = rest[at + 1..].strip_prefix('+').unwrap_or(&rest[at + 1..]);
            (&rest[..at], digits.parse::<i64>().ok()?)
        }
        None => (rest, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let is_number = !whole.is_empty() && is_digits(whole) && is_digits(fraction);
    // A leading zero makes it a text: of phone numbers it is a part.
    if !is_number || (whole.len() > 1 && whole.starts_with('0')) || mantissa.ends_with('.') {
        return None;
    }
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_end_matches('0');
    let power = i128::from(exponent) - fraction.len() as i128 + (digits.len() - significant.len()) as i128;
    let significant = significant.trim_start_matches('0');
    if significant.is_empty() {
        return Some((false, String::new(), 0));
    }
    Some((is_negative, significant.to_owned(), power))
}

/// Milliseconds since 1970, from a number in any of the usual units or from ISO 8601.
fn instant_ms(text: &str) -> Option<i128> {
    let text = text.trim();
    let Some((is_negative, digits, power)) = decimal(text) else { return iso_ms(text) };
    if digits.len() > 20 || !(-12..=18).contains(&power) {
        return None;
    }
    let mut number = digits.parse::<i128>().unwrap_or(0);
    let scale = 10_i128.pow(u32::try_from(power.unsigned_abs()).ok()?);
    number = if power < 0 { number * 1_000 / scale / 1_000 } else { number * scale };
    if is_negative {
        return None;
    }
    Some(match number {
        0..100_000_000_000 => number * 1_000,
        100_000_000_000..100_000_000_000_000 => number,
        100_000_000_000_000..100_000_000_000_000_000 => number / 1_000,
        _ => number / 1_000_000,
    })
}

/// `2021-09-22T13:24:28.5+05:30`; without a zone it is UTC. Years may have more digits, and a plus sign.
/// Milliseconds since 1970, from ISO 8601.
pub(crate) fn iso_ms(text: &str) -> Option<i128> {
    let (date, time) = text.split_once(['T', ' ']).unwrap_or((text, "00:00:00"));
    let mut date = date.strip_prefix('+').unwrap_or(date).splitn(3, '-').map(str::parse::<i128>);
    let (year, month, day) = (date.next()?.ok()?, date.next()?.ok()?, date.next()?.ok()?);
    let zone_at = time.find(['Z', '+', '-']).unwrap_or(time.len());
    let (clock, zone) = time.split_at(zone_at);
    let mut clock = clock.trim().splitn(3, ':');
    let (hour, minute) = (clock.next()?.parse::<i128>().ok()?, clock.next()?.parse::<i128>().ok()?);
    let (second, fraction) = clock.next().map_or(("0", ""), |it| it.split_once('.').unwrap_or((it, "")));
    let second = second.parse::<i128>().ok()?;
    let ms = match fraction.trim().get(..3) {
        Some(digits) => digits.parse::<i128>().ok()?,
        None => format!("{:0<3}", fraction.trim()).parse::<i128>().ok()?,
    };
    let zone = zone.trim_start_matches('Z');
    let offset = match zone.split_at_checked(1) {
        Some((sign, rest)) => {
            let digits: String = rest.chars().filter(char::is_ascii_digit).collect();
            let number = digits.parse::<i128>().ok()?;
            let minutes = if digits.len() > 2 { number / 100 * 60 + number % 100 } else { number * 60 };
            if sign == "-" { -minutes } else { minutes }
        }
        None => 0,
    };
    // Days from civil, with years that begin in March.
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let year_of_era = shifted.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days =
        era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468;
    Some((((days * 24 + hour) * 60 + minute - offset) * 60 + second) * 1_000 + ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(sent: &str, stored: &str, expected: bool) {
        assert_eq!(is_same(&sent.parse().unwrap(), &stored.parse().unwrap()), expected, "{sent} {stored}");
    }

    #[test]
    fn numbers_are_the_same_by_value_and_texts_by_text() {
        check("12", "12.0", true);
        check("1.2e1", r#""12""#, true);
        check("9007199254740993", "9007199254740992", false);
        check("9007199254740993", r#""9007199254740993""#, true);
        check("1e400", "null", false);
        check("1e400", r#""Infinity""#, false);
        check("1e999999999999", "1E+999999999999", true);
        check("-0", "0", true);
        check(r#""0.450000""#, "0.45", true);
        check(r#""0440""#, "440", false);
        check(r#""+440""#, "440", false);
        check(r#""""#, "null", true);
        check(r#""""#, "0", false);
        check("null", "0", false);
        check("true", "1", true);
        check(r#""{k=v}""#, "null", false);
        check(r#""{\"key\":1}""#, r#"{"key": 1.0}"#, true);
        check(r#"{"a":[1,{"b":2}]}"#, r#""{\"a\":[1,{\"b\":2}]}""#, true);
        check(r#"{"a":1}"#, r#"{"a":1,"b":2}"#, false);
    }

    #[test]
    fn instants_are_the_same_in_any_notation_that_is_known() {
        let check = |sent: &str, stored: &str, expected: bool| {
            let (sent, stored): (Raw, Raw) = (sent.parse().unwrap(), stored.parse().unwrap());
            assert_eq!(is_same_instant(&sent, &stored), expected, "{sent} {stored}");
        };
        check("1632317068", "1632317068000", true);
        check("1632317068", r#""2021-09-22T13:24:28Z""#, true);
        check("1632317068", r#""2021-09-22 18:54:28.250+05:30""#, true);
        check("1632317068", r#""1970-01-19T21:25:17Z""#, false);
        check("1632317068000", r#""+053697-01-01T00:00:00Z""#, false);
        check("1632317068", r#""Wed, 22 Sep 2021 13:24:28 GMT""#, true);
        check("0", r#""1970-01-01T00:00:00Z""#, true);
        check("1632317068", r#""22.09.2021, 13:24:28""#, true);
        check("1632317068", r#"{"$date":1632317068000}"#, true);
        check("1632317068123", "1632317068000", false);
        check("1632317068123", r#""1632317068123""#, true);
        check("1632317068123", "1632317068", true);
        check("1632317068123", "1632317068.123", true);
        check("1632317068123", r#""2021-09-22T13:24:28Z""#, true);
        check("0", "null", true);
        for lost in ["null", r#""Invalid Date""#, r#""NaN""#, r#""""#, "-1632317068", r#""today at 9""#] {
            check("1632317068", lost, false);
            check(r#""2021-09-22T13:24:28Z""#, lost, false);
        }
    }

    #[test]
    fn milliseconds_that_are_gone_are_seen() {
        let check = |stored: &str, expected: bool| {
            let (sent, stored): (Raw, Raw) = ("1632317071123".parse().unwrap(), stored.parse().unwrap());
            assert_eq!(is_cut_to_seconds(&sent, &stored), expected, "{stored}");
        };
        for cut in ["1632317071", r#""2021-09-22T13:24:31Z""#, r#""2021-09-22 13:24:31.000+00""#] {
            check(cut, true);
        }
        for whole in
            ["1632317071123", r#""2021-09-22T13:24:31.123Z""#, r#""2021-09-22 18:54:31.123456+05:30""#]
        {
            check(whole, false);
        }
        for unknown in ["null", r#""22.09.2021, 13:24:31""#, r#"{"$date":1632317071000}"#, "1632317072"] {
            check(unknown, false);
        }
    }
}
