//! Whatever happens to a call, and whenever: each leg is told of once, in order, and nothing is left behind.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use piopiy_events::pcmo::Pcmo;
use piopiy_events::{CallDirection, Kind, Profile, Webhook};
use piopiy_mock_platform::deliver::ledger::MessageKind;
use piopiy_mock_platform::platform::{
    CallView, Config, Ender, Exchange, HangUpError, Hold, Inbound, Outbound, Then, TransferError,
};
use proptest::prelude::*;
use proptest::sample::select;

const CUSTOMER: u64 = 447_700_900_123;
const NUMBER: u64 = 441_632_960_000;

const ACTIONS: [&str; 12] = [
    r#"{"action":"speak","text":"A text that takes some seconds to be said, or so."}"#,
    r#"{"action":"play","file_name":"a.wav"}"#,
    r#"{"action":"input","max_digit":2,"timeout":3}"#,
    r#"{"action":"play_get_input","file_name":"a.wav","max_digit":1,"max_retry":3}"#,
    r#"{"action":"bridge","timeout":12,"connect":[{"type":"pstn","number":442079460000}]}"#,
    r#"{"action":"bridge","ring_type":"group","loop":2,"timeout":9,"duration":30,
        "connect":[{"type":"pstn","number":442079460001},{"type":"pstn","number":442079460002}]}"#,
    r#"{"action":"connect","params":{"options":{"ring_timeout_sec":5}},
        "endpoints":[{"type":"sip","uri":"sip:1@pbx"},{"type":"pstn","number":"442079460003"}]}"#,
    r#"{"action":"stream","ws_url":"ws://127.0.0.1:9/","listen_mode":"both","voice_quality":"8000"}"#,
    r#"{"action":"param","text":"{\"k\":[1]}"}"#,
    r#"{"action":"hangup"}"#,
    r#"{"action":"juggle"}"#,
    r#"{"action":"clear"}"#,
];

