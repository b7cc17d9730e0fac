//! `Arbitrary` for every payload: from a fuzzer's bytes to values that are documented, or close to it, or not at
//! all.

use arbitrary::{Arbitrary, Result, Unstructured};

use crate::documented::{Choices, open_object};
use crate::pcmo::{Action, Pcmo};
use crate::stream::{StreamAudio, StreamCommand, StreamMessage};
use crate::{
    Cdr, Field, Form, Kind, List, LiveEvent, Map, OpenObject, Profile, Raw, Shape, Unrecognised, Webhook,
};

/// One in three is of a documented form, one nearly so (a field or two are left out or hold any JSON value), one any JSON
/// object.
impl<'a> Arbitrary<'a> for Webhook {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let deviations = match u.int_in_range(0..=2)? {
            0 => 0,
            1 => u.int_in_range(1..=2)?,
            _ => {
                let members = any_members(u, 3)?;
                let any: Unrecognised = open_object(&members.iter().map(as_str).collect::<Vec<_>>());
                return Ok(Self::decided_anew(&any));
            }
        };
        let profile = *u.choose(&Profile::ALL)?;
        let form = u.choose(Form::all(profile))?;
        let choices = choices(u)?;
        let mut webhook: Self = match form.kind {
            Kind::LiveEvent => choices.payload::<LiveEvent>(form).into(),
            Kind::Cdr => choices.payload::<Cdr>(form).into(),
        };
        for _ in 0..deviations {
            let field = u.choose(form.fields)?;
            let value = if u.ratio(1, 4)? { None } else { Some(any_value(u, 2)?) };
            webhook.set(field.key, value);
        }
        Ok(webhook)
    }
}

/// Any JSON value, up to four levels deep.
impl<'a> Arbitrary<'a> for Raw {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        any_value(u, 3)
    }
}

impl<'a> Arbitrary<'a> for Action {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        if u.ratio(1, 8)? {
            return Raw::arbitrary(u).map(Self::from_raw);
        }
        let action = u.choose(Self::DOCUMENTED)?;
        let members = fields(u, action.fields, Some(("action", action.name)))?;
        Ok(Self::from_raw(Raw::from_token(Map::new(members.iter().cloned()).as_json())))
    }
}

impl<'a> Arbitrary<'a> for Pcmo {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        u.arbitrary_iter::<Action>()?.take(8).collect()
    }
}

impl<'a> Arbitrary<'a> for StreamMessage {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(match u.int_in_range(0..=3)? {
            0 => {
                let members = fields(u, StreamAudio::FIELDS, Some(("type", "streamAudio")))?;
                Self::Audio(Box::new(open_object(&members)))
            }
            1 => {
                let action = *u.choose(&["pause", "resume", "stop", "break"])?;
                let members = fields(u, StreamCommand::FIELDS, Some(("action", action)))?;
                Self::Command(Box::new(open_object(&members)))
            }
            2 => Self::Pcmo(Pcmo::arbitrary(u)?),
            _ => Self::Other(Raw::string(<&str>::arbitrary(u)?)),
        })
    }
}

macro_rules! open_objects {
    ($($name:ty),* $(,)?) => {
        $(
            /// Each documented field there or not, mostly with a value of its documented shape, and perhaps a member
            /// that is not documented.
            impl<'a> Arbitrary<'a> for $name {
                fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
                    fields(u, Self::FIELDS, None).map(|members| open_object(&members))
                }
            }
        )*
    };
}

open_objects!(
    LiveEvent,
    Cdr,
    Unrecognised,
    crate::answer::AnswerRequest,
    crate::answer::DtmfRequest,
    crate::rest::legacy::MakeCall,
    crate::rest::legacy::MakeCallResponse,
    crate::rest::legacy::CallAction,
    crate::rest::legacy::CmiuuidCdr,
    crate::rest::legacy::RequestIdCdr,
    crate::rest::legacy::CdrResponse,
    crate::rest::legacy::AddSip,
    crate::rest::legacy::AddSipResponse,
    crate::rest::legacy::StreamSetting,
    crate::rest::legacy::StreamSettingResponse,
    crate::rest::v3::AiCall,
    crate::rest::v3::PcmoCall,
    crate::rest::v3::FlowCall,
    crate::rest::v3::PcmoTransfer,
    crate::rest::v3::CallHangup,
    crate::rest::v3::TransferAction,
    crate::rest::v3::HangupAction,
    crate::rest::v3::Response,
);

fn as_str((key, value): &(String, Raw)) -> (&str, Raw) {
    (key, value.clone())
}

