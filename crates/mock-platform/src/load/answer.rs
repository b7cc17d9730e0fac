//! Reads what is answered, piece by piece, and keeps of it only what matters here.

use httparse::{EMPTY_HEADER, Response, Status};

/// A head that is longer is none.
const LONGEST_HEAD: usize = 64 * 1024;

/// An answer that is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// Whether the connection can be used again.
    pub(super) keeps: bool,
}

/// What was read is no HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoHttp;

/// What has come of one answer.
#[derive(Debug, Default)]
pub(super) struct AnswerReader {
    bytes: Vec<u8>,
    head: Option<Head>,
}

#[derive(Debug, Clone, Copy)]
struct Head {
    answer: Answer,
    body: Body,
}

#[derive(Debug, Clone, Copy)]
enum Body {
    /// So many bytes are still to come.
    Length(u64),
    /// A line with the length of a chunk is next.
    Chunks,
    /// So many bytes of a chunk, its end included, are still to come.
    Chunk(u64),
    /// Lines of a trailer are next.
    Trailer,
    /// Whatever comes until the connection is closed.
    Rest,
}

impl AnswerReader {
    /// Takes what was read; the answer, where that completes it.
    pub(super) fn feed(&mut self, read: &[u8]) -> Result<Option<Answer>, NoHttp> {
        // Nearly always an answer comes whole, and nothing is to be kept.
        if self.head.is_none() && self.bytes.is_empty() {
            let (answer, used) = self.step(read)?;
            if answer.is_none() {
                self.bytes.extend_from_slice(&read[used..]);
            } else if used < read.len() {
                return Err(NoHttp);
            }
            return Ok(answer);
        }
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.extend_from_slice(read);
        let (answer, used) = self.step(&bytes)?;
        if answer.is_some() && used < bytes.len() {
            return Err(NoHttp);
        }
        bytes.drain(..used);
        self.bytes = bytes;
        Ok(answer)
    }

    /// The connection is closed: the answer that this completes.
    pub(super) fn closed(&mut self) -> Option<Answer> {
        let head = self.head.take()?;
        matches!(head.body, Body::Rest).then_some(Answer { keeps: false, ..head.answer })
    }

    /// Reads as far as it goes; the answer where it is complete, and how many bytes were used.
    fn step(&mut self, bytes: &[u8]) -> Result<(Option<Answer>, usize), NoHttp> {
        let mut at = 0;
        if self.head.is_none() {
            match head(bytes)? {
                Some((head, used)) => (self.head, at) = (Some(head), used),
                None => return Ok((None, 0)),
            }
        }
        let Some(head) = &mut self.head else { return Ok((None, at)) };
        loop {
            let rest = &bytes[at..];
            match &mut head.body {
                Body::Length(left) => {
                    let used = rest.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                    *left -= used as u64;
                    at += used;
                    if *left > 0 {
                        return Ok((None, at));
                    }
                    let answer = head.answer;
                    self.head = None;
                    return Ok((Some(answer), at));
                }
                Body::Chunks => match httparse::parse_chunk_size(rest) {
                    Ok(Status::Complete((used, size))) => {
                        at += used;
                        head.body =
                            if size == 0 { Body::Trailer } else { Body::Chunk(size.saturating_add(2)) };
                    }
                    Ok(Status::Partial) if rest.len() < LONGEST_HEAD => return Ok((None, at)),
                    Ok(Status::Partial) | Err(_) => return Err(NoHttp),
                },
                Body::Chunk(left) => {
                    let used = rest.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                    *left -= used as u64;
                    at += used;
                    if *left > 0 {
                        return Ok((None, at));
                    }
                    head.body = Body::Chunks;
                }
                Body::Trailer => match rest.windows(2).position(|pair| pair == b"\r\n") {
                    Some(0) => {
                        let answer = head.answer;
                        self.head = None;
                        return Ok((Some(answer), at + 2));
                    }
                    Some(end) => at += end + 2,
                    None if rest.len() < LONGEST_HEAD => return Ok((None, at)),
                    None => return Err(NoHttp),
                },
                Body::Rest => return Ok((None, bytes.len())),
            }
        }
    }
}

