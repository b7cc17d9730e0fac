use crate::open::open_object;
use crate::{AppId, Code, Flag, Secret, Text};

open_object! {
    /// Makes a SIP endpoint: `v1/endpoint/add_sip`.
    pub struct AddSip {
        /// The account's app id. Source: create-sip-endpoint.
        appid: AppId = "appid",
        /// The account's secret. Source: create-sip-endpoint.
        secret: Secret = "secret",
        /// The endpoint's name. Source: create-sip-endpoint.
        username: Text = "username",
        /// The endpoint's password. Source: create-sip-endpoint.
        password: Secret = "password",
    }
}

open_object! {
    /// Answers [`AddSip`].
    pub struct AddSipResponse {
        /// The string `cmi-200`; 400 where the name is taken, 420, 502. Source: create-sip-endpoint.
        code: Code = "code",
        /// The endpoint's name. Source: create-sip-endpoint.
        username: Text = "username",
        /// The endpoint's password. Source: create-sip-endpoint.
        password: Secret = "password",
        /// The SIP server to register with. Source: create-sip-endpoint.
        connect_url: Text = "connect_URL",
        /// Whether it takes audio. Source: create-sip-endpoint.
        audio: Flag = "audio",
        /// Whether it takes video. Source: create-sip-endpoint.
        video: Flag = "video",
        /// `SIP`. Source: create-sip-endpoint.
        endpoint_type: Text = "type",
    }
}
