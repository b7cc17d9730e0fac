//! Plan files: JSON Lines, a header and then one record for each webhook, in the order of the calls.
//!
//! A plan file holds the payloads themselves, byte for byte, so that it can be delivered again by a later version,
//! whose generator may be another.

mod reader;
mod schema;

use std::io::{self, Write};

use piopiy_events::{Kind, Profile};
use serde::{Deserialize, Serialize};

use super::{GENERATOR, PlanOptions, PlannedCall, PlannedWebhook, Scenario};

pub(crate) use reader::bytes_of;
pub use reader::{PlanFileError, PlanReader};
pub use schema::schema;

/// What the header calls this kind of file, with its version.
pub const SCHEMA: &str = "piopiy-mock.plan/v1";

/// The first line: what the plan was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PlanHeader {
    /// [`SCHEMA`].
    pub schema: String,
    /// The generator's version.
    pub generator: String,
    /// The seed, `0x` and hexadecimal.
    pub seed: String,
    /// The nonce, `0x` and hexadecimal.
    pub nonce: String,
    /// The profile.
    pub profile: String,
    /// The name of the scenario.
    pub scenario: String,
    /// Its text; empty for what is built in, or was made in code.
    pub scenario_text: String,
    /// When the run starts, in the payloads: milliseconds since 1970.
    pub epoch_ms: u64,
    /// Whether guesses were left out.
    pub documented_only: bool,
    /// The index of the first call.
    pub first_call: u64,
    /// How many calls from there on; absent where there is no end.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub calls: Option<u64>,
    /// Which part of the calls, `[i, n]`; absent for all of them.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub shard: Option<(u64, u64)>,
}

impl PlanHeader {
    /// The header of a plan.
    #[must_use]
    pub fn new(scenario: &Scenario, options: &PlanOptions) -> Self {
        let builtin = Scenario::builtin(&scenario.name).is_ok_and(|known| known.text == scenario.text);
        Self {
            schema: SCHEMA.to_owned(),
            generator: GENERATOR.to_owned(),
            seed: options.seed.to_string(),
            nonce: options.nonce.to_string(),
            profile: options.profile.to_string(),
            scenario: scenario.name.clone(),
            scenario_text: if builtin { String::new() } else { scenario.text.clone() },
            epoch_ms: options.epoch_ms,
            documented_only: options.documented_only,
            first_call: options.first_call,
            calls: options.calls,
            shard: options.shard,
        }
    }
}

/// One webhook as a line of the file.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    call: u64,
    seq: u32,
    at_ms: u64,
    name: String,
    /// `event` or `cdr`; absent where the body is no webhook.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    kind: Option<String>,
    evidence: String,
    story: String,
    /// The payload, where it is UTF-8.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    body: Option<String>,
    /// The payload in hexadecimal, where it is not.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    body_hex: Option<String>,
}

impl Record {
    fn new(call: &PlannedCall, webhook: &PlannedWebhook) -> Self {
        let text = std::str::from_utf8(&webhook.body).ok();
        let hex = || webhook.body.iter().map(|byte| format!("{byte:02x}")).collect();
        Self {
            call: webhook.call,
            seq: webhook.seq,
            at_ms: webhook.at_ms,
            name: webhook.name.clone().into_owned(),
            kind: webhook.kind.map(|kind: Kind| kind.to_string()),
            evidence: webhook.evidence.to_string(),
            story: call.story.clone().into_owned(),
            body: text.map(str::to_owned),
            body_hex: if text.is_some() { None } else { Some(hex()) },
        }
    }
}

/// Writes the first line.
///
/// # Errors
/// Where `out` cannot be written to.
pub fn write_header(out: &mut impl Write, header: &PlanHeader) -> io::Result<()> {
    write_line(out, header)
}

/// Writes one call: a line for each webhook.
///
/// # Errors
/// Where `out` cannot be written to.
///
/// # Examples
/// ```
/// use piopiy_mock_platform::plan::{PlanOptions, Scenario, Simulator, file};
///
/// let (scenario, mut options) = (Scenario::default(), PlanOptions::default());
/// options.calls = Some(2);
/// let simulator = Simulator::new(&scenario, options);
/// let mut written = Vec::new();
/// file::write_header(&mut written, &file::PlanHeader::new(&scenario, simulator.options()))?;
/// for call in simulator.calls() {
///     file::write_call(&mut written, &call)?;
/// }
/// let reader = file::PlanReader::new("mine.jsonl", &*written).unwrap();
/// for (read, planned) in reader.zip(simulator.calls()) {
///     assert_eq!(read.unwrap().webhooks, planned.webhooks);
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn write_call(out: &mut impl Write, call: &PlannedCall) -> io::Result<()> {
    for webhook in &call.webhooks {
        write_line(out, &Record::new(call, webhook))?;
    }
    Ok(())
}

fn write_line(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}

fn profile_of(header: &PlanHeader) -> Result<Profile, String> {
    header.profile.parse().map_err(|error: piopiy_events::UnknownProfile| error.to_string())
}
