//! `global`: doc.telecmi.com/piopiy/docs of 2024.

use super::FormValue as V;
use super::{Form, FormField, always, form, sometimes};

const LIVE_IN: &[FormField] = &[
    always("appid", V::AppId),
    always("conversation_uuid", V::Uuid),
    always("direction", V::Direction),
    always("from", V::Phone),
    always("leg", V::Leg),
    always("status", V::Status),
    always("time", V::EpochMillis),
    always("to", V::Phone),
    always("cmiuuid", V::Uuid),
    sometimes("extra_params", V::Text),
];

const LIVE_OUT: &[FormField] = &[
    always("appid", V::AppId),
    always("callerid", V::Phone),
    always("conversation_uuid", V::RequestId),
    always("direction", V::Direction),
    sometimes("extra_params", V::Text),
    always("from", V::Phone),
    always("leg", V::Leg),
    always("request_id", V::RequestId),
    always("status", V::Status),
    always("time", V::EpochMillis),
    always("to", V::Phone),
    always("cmiuuid", V::Uuid),
    always("vn", V::Phone),
];

const fn stream(ws_status: V) -> [FormField; 8] {
    [
        always("appid", V::AppId),
        always("direction", V::Direction),
        always("from", V::Phone),
        always("leg", V::Leg),
        always("status", V::Status),
        always("time", V::EpochMillis),
        always("cmiuuid", V::Uuid),
        always("ws_status", ws_status),
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
    // In the sample, though a missed call has no answer: there or not, it is no deviation.
    sometimes("answer_time", V::EpochSeconds),
    always("leg", V::Leg),
    always("status", V::Status),
    // In the page's table, not in its sample.
    sometimes("callerid", V::Phone),
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
    always("status", V::Status),
    always("leg", V::Leg),
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
    always("status", V::Status),
    always("leg", V::Leg),
];

macro_rules! page {
    ($slug:literal) => {
        concat!("https://doc.telecmi.com/piopiy/docs/", $slug)
    };
}

const LEG_B_OF_INBOUND: &str = "guess: CHUB shows started, answered and hangup for leg b of an inbound call";
const HANGUP: &str =
    "guess: the name is attested by third parties, the fields are those of the other live events";

pub(super) const FORMS: &[Form] = &[
    form!(Global Inbound "live.in_answered" LiveEvent "in_answered" "inbound" ["a"] Documented page!("live-in-answered"), LIVE_IN),
    form!(Global Inbound "live.out_started" LiveEvent "out_started" "outbound" ["b"] Guess LEG_B_OF_INBOUND, LIVE_IN),
    form!(Global Inbound "live.out_bridged" LiveEvent "out_bridged" "outbound" ["b"] Guess LEG_B_OF_INBOUND, LIVE_IN),
    form!(Global Inbound "live.stream_connected" LiveEvent "stream_connected" "inbound" ["b"] Documented page!("live-stream-connected"), STREAM_CONNECTED),
    form!(Global Inbound "live.stream_disconnected" LiveEvent "STREAM_DISCONNECTED" "inbound" ["b"] Documented page!("live-stream-disconnected"), STREAM_DISCONNECTED),
    form!(Global Inbound "live.stream_error" LiveEvent "stream_error" "inbound" ["b"] Guess "guess: the name is attested by third parties, ws_status is mod_audio_stream's error", STREAM_ERROR),
    form!(Global Inbound "live.in_hangup" LiveEvent "in_hangup" "inbound" ["a"] Guess HANGUP, LIVE_IN),
    form!(Global Inbound "live.out_hangup" LiveEvent "out_hangup" "outbound" ["b"] Guess LEG_B_OF_INBOUND, LIVE_IN),
    form!(Global Outbound "live.out_started" LiveEvent "out_started" "outbound" ["a", "b"] Documented page!("live-out-started"), LIVE_OUT),
    form!(Global Outbound "live.out_answered" LiveEvent "out_answered" "outbound" ["a"] Documented page!("live-out-answered"), LIVE_OUT),
    form!(Global Outbound "live.out_bridged" LiveEvent "out_bridged" "outbound" ["b"] Documented page!("live-out-answered"), LIVE_OUT),
    form!(Global Outbound "live.stream_connected" LiveEvent "stream_connected" "outbound" ["b"] Guess "guess: as on an inbound call", STREAM_CONNECTED),
    form!(Global Outbound "live.stream_disconnected" LiveEvent "STREAM_DISCONNECTED" "outbound" ["b"] Guess "guess: as on an inbound call", STREAM_DISCONNECTED),
    form!(Global Outbound "live.stream_error" LiveEvent "stream_error" "outbound" ["b"] Guess "guess: as on an inbound call", STREAM_ERROR),
    form!(Global Outbound "live.out_hangup" LiveEvent "out_hangup" "outbound" ["a", "b"] Guess HANGUP, LIVE_OUT),
    form!(Global Inbound "cdr.inbound.missed" Cdr "missed" "inbound" ["a"] Documented page!("inbound-webhooks-missed"), CDR_IN_MISSED),
    form!(Global Inbound "cdr.inbound.missed" Cdr "missed" "outbound" ["b"] Partial page!("inbound-webhooks-missed"), CDR_IN_MISSED),
    form!(Global Inbound "cdr.inbound.answered" Cdr "answered" "inbound" ["a"] Guess "guess: the missed CDR of 2024 with the answered fields of 2022", CDR_IN_ANSWERED),
    form!(Global Inbound "cdr.inbound.answered" Cdr "answered" "outbound" ["b"] Guess "guess: leg a's record with direction outbound", CDR_IN_ANSWERED),
    form!(Global Outbound "cdr.outbound.missed" Cdr "missed" "outbound" ["a"] Documented page!("outbound-webhooks-missed"), CDR_OUT_MISSED),
    form!(Global Outbound "cdr.outbound.missed" Cdr "missed" "outbound" ["b"] Partial page!("outbound-webhooks-missed"), CDR_OUT_MISSED),
    form!(Global Outbound "cdr.outbound.answered" Cdr "answered" "outbound" ["a", "b"] Guess "guess: the missed CDR with the answered fields of inbound calls", CDR_OUT_ANSWERED),
];
