//! RTY: redelivery and acknowledgement.

use super::Check;

pub(super) const CHECKS: &[Check] = &[];
