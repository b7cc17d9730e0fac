use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use piopiy_events::Profile;

use super::ledger::{self, Entry, LedgerError, PlanEntry, RunEntry};
use super::{DeliveryOptions, Fault, PlacedCall, rekey};
use crate::plan::file::{PlanFileError, PlanReader};
use crate::plan::{PlanOptions, PlannedCall, PlannedWebhook};

/// A run that can be done again: the same bodies at the same times with the same faults.
///
/// # Examples
/// ```no_run
/// use piopiy_mock_platform::deliver::Replay;
///
/// let replay = Replay::from_ledger("run.jsonl".as_ref())?.rekeyed(42);
/// println!("{} webhooks", replay.webhooks());
/// # Ok::<(), piopiy_mock_platform::deliver::ReplayError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Replay {
    run: RunEntry,
    is_of_plan: bool,
    calls: Vec<Call>,
}

#[derive(Debug, Clone)]
struct Call {
    index: u64,
    profile: Profile,
    story: String,
    webhooks: Vec<(PlannedWebhook, Vec<Fault>)>,
}

/// Why a run cannot be done again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// Its ledger cannot be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Its plan cannot be read.
    #[error(transparent)]
    Plan(#[from] PlanFileError),
    /// It is some other file.
    #[error("{0} is neither a ledger nor a plan: its first line does not say so")]
    Neither(std::path::PathBuf),
    /// The ledger is empty.
    #[error("{0} holds no run: it is empty")]
    Empty(std::path::PathBuf),
}

impl Replay {
    /// Reads the first run of a ledger. Of a ledger that was cut off, give the whole lines.
    ///
    /// # Errors
    /// If the file is no ledger.
    pub fn from_ledger(path: &Path) -> Result<Self, ReplayError> {
        let mut run = None;
        let mut calls: BTreeMap<u64, Vec<PlanEntry>> = BTreeMap::new();
        for record in ledger::read(path)? {
            match record?.entry {
                // A file of several runs: the first is done again.
                Entry::Run(_) if run.is_some() => break,
                Entry::Run(entry) => run = Some(*entry),
                Entry::Plan(plan) => calls.entry(plan.call).or_default().push(*plan),
                _ => {}
            }
        }
        let run = run.ok_or_else(|| ReplayError::Empty(path.to_owned()))?;
        let calls = calls.into_iter().map(|(index, plans)| Call::new(index, plans)).collect();
        Ok(Self::sorted(run, false, calls))
    }

    /// A file does not say when a call starts: it is taken with its first webhook, hence the order.
    fn sorted(run: RunEntry, is_of_plan: bool, mut calls: Vec<Call>) -> Self {
        calls.sort_by_key(|call| (call.first_ms(), call.index));
        Self { run, is_of_plan, calls }
    }

    /// Takes the calls of a plan, to be delivered with the options given; faults are drawn.
    ///
    /// # Errors
    /// If the file is no plan.
    pub fn from_plan(path: &Path, options: &DeliveryOptions) -> Result<Self, ReplayError> {
        let file = File::open(path).map_err(|source| LedgerError::Io { path: path.to_owned(), source })?;
        let reader = PlanReader::new(&path.display().to_string(), BufReader::new(file))?;
        let header = reader.header();
        let plan = PlanOptions {
            // The reader has checked the profile; seed and nonce are told in the ledger, no more.
            profile: header.profile.parse().unwrap_or_default(),
            seed: header.seed.parse().unwrap_or_default(),
            nonce: header.nonce.parse().unwrap_or_default(),
            epoch_ms: header.epoch_ms,
            ..PlanOptions::default()
        };
        let run = RunEntry::new(&header.scenario, &plan, None, options);
        let calls =
            reader.map(|call| Ok(Call::drawn(call?, options))).collect::<Result<_, PlanFileError>>()?;
        Ok(Self::sorted(run, true, calls))
    }

    /// Reads a ledger or a plan, whichever the file is; `options` are for a plan, as a ledger has its own.
    ///
    /// # Errors
    /// If the file is neither.
    pub fn from_file(path: &Path, options: &DeliveryOptions) -> Result<Self, ReplayError> {
        match schema_of(path)?.as_deref() {
            Some(schema) if schema.starts_with(PLAN_SCHEMAS) => Self::from_plan(path, options),
            Some(schema) if schema.starts_with(LEDGER_SCHEMAS) => Self::from_ledger(path),
            _ => Err(ReplayError::Neither(path.to_owned())),
        }
    }