fn choices(u: &mut Unstructured<'_>) -> Result<Choices> {
    let mut phone = || u.int_in_range(1_000_000..=999_999_999_999_999);
    Ok(Choices {
        phones: [phone()?, phone()?],
        appid: u.int_in_range(1..=9_999_999)?,
        start: u.int_in_range(1_000_000_000..=1_999_999_999)?,
        ring_seconds: u.int_in_range(0..=119)?,
        talk_seconds: u.int_in_range(0..=7199)?,
        rate_millionths: u.int_in_range(0..=99_999_999)?,
        balance_millionths: u.int_in_range(-999_999_999..=999_999_999_999)?,
        ids: u.arbitrary()?,
        picks: u.arbitrary()?,
    })
}

fn any_value(u: &mut Unstructured<'_>, depth: u8) -> Result<Raw> {
    const NUMBERS: [&str; 5] = ["-0", "12.0", "1e400", "9007199254740993", "123456789012345678901234567890"];
    const STRINGS: [&str; 4] = [r#""\ud800""#, r#""\u0000\/""#, r#""missed""#, r#""event""#];
    Ok(match u.int_in_range(0..=if depth == 0 { 5 } else { 7 })? {
        0 => Raw::null(),
        1 => bool::arbitrary(u)?.into(),
        2 => i64::arbitrary(u)?.into(),
        3 => Raw::from_token(u.choose(&NUMBERS)?),
        4 => Raw::from_token(u.choose(&STRINGS)?),
        5 => <&str>::arbitrary(u)?.into(),
        6 => {
            let mut items = Vec::new();
            for _ in 0..u.int_in_range(0..=3)? {
                items.push(any_value(u, depth - 1)?);
            }
            Raw::from_token(List::new(&items).as_json())
        }
        _ => {
            let members = any_members(u, depth - 1)?;
            Raw::from_token(Map::new(members.iter().map(as_str)).as_json())
        }
    })
}

/// Members with different keys.
fn any_members(u: &mut Unstructured<'_>, depth: u8) -> Result<Vec<(String, Raw)>> {
    const KEYS: [&str; 8] =
        ["status", "cmiuuid", "leg", "time", "type", "duration", "from", "conversation_uuid"];
    let mut members: Vec<(String, Raw)> = Vec::new();
    for _ in 0..u.int_in_range(0..=8)? {
        let key = if u.ratio(3, 4)? { (*u.choose(&KEYS)?).to_owned() } else { String::arbitrary(u)? };
        if !members.iter().any(|(seen, _)| *seen == key) {
            members.push((key, any_value(u, depth)?));
        }
    }
    Ok(members)
}

type Members = Vec<(&'static str, Raw)>;

/// The members of an object with these fields, one of them fixed.
fn fields(
    u: &mut Unstructured<'_>,
    fields: &'static [Field],
    fixed: Option<(&str, &str)>,
) -> Result<Members> {
    let mut members = Vec::new();
    for field in fields {
        if let Some((_, text)) = fixed.filter(|(key, _)| *key == field.key) {
            members.push((field.key, text.into()));
        } else if u.ratio(2, 3)? {
            let value = if u.ratio(1, 8)? { any_value(u, 2)? } else { shaped(u, field.shape)? };
            members.push((field.key, value));
        }
    }
    if u.ratio(1, 8)? {
        members.push(("not documented", any_value(u, 2)?));
    }
    Ok(members)
}

fn shaped(u: &mut Unstructured<'_>, shape: Shape) -> Result<Raw> {
    let map = |members: Members| Raw::from_token(Map::new(members).as_json());
    Ok(match shape {
        Shape::Any => any_value(u, 2)?,
        Shape::Text => <&str>::arbitrary(u)?.into(),
        Shape::Integer => u.int_in_range(0..=9_999_999_999_999)?.into(),
        Shape::Decimal | Shape::Digits => {
            let number: u32 = u.arbitrary()?;
            if bool::arbitrary(u)? { Raw::string(&number.to_string()) } else { i64::from(number).into() }
        }
        Shape::Boolean => bool::arbitrary(u)?.into(),
        Shape::Map => {
            let members = any_members(u, 1)?;
            Raw::from_token(Map::new(members.iter().map(as_str)).as_json())
        }
        Shape::Object(nested) => map(fields(u, nested, None)?),
        Shape::List(item) => {
            let mut items = Vec::new();
            for _ in 0..u.int_in_range(0..=3)? {
                items.push(shaped(u, *item)?);
            }
            Raw::from_token(List::new(&items).as_json())
        }
        Shape::Action => Raw::from_token(&Action::arbitrary(u)?.to_json()),
        Shape::OneOrMany(nested) => {
            if bool::arbitrary(u)? {
                map(fields(u, nested, None)?)
            } else {
                let objects = (0..u.int_in_range(0..=3)?).map(|_| fields(u, nested, None).map(map));
                Raw::from_token(List::new(&objects.collect::<Result<Vec<_>>>()?).as_json())
            }
        }
    })
}
