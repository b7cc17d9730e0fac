use std::time::Duration;

use crate::judge::check::Answer;

/// Reads answers from what a receiver sends, as it comes.
#[derive(Debug, Default)]
pub(super) struct Answers {
    buffer: Vec<u8>,
    /// The methods of the requests, which say whether an answer has a body.
    methods: Vec<String>,
    current: Option<Reading>,
    interim: Vec<u16>,
    pub(super) done: Vec<Answer>,
    pub(super) garbled: Option<String>,
}

/// An answer whose head has come.
#[derive(Debug)]
struct Reading {
    answer: Answer,
    body: Body,
}

#[derive(Debug)]
enum Body {
    Length(u64),
    ChunkSize,
    Chunk(u64),
    ChunkEnd,
    Trailer,
    UntilClose,
}

/// As much of a body as is kept.
pub(super) const KEPT: usize = 64 * 1024;
/// Heads and lines beyond this are no answer.
const LONGEST_HEAD: usize = 256 * 1024;

impl Answers {
    pub(super) fn new(methods: Vec<String>) -> Self {
        Self { methods, ..Self::default() }
    }

    /// Takes in what came at a time.
    pub(super) fn push(&mut self, bytes: &[u8], at: Duration) {
        if self.garbled.is_none() {
            self.buffer.extend_from_slice(bytes);
            while self.garbled.is_none() && self.step(at) {}
        }
    }

    /// Nothing more will come.
    pub(super) fn end(&mut self, at: Duration) {
        match self.current.take() {
            Some(reading) if matches!(reading.body, Body::UntilClose) => self.finish(reading.answer, at),
            Some(reading) => {
                self.garbled.get_or_insert(format!("an answer {} that breaks off", reading.answer.status));
            }
            None if !self.buffer.is_empty() => {
                self.garbled.get_or_insert("a head that breaks off".to_owned());
            }
            None => {}
        }
    }

    /// Reads one element; false where more bytes are needed.
    fn step(&mut self, at: Duration) -> bool {
        let Some(mut reading) = self.current.take() else { return self.head(at) };
        let progress = match reading.body {
            Body::Length(left) => {
                let left = left - self.take(&mut reading.answer, left);
                reading.body = Body::Length(left);
                left == 0
            }
            Body::UntilClose => {
                self.take(&mut reading.answer, u64::MAX);
                false
            }
            Body::Chunk(left) => {
                let left = left - self.take(&mut reading.answer, left);
                reading.body = if left == 0 { Body::ChunkEnd } else { Body::Chunk(left) };
                left == 0
            }
            Body::ChunkSize => match self.line() {
                Some(line) => {
                    let digits = line.split(';').next().unwrap_or_default().trim();
                    match u64::from_str_radix(digits, 16) {
                        Ok(0) => reading.body = Body::Trailer,
                        Ok(size) => reading.body = Body::Chunk(size),
                        Err(_) => self.garbled = Some(format!("{digits:?} is no size of a chunk")),
                    }
                    true
                }
                None => false,
            },
            Body::ChunkEnd => match self.line() {
                Some(line) if line.is_empty() => {
                    reading.body = Body::ChunkSize;
                    true
                }
                Some(_) => {
                    self.garbled = Some("a chunk longer than it says".to_owned());
                    false
                }
                None => false,
            },
            Body::Trailer => match self.line() {
                Some(line) if line.is_empty() => {
                    self.finish(reading.answer, at);
                    return true;
                }
                Some(_) => true,
                None => false,
            },
        };
        if matches!(reading.body, Body::Length(0)) {
            self.finish(reading.answer, at);
            return true;
        }
        self.current = Some(reading);
        progress
    }

