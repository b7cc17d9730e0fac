//! What tells a record from another that has its place since the store went back.

use ring::digest::{Context, SHA256};

use crate::Record;

/// Bytes of a digest of what a record is and when it was received.
pub(super) type Mark = i64;

/// Records with such a `seq` are noted, beside the last that was read.
pub(super) const EVERY: u64 = 64;

pub(super) fn mark_of(record: &Record) -> Mark {
    let mut digest = Context::new(&SHA256);
    digest.update(&record.received_at.to_be_bytes());
    digest.update(&record.body);
    let digest = digest.finish();
    let first = digest.as_ref().first_chunk().copied().unwrap_or_default();
    Mark::from_be_bytes(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_body_or_time_is_another_mark() {
        let of = |body: &'static str, received_at| {
            mark_of(&Record { seq: 1, received_at, body: body.into(), reason: None })
        };
        assert_eq!(of("x", 1), of("x", 1));
        assert_ne!(of("x", 1), of("y", 1));
        assert_ne!(of("x", 1), of("x", 2));
    }
}
