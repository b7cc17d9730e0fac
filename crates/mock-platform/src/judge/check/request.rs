use serde::{Deserialize, Serialize};

use super::case_file::bytes;
use super::{Payload, PayloadId, Signature, Signed};

/// An HTTP/1 request, byte for byte: what a client library would put right stays wrong.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) target: String,
    version: String,
    /// Whole lines, without their ends.
    lines: Vec<Vec<u8>>,
    body: Vec<u8>,
    framing: Framing,
    signature: Option<Signature>,
    pub(crate) of: Option<PayloadId>,
}

/// A request as a document has it: its bytes, signed as they are.
#[derive(Serialize, Deserialize)]
struct Written {
    #[serde(with = "bytes")]
    bytes: Vec<u8>,
}

impl From<Request> for Written {
    fn from(request: Request) -> Self {
        Self { bytes: request.bytes() }
    }
}

impl From<Written> for Request {
    fn from(written: Written) -> Self {
        Self::of_bytes(&written.bytes)
    }
}

/// How the length of a body is told.
#[derive(Debug, Clone)]
pub(crate) enum Framing {
    /// `Content-Length`, as it is.
    Length,
    /// `Content-Length`, another one.
    Declared(u64),
    /// `Transfer-Encoding: chunked`, in chunks of so many bytes.
    Chunked { size: usize, extension: &'static str, trailer: &'static str, ends: bool },
    /// No header at all: the body is written as it is, and header lines say what they say.
    Untold,
}

impl Framing {
    /// Chunks of `size` bytes, and nothing else.
    pub(crate) const fn chunked(size: usize) -> Self {
        Self::Chunked { size, extension: "", trailer: "", ends: true }
    }
}