    fn head(&mut self, at: Duration) -> bool {
        if self.buffer.is_empty() {
            return false;
        }
        let mut headers = [httparse::EMPTY_HEADER; 128];
        let mut head = httparse::Response::new(&mut headers);
        let length = match head.parse(&self.buffer) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) if self.buffer.len() < LONGEST_HEAD => return false,
            Ok(httparse::Status::Partial) => {
                self.garbled = Some("a head without an end".to_owned());
                return false;
            }
            Err(error) => {
                self.garbled = Some(error.to_string());
                return false;
            }
        };
        let status = head.code.unwrap_or_default();
        if (100..200).contains(&status) && status != 101 {
            self.interim.push(status);
            self.buffer.drain(..length);
            return true;
        }
        let answer = Answer {
            minor: head.version.unwrap_or(1),
            status,
            headers: head
                .headers
                .iter()
                .map(|header| (header.name.to_owned(), header.value.to_vec()))
                .collect(),
            interim: std::mem::take(&mut self.interim),
            ..Answer::default()
        };
        self.buffer.drain(..length);
        let is_head = self.methods.get(self.done.len()).is_some_and(|method| method == "HEAD");
        match self.body_of(&answer, is_head) {
            Some(body) => self.current = Some(Reading { answer, body }),
            None => self.finish(answer, at),
        }
        true
    }

    /// How long the body is (RFC 9112 §6.3); `None` where there is none.
    fn body_of(&mut self, answer: &Answer, is_head: bool) -> Option<Body> {
        if is_head || matches!(answer.status, 204 | 304) {
            return None;
        }
        let text = |name| answer.header(name).map(|value| String::from_utf8_lossy(value).into_owned());
        if let Some(coding) = text("transfer-encoding") {
            let is_chunked = coding.trim().to_ascii_lowercase().ends_with("chunked");
            return Some(if is_chunked { Body::ChunkSize } else { Body::UntilClose });
        }
        match text("content-length").map(|length| length.trim().parse()) {
            Some(Ok(0)) => None,
            Some(Ok(length)) => Some(Body::Length(length)),
            Some(Err(_)) => {
                self.garbled = Some("a Content-Length that is no number".to_owned());
                None
            }
            None => Some(Body::UntilClose),
        }
    }

    /// Moves up to `most` bytes of body over; how many.
    fn take(&mut self, answer: &mut Answer, most: u64) -> u64 {
        let count = self.buffer.len().min(usize::try_from(most).unwrap_or(usize::MAX));
        let room = KEPT.saturating_sub(answer.body.len());
        answer.body.extend_from_slice(&self.buffer[..count.min(room)]);
        self.buffer.drain(..count);
        answer.body_bytes += count as u64;
        count as u64
    }

    fn line(&mut self) -> Option<String> {
        let end = self.buffer.iter().position(|byte| *byte == b'\n')?;
        let line: Vec<u8> = self.buffer.drain(..=end).collect();
        Some(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned())
    }

    fn finish(&mut self, mut answer: Answer, at: Duration) {
        answer.at = at;
        self.done.push(answer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same, whole and byte by byte: `status body` for each answer, and what was no answer.
    fn check(bytes: &str, methods: &[&str], expected: &[(u16, &str)], garbled: Option<&str>) {
        for piece in [1, bytes.len()] {
            let mut answers = Answers::new(methods.iter().map(|&method| method.to_owned()).collect());
            for part in bytes.as_bytes().chunks(piece) {
                answers.push(part, Duration::ZERO);
            }
            answers.end(Duration::ZERO);
            let body = |answer: &Answer| String::from_utf8(answer.body.clone()).unwrap();
            let got: Vec<_> = answers.done.iter().map(|answer| (answer.status, body(answer))).collect();
            let expected: Vec<_> =
                expected.iter().map(|(status, body)| (*status, (*body).to_owned())).collect();
            assert_eq!(got, expected, "{bytes:?}");
            assert_eq!(answers.garbled.is_some(), garbled.is_some(), "{:?}", answers.garbled);
            if let (Some(got), Some(part)) = (answers.garbled, garbled) {
                assert!(got.contains(part), "{got}");
            }
        }
    }

    #[test]
    fn every_framing_is_read() {
        check("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", &["POST"], &[(200, "ok")], None);
        check(
            "HTTP/1.1 204 No\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            &[],
            &[(204, ""), (200, "")],
            None,
        );
        check(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n1\r\nd\r\n0\r\nT: 1\r\n\r\n",
            &["POST"],
            &[(200, "abcd")],
            None,
        );
        check("HTTP/1.0 200 OK\r\n\r\nall of it", &["POST"], &[(200, "all of it")], None);
        check("HTTP/1.1 405 No\r\nContent-Length: 9\r\n\r\n", &["HEAD"], &[(405, "")], None);
        check(
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            &[],
            &[(200, "")],
            None,
        );
    }

    #[test]
    fn what_is_no_answer_is_told() {
        check("hello\r\n\r\n", &[], &[], Some("invalid"));
        check("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok", &[], &[], Some("breaks off"));
        check("HTTP/1.1 200 OK\r\nConte", &[], &[], Some("breaks off"));
        check(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            &[],
            &[],
            Some("size of a chunk"),
        );
    }
}
