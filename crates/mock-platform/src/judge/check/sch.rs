//! SCH: tolerance to what the schema does not say.

mod absent;
mod number;
mod unknown;

use super::Check;

pub(super) const CHECKS: &[Check] = &[
    unknown::SCH_001,
    unknown::SCH_002,
    unknown::SCH_003,
    unknown::SCH_004,
    number::SCH_005,
    number::SCH_006,
    number::SCH_007,
    absent::SCH_008,
    absent::SCH_009,
    number::SCH_010,
    number::SCH_011,
    number::SCH_012,
    number::SCH_013,
    absent::SCH_014,
    absent::SCH_015,
];
