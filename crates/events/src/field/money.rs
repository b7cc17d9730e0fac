use super::{field_value, string_value};

field_value! {
    /// `call_rate`: what the leg cost, in the account's currency. The number `0` when nothing was billed, else a
    /// string with six decimals such as `"0.450000"` (the documentation's tables say string for both).
    Rate: Decimal
}
string_value! {
    /// `balance`: the account's balance afterwards, in its currency; a string with six decimals.
    Money: Decimal
}

impl Rate {
    /// The documented form: the number 0 for nothing, else a string with six decimals.
    ///
    /// # Examples
    /// ```
    /// use piopiy_events::Rate;
    /// assert_eq!(Rate::from_millionths(0).as_json(), "0");
    /// assert_eq!(Rate::from_millionths(450_000).as_json(), "\"0.450000\"");
    /// ```
    #[must_use]
    pub fn from_millionths(millionths: i64) -> Self {
        if millionths == 0 { Self(crate::Raw::number(0)) } else { Self(decimal(millionths)) }
    }

    /// The amount in millionths of the currency unit, from a number or a string with at most six decimals.
    #[must_use]
    pub fn millionths(&self) -> Option<i64> {
        millionths(&self.0.plain())
    }
}

impl Money {
    /// The documented form: a string with six decimals.
    #[must_use]
    pub fn from_millionths(millionths: i64) -> Self {
        Self(decimal(millionths))
    }

    /// The amount in millionths of the currency unit, from a number or a string with at most six decimals.
    #[must_use]
    pub fn millionths(&self) -> Option<i64> {
        millionths(&self.0.plain())
    }
}

fn decimal(millionths: i64) -> crate::Raw {
    let sign = if millionths < 0 { "-" } else { "" };
    let magnitude = millionths.unsigned_abs();
    crate::Raw::string(&format!("{sign}{}.{:06}", magnitude / 1_000_000, magnitude % 1_000_000))
}

fn millionths(text: &str) -> Option<i64> {
    let (negative, magnitude) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (whole, fraction) = magnitude.split_once('.').unwrap_or((magnitude, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || fraction.len() > 6 || !digits(whole) || !digits(fraction) {
        return None;
    }
    // Wider than the result: the lowest number of 64 bits has no positive counterpart.
    let value = i128::from(whole.parse::<u64>().ok()?) * 1_000_000;
    let value = value + format!("{fraction:0<6}").parse::<i128>().ok()?;
    i64::try_from(if negative { -value } else { value }).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_read_back() {
        for amount in [0, 1, 450_000, -1, 899_000_000, 12_345_678_901, i64::MIN, i64::MAX] {
            assert_eq!(Rate::from_millionths(amount).millionths(), Some(amount));
            assert_eq!(Money::from_millionths(amount).millionths(), Some(amount));
        }
        assert_eq!(Money::new("0.39").millionths(), Some(390_000));
        for text in ["", ".5", "1.2345678", "x", "1e3", "99999999999999999", "9223372036854.775808"] {
            assert_eq!(Money::new(text).millionths(), None, "{text}");
        }
    }
}
