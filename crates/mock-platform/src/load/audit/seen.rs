//! Which webhook of a call an effect is of, and whether it says what was sent. Pure.

use std::fmt;

use piopiy_events::{CallState, Calls, Kind, Phase, Webhook};

use crate::judge::check::criteria::is_as_sent;
use crate::judge::{Clues, Effect};
use crate::plan::CallBuffer;

/// What an effect says.
pub(super) struct Known {
    seq: u64,
    clues: Clues,
    stored: Option<Webhook>,
    state: Option<u8>,
    is_quarantined: bool,
}

impl Known {
    pub(super) fn of(effect: &Effect) -> Self {
        let stored =
            effect.fields.as_ref().and_then(|fields| Webhook::parse(fields.as_json().as_bytes()).ok());
        let state = effect.state.as_deref();
        let place = state.and_then(|word| Phase::ALL.iter().position(|phase| phase.as_str() == word));
        Self {
            seq: effect.seq,
            clues: effect.clues(),
            stored: stored.filter(|_| !effect.quarantined),
            state: place.and_then(|place| u8::try_from(place).ok()),
            is_quarantined: effect.quarantined,
        }
    }

    pub(super) fn is_quarantined(&self) -> bool {
        self.is_quarantined
    }

    pub(super) fn cmiuuid(&self) -> Option<&str> {
        self.clues.cmiuuid.as_deref()
    }

    /// The place of the state in [`Phase::ALL`].
    pub(super) fn state(&self) -> Option<u8> {
        self.state
    }
}

impl fmt::Display for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clues = &self.clues;
        let kind = clues.kind.map_or("unknown", Kind::as_str);
        let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "?".to_owned());
        let (status, leg) = (text(&clues.status), text(&clues.leg));
        let id = clues.cmiuuid.as_deref().unwrap_or("no cmiuuid");
        write!(f, "effect {}: {kind} {status} of leg {leg}, {id}", self.seq)
    }
}

/// Which webhook of the call in the buffer the effect is of, and what of it was stored wrongly. One that has no effect yet goes
/// before one that has; `None` where it can be of none.
pub(super) fn matched(
    known: &Known,
    call: &CallBuffer,
    is_new: impl Fn(usize) -> bool,
) -> Option<(usize, Option<String>)> {
    // Those that it fits: the first without an effect, and the first with one.
    let (mut fresh, mut fitting) = (None, None);
    // Those of the same leg that it does not fit, by how much of it is wrong.
    let mut misread: Option<(usize, usize, String)> = None;
    for (at, (written, body)) in call.webhooks().enumerate() {
        let clues = &known.clues;
        let parts = [
            ("kind", written.form.kind.as_str(), clues.kind.map(Kind::as_str)),
            ("leg", written.leg, clues.leg.as_deref()),
            ("status", written.form.status, clues.status.as_deref()),
        ];
        let wrong = parts.into_iter().filter_map(|(key, sent, said)| {
            said.filter(|said| *said != sent)
                .map(|said| format!("{key} was sent as {sent}, stored as {said}"))
        });
        let mut wrong: Vec<String> = wrong.collect();
        let Ok(webhook) = Webhook::parse(body) else { continue };
        let Some(identity) = webhook.identity() else { continue };
        if Some(identity.cmiuuid()) != known.cmiuuid() {
            continue;
        }
        if wrong.is_empty() && !clues.fit(&identity) {
            wrong.push(format!(
                "time was sent as {}, stored as {}",
                identity.time().unwrap_or_default(),
                clues.time.as_deref().unwrap_or_default()
            ));
        }
        if wrong.is_empty() {
            let difference = known.stored.as_ref().and_then(|stored| difference(&webhook, stored));
            // Times are compared to the second, for a receiver may keep them so; one that keeps them whole names one webhook.
            if known.stored.is_some() && clues.time.is_some() && clues.time.as_deref() == identity.time() {
                return Some((at, difference));
            }
            if is_new(at) { &mut fresh } else { &mut fitting }.get_or_insert((at, difference));
        } else if is_new(at) && misread.as_ref().is_none_or(|(_, count, _)| wrong.len() < *count) {
            misread = Some((at, wrong.len(), wrong.join(", ")));
        }
    }
    fresh.or(fitting).or_else(|| misread.map(|(at, _, wrong)| (at, Some(wrong))))
}

/// The first member that was stored otherwise than it was sent. What is not stored is no finding.
fn difference(sent: &Webhook, stored: &Webhook) -> Option<String> {
    sent.members().iter().find_map(|(key, sent)| {
        let stored = stored.get(key).filter(|stored| !is_as_sent(key, sent, stored))?;
        Some(format!("{key} was sent as {}, stored as {}", sent.as_json(), stored.as_json()))
    })
}

/// The webhooks of the call in the buffer.
pub(super) fn webhooks_of(call: &CallBuffer) -> Vec<Webhook> {
    call.webhooks().filter_map(|(_, body)| Webhook::parse(body).ok()).collect()
}

/// Where a call stands in the end; `None` where the model takes its webhooks for those of several calls.
pub(super) fn final_state(webhooks: &[Webhook]) -> Option<Phase> {
    let mut calls = Calls::default();
    for webhook in webhooks {
        calls.apply(webhook);
    }
    let states = calls.states();
    let mut states = states.values();
    states.next().filter(|_| states.next().is_none()).map(CallState::phase)
}

/// Whether the call stood there on its way, or by one of its webhooks alone.
pub(super) fn is_earlier(webhooks: &[Webhook], state: Phase) -> bool {
    let mut so_far = CallState::default();
    webhooks.iter().any(|webhook| {
        let mut alone = CallState::default();
        alone.apply(webhook);
        so_far.apply(webhook);
        alone.phase() == state || so_far.phase() == state
    })
}
