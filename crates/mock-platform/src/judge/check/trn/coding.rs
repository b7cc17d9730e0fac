//! Coded content.

use crate::judge::check::{Case, Check, Composer, Count, Evidence, Findings, Fixes, Severity, criteria};

pub(super) const TRN_026: Check = Check {
    id: "TRN-026",
    title: "a body by Content-Encoding: gzip",
    severity: Severity::May,
    source: "RFC 9110 §8.4, §15.5.16; RFC 1952",
    why: "The platform sends none, a proxy might. Read it or say 415; what breaks on it breaks on a stranger's request too.",
    fixes: Fixes {
        axum: "`tower_http::decompression::RequestDecompressionLayer`, or answer 415 to any Content-Encoding.",
        express: "`express.json()` inflates by itself; `inflate: false` answers 415.",
        flask: "Answer 415 where `request.content_encoding` is set.",
    },
    stimulus: gzipped,
    judge: read_or_refused,
    ..Check::BASE
};

fn gzipped(composer: &mut Composer) -> Vec<Case> {
    let cdr = composer.cdr();
    let packed = cdr.clone().of_bytes(gzip(&cdr.bytes));
    let request = composer.post(&packed).header("Content-Encoding", "gzip");
    vec![Case::new("").send(&request).expect(&cdr, Count::AtMostOnce)]
}

fn read_or_refused(evidence: &Evidence<'_>) -> Findings {
    let mut findings = criteria::effects(evidence);
    for case in evidence.cases {
        criteria::every_answer(case, &mut findings, "2xx, or 415 or another 4xx", |answer| {
            answer.is_2xx() || answer.is_4xx()
        });
    }
    findings
}

/// A gzip member of stored blocks (RFC 1951 §3.2.4): the same bytes on every machine, whatever compressor there is.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    const LONGEST_BLOCK: usize = 0xffff;
    let mut member = HEADER.to_vec();
    let mut blocks = bytes.chunks(LONGEST_BLOCK).peekable();
    while let Some(block) = blocks.next() {
        let length = u16::try_from(block.len()).unwrap_or(u16::MAX);
        member.push(u8::from(blocks.peek().is_none()));
        member.extend_from_slice(&length.to_le_bytes());
        member.extend_from_slice(&(!length).to_le_bytes());
        member.extend_from_slice(block);
    }
    member.extend_from_slice(&crc32(bytes).to_le_bytes());
    // By the RFC, the length modulo 2^32.
    member.extend_from_slice(&((bytes.len() & 0xffff_ffff) as u32).to_le_bytes());
    member
}

/// RFC 1952 §8.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { 0xedb8_8320 ^ (crc >> 1) } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_the_rfc() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32(b""), 0);
    }
}
