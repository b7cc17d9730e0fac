//! `global-2022`: the same site in captures of 2021 and 2022, addresses with a trailing slash.

use super::FormValue as V;
use super::{Form, FormField, always, form, sometimes};

const LIVE_IN: &[FormField] = &[
    sometimes("extra_params", V::Text),
    always("type", V::Type),
    always("leg", V::Leg),
    always("conversation_uuid", V::Uuid),
    always("time", V::EpochMillis),
    always("to", V::PhoneText),
    always("from", V::PhoneText),
    always("cmiuuid", V::Uuid),
    always("direction", V::Direction),
    always("appid", V::AppId),
    always("status", V::Status),
];

const LIVE_OUT: &[FormField] = &[
    sometimes("extra_params", V::Text),
    always("type", V::Type),
    always("leg", V::Leg),
    always("conversation_uuid", V::RequestId),
    always("time", V::EpochMillis),
    always("to", V::PhoneText),
    always("from", V::PhoneText),
    always("cmiuuid", V::Uuid),
    always("direction", V::Direction),
    always("appid", V::AppId),
    always("request_id", V::RequestId),
    always("callerid", V::Phone),
    always("status", V::Status),
];

const fn stream(ws_status: V) -> [FormField; 9] {
    [
        always("type", V::Type),
        always("leg", V::Leg),
        always("time", V::EpochMillis),
        always("from", V::PhoneText),
        always("cmiuuid", V::Uuid),
        always("direction", V::Direction),
        always("appid", V::AppId),
        always("ws_status", ws_status),
        always("status", V::Status),
    ]
}

const STREAM_CONNECTED: &[FormField] = &stream(V::WsConnected);
const STREAM_DISCONNECTED: &[FormField] = &stream(V::WsDisconnected);
const STREAM_ERROR: &[FormField] = &stream(V::WsError);

const CDR_IN_MISSED: &[FormField] = &[
    always("to", V::Phone),
    always("appid", V::AppId),
    always("time", V::EpochMillis),
    always("start_time", V::EpochSeconds),
    always("end_time", V::EpochSeconds),
    always("from", V::Phone),
    always("direction", V::Direction),
    always("duration", V::Zero),
    sometimes("extra_params", V::Text),
    always("cmiuuid", V::Uuid),
    always("call_rate", V::Zero),
    always("balance", V::Decimal),
    always("conversation_uuid", V::Uuid),
    always("leg", V::Leg),
    always("status", V::Status),
    always("type", V::Type),
];

const CDR_IN_ANSWERED: &[FormField] = &[
    always("to", V::Phone),
    always("appid", V::AppId),
    always("time", V::EpochMillis),
    always("start_time", V::EpochSeconds),
    always("end_time", V::EpochSeconds),
    always("from", V::Phone),
    always("direction", V::Direction),
    always("duration", V::Seconds),
    sometimes("extra_params", V::Text),
    always("cmiuuid", V::Uuid),
    always("call_rate", V::Decimal),
    always("balance", V::Decimal),
    always("conversation_uuid", V::Uuid),
    always("answer_time", V::EpochSeconds),
    always("leg", V::Leg),
    always("status", V::Status),
    always("type", V::Type),
];

const CDR_OUT_MISSED: &[FormField] = &[
    always("to", V::Phone),
    always("appid", V::AppId),
    always("time", V::EpochMillis),
    always("start_time", V::EpochSeconds),
    always("end_time", V::EpochSeconds),
    always("from", V::Phone),
    always("direction", V::Direction),
    always("duration", V::Zero),
    sometimes("extra_params", V::Text),
    always("cmiuuid", V::Uuid),
    always("call_rate", V::Zero),
    always("balance", V::Decimal),
    always("conversation_uuid", V::RequestId),
    always("request_id", V::RequestId),
    always("callerid", V::Phone),
    always("out", V::True),
    always("api_init", V::True),
    always("status", V::Status),
    always("leg", V::Leg),
    always("type", V::Type),
];

const CDR_OUT_ANSWERED: &[FormField] = &[
    always("to", V::Phone),
    always("appid", V::AppId),
    always("time", V::EpochMillis),
    always("start_time", V::EpochSeconds),
    always("end_time", V::EpochSeconds),
    always("from", V::Phone),
    always("direction", V::Direction),
    always("duration", V::Seconds),
    sometimes("extra_params", V::Text),
    always("cmiuuid", V::Uuid),
    always("call_rate", V::Decimal),
    always("balance", V::Decimal),
    always("conversation_uuid", V::RequestId),
    always("request_id", V::RequestId),
    always("callerid", V::Phone),
    always("answer_time", V::EpochSeconds),
    always("out", V::True),
    always("api_init", V::True),
    always("status", V::Status),
    always("leg", V::Leg),
    always("type", V::Type),
];

