use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::any_json;
use crate::documented::open_object;
use crate::pcmo::{Action, DocumentedAction, Pcmo};
use crate::stream::{CommandKind, StreamAudio, StreamMessage};
use crate::{Field, List, Map, OpenObject, Raw, Shape};

/// An object of a type: each documented field there or not, with a value of its documented shape, and at times a
/// member that is not documented.
///
/// # Examples
/// ```
/// use piopiy_events::rest::legacy::MakeCall;
/// use piopiy_events::{OpenObject, strategy};
/// use proptest::prelude::*;
///
/// proptest!(ProptestConfig::with_cases(16), |(call in strategy::object::<MakeCall>())| {
///     prop_assert_eq!(MakeCall::parse(call.to_json().as_bytes()), Ok(call));
/// });
/// ```
pub fn object<T: OpenObject + std::fmt::Debug + 'static>() -> BoxedStrategy<T> {
    members(T::FIELDS, None).prop_map(|members| open_object(&members)).boxed()
}

/// One documented action, in the keys of either generation or of both.
pub fn action() -> BoxedStrategy<Action> {
    let of = |action: &DocumentedAction| members(action.fields, Some(("action", action.name)));
    let actions: Vec<_> = Action::DOCUMENTED.iter().map(of).collect();
    proptest::strategy::Union::new(actions).prop_map(|members| Action::from_raw(map(&members))).boxed()
}

/// A call flow of documented actions.
pub fn pcmo() -> BoxedStrategy<Pcmo> {
    vec(action(), 0..4).prop_map(Pcmo::from_iter).boxed()
}

/// A message from the application over a stream's WebSocket.
pub fn stream_message() -> BoxedStrategy<StreamMessage> {
    let audio = members(StreamAudio::FIELDS, Some(("type", "streamAudio")));
    prop_oneof![
        audio.prop_map(|members| StreamMessage::Audio(Box::new(open_object(&members)))),
        select(&CommandKind::ALL[..]).prop_map(StreamMessage::command),
        pcmo().prop_map(StreamMessage::Pcmo),
    ]
    .boxed()
}

type Members = Vec<(&'static str, Raw)>;

/// The members of an object with these fields, one of them fixed.
fn members(fields: &'static [Field], fixed: Option<(&'static str, &'static str)>) -> BoxedStrategy<Members> {
    let each: Vec<_> = fields
        .iter()
        .map(|field| match fixed.filter(|(key, _)| *key == field.key) {
            Some((_, text)) => Just(Some(Raw::string(text))).boxed(),
            None => prop::option::of(shaped(field.shape)).boxed(),
        })
        .collect();
    let unknown = prop::option::weighted(0.1, any_json());
    (each, unknown)
        .prop_map(|(values, unknown)| {
            let documented = fields.iter().zip(values);
            let mut members: Members =
                documented.filter_map(|(field, value)| Some((field.key, value?))).collect();
            members.extend(unknown.map(|value| ("not documented", value)));
            members
        })
        .boxed()
}

fn shaped(shape: Shape) -> BoxedStrategy<Raw> {
    const TEXTS: &[&str] = &[
        "",
        "both",
        "8000",
        "https://example.com/dtmf",
        "wss://example.com/audio",
        "AAAAAA==",
        "pstn",
        "sip",
        "\"quoted\"\\\n\u{1f600}",
        "c4ec9bd2-efad-4296-aa5b-eeafa6aeeea0",
    ];
    let text = || select(TEXTS).prop_map(Raw::from);
    match shape {
        Shape::Any => any_json(),
        Shape::Text => text().boxed(),
        Shape::Integer => (0..10_000_000_000_000_i64).prop_map(Raw::from).boxed(),
        Shape::Decimal => (0..10_000_000_i64, any::<bool>())
            .prop_map(|(cents, quoted)| {
                let amount = format!("{}.{:02}", cents / 100, cents % 100);
                if quoted { Raw::string(&amount) } else { Raw::from_token(&amount) }
            })
            .boxed(),
        Shape::Digits => (1_000_000..1_000_000_000_000_000_i64, any::<bool>())
            .prop_map(
                |(number, quoted)| if quoted { Raw::string(&number.to_string()) } else { number.into() },
            )
            .boxed(),
        Shape::Boolean => any::<bool>().prop_map(Raw::from).boxed(),
        Shape::Map => {
            let scalar =
                prop_oneof![text(), any::<bool>().prop_map(Raw::from), any::<i64>().prop_map(Raw::from)];
            let members = vec((select(&["order_id", "vip", "_n1", "X-A"][..]), scalar), 0..4);
            members
                .prop_map(|mut members| {
                    members.sort_by_key(|(key, _)| *key);
                    members.dedup_by_key(|(key, _)| *key);
                    map(&members)
                })
                .boxed()
        }
        Shape::Object(fields) => members(fields, None).prop_map(|members| map(&members)).boxed(),
        Shape::List(item) => list(shaped(*item)),
        Shape::Action => action().prop_map(|action| Raw::from_token(&action.to_json())).boxed(),
        Shape::OneOrMany(fields) => {
            let one = members(fields, None).prop_map(|members| map(&members)).boxed();
            prop_oneof![one.clone(), list(one)].boxed()
        }
    }
}

fn list(item: BoxedStrategy<Raw>) -> BoxedStrategy<Raw> {
    vec(item, 0..3).prop_map(|items| Raw::from_token(List::new(&items).as_json())).boxed()
}

fn map(members: &[(&'static str, Raw)]) -> Raw {
    Raw::from_token(Map::new(members.iter().cloned()).as_json())
}
