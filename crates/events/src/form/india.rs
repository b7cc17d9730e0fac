//! `india`: doc.telecmi.com/piopiy-india/docs.

use super::FormValue as V;
use super::{Form, FormField, always, form, sometimes};

const LIVE_IN: &[FormField] = &[
    always("type", V::Type),
    always("leg", V::Leg),
    always("conversation_uuid", V::Uuid),
    always("time", V::EpochMillis),
    always("to", V::Phone),
    always("from", V::Phone),
    always("cmiuuid", V::Uuid),
    always("direction", V::Direction),
    always("appid", V::AppId),
    always("status", V::Status),
];

const LIVE_OUT: &[FormField] = &[
    always("type", V::Type),
    always("leg", V::Leg),
    always("conversation_uuid", V::Uuid),
    always("time", V::EpochMillis),
    always("to", V::Phone),
    always("from", V::Phone),
    always("cmiuuid", V::Uuid),
    always("direction", V::Direction),
    always("appid", V::AppId),
    // The page prints the bare token 04471000000, which is not JSON; the CDR has the string.
    always("callerid", V::PhoneNational),
    always("vn", V::Phone),
    always("status", V::Status),
];

const fn stream(ws_status: V) -> [FormField; 9] {
    [
        always("type", V::Type),
        always("leg", V::Leg),
        always("time", V::EpochMillis),
        always("from", V::Phone),
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

const fn cdr_in(duration: V) -> [FormField; 12] {
    [
        always("to", V::Phone),
        always("appid", V::AppId),
        always("time", V::EpochMillis),
        always("from", V::Phone),
        always("direction", V::Direction),
        always("duration", duration),
        sometimes("extra_params", V::Text),
        always("cmiuuid", V::Uuid),
        always("conversation_uuid", V::Uuid),
        always("leg", V::Leg),
        always("status", V::Status),
        always("type", V::Type),
    ]
}

const fn cdr_out(duration: V) -> [FormField; 16] {
    [
        always("to", V::Phone),
        always("appid", V::AppId),
        always("time", V::EpochMillis),
        always("from", V::Phone),
        sometimes("extra_params", V::Text),
        always("direction", V::Direction),
        always("duration", duration),
        always("cmiuuid", V::Uuid),
        always("conversation_uuid", V::Uuid),
        always("request_id", V::RequestId),
        always("callerid", V::PhoneNational),
        always("vn", V::Phone),
        always("out", V::True),
        always("status", V::Status),
        always("leg", V::Leg),
        always("type", V::Type),
    ]
}

const CDR_IN_MISSED: &[FormField] = &cdr_in(V::Zero);
const CDR_IN_ANSWERED: &[FormField] = &cdr_in(V::Seconds);
const CDR_OUT_MISSED: &[FormField] = &cdr_out(V::Zero);
const CDR_OUT_ANSWERED: &[FormField] = &cdr_out(V::Seconds);

macro_rules! page {
    ($slug:literal) => {
        concat!("https://doc.telecmi.com/piopiy-india/docs/", $slug)
    };
}

const LISTED: &str = "guess: the site's menu lists the page, its payload is not captured";
const LEG_B: &str = "guess: the page has a tab for leg b that is not captured";
const LEG_B_OF_INBOUND: &str = "guess: CHUB shows started, answered and hangup for leg b of an inbound call";
const STREAM: &str = "guess: the stream events of the global site in the shape of this one";
const CDR_B: &str = "guess: leg a's record with leg b; get-request-id lists both legs";

pub(super) const FORMS: &[Form] = &[
    form!(India Inbound "live.answered" LiveEvent "answered" "inbound" ["a"] Guess LISTED, LIVE_IN),
    form!(India Inbound "live.started" LiveEvent "started" "outbound" ["b"] Guess LEG_B_OF_INBOUND, LIVE_IN),
    form!(India Inbound "live.answered" LiveEvent "answered" "outbound" ["b"] Guess LEG_B_OF_INBOUND, LIVE_IN),
    form!(India Inbound "live.stream_connected" LiveEvent "stream_connected" "inbound" ["b"] Guess STREAM, STREAM_CONNECTED),
    form!(India Inbound "live.stream_disconnected" LiveEvent "STREAM_DISCONNECTED" "inbound" ["b"] Guess STREAM, STREAM_DISCONNECTED),
    form!(India Inbound "live.stream_error" LiveEvent "stream_error" "inbound" ["b"] Guess STREAM, STREAM_ERROR),
    form!(India Inbound "live.hangup" LiveEvent "hangup" "inbound" ["a"] Documented page!("live-in-hangup"), LIVE_IN),
    form!(India Inbound "live.hangup" LiveEvent "hangup" "outbound" ["b"] Guess LEG_B_OF_INBOUND, LIVE_IN),
    form!(India Outbound "live.started" LiveEvent "started" "outbound" ["a"] Documented page!("live-out-started"), LIVE_OUT),
    form!(India Outbound "live.started" LiveEvent "started" "outbound" ["b"] Guess LEG_B, LIVE_OUT),
    form!(India Outbound "live.ringing" LiveEvent "ringing" "outbound" ["a"] Documented page!("live-out-ringing"), LIVE_OUT),
    form!(India Outbound "live.ringing" LiveEvent "ringing" "outbound" ["b"] Guess LEG_B, LIVE_OUT),
    form!(India Outbound "live.answered" LiveEvent "answered" "outbound" ["a", "b"] Guess LISTED, LIVE_OUT),
    form!(India Outbound "live.stream_connected" LiveEvent "stream_connected" "outbound" ["b"] Guess STREAM, STREAM_CONNECTED),
    form!(India Outbound "live.stream_disconnected" LiveEvent "STREAM_DISCONNECTED" "outbound" ["b"] Guess STREAM, STREAM_DISCONNECTED),
    form!(India Outbound "live.stream_error" LiveEvent "stream_error" "outbound" ["b"] Guess STREAM, STREAM_ERROR),
    form!(India Outbound "live.hangup" LiveEvent "hangup" "outbound" ["a", "b"] Guess LISTED, LIVE_OUT),
    form!(India Inbound "cdr.inbound.missed" Cdr "missed" "inbound" ["a"] Documented page!("inbound-webhooks-hangup"), CDR_IN_MISSED),
    form!(India Inbound "cdr.inbound.missed" Cdr "missed" "outbound" ["b"] Guess CDR_B, CDR_IN_MISSED),
    form!(India Inbound "cdr.inbound.answered" Cdr "answered" "inbound" ["a"] Documented page!("inbound-webhooks-answered"), CDR_IN_ANSWERED),
    form!(India Inbound "cdr.inbound.answered" Cdr "answered" "outbound" ["b"] Guess CDR_B, CDR_IN_ANSWERED),
    form!(India Outbound "cdr.outbound.missed" Cdr "missed" "outbound" ["a", "b"] Guess LISTED, CDR_OUT_MISSED),
    form!(India Outbound "cdr.outbound.answered" Cdr "answered" "outbound" ["a"] Documented page!("outbound-webhooks-answered"), CDR_OUT_ANSWERED),
    form!(India Outbound "cdr.outbound.answered" Cdr "answered" "outbound" ["b"] Guess CDR_B, CDR_OUT_ANSWERED),
];
