//! Which ids the REST APIs take, how long, and what the timeline has of a request.

use serde_json::json;

use super::rest::{Api, CUSTOMER, NUMBER, legacy};

const WAITS: &str = r#"[{"action":"input","max_digit":1,"timeout":6000}]"#;

/// A call that lasts: its index, its `request_id`, its leg's id.
async fn placed(api: &Api) -> (u64, String, String) {
    let flow: serde_json::Value = serde_json::from_str(WAITS).unwrap();
    let (_, answer) = api.post("/v2/global_pcmo_make_call", legacy(&json!({ "pcmo": flow }))).await;
    let request_id = answer["request_id"].as_str().unwrap().to_owned();
    let call = api.exchange().find(&request_id).unwrap();
    (call, request_id, api.exchange().board().call(call).unwrap().begin.cmiuuid)
}

#[tokio::test]
async fn a_leg_is_named_by_its_own_id_alone() {
    let api = Api::start("").await;
    let (call, request_id, leg) = placed(&api).await;
    let code = async |id: &str| {
        let body = json!({ "appid": 2_222_222, "secret": "mock-secret", "cmiuuid": id, "action": "hold" });
        api.post("/v1/call/action", body).await.1["code"].clone()
    };
    let spelled = [leg.to_uppercase(), leg.replace('-', ""), format!("{{{leg}}}")];
    assert_eq!([code(&call.to_string()).await, code(&request_id).await], [404, 404]);
    assert_eq!(code(&leg).await, 200);
    for id in &spelled {
        assert_eq!(code(id).await, 200, "{id}");
    }
    let status = async |id: &str| api.get(&format!("/v3/calls/{id}")).await.0;
    assert_eq!([status(&call.to_string()).await, status(&request_id).await], [404, 404]);
    assert_eq!(status(&leg).await, 200);
    for id in spelled {
        let body = json!({ "call_id": id, "cause": "NORMAL_CLEARING" });
        let (status, answer) = api.post("/v3/voice/call/hangup", body).await;
        // The first of them ends it.
        assert!(status == 200 || answer["error"] == "CALL_NOT_FOUND", "{id}: {answer}");
    }
    api.is_over(&json!(leg)).await;
    let body = json!({ "appid": 2_222_222, "secret": "mock-secret", "cmiuuid": leg.to_uppercase() });
    assert_eq!(api.post("/v1/piopiy/cmiuuid_cdr", body).await.1["code"], 200);
}

#[tokio::test]
async fn a_call_is_gone_as_soon_as_it_has_ended() {
    // Its CDR comes in an hour.
    let api = Api::start("[platform.choices]\nrecord-delay = \"1h\"").await;
    let (call, _, leg) = placed(&api).await;
    let path = format!("/v3/calls/{leg}");
    assert_eq!(api.get(&path).await.0, 200);
    let (status, body) = api.post(&format!("{path}/actions/hangup"), json!({ "cause": "normal" })).await;
    assert!(body["request_id"].as_str().is_some_and(|id| id.starts_with("hu-")), "{body}");
    assert_eq!(status, 200);
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(2);
    while api.get(&path).await.0 == 200 {
        assert!(tokio::time::Instant::now() < deadline, "it is told as one that is on");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert_eq!(api.get(&path).await.1["error"], "CALL_NOT_FOUND");
    assert!(!api.exchange().board().call(call).unwrap().is_over);
}

#[tokio::test]
async fn a_request_through_a_proxy_is_told_as_any_other() {
    let api = Api::start("").await;
    let proxy = reqwest::Proxy::http(format!("http://{}", api.serving.rest())).unwrap();
    let client = reqwest::Client::builder().proxy(proxy).build().unwrap();
    let body = json!({ "caller_id": NUMBER.to_string(), "to_number": CUSTOMER.to_string(),
        "app_id": "2222222", "pipeline": [{ "action": "hangup" }] });
    let request = client.post("http://rest.piopiy.com/v3/voice/pcmo/call?a=1").bearer_auth("mock-token");
    let answer = request.body(body.to_string()).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let view = &api.exchange().board().calls()[0];
    let told = view.messages().find(|message| message.label.ends_with("/v3/voice/pcmo/call 200")).unwrap();
    assert_eq!(told.url.as_deref(), Some("http://piopiy/v3/voice/pcmo/call?a=1"));
}

#[tokio::test]
async fn only_recordings_can_be_downloaded() {
    let folder = tempfile::tempdir().unwrap();
    let own = "0f0c2f0e-7a53-4c56-9a0c-0d3f6f4c2b11-heard.wav";
    for name in [own, "notes.txt", "mine.wav"] {
        std::fs::write(folder.path().join(name), "RIFF").unwrap();
    }
    let text = format!("[platform]\nrecordings = {:?}\n", folder.path().display().to_string());
    let api = Api::of(&text).await;
    for (name, found) in [(own, true), ("notes.txt", false), ("mine.wav", false)] {
        let url = format!(
            "http://{}/v2/piopiy/play?appid=2222222&secret=mock-secret&file={name}",
            api.serving.rest()
        );
        let answer = api.client.get(url).send().await.unwrap().text().await.unwrap();
        assert_eq!(answer == "RIFF", found, "{name}: {answer}");
    }
}
