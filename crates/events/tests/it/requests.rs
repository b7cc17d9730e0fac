//! Answer-URL and DTMF requests.

use piopiy_events::OpenObject;
use piopiy_events::answer::{AnswerRequest, DtmfRequest};

use crate::fixtures::{minified, read};

#[test]
fn answer_url_requests_are_typed_and_lossless() {
    fn check(file: &str, action: Option<&str>, from: &str, from_json: &str, millis: i64) {
        let text = read(file);
        let request = AnswerRequest::parse(text.as_bytes()).unwrap();
        assert_eq!(request.to_json(), minified(&text), "{file}");
        assert_eq!(request.unknown().count(), 0, "{file}");
        assert_eq!(request.action.map(|action| action.text().into_owned()).as_deref(), action, "{file}");
        let number = request.from.unwrap();
        assert_eq!((number.digits().as_deref(), number.as_json()), (Some(from), from_json), "{file}");
        assert!(request.to.unwrap().digits().is_some(), "{file}");
        assert_eq!(request.time.unwrap().millis(), Some(millis), "{file}");
        assert_eq!(request.cmiuuid.unwrap().text().len(), 36, "{file}");
    }
    check(
        "global-2022/answer-url-request.json",
        Some("inbound"),
        "19170000001",
        "\"19170000001\"",
        1_670_568_234_000,
    );
    check("india/answer-url-request.json", None, "919100000000", "919100000000", 1_571_800_398_000);
}

#[test]
fn dtmf_requests_have_the_leg_under_either_key() {
    for file in ["global-2022/dtmf-action-url-request.json", "india/dtmf-action-url-request.json"] {
        let text = read(file);
        let request = DtmfRequest::parse(text.as_bytes()).unwrap();
        assert_eq!(request.to_json(), minified(&text), "{file}");
        assert_eq!(request.unknown().count(), 0, "{file}");
        assert_eq!(request.leg_id().as_deref(), Some("41aa4bb1-d693-415e-82ce-bdf2e8814aeb"), "{file}");
        assert_eq!(request.cmiuuid, None, "{file}: the samples say cmuuid");
        assert_eq!(request.dtmf.unwrap().text(), "1234", "{file}");
    }
    let tables = DtmfRequest::parse(br##"{"cmiuuid":"x","dtmf":"#"}"##).unwrap();
    assert_eq!(tables.leg_id().as_deref(), Some("x"));
}
