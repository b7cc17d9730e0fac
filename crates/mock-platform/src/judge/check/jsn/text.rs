//! The encoding of the document, and its strings.

use super::broken::{broken, read_after_all};
use crate::judge::check::{
    Case, Check, Composer, Count, Evidence, Findings, Fixes, Observability, Payload, Severity, criteria,
};

const TEXT: Fixes = Fixes {
    axum: "Store the `String` as it was read; in PostgreSQL use `text` or `bytea`, and refuse U+0000 with 422 where the store cannot hold it.",
    express: "Store the string as it was read, in a column of utf8mb4 or UTF-8; no `normalize()`, no `Buffer.from(s, 'latin1')`.",
    flask: "Store the str as it was read, in a column of utf8mb4 or UTF-8; no `encode('ascii', 'ignore')`.",
};
const BYTES: Fixes = Fixes {
    axum: "Parse the bytes (`serde_json::from_slice`), never `String::from_utf8_lossy` of them.",
    express: "`express.raw({type: '*/*'})`, then `new TextDecoder('utf-8', {fatal: true}).decode(req.body)` before `JSON.parse`.",
    flask: "`json.loads(request.get_data().decode('utf-8'))`, with the error answered by 400.",
};

pub(super) const JSN_010: Check = Check {
    id: "JSN-010",
    title: "a UTF-8 byte order mark",
    severity: Severity::May,
    source: "RFC 8259 §8.1: parsers may ignore it",
    why: "Tools on Windows put it there, and many readers stumble over it.",
    fixes: Fixes {
        axum: "`body.strip_prefix(b\"\\xef\\xbb\\xbf\")` before `serde_json::from_slice`.",
        express: "`express.json()` skips it already; behind `express.raw()`, `new TextDecoder().decode(req.body)` does.",
        flask: "`json.loads(request.get_data().decode('utf-8-sig'))`.",
    },
    stimulus: |composer| {
        let cdr = composer.cdr();
        let bytes = [b"\xef\xbb\xbf", &cdr.bytes[..]].concat();
        let cdr = cdr.of_bytes(bytes);
        vec![Case::new("").send(&composer.post(&cdr)).expect(&cdr, Count::Once)]
    },
    judge: criteria::acknowledged,
    ..Check::BASE
};

pub(super) const JSN_011: Check = Check {
    id: "JSN-011",
    title: "a body in UTF-16 or UTF-32",
    severity: Severity::Should,
    source: "RFC 8259 §8.1: JSON between systems must be UTF-8",
    why: "A reader that guesses the encoding can be brought to read one body in two ways.",
    fixes: BYTES,
    stimulus: other_encodings,
    judge: refused_or_quarantined,
    ..Check::BASE
};

pub(super) const JSN_012: Check = Check {
    id: "JSN-012",
    title: "bytes that are no UTF-8",
    observability: Observability::Effects,
    source: "RFC 8259 §8.1; RFC 3629 §3",
    why: "A reader that puts U+FFFD for what it cannot read stores another name than the caller's, and nobody is told.",
    fixes: BYTES,
    stimulus: no_utf8,
    judge: refused_or_quarantined,
    ..Check::BASE
};

pub(super) const JSN_013: Check = Check {
    id: "JSN-013",
    title: "half a surrogate pair, as an escape and as bytes",
    severity: Severity::Should,
    observability: Observability::Partly,
    source: "RFC 8259 §8.2: the behaviour of software that meets it is unpredictable",
    why: "It is JSON, and no text: it breaks later, where it is written to the store or shown.",
    fixes: Fixes {
        axum: "serde_json refuses it: answer that with 4xx, or keep the field as `RawValue`.",
        express: "`if (!text.isWellFormed()) return res.sendStatus(422)`.",
        flask: "Try `text.encode('utf-8')`, and answer UnicodeEncodeError with 422.",
    },
    stimulus: |composer| {
        let escapes = [r"\ud800", r"\udc00", r"\udc00\ud800", r"a\ud83db"];
        let mut cases: Vec<Case> = Vec::new();
        for escape in escapes {
            let cdr = composer.cdr().with("extra_params", &format!("\"{escape}\""));
            cases.push(Case::new(escape).send(&composer.post(&cdr)).expect(&cdr, Count::AtMostOnce));
        }
        // Readers that pass over surrogates (Python's of bytes) read the same text from these.
        let cdr = composer.cdr().with("extra_params", "\"~\"").replacing(b"~", b"\xed\xa0\x80");
        cases.push(Case::new("as three bytes").send(&composer.post(&cdr)).expect(&cdr, Count::AtMostOnce));
        cases
    },
    judge: criteria::taken_or_refused,
    ..Check::BASE
};

pub(super) const JSN_014: Check = Check {
    id: "JSN-014",
    title: "U+0000 as an escape, and control characters that are not escaped",
    severity: Severity::Should,
    observability: Observability::Effects,
    source: "RFC 8259 §7: control characters must be escaped",
    why: "Stores and C libraries end a text at U+0000: what follows is lost.",
    fixes: TEXT,
    stimulus: control_characters,
    judge: escapes_kept_and_raw_refused,
    ..Check::BASE
};

