//! Any bytes as each body of the REST APIs, and as what an answer URL is asked.
#![no_main]

use libfuzzer_sys::fuzz_target;
use piopiy_events::OpenObject;
use piopiy_events::answer::{AnswerRequest, DtmfRequest};
use piopiy_events::rest::{legacy, v3};

fn through<T: OpenObject>(body: &[u8]) {
    let Ok(object) = T::parse(body) else { return };
    let text = object.to_json();
    let again = T::parse(text.as_bytes()).expect("what was written is read");
    assert_eq!(again.to_json(), text, "the second time it comes out otherwise");
}

fuzz_target!(|body: &[u8]| {
    through::<legacy::MakeCall>(body);
    through::<legacy::MakeCallResponse>(body);
    through::<legacy::AddSip>(body);
    through::<legacy::AddSipResponse>(body);
    through::<legacy::StreamSetting>(body);
    through::<legacy::CmiuuidCdr>(body);
    through::<legacy::RequestIdCdr>(body);
    through::<legacy::CdrResponse>(body);
    through::<v3::AiCall>(body);
    through::<v3::PcmoCall>(body);
    through::<v3::FlowCall>(body);
    through::<v3::CallHangup>(body);
    through::<v3::PcmoTransfer>(body);
    through::<AnswerRequest>(body);
    through::<DtmfRequest>(body);
});
