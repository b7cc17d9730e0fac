use crate::open::open_object;
use crate::{AppId, Code, Flag, Secret, Text};

open_object! {
    /// Switches streaming on or off for an account of the sister product CHUB: `v2/setting/stream`.
    pub struct StreamSetting {
        /// The account's app id [chub/streaming].
        appid: AppId = "appid",
        /// The account's secret [chub/streaming].
        secret: Secret = "secret",
        /// On or off [chub/streaming].
        enable: Flag = "enable",
        /// The WebSocket server, `ws://` or `wss://` [chub/streaming].
        ws_url: Text = "ws_url",
        /// Whose voice is sent: caller or both [chub/streaming].
        listen_mode: Text = "listen_mode",
    }
}

open_object! {
    /// Answers [`StreamSetting`].
    pub struct StreamSettingResponse {
        /// 200; 404 wrong credentials, 500 unknown listen mode [chub/streaming].
        code: Code = "code",
        /// `Stream Enabled` [chub/streaming].
        msg: Text = "msg",
    }
}
