use std::fmt;
use std::time::Duration;

use super::composer::Bodies;
use super::options::{LoadOptions, LoadOptionsError, Rate};
use super::source::{Due, Source};
use crate::plan::Simulator;

/// The plan of a load: what [`run_load`](super::run_load) sends with the same options, and when, without sending it.
///
/// What goes wrong on purpose is in it: copies, what is held back and what is behind others are where they are sent, and what is lost is left
/// out. What is sent again because it was not acknowledged is not, for it follows from answers.
///
/// # Examples
/// ```
/// use piopiy_mock_platform::load::{LoadOptions, LoadPlan, Rate};
/// use piopiy_mock_platform::plan::{PlanOptions, Scenario, Simulator, Spacing};
///
/// let simulator = Simulator::new(&Scenario::default(), PlanOptions::default());
/// let mut options = LoadOptions::new(Rate::Webhooks(500.0));
/// options.spacing = Spacing::Constant;
/// let mut plan = LoadPlan::new(&simulator, &options)?;
/// let first = plan.next_webhook().unwrap();
/// assert_eq!((first.due.as_millis(), first.call, first.webhook), (0, 0, 0));
/// assert!(plan.body().starts_with(b"{"));
/// assert_eq!(plan.next_webhook().unwrap().due.as_millis(), 2);
/// # Ok::<(), piopiy_mock_platform::load::LoadOptionsError>(())
/// ```
pub struct LoadPlan {
    /// Nothing is due at an instant of its own.
    is_asked: bool,
    source: Source,
    last: Option<Due>,
    bodies: Bodies,
}

/// A webhook of a load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PlannedSend {
    /// When, from the start. With [`Rate::Max`] nothing is due at an instant of its own, and this is 0.
    pub due: Duration,
    /// Of which call.
    pub call: u64,
    /// Which of its webhooks.
    pub webhook: u32,
}

impl LoadPlan {
    /// The plan of these options; of the simulator's shard, if it has one.
    ///
    /// # Errors
    /// Where the options make no sense.
    pub fn new(simulator: &Simulator, options: &LoadOptions) -> Result<Self, LoadOptionsError> {
        options.check()?;
        let is_asked = options.rate == Rate::Max;
        let source = Source::new(simulator, options, 0, 1);
        Ok(Self { is_asked, source, last: None, bodies: Bodies::new(simulator, options.rate) })
    }

    /// What is due next. With [`Rate::Max`] only a number of calls makes an end.
    pub fn next_webhook(&mut self) -> Option<PlannedSend> {
        self.last = self.source.take();
        let due = self.last?;
        // Without instants, what goes wrong has a place in the order in lieu of one.
        let at_ns = if self.is_asked { 0 } else { due.at_ns };
        Some(PlannedSend { due: Duration::from_nanos(at_ns), call: due.call, webhook: due.webhook })
    }

    /// The payload of what was next; empty where there is none.
    pub fn body(&mut self) -> &[u8] {
        match self.last {
            Some(due) => self.bodies.of(due),
            None => &[],
        }
    }
}

impl fmt::Debug for LoadPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoadPlan").field("next", &self.source.peek()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::PlanOptions;

    #[test]
    fn at_full_speed_nothing_is_due_at_an_instant_whatever_goes_wrong() {
        let simulator = Simulator::builtin("default", PlanOptions::default()).unwrap();
        let mut options = LoadOptions::new(Rate::Max);
        (options.duration, options.calls) = (None, Some(40));
        let count = |options: &LoadOptions| {
            let mut plan = LoadPlan::new(&simulator, options).unwrap();
            let mut count = 0;
            while let Some(next) = plan.next_webhook() {
                assert_eq!(next.due, Duration::ZERO, "{next:?}");
                assert!(plan.body().starts_with(b"{"));
                count += 1;
            }
            count
        };
        let plain = count(&options);
        options.faults.duplicate = 1.0;
        assert_eq!(count(&options), 2 * plain);
        (options.faults.duplicate, options.faults.reorder) = (0.0, 0.5);
        assert_eq!(count(&options), plain);
        options.faults.loss = 1.0;
        assert_eq!(count(&options), 0);
    }
}
