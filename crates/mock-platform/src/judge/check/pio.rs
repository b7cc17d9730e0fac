//! PIO: peculiarities of the platform, each as a page documents it.

mod fields;
mod kinds;
mod samples;

use super::Check;

pub(super) const CHECKS: &[Check] = &[
    samples::PIO_001,
    fields::PIO_002,
    fields::PIO_003,
    kinds::PIO_004,
    fields::PIO_005,
    fields::PIO_006,
    fields::PIO_007,
    kinds::PIO_008,
    fields::PIO_009,
    kinds::PIO_010,
    kinds::PIO_011,
    samples::PIO_012,
    kinds::PIO_013,
];
