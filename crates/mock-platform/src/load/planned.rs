use std::fmt;
use std::time::Duration;

use super::composer::Bodies;
use super::options::{LoadOptions, LoadOptionsError};
use super::source::{Due, Source};
use crate::plan::Simulator;

/// The plan of a load: what [`run_load`](super::run_load) sends with the same options, and when, without sending it.
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
    source: Source,
    last: Option<Due>,
    bodies: Bodies,
}

/// A webhook of a load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PlannedSend {
    /// When, from the start. With [`Rate::Max`](super::Rate::Max) nothing is due at an instant of its own, and this is 0.
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
        Ok(Self { source: Source::new(simulator, options, 0, 1), last: None, bodies: Bodies::new(simulator) })
    }

    /// What is due next. With [`Rate::Max`](super::Rate::Max) only a number of calls makes an end.
    pub fn next_webhook(&mut self) -> Option<PlannedSend> {
        self.last = self.source.take();
        let due = self.last?;
        Some(PlannedSend { due: Duration::from_nanos(due.at_ns), call: due.call, webhook: due.webhook })
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
