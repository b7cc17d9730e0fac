//! Calls that are given to somebody else: who takes them, why nobody does, and what becomes of the call then.

use std::time::Duration;

use piopiy_events::pcmo::Pcmo;
use piopiy_events::{CallDirection, Webhook};
use piopiy_mock_platform::deliver::ledger::MessageKind;
use piopiy_mock_platform::platform::{
    CallView, Config, Ender, Exchange, HangUpError, Inbound, Outbound, Then, TransferStatus,
};
use serde_json::{Value, json};

use super::app::said;
use super::rest::Api;
use super::stream::{echo, serve};

const CUSTOMER: u64 = 447_700_900_123;
const NUMBER: u64 = 441_632_960_000;
const AGENT: u64 = 442_079_460_000;
const OTHER: u64 = 442_079_460_001;

fn bridge(to: u64) -> String {
    format!(r#"{{"action":"bridge","timeout":20,"connect":[{{"type":"pstn","number":{to}}}]}}"#)
}

const SPEAK: &str = r#"{"action":"speak","text":"It goes on."}"#;
const LONG: &str = r#"{"action":"play","file_name":"a.wav"}"#;

fn flow(actions: &[&str]) -> Pcmo {
    Pcmo::parse(format!("[{}]", actions.join(",")).as_bytes()).unwrap()
}

/// A platform in virtual time on which the second party answers like that, and a call that carries out some actions.
fn begun(answers: &str, direction: CallDirection, actions: &[&str]) -> (Exchange, u64) {
    let text = format!(
        "[platform]\nseed = 7\n[platform.choices]\nunknown-file = \"30s\"\n[platform.callee]\nhangs-up-after = \"60s\"\n\
         [[platform.person]]\nnumber = {OTHER}\nhangs-up-after = \"20s\"\nanswers = \"{answers}\""
    );
    let exchange = Exchange::start(Config::parse("test", &text).unwrap(), None).unwrap();
    let placed = match direction {
        CallDirection::Inbound => {
            let mut inbound = Inbound::from_to(CUSTOMER, NUMBER);
            inbound.then = Some(flow(actions));
            exchange.call_in(inbound).unwrap()
        }
        CallDirection::Outbound => {
            let then = Then::Flow(flow(actions));
            exchange.call_out(Outbound::new(2_222_222, NUMBER, CUSTOMER, then)).unwrap()
        }
    };
    (exchange, placed.call)
}

async fn ended(exchange: &Exchange, call: u64) -> CallView {
    for _ in 0..600 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let view = exchange.board().call(call).unwrap();
        if view.is_over {
            return view;
        }
    }
    panic!("it never ends: {:#?}", said(&exchange.board().call(call).unwrap()));
}

