//! PLAN: scenario and seed in, whole legal calls out. Pure: no clock, no socket, no runtime, no global randomness.
//!
//! [`Scenario`] says what calls there are and how people behave; [`PlanOptions`] say which calls, in which profile;
//! the [`Simulator`] makes them. The same scenario, options and [`GENERATOR`] give the same bytes on every machine.

mod arrival_process;
mod arrivals;
mod arrivals_file;
mod behaviour;
mod compiled;
mod digest;
mod distribution;
pub(crate) mod draw;
pub mod file;
mod filling;
mod golden;
mod ids;
mod live;
mod numbers;
mod options;
mod planned;
mod scenario;
mod seed;
mod set;
mod simulator;
mod single;
mod stages;
mod story;
mod timeline;
mod weights;
mod words;

pub use arrival_process::ArrivalProcess;
pub use arrivals_file::{ArrivalsError, arrivals_from_text};
pub(crate) use digest::digest;
pub(crate) use distribution::Quantiles;
pub use golden::golden;
pub use live::{Happened, LiveCall, LiveCalls};
pub use options::PlanOptions;
pub use planned::{PlannedCall, PlannedWebhook};
pub use scenario::{
    Account, Arrivals, Bridge, CallMix, CloseCodes, Distribution, ExtraParams, HangUp, Length, Numbers,
    Region, Scenario, ScenarioError, Shape, Spacing, Streams, Times,
};
pub use seed::{GENERATOR, Nonce, ParseSeedError, Seed};
pub use set::{SetError, set};
pub use simulator::{CallBuffer, Simulator, Untold, WrittenWebhook};
pub(crate) use single::unknown_event;
pub use single::{SingleError, SingleOptions, single};
pub use stages::{Stage, Stages};
pub use story::{Party, Plot, Story};
