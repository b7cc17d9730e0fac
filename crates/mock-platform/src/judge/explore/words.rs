//! A schedule, in words.

use std::fmt;

use super::Schedule;
use super::schedule::{Attempt, Place, Wave};

/// Deliveries that are told one by one.
const MOST_TOLD: usize = 6;

/// For people: `two deliveries of the same CDR, 3 ms apart`.
impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = self.size();
        let places = self.places();
        match places.first() {
            Some(only) if size.webhooks == 1 => {
                let what = self.what(*only, false);
                if size.deliveries == 1 {
                    write!(f, "one delivery of {} {what}", article(&what))?;
                } else {
                    write!(f, "{} deliveries of the same {what}, {}", number(size.deliveries), self.apart())?;
                }
            }
            _ if size.deliveries <= MOST_TOLD => f.write_str(&self.told())?,
            _ => {
                let of = |count: usize, what: &str| format!("{} {what}{}", number(count), plural(count));
                write!(f, "{} of {}", of(size.deliveries, "deliverie"), of(size.webhooks, "webhook"))?;
                if size.calls > 1 {
                    write!(f, " of {}", of(size.calls, "call"))?;
                }
                let most = self.waves.iter().map(|wave| wave.attempts.len()).max().unwrap_or(0);
                if most > 1 {
                    write!(f, ", up to {} side by side", number(most))?;
                }
            }
        }
        self.changes(f)
    }
}

impl Schedule {
    /// How far the deliveries of the only webhook are apart.
    fn apart(&self) -> String {
        let paused: u64 = self.waves.iter().skip(1).map(|wave| u64::from(wave.pause_ms)).sum();
        match self.waves.as_slice() {
            [wave] => beside(wave),
            waves if waves.iter().all(|wave| wave.attempts.len() == 1) && paused == 0 => {
                "one after the other".to_owned()
            }
            waves if waves.iter().all(|wave| wave.attempts.len() == 1) => {
                format!("one after the other within {paused} ms")
            }
            waves => {
                let most = waves.iter().map(|wave| wave.attempts.len()).max().unwrap_or(0);
                format!("up to {} side by side", number(most))
            }
        }
    }

    /// Each delivery.
    fn told(&self) -> String {
        let mut seen = Vec::new();
        let mut waves = Vec::new();
        for wave in &self.waves {
            let mut told = Vec::new();
            for Attempt { place, .. } in &wave.attempts {
                let again = if seen.contains(place) { " again" } else { "" };
                seen.push(*place);
                told.push(format!("{}{again}", self.what(*place, true)));
            }
            let pause = match wave.pause_ms {
                0 => String::new(),
                ms => format!("{ms} ms later "),
            };
            let timing = if told.len() > 1 { format!(" {}", beside(wave)) } else { String::new() };
            waves.push(format!("{pause}{}{timing}", told.join(" and ")));
        }
        waves.join(", then ")
    }

    /// What a webhook is; of which leg and call, where there are several.
    fn what(&self, place: Place, is_one_of_many: bool) -> String {
        let Some(named) = self.named(place) else { return "webhook".to_owned() };
        let kind = if named.is_cdr { "CDR".to_owned() } else { format!("live event `{}`", named.status) };
        if !is_one_of_many {
            return kind;
        }
        let leg = if named.leg.is_empty() { String::new() } else { format!(" of leg {}", named.leg) };
        let calls = self.size().calls;
        let call = if calls > 1 { format!(" of call {}", place.call + 1) } else { String::new() };
        format!("the {kind}{leg}{call}")
    }

    fn changes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = self.places();
        let mut changes: Vec<String> = Vec::new();
        for (place, variations) in self.variations.iter().filter(|(place, _)| places.contains(place)) {
            let words: Vec<String> = variations.iter().map(|variation| variation.words()).collect();
            let whose = if places.len() > 1 {
                format!("{} with ", self.what(*place, true))
            } else {
                "with ".to_owned()
            };
            changes.push(format!("{whose}{}", words.join(" and ")));
        }
        match changes.len() {
            0 => Ok(()),
            1..=3 => write!(f, ", {}", changes.join(", ")),
            many => write!(f, ", {} of them changed", number(many)),
        }
    }
}

fn beside(wave: &Wave) -> String {
    let last = wave.attempts.iter().map(|attempt| attempt.after_ms).max().unwrap_or(0);
    match (last, wave.attempts.len()) {
        (0, _) => "at the same time".to_owned(),
        (ms, 2) => format!("{ms} ms apart"),
        (ms, _) => format!("within {ms} ms"),
    }
}

fn number(count: usize) -> String {
    const WORDS: [&str; 13] = [
        "no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
        "twelve",
    ];
    WORDS.get(count).map_or_else(|| count.to_string(), |word| (*word).to_owned())
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

fn article(what: &str) -> &'static str {
    if what.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" }
}