/// The statuses of leg b's events, in order.
fn of_leg_b(view: &CallView) -> Vec<String> {
    let bodies = view.messages().filter(|row| row.what == MessageKind::Unsent);
    let webhooks = bodies.map(|row| Webhook::parse(row.request.as_ref().unwrap().as_bytes()).unwrap());
    let of_b = webhooks.filter(|it| it.text("leg").as_deref() == Some("b") && it.get("duration").is_none());
    of_b.map(|it| it.text("status").unwrap_or_default().into_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_transfer_that_nobody_takes_says_why_and_whether_the_call_was_ended_by_it() {
    for (answers, why, ended_by_it) in [
        ("busy", "busy", "busy_and_call_ended"),
        ("rejects", "rejected", "rejected_and_call_ended"),
        ("no", "no_answer", "no_answer_and_call_ended"),
    ] {
        for direction in [CallDirection::Inbound, CallDirection::Outbound] {
            let other = bridge(OTHER);
            for (left, expected) in [(&[&*other, SPEAK][..], why), (&[&*other][..], ended_by_it)] {
                let (exchange, call) = begun(answers, direction, &[LONG]);
                tokio::time::sleep(Duration::from_secs(10)).await;
                let id = exchange.transfer(call, flow(left)).unwrap();
                let view = ended(&exchange, call).await;
                let status = exchange.transfer_of(&id).unwrap().status;
                assert_eq!(status, TransferStatus::Failed(expected), "{:#?}", said(&view));
            }
        }
    }
    let (exchange, call) = begun("yes", CallDirection::Inbound, &[LONG]);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let id = exchange.transfer(call, flow(&[r#"{"action":"bridge","connect":[]}"#, SPEAK])).unwrap();
    ended(&exchange, call).await;
    assert_eq!(exchange.transfer_of(&id).unwrap().status, TransferStatus::Failed("invalid_number"));
    tokio::time::sleep(Duration::from_secs(15 * 60)).await;
    assert_eq!(exchange.transfer_of(&id), None, "it is known for a quarter of an hour");
}

#[tokio::test(start_paused = true)]
async fn a_warm_transfer_that_nobody_takes_leaves_the_call_as_it_was() {
    for direction in [CallDirection::Inbound, CallDirection::Outbound] {
        // Something is played: the next action is carried out.
        let (exchange, call) = begun("busy", direction, &[LONG, SPEAK]);
        tokio::time::sleep(Duration::from_secs(10)).await;
        let id = exchange.transfer_warm(call, flow(&[&bridge(OTHER)])).unwrap();
        let view = ended(&exchange, call).await;
        assert_eq!(exchange.transfer_of(&id).unwrap().status, TransferStatus::Failed("busy"));
        assert!(said(&view).contains(&"speak".to_owned()), "{:#?}", said(&view));

        // Somebody is on the line: both talk on, to the end of their minute.
        let (exchange, call) = begun("rejects", direction, &[&bridge(AGENT), SPEAK]);
        tokio::time::sleep(Duration::from_secs(20)).await;
        let id = exchange.transfer_warm(call, flow(&[&bridge(OTHER)])).unwrap();
        let view = ended(&exchange, call).await;
        assert_eq!(exchange.transfer_of(&id).unwrap().status, TransferStatus::Failed("rejected"));
        let at = |label: &str| view.messages().find(|row| row.label == label).unwrap().at_ms;
        let talked = at(&format!("{AGENT} hangs up")) - at(&format!("{AGENT} picks up"));
        assert!((60_000..60_100).contains(&talked), "{talked}");
        assert!(said(&view).contains(&"speak".to_owned()));
    }
}

#[tokio::test(start_paused = true)]
async fn who_takes_a_warm_transfer_takes_the_place_of_whoever_is_on_the_line() {
    for direction in [CallDirection::Inbound, CallDirection::Outbound] {
        let (exchange, call) = begun("yes", direction, &[&bridge(AGENT), SPEAK]);
        tokio::time::sleep(Duration::from_secs(20)).await;
        let id = exchange.transfer_warm(call, flow(&[&bridge(OTHER)])).unwrap();
        let view = ended(&exchange, call).await;
        assert_eq!(exchange.transfer_of(&id).unwrap().status, TransferStatus::Completed);
        let told = ["out_started", "out_bridged", "out_started", "out_hangup", "out_bridged", "out_hangup"];
        assert_eq!(of_leg_b(&view), told, "{direction}: the one is gone when the other is there");
        let said = said(&view);
        assert!(
            said.contains(&format!("{OTHER} hangs up")) && !said.contains(&"speak".to_owned()),
            "{said:#?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_warm_transfer_that_comes_while_it_rings_follows_the_first_flow() {
    let (exchange, call) = begun("busy", CallDirection::Outbound, &[SPEAK]);
    let id = exchange.transfer_warm(call, flow(&[&bridge(OTHER)])).unwrap();
    let view = ended(&exchange, call).await;
    assert_eq!(exchange.transfer_of(&id).unwrap().status, TransferStatus::Failed("busy"));
    assert!(said(&view).contains(&"speak".to_owned()), "{:#?}", said(&view));
}

#[tokio::test(start_paused = true)]
async fn a_callee_who_hangs_up_is_gone_and_the_flow_goes_on() {
    for direction in [CallDirection::Inbound, CallDirection::Outbound] {
        let (exchange, call) = begun("yes", direction, &[&bridge(AGENT), LONG, SPEAK]);
        assert_eq!(exchange.hang_up(call, Ender::Callee), Err(HangUpError::NobodyThere { call }));
        tokio::time::sleep(Duration::from_secs(20)).await;
        exchange.hang_up(call, Ender::Callee).unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(exchange.hang_up(call, Ender::Callee), Err(HangUpError::NobodyThere { call }));
        let view = ended(&exchange, call).await;
        assert_eq!(of_leg_b(&view), ["out_started", "out_bridged", "out_hangup"], "{direction}");
        assert!(said(&view).contains(&"speak".to_owned()), "{:#?}", said(&view));
        assert!(matches!(exchange.hang_up(call, Ender::Callee), Err(HangUpError::Call(_))));
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_waits_for_somebody_is_told_to_wait_in_vain() {
    let stream =
        r#"{"action":"stream","ws_url":"ws://127.0.0.1:9/","listen_mode":"both","stream_on_answer":true}"#;
    let (exchange, call) = begun("busy", CallDirection::Inbound, &[stream, &bridge(OTHER), SPEAK]);
    let view = ended(&exchange, call).await;
    let told = view.messages().filter(|row| row.choice.as_deref() == Some("the stream is not opened"));
    assert_eq!(told.count(), 1, "{:#?}", said(&view));
    // Whoever is called by another flow does not open it.
    let (exchange, call) = begun("no", CallDirection::Inbound, &[stream, &bridge(OTHER)]);
    tokio::time::sleep(Duration::from_secs(5)).await;
    exchange.transfer(call, flow(&[&bridge(AGENT)])).unwrap();
    let view = ended(&exchange, call).await;
    let labels = said(&view);
    assert!(
        labels.contains(&format!("{AGENT} picks up")) && !labels.contains(&"dials the stream".to_owned()),
        "{labels:#?}"
    );
}

/// A call whose stream an application echoes.
async fn streamed(answers: &str) -> (Api, u64, String) {
    let url = serve(echo).await;
    let text = format!(
        "[platform]\ntime-scale = 60\n[platform.choices]\nrecord-delay = \"10ms\"\n[platform.callee]\nanswers = \"{answers}\"\n\
         answers-after = \"2s\""
    );
    let api = Api::of(&text).await;
    let mut inbound = Inbound::from_to(CUSTOMER, NUMBER);
    let stream = format!(r#"{{"action":"stream","ws_url":"{url}","listen_mode":"caller"}}"#);
    inbound.then = Some(flow(&[&stream]));
    let placed = api.exchange().call_in(inbound).unwrap();
    until(&api, placed.call, "connected").await;
    (api, placed.call, placed.cmiuuid)
}

async fn until(api: &Api, call: u64, label: &str) -> CallView {
    let mut changes = api.exchange().board().changes();
    loop {
        let view = api.exchange().board().call(call).unwrap();
        if said(&view).iter().any(|said| said == label) {
            return view;
        }
        let more = tokio::time::timeout(Duration::from_secs(20), changes.recv()).await;
        assert!(more.is_ok(), "{label}: {:#?}", said(&view));
    }
}

async fn settled(api: &Api, queued: &Value) -> Value {
    let path = format!("/v3/transfers/{}", queued["request_id"].as_str().unwrap());
    for _ in 0..1_000 {
        let (_, told) = api.get(&path).await;
        if told["status"] != "queued" && told["status"] != "started" {
            return told;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{path} is never settled");
}

#[tokio::test]
async fn an_application_stays_on_the_line_until_a_warm_transfer_is_taken() {
    let body = json!({ "to_number": AGENT.to_string(), "confirm": true, "variables": { "k": 1 }, "timeout_sec": 20 });
    for (answers, status, closes) in [("busy", "failed", false), ("yes", "completed", true)] {
        let (api, call, id) = streamed(answers).await;
        let (code, queued) = api.post(&format!("/v3/calls/{id}/actions/transfer"), body.clone()).await;
        assert_eq!(code, 200, "{queued}");
        let told = settled(&api, &queued).await;
        assert_eq!(told["status"], status, "{told}");
        if closes {
            until(&api, call, "closes 1000").await;
        } else {
            assert_eq!(told["reason"], "busy", "the call goes on");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        let view = api.exchange().board().call(call).unwrap();
        assert_eq!(said(&view).contains(&"closes 1000".to_owned()), closes, "{:#?}", said(&view));
        let asked = view.messages().find(|row| row.label.contains("/actions/transfer")).unwrap();
        let choice = asked.choice.as_deref().unwrap();
        assert!(choice.ends_with("; without effect here: confirm, variables"), "{choice}");
    }
}

#[tokio::test]
async fn a_pipeline_that_calls_somebody_ends_the_stream_as_a_flow_over_it_does() {
    let (api, call, id) = streamed("no").await;
    let endpoint = json!({ "type": "pstn", "number": AGENT.to_string() });
    let pipeline = json!([{ "action": "connect", "params": { "options": { "ring_timeout_sec": 120 } },
        "endpoints": [endpoint] }]);
    let (_, queued) =
        api.post(&format!("/v3/calls/{id}/actions/transfer"), json!({ "pipeline": pipeline })).await;
    let view = until(&api, call, "closes 1000").await;
    assert!(!said(&view).iter().any(|said| said.contains("does not pick up")), "while it rings");
    assert_eq!(settled(&api, &queued).await["reason"], "no_answer_and_call_ended");
}

#[tokio::test]
async fn a_transfer_that_a_flow_of_the_application_replaces_has_failed() {
    use futures_util::{SinkExt as _, StreamExt as _};
    let (send, sent) = tokio::sync::oneshot::channel::<()>();
    let url = serve(async move |mut socket: super::stream::Socket| {
        sent.await.unwrap();
        let speak = r#"[{"action":"speak","text":"From the application."}]"#;
        socket.send(tokio_tungstenite::tungstenite::Message::text(speak)).await.unwrap();
        while let Some(Ok(_)) = socket.next().await {}
    })
    .await;
    let api = Api::of("[platform]\ntime-scale = 60\n[platform.callee]\nanswers = \"no\"").await;
    let mut inbound = Inbound::from_to(CUSTOMER, NUMBER);
    let stream = format!(r#"{{"action":"stream","ws_url":"{url}","listen_mode":"caller"}}"#);
    inbound.then = Some(flow(&[&stream]));
    let placed = api.exchange().call_in(inbound).unwrap();
    until(&api, placed.call, "connected").await;
    let path = format!("/v3/calls/{}/actions/transfer", placed.cmiuuid);
    let (_, queued) = api.post(&path, json!({ "to_number": AGENT.to_string(), "timeout_sec": 120 })).await;
    until(&api, placed.call, &format!("dials {AGENT}")).await;
    send.send(()).unwrap();
    let told = settled(&api, &queued).await;
    assert_eq!((&told["status"], &told["reason"]), (&json!("failed"), &json!("network_error")));
}
