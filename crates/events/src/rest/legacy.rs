//! v1 and v2: every request is a POST with `appid` and `secret` in its JSON body.
//!
//! Success is `code` 200 in the documentation and `cmi_code` 200 in the vendor's examples; refusals are
//! documented by number only (420 wrong credentials, 422, 501 and 502 a property missing, 404), and by inference
//! have a `msg`.

mod call_action;
mod cdr_lookup;
mod make_call;
mod sip_endpoint;
mod stream_setting;

pub use call_action::CallAction;
pub use cdr_lookup::{CdrResponse, CdrSummary, CmiuuidCdr, RequestIdCdr};
pub use make_call::{CallProgress, MakeCall, MakeCallResponse};
pub use sip_endpoint::{AddSip, AddSipResponse};
pub use stream_setting::{StreamSetting, StreamSettingResponse};
