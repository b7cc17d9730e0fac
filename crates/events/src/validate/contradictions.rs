//! What fields of one payload say against each other.

use crate::{CallDirection, Cdr, EpochSeconds, Form, Profile, Raw, Seconds, Webhook};

/// The contradictions of a payload that is compared with `form`: pointer and message of each.
pub(super) fn of(webhook: &Webhook, form: &Form) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    conversation(webhook, form, &mut found);
    if let Some(cdr) = webhook.as_cdr() {
        times(cdr, &mut found);
    }
    found
}

/// An outbound call's conversation has the id of its request; in India, of leg a. (An inbound call's has leg a's too,
/// but for one documented sample.)
fn conversation(webhook: &Webhook, form: &Form, found: &mut Vec<(&'static str, String)>) {
    let text = |key: &str| webhook.get(key).and_then(Raw::text);
    let same_as = match (form.call, form.profile) {
        (CallDirection::Inbound, _) => return,
        (CallDirection::Outbound, Profile::Global | Profile::Global2022) => "request_id",
        (CallDirection::Outbound, Profile::India) if text("leg").is_some_and(|leg| leg == "a") => "cmiuuid",
        (CallDirection::Outbound, Profile::India) => return,
    };
    if let (Some(conversation), Some(other)) = (text("conversation_uuid"), text(same_as))
        && conversation != other
    {
        found.push(("/conversation_uuid", format!("{conversation:?} is not {same_as} {other:?}")));
    }
}

fn times(cdr: &Cdr, found: &mut Vec<(&'static str, String)>) {
    let seconds = |value: &Option<EpochSeconds>| value.as_ref().and_then(EpochSeconds::seconds);
    let (start, answer, end) = (seconds(&cdr.start_time), seconds(&cdr.answer_time), seconds(&cdr.end_time));
    if let (Some(start), Some(end)) = (start, end)
        && end < start
    {
        found.push(("/end_time", format!("{end} is before start_time {start}")));
    }
    let answered = cdr.status.as_ref().is_some_and(|status| status.text() == "answered");
    if answered && let (Some(answer), Some(end)) = (answer, end) {
        if let Some(duration) = cdr.duration.as_ref().and_then(Seconds::seconds)
            && end.checked_sub(answer) != Some(duration)
        {
            // Two numbers of 64 bits can be further apart than 64 bits count.
            let talk = i128::from(end) - i128::from(answer);
            found.push(("/duration", format!("{duration} is not end_time - answer_time = {talk}")));
        }
        if start.is_some_and(|start| answer < start) {
            found.push(("/answer_time", format!("{answer} is before start_time")));
        }
    }
}
