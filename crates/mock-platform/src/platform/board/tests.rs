use super::*;
use crate::deliver::ledger::{DeliveryOutcome, Lane, OverEntry};

fn begins(call: u64) -> Entry {
    Entry::Call(Box::new(CallEntry {
        call,
        at_ms: call,
        ts_ms: call,
        direction: "inbound".to_owned(),
        from: 447_700_900_123,
        to: 441_632_960_000,
        account: 441_632_960_000,
        appid: 2_222_222,
        cmiuuid: format!("call-{call}"),
        request_id: None,
    }))
}

fn says(call: Option<u64>, bytes: usize) -> Entry {
    let mut message = MessageEntry::new(0, Lane::Api, Lane::Platform, MessageKind::Rest, "says");
    (message.call, message.request) = (call, Some(vec![b'x'; bytes].into()));
    Entry::Message(Box::new(message))
}

#[test]
fn calls_that_are_over_go_when_there_are_too_many_and_those_that_are_on_stay() {
    let mut state = State::default();
    for call in 0..CALLS as u64 + 10 {
        state.read(&begins(call));
        // Two of them never end.
        if call > 1 {
            state.read(&Entry::Over(OverEntry::new(call, call)));
        }
    }
    assert_eq!(state.calls.len(), CALLS);
    let first: Vec<u64> = state.calls.keys().take(3).copied().collect();
    assert_eq!(first, [0, 1, 12]);
    // What comes late of one that is forgotten is nobody's.
    assert_eq!(state.read(&says(Some(5), 10)), None);
}

#[test]
fn what_is_remembered_is_bounded_in_bytes() {
    let mut state = State::default();
    for call in 0..50 {
        state.read(&begins(call));
        for _ in 0..200 {
            state.read(&says(Some(call), 64 * 1024));
        }
        assert!(state.calls[&call].bytes <= CALL_BYTES);
        state.read(&Entry::Over(OverEntry::new(call, call)));
    }
    let bytes: usize = state.calls.values().map(|seen| seen.bytes).sum();
    assert!((ALL_BYTES / 2..=ALL_BYTES + CALL_BYTES).contains(&bytes), "{bytes}");
    assert!(state.calls.contains_key(&49) && !state.calls.contains_key(&0));
    for _ in 0..LOOSE * 2 {
        state.read(&says(None, 10));
    }
    assert_eq!((state.loose.len(), state.let_go), (LOOSE, LOOSE as u64));
}

/// A webhook that is sent nowhere.
fn unsent(body: &str) -> Entry {
    let mut message = MessageEntry::new(0, Lane::Platform, Lane::Platform, MessageKind::Unsent, "webhook");
    (message.call, message.request) = (Some(0), Some(body.as_bytes().to_vec().into()));
    Entry::Message(Box::new(message))
}

/// A CDR that is sent.
fn planned(webhook: u32) -> Entry {
    Entry::Plan(Box::new(PlanEntry {
        call: 0,
        webhook,
        story: "live".to_owned(),
        profile: piopiy_events::Profile::Global,
        name: "cdr.inbound.answered".to_owned(),
        payload: Some(Kind::Cdr),
        evidence: piopiy_events::Evidence::Guess,
        identity: None,
        at_ms: 0,
        due_ms: 0,
        body: CDR.as_bytes().to_vec().into(),
        faults: Vec::new(),
    }))
}

const EVENT: &str = r#"{"status":"in_answered","leg":"a","cmiuuid":"1"}"#;
const CDR: &str = r#"{"status":"answered","leg":"a","duration":1,"cmiuuid":"1","type":"cdr"}"#;

#[test]
fn a_call_that_does_much_still_has_its_webhooks_and_behind_them_its_cdrs() {
    let mut state = State::default();
    for (times, bytes) in [(ROWS * 2, 1), (500, 64 * 1024)] {
        state.read(&begins(0));
        for _ in 0..times {
            state.read(&says(Some(0), bytes));
        }
        let messages = state.calls[&0].rows.len();
        for _ in 0..ROWS * 3 {
            state.read(&unsent(EVENT));
        }
        let rows = state.calls[&0].rows.len();
        assert!((ROWS / 2..=2 * ROWS).contains(&(rows - messages)), "{rows}");
        let before = state.calls[&0].bytes;
        for _ in 0..ROWS * 4 {
            state.read(&unsent(CDR));
        }
        let seen = &state.calls[&0];
        let cdrs = seen.rows.iter().filter(|row| row.weight() == Weight::Cdr).count();
        assert!((ROWS..=3 * ROWS).contains(&cdrs), "{cdrs} CDRs");
        assert!(seen.rows.len() <= 3 * ROWS && before <= CALL_BYTES + WEBHOOK_BYTES);
        assert!(seen.bytes <= CALL_BYTES + 2 * WEBHOOK_BYTES);
    }
}

#[test]
fn copies_that_are_sent_by_hand_leave_room_for_cdrs() {
    let mut state = State::default();
    state.read(&begins(0));
    for copy in 0..3 * ROWS as u32 {
        state.read(&planned(BY_HAND + copy));
    }
    assert_eq!(state.calls[&0].rows.len(), 2 * ROWS);
    state.read(&planned(7));
    assert!(state.calls[&0].rows.last().is_some_and(|row| row.weight() == Weight::Cdr));
}

#[test]
fn whether_anything_is_to_come_is_seen_without_a_copy() {
    let (board, entries) = (Board::default(), [begins(0), begins(1), planned(0)]);
    for entry in &entries {
        lock(&board.state).read(entry);
    }
    assert_eq!((board.on(), board.len(), board.is_settled()), (vec![0, 1], 2, false));
    for call in [0, 1] {
        lock(&board.state).read(&Entry::Over(OverEntry::new(call, call)));
    }
    assert_eq!((board.on(), board.is_settled()), (Vec::new(), false), "the webhook is still on its way");
    board.call(0).unwrap().webhooks().for_each(|row| assert!(row.outcome.is_none()));
    let mut state = lock(&board.state);
    state.calls.get_mut(&0).unwrap().webhook(0).unwrap().outcome = Some(DeliveryOutcome::Acknowledged);
    drop(state);
    assert!(board.is_settled());
}
