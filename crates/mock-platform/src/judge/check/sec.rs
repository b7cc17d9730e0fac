//! SEC: security.

mod access;
mod bomb;
mod content;
mod framing;
mod limits;
mod signature;
mod slow;

use super::Check;

pub(super) const CHECKS: &[Check] = &[
    limits::LARGE_BODIES,
    limits::HUGE_LENGTH,
    limits::ENDLESS_CHUNKS,
    bomb::GZIP,
    slow::SILENT,
    slow::SLOW_HEAD,
    slow::SLOW_BODY,
    slow::MANY_SLOW,
    slow::DEAF,
    limits::LARGE_HEADS,
    content::ERROR_PAGES,
    content::INJECTIONS,
    content::SPOOFED_HOST,
    content::CROSS_ORIGIN,
    access::SECRET,
    access::OTHER_APP,
    access::OLD_REPLAY,
    signature::SIGNATURES,
    framing::ECHO,
    framing::DESYNC,
    framing::CONTROLS,
    content::PERSONAL_DATA,
];
