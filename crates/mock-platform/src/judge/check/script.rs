//! What is done on one connection.

use std::fmt::Write;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::case_file::{bytes, is_default};
use super::{PayloadId, Request, Signed};

/// What is done on one connection.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Script {
    pub(crate) actions: Vec<Action>,
    /// The requests in the order in which they are sent, so that the n-th answer is known to be theirs.
    pub(crate) requests: Vec<Sent>,
    #[serde(default, skip_serializing_if = "Opening::is_usual")]
    pub(crate) opening: Opening,
    /// The one address to connect to, where not to the first that answers.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) address: Option<IpAddr>,
    /// A receive buffer of this many bytes, for a window that closes.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) receive_buffer: Option<u32>,
    /// Whether nothing that is answered is read.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) is_deaf: bool,
    /// To the second instance.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) to_second: bool,
    /// Connects only so long after the step has begun: an arrival that waits for nobody.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) arrives_after: Option<Duration>,
}

/// How a connection is begun.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Opening {
    /// As the URL says.
    #[default]
    Usual,
    /// Without TLS, whatever the URL says, and at another port where one is given.
    Plain { port: Option<u16> },
    /// By TLS, where no certificate is taken without proof, whatever the run does.
    Verified,
    /// By TLS, without saying which name is wanted.
    Nameless,
    /// HTTP/2, agreed on by ALPN or known before, and on it this one request.
    Http2(Box<Request>),
}

impl Opening {
    /// Whether it is as the URL says.
    pub(crate) fn is_usual(&self) -> bool {
        matches!(self, Self::Usual)
    }
}

/// A request of a script.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Sent {
    pub(crate) method: String,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) of: Option<PayloadId>,
    /// Head and body, in bytes.
    pub(crate) bytes: usize,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) signed: Option<Box<Signed>>,
}

/// One thing done on a connection.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Action {
    /// Writes bytes; `ends_request` where they are the last of a request.
    Send {
        #[serde(with = "bytes")]
        bytes: Vec<u8>,
        #[serde(default, skip_serializing_if = "is_default")]
        split: Option<Split>,
        ends_request: bool,
    },
    /// Writes the same bytes over and over, until so many were written, writing blocks for that long, or the
    /// connection is over.
    SendUntilBlocked {
        #[serde(with = "bytes")]
        bytes: Vec<u8>,
        most: u64,
        patience: Duration,
    },
    /// Nothing, for a while.
    Pause(Duration),
    /// Waits until every other connection of the step has come to its own.
    Barrier,
    /// Waits until every request sent so far is answered, the connection is over, or for so long; `None` is the
    /// limit of the run.
    Await(Option<Duration>),
    /// Ends the script where an answer did not come, or the last one says that the receiver closes after it: no client
    /// sends anything more then (RFC 9112 §9.6).
    EndUnlessKept,
    /// Waits until the receiver closes, for so long at most.
    AwaitClose(Duration),
    /// Sends FIN and reads on.
    HalfClose,
    /// Sends RST.
    Reset,
}

/// How bytes are spread over segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Split {
    pub(crate) every: usize,
    pub(crate) pause: Duration,
}

impl Script {
    /// Sends a whole request in one piece.
    pub(crate) fn request(self, request: &Request) -> Self {
        self.request_split(request, None)
    }

    /// Sends a whole request in pieces of so many bytes, with a pause after each.
    pub(crate) fn request_in_pieces(self, request: &Request, every: usize, pause: Duration) -> Self {
        self.request_split(request, Some(Split { every, pause }))
    }

    /// Sends a request in two pieces: up to byte `at`, does `between`, and sends the rest.
    pub(crate) fn request_around(self, request: &Request, at: usize, between: Action) -> Self {
        let mut bytes = request.bytes();
        let rest = bytes.split_off(at.min(bytes.len()));
        let mut script = self.piece(bytes).act(between);
        script.note(request);
        script.act(Action::Send { bytes: rest, split: None, ends_request: true })
    }

    /// Sends all of a request but its last byte, waits until the other connections of the step have come to that, and
    /// sends the rest so long after.
    pub(crate) fn request_released(self, request: &Request, after: Duration) -> Self {
        let mut bytes = request.bytes();
        let rest = bytes.split_off(bytes.len().saturating_sub(1));
        let mut script = self.piece(bytes).act(Action::Barrier);
        if !after.is_zero() {
            script = script.act(Action::Pause(after));
        }
        script.note(request);
        script.act(Action::Send { bytes: rest, split: None, ends_request: true })
    }

    /// Sends a request of which there is more than one would keep in memory: its head and body, and then `filler`, over
    /// and over, up to `most` bytes of it or until nobody takes more for `patience`.
    pub(crate) fn request_filled(
        mut self,
        request: &Request,
        filler: Vec<u8>,
        most: u64,
        patience: Duration,
    ) -> Self {
        self.note(request);
        self.piece(request.bytes())
            .act(Action::SendUntilBlocked { bytes: filler, most, patience })
            .act(Action::Send { bytes: Vec::new(), split: None, ends_request: true })
    }

    /// Connects so long after the others.
    pub(crate) fn arriving_after(mut self, after: Duration) -> Self {
        self.arrives_after = Some(after);
        self
    }

