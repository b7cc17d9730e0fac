//! The forms of a profile, made ready for writing: everything that is the same in every payload of a form is one
//! piece of text, with the values that vary between the pieces.

use std::ops::Range;

use piopiy_events::{CallDirection, Evidence, Form, FormField, FormValue, Kind, Profile, Status, StatusKind};

use super::timeline::Happening;
use super::words::CONNECTED;

/// A value that varies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slot {
    Time,
    Start,
    Answer,
    End,
    Duration,
    CallRate,
    Balance,
    From,
    To,
    Account,
    AccountNational,
    LegId,
    Conversation,
    Request,
    ExtraParams,
    WsMessage,
}

/// A form, made ready.
#[derive(Debug, Clone)]
pub(crate) struct CompiledForm {
    pub(crate) form: &'static Form,
    /// The leg that its payloads name.
    pub(crate) leg: &'static str,
    text: Vec<u8>,
    pieces: Vec<(Range<usize>, Slot)>,
    end: Range<usize>,
}

/// The forms of a profile by what happens, on which leg, of which call, with or without `extra_params`.
#[derive(Debug, Clone)]
pub(crate) struct CompiledForms {
    forms: Vec<Option<CompiledForm>>,
}

const HAPPENINGS: [Happening; 10] = [
    Happening::Started,
    Happening::Ringing,
    Happening::Answered,
    Happening::Bridged,
    Happening::Hangup,
    Happening::StreamConnected,
    Happening::StreamDisconnected,
    Happening::StreamError,
    Happening::Missed,
    Happening::Talked,
];

impl CompiledForms {
    pub(crate) fn new(profile: Profile, appid: u64, documented_only: bool) -> Self {
        let mut forms = Vec::new();
        for call in [CallDirection::Inbound, CallDirection::Outbound] {
            for happening in HAPPENINGS {
                for leg in ["a", "b"] {
                    let form = find(profile, call, happening, leg)
                        .filter(|form| !documented_only || form.evidence != Evidence::Guess);
                    for extra_params in [false, true] {
                        forms.push(form.map(|form| CompiledForm::new(form, leg, appid, extra_params)));
                    }
                }
            }
        }
        Self { forms }
    }

    pub(crate) fn get(
        &self,
        call: CallDirection,
        happening: Happening,
        is_b: bool,
        extra_params: bool,
    ) -> Option<&CompiledForm> {
        let outbound = usize::from(call == CallDirection::Outbound);
        let place = (outbound * HAPPENINGS.len() + happening as usize) * 2;
        // What happens to a stream is told of leg b, whichever leg has it.
        let stream = matches!(
            happening,
            Happening::StreamConnected | Happening::StreamDisconnected | Happening::StreamError
        );
        let leg = usize::from(is_b || stream);
        self.forms[(place + leg) * 2 + usize::from(extra_params)].as_ref()
    }
}

/// The form in which a profile tells of a happening, if it does.
fn find(profile: Profile, call: CallDirection, happening: Happening, leg: &str) -> Option<&'static Form> {
    let (kind, status) = match happening {
        Happening::Started => (Kind::LiveEvent, StatusKind::Started),
        Happening::Ringing => (Kind::LiveEvent, StatusKind::Ringing),
        Happening::Answered => (Kind::LiveEvent, StatusKind::Answered),
        Happening::Bridged => (Kind::LiveEvent, StatusKind::Bridged),
        Happening::Hangup => (Kind::LiveEvent, StatusKind::Hangup),
        Happening::StreamConnected => (Kind::LiveEvent, StatusKind::StreamConnected),
        Happening::StreamDisconnected => (Kind::LiveEvent, StatusKind::StreamDisconnected),
        Happening::StreamError => (Kind::LiveEvent, StatusKind::StreamError),
        Happening::Missed => (Kind::Cdr, StatusKind::Missed),
        Happening::Talked => (Kind::Cdr, StatusKind::Answered),
    };
    let with = |status: &StatusKind<'_>| {
        Form::all(profile).iter().find(|form| {
            let found = form.call == call && form.kind == kind && form.legs.contains(&leg);
            found && Status::new(form.status).kind() == *status
        })
    };
    // A profile without a bridged event says it with leg b's `answered`.
    let instead = || (happening == Happening::Bridged).then(|| with(&StatusKind::Answered)).flatten();
    with(&status).or_else(instead)
}

