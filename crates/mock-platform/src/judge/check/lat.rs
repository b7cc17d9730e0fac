//! LAT: the latency of acknowledgement.

use super::Check;

pub(super) const CHECKS: &[Check] = &[];
