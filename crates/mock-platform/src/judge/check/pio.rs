//! PIO: peculiarities of the platform, each as a page documents it.

use super::Check;

pub(super) const CHECKS: &[Check] = &[];
