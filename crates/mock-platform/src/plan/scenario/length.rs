use std::fmt;

use serde::de::{Error as _, MapAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Deserializer};

/// A length of time, written with its unit: `250ms`, `1.5s`, `12s`, `5m`, `1h`. At most 7 days.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Length {
    millis: u64,
}

impl Length {
    const MOST: u64 = 7 * 24 * 3_600_000;

    /// A length in milliseconds.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self { millis }
    }

    /// The length in milliseconds.
    #[must_use]
    pub const fn millis(self) -> u64 {
        self.millis
    }

    fn parse(text: &str) -> Result<Self, String> {
        let unit_at = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
        let (number, unit) = text.split_at(unit_at);
        let factor: u64 = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return Err(Self::what_is_wrong(text)),
        };
        let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(part) || part.len() > 3 {
            return Err(Self::what_is_wrong(text));
        }
        let thousandths = format!("{whole}{part:0<3}").parse::<u64>();
        let millis = thousandths.ok().and_then(|count| count.checked_mul(factor)).map(|count| count / 1_000);
        match millis {
            Some(millis) if millis <= Self::MOST => Ok(Self { millis }),
            _ => Err(format!("`{text}` is longer than 7 days")),
        }
    }

    fn what_is_wrong(text: &str) -> String {
        format!(
            "`{text}` is no length of time: write a number and ms, s, m or h, such as \"250ms\" or \"12s\""
        )
    }
}

impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Length;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a length of time such as \"12s\" or \"250ms\"")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Length, E> {
                Length::parse(text).map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// How long something takes: a shape, and bounds that cut it.
///
/// In TOML `"5s"`, or a table of one shape and bounds:
/// `{ lognormal = { median = "90s", p95 = "6m" }, min = "1s", max = "30m" }`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Distribution {
    /// The shape.
    pub shape: Shape,
    /// Nothing is shorter.
    pub min: Option<Length>,
    /// Nothing is longer.
    pub max: Option<Length>,
}

/// The shape of a [`Distribution`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Shape {
    /// Always the same.
    Constant(Length),
    /// Every length from one to the other is as likely.
    Uniform {
        /// The shortest.
        from: Length,
        /// The longest.
        to: Length,
    },
    /// What has no memory.
    Exponential {
        /// The mean.
        mean: Length,
    },
    /// What is mostly short and now and then long, as talk is.
    Lognormal {
        /// Half are shorter.
        median: Length,
        /// Nineteen of twenty are shorter.
        p95: Length,
    },
}

impl Distribution {
    /// A shape without bounds.
    #[must_use]
    pub const fn new(shape: Shape) -> Self {
        Self { shape, min: None, max: None }
    }

    pub(crate) const fn within(self, min: u64, max: u64) -> Self {
        Self { min: Some(Length::from_millis(min)), max: Some(Length::from_millis(max)), ..self }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    constant: Option<Length>,
    uniform: Option<Uniform>,
    exponential: Option<Exponential>,
    lognormal: Option<Lognormal>,
    min: Option<Length>,
    max: Option<Length>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Uniform {
    from: Length,
    to: Length,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Exponential {
    mean: Length,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Lognormal {
    median: Length,
    p95: Length,
}

impl Written {
    fn distribution(self) -> Result<Distribution, String> {
        let shapes = [
            self.constant.map(Shape::Constant),
            self.uniform.map(|Uniform { from, to }| Shape::Uniform { from, to }),
            self.exponential.map(|Exponential { mean }| Shape::Exponential { mean }),
            self.lognormal.map(|Lognormal { median, p95 }| Shape::Lognormal { median, p95 }),
        ];
        let mut named = shapes.into_iter().flatten();
        let (Some(shape), None) = (named.next(), named.next()) else {
            return Err("name one of constant, uniform, exponential, lognormal".to_owned());
        };
        match shape {
            Shape::Uniform { from, to } if to < from => {
                return Err("uniform: `to` is less than `from`".to_owned());
            }
            Shape::Lognormal { median, p95 } if median.millis() == 0 || p95 < median => {
                return Err("lognormal: `median` must be above 0, and `p95` not less than it".to_owned());
            }
            _ => {}
        }
        if let (Some(min), Some(max)) = (self.min, self.max)
            && max < min
        {
            return Err("`max` is less than `min`".to_owned());
        }
        let (min, max) = (self.min, self.max);
        Ok(Distribution { shape, min, max })
    }
}

impl<'de> Deserialize<'de> for Distribution {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextOrTable;
        impl<'de> Visitor<'de> for TextOrTable {
            type Value = Distribution;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a length of time such as \"12s\", or a table with a shape")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Distribution, E> {
                let length = Length::parse(text).map_err(E::custom)?;
                Ok(Distribution::new(Shape::Constant(length)))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Distribution, A::Error> {
                let written = Written::deserialize(MapAccessDeserializer::new(map))?;
                written.distribution().map_err(A::Error::custom)
            }
        }
        deserializer.deserialize_any(TextOrTable)
    }
}
