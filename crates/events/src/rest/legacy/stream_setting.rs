use crate::open::open_object;
use crate::{AppId, Code, Flag, Secret, Text};

open_object! {
    /// Switches streaming on or off for an account of the sister product CHUB: `v2/setting/stream`.
    pub struct StreamSetting {
        /// The account's app id. Source: chub/streaming.
        appid: AppId = "appid",
        /// The account's secret. Source: chub/streaming.
        secret: Secret = "secret",
        /// On or off. Source: chub/streaming.
        enable: Flag = "enable",
        /// The WebSocket server, `ws://` or `wss://`. Source: chub/streaming.
        ws_url: Text = "ws_url",
        /// Whose voice is sent: caller or both. Source: chub/streaming.
        listen_mode: Text = "listen_mode",
    }
}

open_object! {
    /// Answers [`StreamSetting`].
    pub struct StreamSettingResponse {
        /// 200; 404 wrong credentials, 500 unknown listen mode. Source: chub/streaming.
        code: Code = "code",
        /// `Stream Enabled`. Source: chub/streaming.
        msg: Text = "msg",
    }
}
