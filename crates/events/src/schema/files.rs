use serde_json::Value;

use super::{document, form, object, openapi, pcmo, profile, stream_message};
use crate::rest::{legacy, v3};
use crate::{Form, Profile, answer};

/// All schemas as files: path below `schemas/`, with `/`, and pretty JSON; sorted by path.
///
/// # Examples
/// ```
/// let files = piopiy_events::schema::files();
/// assert!(files.iter().any(|(path, _)| path == "openapi.json"));
/// assert!(files.iter().all(|(_, content)| content.ends_with("}\n")));
/// ```
#[must_use]
pub fn files() -> Vec<(String, String)> {
    let mut schemas: Vec<(String, Value)> = Vec::new();
    for of in Profile::ALL {
        schemas.push((format!("{of}.json"), profile(of)));
        for each in Form::all(of) {
            schemas.push((format!("{of}/{}.json", form::name(each)), form(each)));
        }
    }
    schemas.push(("openapi.json".to_owned(), openapi()));
    schemas.push(("pcmo.json".to_owned(), document("Call flow", pcmo())));
    schemas.push(("stream-message.json".to_owned(), document("Stream message", stream_message())));
    let mut push = |path: &str, title: &str, schema: Value| {
        schemas.push((format!("{path}.json"), document(title, schema)));
    };
    push("answer-request", "Answer-URL request", object::<answer::AnswerRequest>());
    push("dtmf-request", "DTMF request", object::<answer::DtmfRequest>());
    push("rest/legacy/make-call", "Make a call", object::<legacy::MakeCall>());
    push("rest/legacy/make-call-response", "Response to making a call", object::<legacy::MakeCallResponse>());
    push("rest/legacy/call-action", "Control a call", object::<legacy::CallAction>());
    push("rest/legacy/cmiuuid-cdr", "Look a leg's CDR up", object::<legacy::CmiuuidCdr>());
    push("rest/legacy/requestid-cdr", "Look a request's CDRs up", object::<legacy::RequestIdCdr>());
    push("rest/legacy/cdr-response", "CDRs that were looked up", object::<legacy::CdrResponse>());
    push("rest/legacy/add-sip", "Make a SIP endpoint", object::<legacy::AddSip>());
    push(
        "rest/legacy/add-sip-response",
        "Response to making a SIP endpoint",
        object::<legacy::AddSipResponse>(),
    );
    push("rest/legacy/stream-setting", "Switch streaming", object::<legacy::StreamSetting>());
    push(
        "rest/legacy/stream-setting-response",
        "Response to switching streaming",
        object::<legacy::StreamSettingResponse>(),
    );
    push("rest/v3/ai-call", "Call by an agent", object::<v3::AiCall>());
    push("rest/v3/pcmo-call", "Call with a pipeline", object::<v3::PcmoCall>());
    push("rest/v3/flow-call", "Call with a flow", object::<v3::FlowCall>());
    push("rest/v3/pcmo-transfer", "Transfer to a pipeline", object::<v3::PcmoTransfer>());
    push("rest/v3/call-hangup", "End a call", object::<v3::CallHangup>());
    push("rest/v3/transfer-action", "Transfer by an agent", object::<v3::TransferAction>());
    push("rest/v3/hangup-action", "Hang-up by an agent", object::<v3::HangupAction>());
    push("rest/v3/response", "Response of v3", object::<v3::Response>());

    let mut files: Vec<_> = schemas.into_iter().map(|(path, schema)| (path, pretty(schema))).collect();
    files.sort();
    files
}

/// Keys are sorted, whichever order `serde_json` was built to keep.
fn pretty(mut schema: Value) -> String {
    schema.sort_all_objects();
    format!("{schema:#}\n")
}
