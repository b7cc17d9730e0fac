use piopiy_events::CallDirection;

use super::{CallBuffer, Simulator};
use crate::plan::Plot;
use crate::plan::scenario::CallMix;

/// How many calls of a kind are looked at; what can be told of a kind is told in nearly every one of them.
const LOOKED_AT: u64 = 64;

/// The kinds of calls of a scenario of which no webhook tells.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Untold {
    /// As the table `calls` of a scenario names them.
    pub kinds: Vec<String>,
    /// Whether these are all that the scenario has: nothing would ever be sent.
    pub is_everything: bool,
}

impl Simulator {
    /// The kinds of calls that happen, but of which the profile, or the choice of documented payloads, leaves nothing
    /// to be sent.
    ///
    /// # Examples
    /// ```
    /// use piopiy_events::Profile;
    /// use piopiy_mock_platform::plan::{PlanOptions, Scenario, Seed, Simulator};
    ///
    /// let scenario = Scenario::builtin("outbound-answered")?;
    /// let mut options = PlanOptions::new(Profile::Global2022, Seed(1));
    /// assert!(Simulator::new(&scenario, options.clone()).untold().kinds.is_empty());
    /// options.documented_only = true;
    /// let untold = Simulator::new(&scenario, options).untold();
    /// assert_eq!((&untold.kinds[..], untold.is_everything), (&["outbound-answered".to_owned()][..], true));
    /// # Ok::<(), piopiy_mock_platform::plan::ScenarioError>(())
    /// ```
    #[must_use]
    pub fn untold(&self) -> Untold {
        let kinds = (0..CallMix::KINDS.len()).filter(|&kind| self.behaviour.has_kind(kind));
        let (mut untold, mut all) = (Vec::new(), 0);
        let mut buffer = CallBuffer::default();
        for kind in kinds {
            all += 1;
            let one_kind = Self { behaviour: self.behaviour.of_kind(kind).into(), ..self.clone() };
            let is_told = (0..LOOKED_AT).any(|index| {
                one_kind.write_call(index, &mut buffer);
                buffer.webhooks().len() > 0
            });
            if !is_told {
                untold.push(name(CallMix::KINDS[kind]));
            }
        }
        Untold { is_everything: untold.len() == all, kinds: untold }
    }
}

fn name((direction, plot): (CallDirection, Plot)) -> String {
    let plot = match plot {
        Plot::Answered => "answered",
        Plot::Missed => "missed",
        Plot::Abandoned => "abandoned",
        Plot::Bridged => "bridged",
        Plot::Group => "group",
        Plot::Streamed => "streamed",
        Plot::StreamError => "stream-error",
    };
    format!("{direction}-{plot}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Scenario;

    #[test]
    fn kinds_have_the_names_that_scenarios_call_them() {
        for (kind, weight) in CallMix::KINDS.into_iter().zip(0..) {
            let scenario = Scenario::parse("x", &format!("[calls]\n{} = 7", name(kind))).unwrap();
            let weights = scenario.calls.weights();
            assert_eq!(weights.iter().position(|&weight| weight == 7), Some(weight));
        }
    }

    #[test]
    fn every_profile_tells_of_every_kind() {
        for profile in piopiy_events::Profile::ALL {
            let options = crate::plan::PlanOptions::new(profile, crate::plan::Seed(0));
            let untold = Simulator::new(&Scenario::default(), options).untold();
            assert_eq!(untold, Untold { kinds: Vec::new(), is_everything: false }, "{profile}");
        }
    }
}
