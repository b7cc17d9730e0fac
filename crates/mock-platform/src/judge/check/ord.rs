//! ORD: the order of webhooks; the model says which final state is right.

use super::Check;

pub(super) const CHECKS: &[Check] = &[];