macro_rules! page {
    ($slug:literal) => {
        concat!("https://doc.telecmi.com/piopiy/docs/", $slug, "/")
    };
}

const LEG_A: &str = "guess: the documented hangup with another status";
const LEG_B: &str = "guess: as leg a, and as CHUB shows leg b";
const STREAM: &str = "guess: the stream events of 2024 in the shape of 2022";
const CDR_B: &str = "guess: leg a's record with leg b; of the 2024 text a part is captured";

pub(super) const FORMS: &[Form] = &[
    form!(Global2022 Inbound "live.answered" LiveEvent "answered" "inbound" ["a"] Guess LEG_A, LIVE_IN),
    form!(Global2022 Inbound "live.started" LiveEvent "started" "outbound" ["b"] Guess LEG_B, LIVE_IN),
    form!(Global2022 Inbound "live.bridged" LiveEvent "bridged" "outbound" ["b"] Guess LEG_B, LIVE_IN),
    form!(Global2022 Inbound "live.stream_connected" LiveEvent "stream_connected" "inbound" ["b"] Guess STREAM, STREAM_CONNECTED),
    form!(Global2022 Inbound "live.stream_disconnected" LiveEvent "STREAM_DISCONNECTED" "inbound" ["b"] Guess STREAM, STREAM_DISCONNECTED),
    form!(Global2022 Inbound "live.stream_error" LiveEvent "stream_error" "inbound" ["b"] Guess STREAM, STREAM_ERROR),
    form!(Global2022 Inbound "live.hangup" LiveEvent "hangup" "inbound" ["a"] Documented page!("live-in-hangup"), LIVE_IN),
    form!(Global2022 Inbound "live.hangup" LiveEvent "hangup" "outbound" ["b"] Guess LEG_B, LIVE_IN),
    form!(Global2022 Outbound "live.started" LiveEvent "started" "outbound" ["a", "b"] Guess LEG_A, LIVE_OUT),
    form!(Global2022 Outbound "live.answered" LiveEvent "answered" "outbound" ["a"] Guess LEG_A, LIVE_OUT),
    form!(Global2022 Outbound "live.bridged" LiveEvent "bridged" "outbound" ["b"] Guess LEG_B, LIVE_OUT),
    form!(Global2022 Outbound "live.stream_connected" LiveEvent "stream_connected" "outbound" ["b"] Guess STREAM, STREAM_CONNECTED),
    form!(Global2022 Outbound "live.stream_disconnected" LiveEvent "STREAM_DISCONNECTED" "outbound" ["b"] Guess STREAM, STREAM_DISCONNECTED),
    form!(Global2022 Outbound "live.stream_error" LiveEvent "stream_error" "outbound" ["b"] Guess STREAM, STREAM_ERROR),
    form!(Global2022 Outbound "live.hangup" LiveEvent "hangup" "outbound" ["a", "b"] Guess LEG_A, LIVE_OUT),
    form!(Global2022 Inbound "cdr.inbound.missed" Cdr "missed" "inbound" ["a"] Documented page!("inbound-webhooks-missed"), CDR_IN_MISSED),
    form!(Global2022 Inbound "cdr.inbound.missed" Cdr "missed" "outbound" ["b"] Guess CDR_B, CDR_IN_MISSED),
    form!(Global2022 Inbound "cdr.inbound.answered" Cdr "answered" "inbound" ["a"] Documented page!("inbound-webhooks-answered"), CDR_IN_ANSWERED),
    form!(Global2022 Inbound "cdr.inbound.answered" Cdr "answered" "outbound" ["b"] Guess CDR_B, CDR_IN_ANSWERED),
    form!(Global2022 Outbound "cdr.outbound.missed" Cdr "missed" "outbound" ["a"] Documented page!("outbound-webhooks-missed"), CDR_OUT_MISSED),
    form!(Global2022 Outbound "cdr.outbound.missed" Cdr "missed" "outbound" ["b"] Guess CDR_B, CDR_OUT_MISSED),
    form!(Global2022 Outbound "cdr.outbound.answered" Cdr "answered" "outbound" ["a", "b"] Guess "guess: the missed CDR with the answered fields of inbound calls", CDR_OUT_ANSWERED),
];
