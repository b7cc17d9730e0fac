use super::*;
use crate::deliver::ledger::{Lane, OverEntry};

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

#[test]
fn a_call_that_does_much_still_has_its_webhooks() {
    let mut state = State::default();
    for (times, bytes) in [(ROWS * 2, 1), (500, 64 * 1024)] {
        state.read(&begins(0));
        for _ in 0..times {
            state.read(&says(Some(0), bytes));
        }
        let mut cdr = MessageEntry::new(0, Lane::Platform, Lane::Platform, MessageKind::Unsent, "cdr");
        (cdr.call, cdr.request) = (Some(0), Some(b"{}".to_vec().into()));
        for _ in 0..ROWS * 3 {
            state.read(&Entry::Message(Box::new(cdr.clone())));
        }
        let seen = &state.calls[&0];
        let webhooks = seen.rows.iter().filter(|row| row.is_webhook()).count();
        assert!((ROWS / 2..=2 * ROWS).contains(&webhooks), "{webhooks}");
        assert!(seen.rows.len() <= 2 * ROWS && seen.bytes <= CALL_BYTES + WEBHOOK_BYTES);
    }
}
