use crate::open::open_object;
use crate::{Flag, Text};

open_object! {
    /// Opens an audio stream: the platform connects to a WebSocket server and sends the call's audio; legacy.
    pub struct Stream {
        /// `stream`. Source: ai-streaming.
        action: Text = "action",
        /// The server, `ws://` or `wss://`. Source: ai-streaming.
        ws_url: Text = "ws_url",
        /// Whose voice is sent: `caller`, `callee` or `both`. Source: ai-streaming.
        listen_mode: Text = "listen_mode",
        /// Samples per second: the string `8000` or `16000`; a README of the SDK has `32000` too. Source:
        /// ai-streaming.
        voice_quality: Text = "voice_quality",
        /// Whether it starts at the answer, not at once; default false. Source: ai-streaming.
        stream_on_answer: Flag = "stream_on_answer",
    }
}
