use std::collections::BTreeSet;

use crate::deliver::{id_ranges, is_unmistakable};
use crate::judge::check::{Action, Case, Opening, Script};

/// The platform's ids in the cases of a check, each once.
#[derive(Debug)]
pub(super) struct Ids(Vec<String>);

impl Ids {
    /// Every id in a payload or a request, but for those that stand in compressed bodies too: there they stay, so they
    /// have to stay everywhere.
    pub(super) fn of(cases: &[Case], canary: &Script) -> Self {
        let mut found = BTreeSet::new();
        // What is sent compressed: as bytes, and as payloads.
        let (mut packed, mut within) = (Vec::new(), BTreeSet::new());
        let scripts = cases.iter().flat_map(|case| &case.steps).flat_map(|step| step.scripts());
        for script in scripts.chain([canary]) {
            let bytes = all_sent(script);
            collect(&bytes, &mut found);
            collect(&by_http2(script), &mut found);
            if bytes.windows(GZIP.len()).any(|window| window == GZIP) {
                packed.push(bytes);
                within.extend(script.requests.iter().filter_map(|sent| sent.of));
            }
        }
        for expected in cases.iter().flat_map(|case| &case.expected) {
            collect(&expected.payload.bytes, &mut found);
            if is_unmistakable(expected.payload.cmiuuid.len()) {
                found.insert(expected.payload.cmiuuid.clone());
            }
        }
        let payloads = cases.iter().flat_map(|case| &case.expected).map(|expected| &expected.payload);
        let kept: Vec<&str> = payloads
            .filter(|payload| within.contains(&payload.id))
            .map(|payload| payload.cmiuuid.as_str())
            .collect();
        let is_packed = |id: &String| {
            kept.contains(&id.as_str())
                || packed.iter().any(|bytes| bytes.windows(id.len()).any(|window| window == id.as_bytes()))
        };
        Self(found.into_iter().filter(|id| !is_packed(id)).collect())
    }

    /// Where they stand: of each its number, and the positions of its bytes, which need not follow one another.
    pub(super) fn within(&self, bytes: &[u8]) -> Vec<(usize, Vec<usize>)> {
        let (text, positions) = unframed(bytes);
        let mut places = Vec::new();
        for range in id_ranges(&text) {
            let number = std::str::from_utf8(&text[range.clone()]).ok().and_then(|id| self.number(id));
            places.extend(number.map(|number| (number, positions[range].to_vec())));
        }
        let unmistakable = self.0.iter().map(String::len).filter(|length| is_unmistakable(*length));
        for length in unmistakable.collect::<BTreeSet<_>>() {
            for (at, window) in text.windows(length).enumerate() {
                let number = std::str::from_utf8(window).ok().and_then(|id| self.number(id));
                places.extend(number.map(|number| (number, positions[at..at + length].to_vec())));
            }
        }
        places
    }

    fn number(&self, id: &str) -> Option<usize> {
        self.0.binary_search_by(|known| known.as_str().cmp(id)).ok()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &String> {
        self.0.iter()
    }

    pub(super) fn into_vec(self) -> Vec<String> {
        self.0
    }
}

/// RFC 1952: the first bytes of a member that is deflated.
const GZIP: &[u8] = &[0x1f, 0x8b, 8];

/// All that a script sends, the fillers aside.
pub(super) fn all_sent(script: &Script) -> Vec<u8> {
    let sent = script.actions.iter().filter_map(|action| match action {
        Action::Send { bytes, .. } => Some(bytes.as_slice()),
        _ => None,
    });
    sent.collect::<Vec<_>>().concat()
}

/// The request that is sent by HTTP/2, as HTTP/1 would write it.
fn by_http2(script: &Script) -> Vec<u8> {
    match &script.opening {
        Opening::Http2(request) => request.bytes(),
        _ => Vec::new(),
    }
}

fn collect(bytes: &[u8], found: &mut BTreeSet<String>) {
    let (text, _) = unframed(bytes);
    for range in id_ranges(&text) {
        found.extend(std::str::from_utf8(&text[range]).map(str::to_owned));
    }
}

/// The bytes without what chunks put in between, and without the zeros of wider encodings; and where each comes from.
fn unframed(bytes: &[u8]) -> (Vec<u8>, Vec<usize>) {
    let (mut text, mut positions) = (Vec::with_capacity(bytes.len()), Vec::with_capacity(bytes.len()));
    let mut at = 0;
    while at < bytes.len() {
        if let Some(length) = chunk_head(&bytes[at..]) {
            at += length;
        } else {
            if bytes[at] != 0 {
                text.push(bytes[at]);
                positions.push(at);
            }
            at += 1;
        }
    }
    (text, positions)
}

/// How long the end of a chunk and the head of the next one are, if this is one. A header line may look like one; no id
/// stands there.
fn chunk_head(bytes: &[u8]) -> Option<usize> {
    let rest = bytes.strip_prefix(b"\r\n")?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let extension = rest[digits..].iter().take_while(|byte| **byte != b'\r' && **byte != b'\n').count();
    let end = rest.get(digits + extension..digits + extension + 2)?;
    (digits > 0 && end == b"\r\n").then_some(2 + digits + extension + 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    use crate::judge::check::{Check, Composer, Framing, Request, Sources, Tag, all};
    use crate::plan::{Nonce, Seed};
    use piopiy_events::Profile;

    const ID: &str = "33079756-faed-4a29-8b36-c8ead67e047c";

    #[test]
    fn ids_are_found_across_chunks_and_pieces() {
        let body = format!(r#"{{"cmiuuid":"{ID}"}}"#);
        for size in [1, 7, 100] {
            let request = Request::new("POST", "/").body(body.clone()).framing(Framing::chunked(size));
            let script = Script::default().request_in_pieces(&request, 3, Duration::ZERO);
            let ids = Ids::of(&[Case::new("").script(script.clone())], &Script::default());
            assert_eq!(ids.0, [ID]);
            let places = ids.within(&all_sent(&script));
            assert_eq!(places[0].1.len(), ID.len());
            let bytes = all_sent(&script);
            let read: Vec<u8> = places[0].1.iter().map(|at| bytes[*at]).collect();
            assert_eq!(read, ID.as_bytes());
        }
    }

    /// No id of a payload is overlooked in the requests that carry it, but for those within gzip, which stay.
    #[test]
    fn the_ids_of_every_check_are_found() {
        let sources = Sources::new(Profile::Global, Seed(3), Nonce(4), "127.0.0.1:5000", "/webhook/cdr");
        let is_load = |check: &&&Check| check.tags.iter().any(|tag| matches!(tag, Tag::Load | Tag::Soak));
        for check in all().iter().filter(|check| !is_load(check)) {
            let cases = (check.stimulus)(&mut Composer::new(check.id, 0, sources.clone()));
            let ids = Ids::of(&cases, &Script::default());
            for case in &cases {
                for expected in &case.expected {
                    let id = &expected.payload.cmiuuid;
                    let is_known = !is_unmistakable(id.len()) || ids.number(id).is_some();
                    assert!(
                        is_known || matches!(check.id, "TRN-026" | "SEC-004"),
                        "{}: {id} is not known",
                        check.id
                    );
                }
            }
        }
    }
}
