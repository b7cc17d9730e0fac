//! SCH: tolerance to what the schema does not say.

use super::Check;

pub(super) const CHECKS: &[Check] = &[];