#[derive(Debug, Clone, Copy)]
enum Act {
    Press(&'static str),
    HangUp(Ender),
    Hold,
    Transfer(usize, bool),
    DropStream,
    Advance(u64),
}

#[derive(Debug, Clone)]
struct Story {
    profile: Profile,
    direction: CallDirection,
    seed: u64,
    people: String,
    stay: bool,
    flow: Vec<usize>,
    acts: Vec<(u64, Act)>,
}

fn stories() -> impl Strategy<Value = Story> {
    let answers = || select(vec!["yes", "no", "busy", "rejects"]);
    let lasts =
        || prop_oneof![Just(String::new()), (1..40_u32).prop_map(|s| format!("hangs-up-after = \"{s}s\"\n"))];
    let people = (answers(), answers(), lasts(), lasts(), 1..40_u32).prop_map(|(a, b, c, d, patience)| {
        format!(
            "[platform.caller]\nanswers = \"{a}\"\n{c}patience = \"{patience}s\"\ndigits = [\"1\", \"22\"]\n\
             [platform.callee]\nanswers = \"{b}\"\n{d}"
        )
    });
    let act = prop_oneof![
        select(vec!["1", "#", "123456"]).prop_map(Act::Press),
        select(vec![Ender::Caller, Ender::Callee, Ender::Platform, Ender::Api]).prop_map(Act::HangUp),
        Just(Act::Hold),
        (0..ACTIONS.len(), any::<bool>()).prop_map(|(to, warm)| Act::Transfer(to, warm)),
        Just(Act::DropStream),
        (1..60_000_u64).prop_map(Act::Advance),
    ];
    (
        select(Profile::ALL.to_vec()),
        select(vec![CallDirection::Inbound, CallDirection::Outbound]),
        any::<u64>(),
        people,
        any::<bool>(),
        proptest::collection::vec(0..ACTIONS.len(), 0..5),
        proptest::collection::vec((0..20_000_u64, act), 0..8),
    )
        .prop_map(|(profile, direction, seed, people, stay, flow, acts)| Story {
            profile,
            direction,
            seed: seed >> 1,
            people,
            stay,
            flow,
            acts,
        })
}

fn flow(of: &[usize]) -> Pcmo {
    let actions: Vec<&str> = of.iter().map(|&at| ACTIONS[at]).collect();
    Pcmo::parse(format!("[{}]", actions.join(",")).as_bytes()).unwrap()
}

fn transfer(exchange: &Exchange, call: u64, flow: Pcmo, warm: bool) -> Result<String, TransferError> {
    if warm { exchange.transfer_warm(call, flow) } else { exchange.transfer(call, flow) }
}

/// Plays it; what was told, and the transfers that were asked for.
async fn played(story: &Story) -> (Exchange, CallView, Vec<String>) {
    let stay = if story.stay { "stay" } else { "hang-up" };
    let text = format!(
        "[platform]\nprofile = \"{}\"\nseed = {}\n{}[platform.choices]\nafter-last-action = \"{stay}\"\n\
         longest-call = \"10m\"",
        story.profile, story.seed, story.people
    );
    let exchange = Exchange::start(Config::parse("test", &text).unwrap(), None).unwrap();
    let placed = match story.direction {
        CallDirection::Inbound => {
            let mut inbound = Inbound::from_to(CUSTOMER, NUMBER);
            inbound.then = Some(flow(&story.flow));
            exchange.call_in(inbound).unwrap()
        }
        CallDirection::Outbound => {
            let then = Then::Flow(flow(&story.flow));
            exchange.call_out(Outbound::new(2_222_222, NUMBER, CUSTOMER, then)).unwrap()
        }
    };
    let mut transfers = Vec::new();
    for (after_ms, act) in &story.acts {
        tokio::time::sleep(Duration::from_millis(*after_ms)).await;
        // Where it is over, it is.
        let _ = match act {
            Act::Press(keys) => exchange.press(placed.call, keys),
            Act::HangUp(by) => match exchange.hang_up(placed.call, *by) {
                Err(HangUpError::Call(gone)) => Err(gone),
                _ => Ok(()),
            },
            Act::Hold => exchange.hold(placed.call, Hold::Toggle),
            Act::DropStream => exchange.drop_stream(placed.call, None),
            Act::Advance(by_ms) => {
                exchange.advance(*by_ms);
                Ok(())
            }
            Act::Transfer(to, warm) => match transfer(&exchange, placed.call, flow(&[*to]), *warm) {
                Ok(id) => {
                    transfers.push(id);
                    Ok(())
                }
                Err(TransferError::Call(gone)) => Err(gone),
                Err(_) => Ok(()),
            },
        };
    }
    let mut waited = 0;
    loop {
        let view = exchange.board().call(placed.call).unwrap();
        if view.is_over {
            return (exchange, view, transfers);
        }
        waited += 1;
        assert!(
            waited < 4_000,
            "it never ends: {:#?}",
            view.messages().map(|m| &m.label).collect::<Vec<_>>()
        );
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Each leg was told of once and in order, in payloads of the profile, and every transfer is settled.
pub(super) fn holds(
    profile: Profile,
    exchange: &Exchange,
    view: &CallView,
    transfers: &[String],
) -> Result<(), TestCaseError> {
    let sent: Vec<Webhook> = view
        .messages()
        .filter(|message| message.what == MessageKind::Unsent)
        .map(|message| Webhook::parse(message.request.as_ref().unwrap().as_bytes()).unwrap())
        .collect();
    let mut done: BTreeSet<(String, String)> = BTreeSet::new();
    let mut begun: BTreeMap<(String, String), bool> = BTreeMap::new();
    let mut of_leg_a: BTreeSet<String> = BTreeSet::new();
    let text = |webhook: &Webhook, key: &str| webhook.text(key).unwrap_or_default().into_owned();
    for webhook in &sent {
        let findings = webhook.validate(profile).findings;
        prop_assert!(findings.is_empty(), "{}: {findings:?}", webhook.to_json());
        let leg = (text(webhook, "leg"), text(webhook, "cmiuuid"));
        prop_assert!(!done.contains(&leg), "told of after its CDR: {}", webhook.to_json());
        let status = text(webhook, "status");
        if webhook.kind() == Some(Kind::Cdr) {
            let was_answered = begun.get(&leg).copied().unwrap_or(false);
            prop_assert_eq!(status == "answered", was_answered, "{}", webhook.to_json());
            done.insert(leg);
        } else if !status.to_lowercase().contains("stream") {
            if leg.0 == "a" {
                prop_assert!(of_leg_a.insert(status.clone()), "told of twice: {}", webhook.to_json());
            }
            let answered = begun.entry(leg).or_default();
            *answered |= status.ends_with("answered") || status.ends_with("bridged");
        }
    }
    for leg in begun.keys() {
        prop_assert!(done.contains(leg), "no CDR of {leg:?}");
    }
    prop_assert!(done.iter().any(|(leg, id)| leg == "a" && *id == view.begin.cmiuuid), "no CDR of leg a");
    prop_assert!(sent.last().is_some_and(|last| last.kind() == Some(Kind::Cdr)), "the last one is a CDR");
    for id in transfers {
        let transfer = exchange.transfer_of(id).unwrap();
        prop_assert!(transfer.status.is_settled(), "{transfer:?}");
    }
    prop_assert!(exchange.hang_up(view.call, Ender::Api).is_err(), "it is over");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn every_call_ends_and_each_leg_is_told_of_once(story in stories()) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        let (exchange, view, transfers) = runtime.block_on(played(&story));
        let told = holds(story.profile, &exchange, &view, &transfers);
        if let Err(error) = told {
            let rows: Vec<_> = view.messages().map(|row| format!("{} {}", row.at_ms, row.label)).collect();
            return Err(TestCaseError::fail(format!("{error}\n{rows:#?}")));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_transfer_of_a_call_that_ends_is_settled_and_two_at_once_are_one() {
    let text = "[platform]\n[platform.choices]\nafter-last-action = \"stay\"";
    let exchange = Exchange::start(Config::parse("test", text).unwrap(), None).unwrap();
    let mut inbound = Inbound::from_to(CUSTOMER, NUMBER);
    inbound.then = Some(flow(&[0]));
    let call = exchange.call_in(inbound).unwrap().call;
    tokio::time::sleep(Duration::from_secs(1)).await;
    // Nothing comes between the three: the call has not heard of the first when the second is asked for.
    exchange.hang_up(call, Ender::Caller).unwrap();
    let id = exchange.transfer(call, flow(&[1])).unwrap();
    assert_eq!(exchange.transfer(call, flow(&[1])), Err(TransferError::Open { id: id.clone() }));
    // It waits for its CDR to be due, and is over already for whoever acts on it.
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!exchange.board().call(call).unwrap().is_over);
    assert!(matches!(
        exchange.transfer(call, flow(&[1])),
        Err(TransferError::Open { .. } | TransferError::Call(_))
    ));
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(exchange.transfer_of(&id).unwrap().status.as_str(), "failed");
    assert!(matches!(exchange.transfer(call, flow(&[1])), Err(TransferError::Call(_))));
}