    /// Sends whole requests in one piece, none of them answered yet.
    pub(crate) fn pipelined(mut self, requests: &[Request]) -> Self {
        let mut bytes: Vec<u8> = requests.iter().flat_map(Request::bytes).collect();
        for request in requests {
            self.note(request);
            // All are sent with the first.
            let bytes = std::mem::take(&mut bytes);
            self = self.act(Action::Send { bytes, split: None, ends_request: true });
        }
        self
    }

    /// Sends bytes that end no request.
    pub(crate) fn piece(self, bytes: impl Into<Vec<u8>>) -> Self {
        self.act(Action::Send { bytes: bytes.into(), split: None, ends_request: false })
    }

    /// Waits for the answers to all requests so far.
    pub(crate) fn answered(self) -> Self {
        self.act(Action::Await(None))
    }

    /// Waits for the answers to all requests so far, and goes on only where the connection is kept.
    pub(crate) fn answered_and_kept(self) -> Self {
        self.answered().act(Action::EndUnlessKept)
    }

    /// With each request held at its middle until the others of the step are there too.
    pub(crate) fn held_half_way(mut self) -> Self {
        let halved = self.actions.into_iter().flat_map(|action| match action {
            Action::Send { mut bytes, split, ends_request } => {
                let rest = bytes.split_off(bytes.len() / 2);
                let first = Action::Send { bytes, split, ends_request: false };
                vec![first, Action::Barrier, Action::Send { bytes: rest, split, ends_request }]
            }
            action => vec![action],
        });
        self.actions = halved.collect();
        self
    }

    pub(crate) fn act(mut self, action: Action) -> Self {
        self.actions.push(action);
        self
    }

    /// Reads nothing.
    pub(crate) fn deaf(mut self) -> Self {
        self.is_deaf = true;
        self
    }

    /// A whole request over HTTP/2, and its answer.
    pub(crate) fn over_http2(mut self, request: &Request) -> Self {
        self.note(request);
        self.opening = Opening::Http2(Box::new(request.clone()));
        self
    }

    /// Begins its connection in another way.
    pub(crate) fn opened(self, opening: Opening) -> Self {
        Self { opening, ..self }
    }

    fn request_split(mut self, request: &Request, split: Option<Split>) -> Self {
        self.note(request);
        self.act(Action::Send { bytes: request.bytes(), split, ends_request: true })
    }

    fn note(&mut self, request: &Request) {
        let bytes = request.bytes().len();
        let signed = request.signed_as().map(Box::new);
        self.requests.push(Sent { method: request.method.clone(), of: request.of, bytes, signed });
    }

    pub(super) fn describe(&self) -> String {
        let mut text = match &self.opening {
            Opening::Usual => String::new(),
            Opening::Plain { port: None } => "(without TLS)\n".to_owned(),
            Opening::Plain { port: Some(port) } => format!("(without TLS, at port {port})\n"),
            Opening::Verified => "(by TLS, and the certificate has to be right)\n".to_owned(),
            Opening::Nameless => "(by TLS, without a server name)\n".to_owned(),
            Opening::Http2(request) => format!("(as HTTP/2)\n{}\n", shown(&request.bytes(), MOST)),
        };
        if let Some(address) = self.address {
            let _ = writeln!(text, "(to {address})");
        }
        for action in &self.actions {
            let line = match action {
                Action::Send { bytes, split: Some(split), .. } => format!(
                    "(in pieces of {} bytes, {:?} apart)\n{}\n",
                    split.every,
                    split.pause,
                    shown(bytes, MOST)
                ),
                Action::Send { bytes, .. } if bytes.is_empty() => String::new(),
                Action::Send { bytes, .. } => format!("{}\n", shown(bytes, MOST)),
                Action::SendUntilBlocked { bytes, most, .. } => {
                    format!("(over and over, {most} bytes at most)\n{}\n", shown(bytes, MOST))
                }
                Action::Pause(pause) => format!("(nothing for {pause:?})\n"),
                Action::Barrier => "(waits for the other connections)\n".to_owned(),
                Action::Await(_) => "(reads the answer)\n".to_owned(),
                Action::EndUnlessKept => "(goes on if the connection is kept)\n".to_owned(),
                Action::AwaitClose(most) => {
                    format!("(waits for the end of the connection, {most:?} at most)\n")
                }
                Action::HalfClose => "(FIN)\n".to_owned(),
                Action::Reset => "(RST)\n".to_owned(),
            };
            text.push_str(&line);
        }
        text
    }
}

/// As many bytes of a request are described.
const MOST: usize = 1_200;

/// Bytes as text: what cannot be read is escaped, what is longer than `most` bytes is cut.
pub(crate) fn shown(bytes: &[u8], most: usize) -> String {
    let mut text = String::new();
    for chunk in bytes[..bytes.len().min(most)].utf8_chunks() {
        for char in chunk.valid().chars() {
            match char {
                '\r' => {}
                '\n' => text.push('\n'),
                char if char.is_control() => text.extend(char.escape_default()),
                char => text.push(char),
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    if bytes.len() > most {
        let _ = write!(text, "… ({} bytes in all)", bytes.len());
    }
    text
}