    /// Whether it was read from a plan, which does not say how it is delivered.
    #[must_use]
    pub fn is_of_plan(&self) -> bool {
        self.is_of_plan
    }

    /// Delivers it with other options; faults are drawn anew.
    #[must_use]
    pub fn with_options(mut self, options: &DeliveryOptions) -> Self {
        self.run.options = options.clone();
        self.calls = self.calls.into_iter().map(|call| call.drawn_again(options)).collect();
        self
    }

    /// Gives all ids new values that follow from the old ones and `nonce`, so that a durable receiver does not take
    /// the webhooks for repeats. See [`rekey`].
    #[must_use]
    pub fn rekeyed(mut self, nonce: u64) -> Self {
        for (webhook, _) in self.calls.iter_mut().flat_map(|call| &mut call.webhooks) {
            webhook.body = rekey(&webhook.body, nonce);
        }
        self.run.nonce = nonce;
        self
    }

    /// How the run began; its options say how it was delivered.
    #[must_use]
    pub fn run(&self) -> &RunEntry {
        &self.run
    }

    /// How many webhooks there are.
    #[must_use]
    pub fn webhooks(&self) -> usize {
        self.calls.iter().map(|call| call.webhooks.len()).sum()
    }

    /// The calls, with the faults that the ledger names, in the order of their first webhook.
    pub fn into_calls(self) -> impl Iterator<Item = PlacedCall> {
        self.calls.into_iter().map(|call| {
            let (webhooks, faults) = call.webhooks.into_iter().unzip();
            let planned = PlannedCall::new(call.index, call.profile, call.story.into(), webhooks);
            PlacedCall::with_faults(planned, faults)
        })
    }
}

impl Call {
    fn drawn(call: PlannedCall, options: &DeliveryOptions) -> Self {
        let webhooks = drawn(call.webhooks, options);
        Self { index: call.index, profile: call.profile, story: call.story.into_owned(), webhooks }
    }

    fn drawn_again(self, options: &DeliveryOptions) -> Self {
        let webhooks = self.webhooks.into_iter().map(|(webhook, _)| webhook).collect();
        Self { webhooks: drawn(webhooks, options), ..self }
    }

    /// `plans` is not empty: a call is known by its plan entries alone.
    fn new(index: u64, mut plans: Vec<PlanEntry>) -> Self {
        plans.sort_by_key(|plan| (plan.at_ms, plan.webhook));
        Self {
            index,
            profile: plans.first().map_or_else(Profile::default, |plan| plan.profile),
            story: plans.first().map_or_else(String::new, |plan| plan.story.clone()),
            webhooks: plans.into_iter().map(|plan| (plan.webhook(), plan.faults)).collect(),
        }
    }

    fn first_ms(&self) -> u64 {
        self.webhooks.iter().map(|(webhook, _)| webhook.at_ms).min().unwrap_or(0)
    }
}

/// The webhooks of a call, each with its faults.
fn drawn(webhooks: Vec<PlannedWebhook>, options: &DeliveryOptions) -> Vec<(PlannedWebhook, Vec<Fault>)> {
    let faults = (0..webhooks.len()).map(|position| options.faults.of(&webhooks, position));
    let faults: Vec<_> = faults.collect();
    webhooks.into_iter().zip(faults).collect()
}

/// What the schemas of all versions begin with.
const PLAN_SCHEMAS: &str = "piopiy-mock.plan/";
const LEDGER_SCHEMAS: &str = "piopiy-mock.ledger/";

/// No first line of a plan or a ledger is longer: bytes.
const LONGEST_HEADER: u64 = 16 << 20;

/// The schema that the first line of a file names; `None` where that is no JSON object, or names none.
fn schema_of(path: &Path) -> Result<Option<String>, ReplayError> {
    #[derive(serde::Deserialize)]
    struct Header {
        schema: String,
    }
    let failed = |source| LedgerError::Io { path: path.to_owned(), source };
    let mut first = Vec::new();
    let file = File::open(path).map_err(failed)?.take(LONGEST_HEADER);
    BufReader::new(file).read_until(b'\n', &mut first).map_err(failed)?;
    if first.is_empty() {
        return Err(ReplayError::Empty(path.to_owned()));
    }
    Ok(serde_json::from_slice(&first).ok().map(|header: Header| header.schema))
}