pub(super) const JSN_015: Check = Check {
    id: "JSN-015",
    title: "emoji, combining marks, right-to-left text",
    observability: Observability::Effects,
    source: "RFC 8259 §7, §8.1",
    why: "extra_params holds what people typed: a column of three-byte UTF-8 cuts it, and normalising changes it.",
    fixes: TEXT,
    stimulus: texts,
    judge: |evidence| criteria::stored_as_sent(evidence, &["extra_params"]),
    ..Check::BASE
};

fn other_encodings(composer: &mut Composer) -> Vec<Case> {
    type Encode = fn(&str) -> Vec<u8>;
    let encodings: [(&str, Encode); 4] = [
        ("UTF-16LE", |text| text.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("UTF-16BE with its mark", |text| {
            std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(u16::to_be_bytes).collect()
        }),
        ("UTF-32LE", |text| text.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect()),
        ("UTF-32BE", |text| text.chars().flat_map(|c| u32::from(c).to_be_bytes()).collect()),
    ];
    let mut cases = Vec::new();
    for (name, encode) in encodings {
        let cdr = composer.cdr();
        let text = cdr.text();
        let half = cdr.clone().of_bytes(encode(&text[..text.len() / 2]));
        cases.push(broken(composer, &format!("half of it in {name}"), &half));
        let cdr = composer.cdr();
        let bytes = encode(&cdr.text());
        let cdr = cdr.of_bytes(bytes);
        cases.push(Case::new(name).send(&composer.post(&cdr)).expect(&cdr, Count::Never));
    }
    cases
}

fn refused_or_quarantined(evidence: &Evidence<'_>) -> Findings {
    let mut findings = criteria::refused_or_quarantined(evidence);
    read_after_all(evidence, &mut findings);
    findings
}

fn no_utf8(composer: &mut Composer) -> Vec<Case> {
    let sequences: [(&str, &[u8]); 4] = [
        ("a lone continuation byte", b"\x80"),
        ("an overlong slash", b"\xc0\xaf"),
        ("a sequence that is cut", b"\xe2\x82"),
        ("beyond U+10FFFF", b"\xf4\x90\x80\x80"),
    ];
    let mut cases = Vec::new();
    for (name, bytes) in sequences {
        let other = |webhook: Payload| webhook.with("name", "\"~\"").replacing(b"~", bytes);
        cases.extend(composer.both(name, Count::Never, other));
    }
    let half = composer.cdr().with("name", "\"~\"").replacing(b"\"~\"", b"\"\x80");
    cases.push(broken(composer, "half of it", &half));
    cases
}

/// How many of the cases hold escapes; the others come after.
const ESCAPED: usize = 4;

fn control_characters(composer: &mut Composer) -> Vec<Case> {
    let escaped = [("an escaped NUL", r#""a\u0000b""#), ("an escaped U+001F", r#""a\u001fb""#)];
    let mut cases: Vec<Case> = Vec::new();
    for (name, value) in escaped {
        let other = |webhook: Payload| webhook.with("extra_params", value);
        cases.extend(composer.both(name, Count::AtMostOnce, other));
    }
    for (name, byte) in
        [("a raw NUL", 0_u8), ("a raw line feed", b'\n'), ("a raw tab", b'\t'), ("a raw U+001F", 0x1f)]
    {
        let other = |webhook: Payload| webhook.with("extra_params", "\"a~b\"").replacing(b"~", &[byte]);
        cases.extend(composer.both(name, Count::Never, other));
    }
    cases
}

fn escapes_kept_and_raw_refused(evidence: &Evidence<'_>) -> Findings {
    let (escaped, raw) = evidence.cases.split_at(ESCAPED.min(evidence.cases.len()));
    let mut findings = criteria::taken_or_refused(evidence);
    let others = criteria::Stored::of(evidence);
    for case in escaped {
        criteria::unchanged(case, &others, &["extra_params"], &mut findings);
    }
    // Without what its answers decide: they may leave the escapes open.
    findings.extend_found(criteria::refused_or_quarantined(&Evidence { cases: raw, terms: evidence.terms }));
    findings
}

fn texts(composer: &mut Composer) -> Vec<Case> {
    let texts = [
        ("emoji", "call 📞 👩‍👩‍👧 🇮🇳"),
        ("combining marks", "e\u{301} n\u{303} \u{915}\u{94d}\u{937}"),
        ("precomposed", "\u{e9} \u{f1}"),
        (
            "right to left",
            "\u{5e9}\u{5dc}\u{5d5}\u{5dd} \u{202e}abc\u{202c} \u{645}\u{631}\u{62d}\u{628}\u{627}",
        ),
        ("Tamil", "\u{bb5}\u{ba3}\u{b95}\u{bcd}\u{b95}\u{bae}\u{bcd}"),
        ("beyond U+FFFF", "\u{10348}\u{1f600}\u{10fffd}"),
    ];
    let mut cases = Vec::new();
    for (name, text) in texts {
        let text = format!("\"{text}\"");
        cases.extend(composer.both(name, Count::Once, |webhook| webhook.with("extra_params", &text)));
    }
    let escaped: String = "📞é".encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
    let escaped = format!("\"{escaped}\"");
    cases.extend(composer.both("as escapes", Count::Once, |webhook| webhook.with("extra_params", &escaped)));
    cases
}