impl Request {
    /// Without any header line.
    pub(crate) fn new(method: &str, target: &str) -> Self {
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            version: "HTTP/1.1".to_owned(),
            lines: Vec::new(),
            body: Vec::new(),
            framing: Framing::Length,
            signature: None,
            of: None,
        }
    }

    /// From the bytes of one whose length is told by `Content-Length` or not at all.
    pub(crate) fn of_bytes(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or(bytes.len());
        let (head, body) = (&bytes[..end], bytes.get(end + 4..).unwrap_or_default());
        let mut lines =
            head.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        let first = String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
        let mut words = first.splitn(3, ' ');
        let mut request = Self::new(words.next().unwrap_or_default(), words.next().unwrap_or_default());
        request = request.version(words.next().unwrap_or_default()).body(body);
        let (lengths, others): (Vec<&[u8]>, Vec<&[u8]>) =
            lines.partition(|line| is_named(line, "content-length"));
        if lengths.is_empty() {
            request.framing = Framing::Untold;
        }
        request.lines = others.into_iter().map(<[u8]>::to_vec).collect();
        request
    }

    pub(crate) fn method(mut self, method: &str) -> Self {
        method.clone_into(&mut self.method);
        self
    }

    pub(crate) fn target(mut self, target: &str) -> Self {
        target.clone_into(&mut self.target);
        self
    }

    pub(crate) fn version(mut self, version: &str) -> Self {
        version.clone_into(&mut self.version);
        self
    }

    /// One more header line, whatever there is already.
    pub(crate) fn header(self, name: &str, value: &str) -> Self {
        self.line(format!("{name}: {value}"))
    }

    /// One more line of the head, as it is.
    pub(crate) fn line(mut self, line: impl Into<Vec<u8>>) -> Self {
        self.lines.push(line.into());
        self
    }

    /// Without any header line of that name.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.lines.retain(|line| !is_named(line, name));
        self
    }

    /// With this header line in place of those of that name.
    pub(crate) fn set_header(self, name: &str, value: &str) -> Self {
        self.without(name).header(name, value)
    }

    /// With its header lines the other way round.
    pub(crate) fn lines_reversed(mut self) -> Self {
        self.lines.reverse();
        self
    }

    /// The body, and which payload it counts as.
    pub(crate) fn payload(mut self, payload: &Payload) -> Self {
        self.body.clone_from(&payload.bytes);
        self.of = Some(payload.id);
        self
    }

    /// A body that counts as no payload.
    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.of = None;
        self
    }

    /// Signed, whatever becomes of its body before it is sent.
    pub(crate) fn signed(self, signature: Signature) -> Self {
        Self { signature: Some(signature), ..self }
    }

    pub(crate) fn unsigned(self) -> Self {
        Self { signature: None, ..self }
    }

    /// With its signature changed, if it has one.
    pub(crate) fn signature(mut self, change: impl FnOnce(&mut Signature)) -> Self {
        if let Some(signature) = &mut self.signature {
            change(signature);
        }
        self
    }

    pub(crate) fn framing(mut self, framing: Framing) -> Self {
        self.framing = framing;
        self
    }

    /// With no body and nothing that tells a length.
    pub(crate) fn bodyless(self) -> Self {
        self.without("Content-Type").body(Vec::new()).framing(Framing::Untold)
    }

    /// How it is signed, if it is.
    pub(crate) fn signed_as(&self) -> Option<Signed> {
        self.signature.as_ref().map(|signature| signature.of(&self.body))
    }

    /// The body, before it is framed.
    pub(crate) fn content(&self) -> &[u8] {
        &self.body
    }

    /// Its header lines taken apart, as far as they are any: names without a colon behind are left out.
    pub(crate) fn fields(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let signature = self.signature.iter().flat_map(|signature| signature.lines(&self.body));
        let lines = self.lines.iter().cloned().chain(signature.map(String::into_bytes));
        let taken_apart = lines.filter_map(|line| {
            let at = line.iter().position(|byte| *byte == b':')?;
            Some((line[..at].to_vec(), line[at + 1..].trim_ascii().to_vec()))
        });
        taken_apart.collect()
    }

    /// Request line and header lines, with the empty line.
    pub(crate) fn head(&self) -> Vec<u8> {
        let mut head = format!("{} {} {}\r\n", self.method, self.target, self.version).into_bytes();
        for line in &self.lines {
            head.extend_from_slice(line);
            head.extend_from_slice(b"\r\n");
        }
        for line in self.signature.iter().flat_map(|signature| signature.lines(&self.body)) {
            head.extend_from_slice(format!("{line}\r\n").as_bytes());
        }
        match self.framing {
            Framing::Length => {
                head.extend_from_slice(format!("Content-Length: {}\r\n", self.body.len()).as_bytes());
            }
            Framing::Declared(length) => {
                head.extend_from_slice(format!("Content-Length: {length}\r\n").as_bytes());
            }
            Framing::Chunked { .. } => head.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
            Framing::Untold => {}
        }
        head.extend_from_slice(b"\r\n");
        head
    }

    /// The body as it is framed.
    pub(crate) fn framed_body(&self) -> Vec<u8> {
        let Framing::Chunked { size, extension, trailer, ends } = self.framing else {
            return self.body.clone();
        };
        let mut framed = Vec::new();
        for chunk in self.body.chunks(size.max(1)) {
            framed.extend_from_slice(format!("{:X}{extension}\r\n", chunk.len()).as_bytes());
            framed.extend_from_slice(chunk);
            framed.extend_from_slice(b"\r\n");
        }
        if ends {
            framed.extend_from_slice(format!("0\r\n{trailer}\r\n").as_bytes());
        }
        framed
    }

    /// Head and body.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.head();
        bytes.extend_from_slice(&self.framed_body());
        bytes
    }
}

fn is_named(line: &[u8], name: &str) -> bool {
    let end = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
    line[..end].eq_ignore_ascii_case(name.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(request: &Request, expected: &str) {
        assert_eq!(String::from_utf8(request.bytes()).unwrap(), expected);
    }

    #[test]
    fn requests_are_what_they_say() {
        let request = Request::new("POST", "/x").header("Host", "h").header("A", "1").body("hello");
        check(&request, "POST /x HTTP/1.1\r\nHost: h\r\nA: 1\r\nContent-Length: 5\r\n\r\nhello");
        let bare = request.clone().without("host").set_header("a", "2").version("HTTP/1.0").bodyless();
        check(&bare, "POST /x HTTP/1.0\r\na: 2\r\n\r\n");
        let framing = Framing::Chunked { size: 4, extension: ";e=1", trailer: "T: 1\r\n", ends: true };
        let chunked = Request::new("POST", "/x").body("hello").framing(framing);
        check(
            &chunked,
            "POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4;e=1\r\nhell\r\n1;e=1\r\no\r\n0\r\nT: 1\r\n\r\n",
        );
        let cut = Framing::Chunked { size: 9, extension: "", trailer: "", ends: false };
        check(
            &Request::new("POST", "/x").body("hello").framing(cut),
            "POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        );
    }
}
