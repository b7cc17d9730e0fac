//! JSN: content types and the decoding of JSON.

mod broken;
mod content_type;
mod document;
mod member;
mod number;
mod size;
mod text;

use super::Check;

pub(super) const CHECKS: &[Check] = &[
    content_type::JSN_001,
    content_type::JSN_002,
    content_type::JSN_003,
    content_type::JSN_004,
    document::JSN_005,
    document::JSN_006,
    document::JSN_007,
    document::JSN_008,
    document::JSN_009,
    text::JSN_010,
    text::JSN_011,
    text::JSN_012,
    text::JSN_013,
    text::JSN_014,
    text::JSN_015,
    number::JSN_016,
    number::JSN_017,
    number::JSN_018,
    number::JSN_019,
    member::JSN_020,
    member::JSN_021,
    size::JSN_022,
    size::JSN_023,
    size::JSN_024,
    member::JSN_025,
];