impl CompiledForm {
    fn new(form: &'static Form, leg: &'static str, appid: u64, extra_params: bool) -> Self {
        let mut compiled = Self { form, leg, text: Vec::new(), pieces: Vec::new(), end: 0..0 };
        let mut from = 0;
        let written = |field: &&FormField| field.required || (field.key == "extra_params" && extra_params);
        for (n, field) in form.fields.iter().filter(written).enumerate() {
            let opening = if n == 0 { '{' } else { ',' };
            let (before, slot, after) = value(field, form, leg, appid);
            let text = format!("{opening}\"{}\":{before}", field.key);
            compiled.text.extend_from_slice(text.as_bytes());
            if let Some(slot) = slot {
                compiled.pieces.push((from..compiled.text.len(), slot));
                from = compiled.text.len();
            }
            compiled.text.extend_from_slice(after.as_bytes());
        }
        compiled.text.push(b'}');
        compiled.end = from..compiled.text.len();
        compiled
    }

    /// Writes a payload; `fill` writes the values.
    pub(crate) fn write(&self, out: &mut Vec<u8>, mut fill: impl FnMut(Slot, &mut Vec<u8>)) {
        for (piece, slot) in &self.pieces {
            out.extend_from_slice(&self.text[piece.clone()]);
            fill(*slot, out);
        }
        out.extend_from_slice(&self.text[self.end.clone()]);
    }
}

/// The value of a field: what is the same in every payload, and what varies in the middle of it.
fn value(field: &FormField, form: &Form, leg: &str, appid: u64) -> (String, Option<Slot>, &'static str) {
    let constant = |text: &str| (format!("\"{text}\""), None, "");
    let bare = |slot| (String::new(), Some(slot), "");
    let quoted = |slot| ("\"".to_owned(), Some(slot), "\"");
    match field.value {
        FormValue::Status => constant(form.status),
        FormValue::Direction => constant(form.direction),
        FormValue::Leg => constant(leg),
        FormValue::Type => constant(form.kind.as_str()),
        FormValue::AppId => (appid.to_string(), None, ""),
        FormValue::Zero => ("0".to_owned(), None, ""),
        FormValue::True => ("true".to_owned(), None, ""),
        FormValue::WsConnected => constant(CONNECTED),
        FormValue::WsDisconnected | FormValue::WsError => quoted(Slot::WsMessage),
        FormValue::EpochMillis => bare(Slot::Time),
        FormValue::Seconds => bare(Slot::Duration),
        FormValue::RequestId if field.key == "conversation_uuid" => quoted(Slot::Conversation),
        FormValue::RequestId => quoted(Slot::Request),
        FormValue::Uuid if field.key == "conversation_uuid" => quoted(Slot::Conversation),
        FormValue::Uuid => quoted(Slot::LegId),
        FormValue::Text => quoted(Slot::ExtraParams),
        FormValue::PhoneNational => ("\"0".to_owned(), Some(Slot::AccountNational), "\""),
        FormValue::Decimal if field.key == "balance" => quoted(Slot::Balance),
        FormValue::Decimal => quoted(Slot::CallRate),
        FormValue::EpochSeconds => bare(match field.key {
            "start_time" => Slot::Start,
            "answer_time" => Slot::Answer,
            _ => Slot::End,
        }),
        FormValue::Phone => bare(phone(field.key)),
        FormValue::PhoneText => quoted(phone(field.key)),
        // A value that the table of forms gains is a value that this match must gain: a test goes through all.
        _ => ("null".to_owned(), None, ""),
    }
}

fn phone(key: &str) -> Slot {
    match key {
        "from" => Slot::From,
        "to" => Slot::To,
        _ => Slot::Account,
    }
}