/// The head, and how long it is; `None` where it is not complete. Those of interim answers are passed over.
fn head(bytes: &[u8]) -> Result<Option<(Head, usize)>, NoHttp> {
    let mut passed = 0;
    loop {
        let mut headers = [EMPTY_HEADER; 64];
        let mut response = Response::new(&mut headers);
        let used = match response.parse(&bytes[passed..]) {
            Ok(Status::Complete(used)) => used,
            Ok(Status::Partial) if bytes.len() < LONGEST_HEAD => return Ok(None),
            Ok(Status::Partial) | Err(_) => return Err(NoHttp),
        };
        let status = response.code.ok_or(NoHttp)?;
        passed += used;
        if (100..200).contains(&status) {
            continue;
        }
        let mut keeps = response.version == Some(1);
        let (mut length, mut is_chunked, mut closes) = (None, false, false);
        for header in response.headers.iter() {
            let value = header.value.trim_ascii();
            if header.name.eq_ignore_ascii_case("content-length") {
                let said = digits(value)?;
                if length.replace(said).is_some_and(|before| before != said) {
                    return Err(NoHttp);
                }
            } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
                is_chunked = value.to_ascii_lowercase().ends_with(b"chunked");
            } else if header.name.eq_ignore_ascii_case("connection") {
                for word in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
                    closes |= word.eq_ignore_ascii_case(b"close");
                    keeps |= word.eq_ignore_ascii_case(b"keep-alive");
                }
            }
        }
        keeps &= !closes;
        let body = match length {
            _ if matches!(status, 204 | 304) => Body::Length(0),
            _ if is_chunked => Body::Chunks,
            Some(length) => Body::Length(length),
            None => Body::Rest,
        };
        return Ok(Some((Head { answer: Answer { status, keeps }, body }, passed)));
    }
}

/// A number as HTTP writes it: digits, and nothing else.
fn digits(value: &[u8]) -> Result<u64, NoHttp> {
    let text = std::str::from_utf8(value).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    text.and_then(|text| text.parse().ok()).ok_or(NoHttp)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn answer(status: u16, keeps: bool) -> Answer {
        Answer { status, keeps }
    }

    const WHOLE: [(&str, Answer); 10] = [
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", answer(200, true)),
        ("HTTP/1.1 204 No Content\r\n\r\n", answer(204, true)),
        ("HTTP/1.1 503 Busy\r\nconnection: Close\r\ncontent-length: 0\r\n\r\n", answer(503, false)),
        ("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", answer(200, false)),
        ("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx", answer(200, true)),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\nT: 1\r\n\r\n",
            answer(200, true),
        ),
        ("HTTP/1.1 200 OK\r\nConnection: Upgrade , close\r\nContent-Length: 0\r\n\r\n", answer(200, false)),
        (
            "HTTP/1.0 200 OK\r\nConnection: keep-alive, Upgrade\r\nContent-Length: 0\r\n\r\n",
            answer(200, true),
        ),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok", answer(200, true)),
        ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", answer(404, true)),
    ];

    #[test]
    fn answers_are_read_in_whatever_pieces_they_come() {
        proptest!(|(which in 0..WHOLE.len(), sizes in proptest::collection::vec(1..9usize, 1..9))| {
            let (text, expected) = WHOLE[which];
            let mut reader = AnswerReader::default();
            // Twice, as on a connection that is kept.
            let twice = text.repeat(2);
            prop_assert_eq!(reader.feed(text.as_bytes()).unwrap(), Some(expected));
            let mut rest = &twice.as_bytes()[text.len()..];
            for size in sizes.iter().cycle() {
                let (piece, more) = rest.split_at((*size).min(rest.len()));
                rest = more;
                let read = reader.feed(piece).unwrap();
                if rest.is_empty() {
                    prop_assert_eq!(read, Some(expected));
                    break;
                }
                prop_assert_eq!(read, None);
            }
        });
    }

    #[test]
    fn an_answer_may_end_with_its_connection() {
        let mut reader = AnswerReader::default();
        assert_eq!(reader.feed(b"HTTP/1.1 200 OK\r\n\r\nanything"), Ok(None));
        assert_eq!(reader.closed(), Some(answer(200, false)));
        assert_eq!(reader.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort"), Ok(None));
        assert_eq!(reader.closed(), None);
    }

    #[test]
    fn what_is_no_http_is_told() {
        for text in [
            "hello",
            "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok",
            "HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nmore",
        ] {
            assert_eq!(AnswerReader::default().feed(text.as_bytes()), Err(NoHttp), "{text}");
        }
        let long = format!("HTTP/1.1 200 OK\r\nA: {}", "a".repeat(LONGEST_HEAD));
        assert_eq!(AnswerReader::default().feed(long.as_bytes()), Err(NoHttp));
    }
}
