use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::length::Length;
use crate::plan::Stage;

/// A stage as a scenario has it: `{ kind = "ramp", to = 200, over = "5m" }`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    kind: Kind,
    to: Option<f64>,
    over: Length,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Ramp,
    Step,
    Burst,
    Soak,
}

/// No load is faster.
const FASTEST: f64 = 1e7;

impl<'de> Deserialize<'de> for Stage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = Written::deserialize(deserializer)?;
        written.stage().map_err(D::Error::custom)
    }
}

impl Written {
    fn stage(&self) -> Result<Stage, String> {
        let over = Duration::from_millis(self.over.millis());
        if over.is_zero() {
            return Err("a stage lasts for a while: `over` is above 0".to_owned());
        }
        let to = match (self.to, &self.kind) {
            (None, Kind::Soak) => return Ok(Stage::Soak { over }),
            (Some(_), Kind::Soak) => {
                return Err(
                    "a `soak` keeps the rate as it is: leave out `to`, or say `kind = \"step\"`".to_owned()
                );
            }
            (Some(to), _) if (0.0..=FASTEST).contains(&to) => to,
            (Some(to), _) => return Err(format!("`to` is {to}: a rate is from 0 to {FASTEST} per second")),
            (None, _) => return Err("a stage that changes the rate says to which: add `to = 200`".to_owned()),
        };
        Ok(match self.kind {
            Kind::Ramp => Stage::Ramp { to, over },
            Kind::Step => Stage::Step { to, over },
            Kind::Burst => Stage::Burst { to, over },
            Kind::Soak => Stage::Soak { over },
        })
    }
}
