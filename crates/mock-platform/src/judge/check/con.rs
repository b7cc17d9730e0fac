//! CON: concurrency and load.

use super::Check;

pub(super) const CHECKS: &[Check] = &[];
