//! Secrets of URLs are written down nowhere: the same URL is in requests, answers, call flows and messages of a stream.

use piopiy_mock_platform::platform::Exchange;
use serde_json::json;

use super::app::{App, config, over};
use super::rest::{Api, CUSTOMER, NUMBER, legacy};

/// Whether the secret is in anything that a call or the requests beside it kept.
#[track_caller]
fn check_hidden(exchange: &Exchange, secrets: usize) {
    let board = exchange.board();
    let told = format!("{:?} {:?}", board.calls(), board.loose());
    let at = told.find("hush").map(|at| &told[at.saturating_sub(200)..(at + 40).min(told.len())]);
    assert_eq!(at, None);
    assert!(told.matches("token=***").count() >= secrets, "{told}");
}

#[tokio::test]
async fn no_request_shows_the_secrets_of_its_urls() {
    let api = Api::start("").await;
    let ws = "ws://127.0.0.1:1/s?token=hush&n=1";
    let flow = json!([{ "action": "stream", "ws_url": ws, "listen_mode": "caller" }]);
    let (_, answer) = api.post("/v2/global_pcmo_make_call", legacy(&json!({ "pcmo": flow }))).await;
    api.is_over(&answer["request_id"]).await;
    let body = legacy(&json!({ "answer_url": "http://127.0.0.1:1/a?token=hush" }));
    api.post("/v1/make_call", body).await;
    let on_result = json!({ "type": "url", "url": "http://127.0.0.1:1/d?token=hush" });
    let pipeline = json!([{ "action": "input", "on_result": on_result }]);
    let body = json!({ "caller_id": NUMBER.to_string(), "to_number": CUSTOMER.to_string(),
        "app_id": "2222222", "pipeline": pipeline });
    assert_eq!(api.post("/v3/voice/pcmo/call", body).await.0, 200);
    check_hidden(api.exchange(), 5);
}

#[tokio::test]
async fn no_answer_and_no_message_of_a_stream_shows_them_either() {
    let (app, url) = App::start().await;
    // As PHP writes it; and what is no call flow at all.
    let flow = r#"[{"action":"stream","listen_mode":"caller","ws_url":"WS"}]"#;
    let flow_of_stream =
        r#"[{"action":"play","file_url":"http://127.0.0.1:1/f?token=hush"},{"action":"hangup"}]"#;
    let ws = super::stream::serve(move |mut socket| async move {
        use futures_util::{SinkExt as _, StreamExt as _};
        socket.send(tokio_tungstenite::tungstenite::Message::text(flow_of_stream)).await.unwrap();
        while socket.next().await.is_some_and(|message| message.is_ok()) {}
    })
    .await;
    let ws = format!("{ws}?token=hush").replace('/', "\\/");
    app.answer("/answer", 200, &flow.replace("WS", &ws));
    let exchange = Exchange::start(config(&url, ""), None).unwrap();
    let number = exchange.config().numbers[0].number;
    let from = piopiy_mock_platform::platform::Inbound::from_to(CUSTOMER, number);
    let view = over(&exchange, exchange.call_in(from.clone()).unwrap().call).await;
    let answer = view.messages().find(|message| message.answer.is_some()).unwrap();
    let kept = String::from_utf8(answer.answer.as_ref().unwrap().as_bytes().to_vec()).unwrap();
    assert!(
        kept.starts_with(r#"[{"action":"stream","listen_mode":"caller","ws_url":"ws:"#),
        "as it came: {kept}"
    );
    check_hidden(&exchange, 4);

    app.answer("/answer", 500, "see http://127.0.0.1/x?token=hush and http://me:hush@127.0.0.1/ for more");
    over(&exchange, exchange.call_in(from).unwrap().call).await;
    check_hidden(&exchange, 5);
}
