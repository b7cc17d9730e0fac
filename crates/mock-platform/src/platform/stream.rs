//! Audio streams: the platform is the WebSocket client, as PIOPIY is.

use std::borrow::Cow;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use piopiy_events::pcmo::Pcmo;
use piopiy_events::stream::{CommandKind, StreamMessage};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Bytes, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::deliver::Target;

/// How a stream is opened.
#[derive(Debug)]
pub(super) struct StreamSpec {
    pub(super) target: Target,
    /// Samples per second.
    pub(super) sample_rate: u32,
}

/// What happened on a stream.
#[derive(Debug)]
pub(super) enum StreamEvent {
    Connected,
    /// Something to be shown, no more.
    Note(String),
    /// A call flow to be carried out.
    Flow(Pcmo),
    /// It is over, with the close code of RFC 6455.
    Closed {
        code: u16,
        reason: String,
    },
    /// It was never open; the code of `mod_audio_stream`.
    Failed {
        code: u16,
        error: String,
    },
}

#[derive(Debug)]
enum Control {
    Hold(bool),
    Drop(Option<u16>),
    HangUp,
}

/// A stream that is being opened, or is open.
#[derive(Debug)]
pub(super) struct StreamSession {
    events: mpsc::UnboundedReceiver<StreamEvent>,
    control: mpsc::UnboundedSender<Control>,
}

impl StreamSession {
    pub(super) fn open(spec: StreamSpec) -> Self {
        let (told, events) = mpsc::unbounded_channel();
        let (control, controlled) = mpsc::unbounded_channel();
        tokio::spawn(run(spec, told, controlled));
        Self { events, control }
    }

    /// The next thing that happens. May be dropped at any time.
    pub(super) async fn next(&mut self) -> StreamEvent {
        let gone = || StreamEvent::Closed { code: 1006, reason: "Abnormal closure".to_owned() };
        self.events.recv().await.unwrap_or_else(gone)
    }

    /// The caller is on hold: nothing is heard and nothing is said.
    pub(super) fn hold(&self, on: bool) {
        self.control(Control::Hold(on));
    }

    /// The connection breaks, or is closed with a code.
    pub(super) fn drop_now(&self, code: Option<u16>) {
        self.control(Control::Drop(code));
    }

    /// The call is over: the stream is closed as it should be.
    pub(super) fn hang_up(&self) {
        self.control(Control::HangUp);
    }

    fn control(&self, control: Control) {
        // A stream that is over needs none.
        let _ = self.control.send(control);
    }
}

const CONNECT_LIMIT: Duration = Duration::from_secs(10);
const FRAME: Duration = Duration::from_millis(20);

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn run(
    spec: StreamSpec,
    told: mpsc::UnboundedSender<StreamEvent>,
    mut controlled: mpsc::UnboundedReceiver<Control>,
) {
    let url = spec.target.as_websocket();
    let connecting = tokio::time::timeout(CONNECT_LIMIT, tokio_tungstenite::connect_async(url));
    let event = match connecting.await {
        Err(_) => StreamEvent::Failed { code: 10, error: "Timed out".to_owned() },
        Ok(Err(error)) => StreamEvent::Failed { code: 6, error: error.to_string() },
        Ok(Ok((socket, _))) => {
            let _ = told.send(StreamEvent::Connected);
            let (code, reason) = exchange(&spec, socket, &told, &mut controlled).await;
            StreamEvent::Closed { code, reason }
        }
    };
    let _ = told.send(event);
}

/// Both directions, until one ends; the close code and the reason.
async fn exchange(
    spec: &StreamSpec,
    mut socket: Socket,
    told: &mpsc::UnboundedSender<StreamEvent>,
    controlled: &mut mpsc::UnboundedReceiver<Control>,
) -> (u16, String) {
    let mut frames = tokio::time::interval(FRAME);
    let silence = Bytes::from(vec![0; spec.sample_rate as usize / 50 * 2]);
    let mut on_hold = false;
    let abnormal = || (1006, "Abnormal closure".to_owned());
    loop {
        tokio::select! {
            _ = frames.tick(), if !on_hold => {
                if socket.send(Message::Binary(silence.clone())).await.is_err() {
                    return abnormal();
                }
            }
            control = controlled.recv() => match control {
                Some(Control::Hold(on)) => on_hold = on,
                Some(Control::Drop(None)) => return abnormal(),
                Some(Control::Drop(Some(code))) => return close(&mut socket, code, "").await,
                Some(Control::HangUp) | None => return close(&mut socket, 1000, "Normal closure").await,
            },
            message = socket.next() => match message {
                None | Some(Err(_)) => return abnormal(),
                Some(Ok(Message::Close(frame))) => return closed_by(frame),
                Some(Ok(Message::Text(text))) => match StreamMessage::parse(text.as_bytes()) {
                    Ok(StreamMessage::Pcmo(flow)) => { let _ = told.send(StreamEvent::Flow(flow)); }
                    Ok(StreamMessage::Command(command)) if command.kind() == Some(CommandKind::Stop) => {
                        return close(&mut socket, 1000, "Normal closure").await;
                    }
                    Ok(_) => {}
                    Err(error) => { let _ = told.send(StreamEvent::Note(format!("what it sent is no JSON: {error}"))); }
                },
                Some(Ok(_)) => {}
            },
        }
    }
}

async fn close(socket: &mut Socket, code: u16, reason: &'static str) -> (u16, String) {
    let frame = CloseFrame { code: CloseCode::from(code), reason: Cow::Borrowed(reason).as_ref().into() };
    // It may be gone already.
    let _ = socket.close(Some(frame)).await;
    (code, reason.to_owned())
}

fn closed_by(frame: Option<CloseFrame>) -> (u16, String) {
    match frame {
        Some(frame) => (frame.code.into(), frame.reason.to_string()),
        None => (1005, "No status received".to_owned()),
    }
}
