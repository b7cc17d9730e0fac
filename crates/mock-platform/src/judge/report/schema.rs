use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::{CheckReport, SCHEMA};
use crate::deliver::ledger::leave_out_examples;

/// The JSON Schema (2020-12) of the report of a run of checks.
///
/// Additive by design: other keys are valid.
///
/// # Examples
/// ```
/// let schema = piopiy_mock_platform::judge::report::schema();
/// assert_eq!(schema["title"], "piopiy-mock.check/v1");
/// ```
#[must_use]
pub fn schema() -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<CheckReport>().to_value();
    schema["title"] = SCHEMA.into();
    leave_out_examples(&mut schema);
    schema
}
