//! Payloads of documented forms, from a few free choices: what strategies and fuzzing share.

use crate::json::escape;
use crate::{CallDirection, Form, FormValue, Kind, Money, OpenObject, Profile, Raw, WsStatus};

/// What is free in a payload; the rest follows from its form. All values are within the documented ranges.
#[derive(Debug, Clone)]
pub(crate) struct Choices {
    pub(crate) appid: i64,
    /// 7 to 15 digits each.
    pub(crate) phones: [i64; 2],
    /// Seconds since 1970.
    pub(crate) start: i64,
    pub(crate) ring_seconds: i64,
    pub(crate) talk_seconds: i64,
    pub(crate) rate_millionths: i64,
    pub(crate) balance_millionths: i64,
    pub(crate) ids: [u128; 2],
    /// Any number: picks one of the form's legs, texts and WebSocket endings, and the fields that need not be there.
    pub(crate) picks: u64,
}

/// Texts that `extra_params` has been seen with, and one that is hard to write.
const TEXTS: [&str; 4] = [
    r#"{"key":"value"}"#,
    "{type=CallingData2}",
    "{ 'order_id': 'ORD12345' }",
    "\"quoted\" \\ line\nbreak \u{1f600} \u{7f}",
];

/// How WebSockets end: close code and reason.
const CLOSINGS: [(u16, &str); 4] = [
    (1000, "Normal closure"),
    (1001, "Going away"),
    (1006, "Abnormal closure"),
    (1011, "Internal \"error\""),
];

/// How they fail, by inference.
const FAILURES: [(u16, &str); 3] = [(1, "I/O error"), (6, "connect failed"), (10, "timeout")];

impl Choices {
    /// A payload of the form.
    pub(crate) fn payload<T: OpenObject>(&self, form: &Form) -> T {
        let mut members = Vec::with_capacity(form.fields.len());
        for (index, field) in form.fields.iter().enumerate() {
            let left_out = !field.required && self.picks >> (32 + index) & 1 == 1;
            if !left_out {
                members.push((field.key, self.value(form, field.key, field.value)));
            }
        }
        open_object(&members)
    }

    fn pick<T: Copy, const N: usize>(&self, from: &[T; N]) -> T {
        let index = (self.picks >> 8 & 0xff) as usize % N;
        from[index]
    }

    fn leg(&self, form: &Form) -> &'static str {
        form.legs[(self.picks & 0xff) as usize % form.legs.len()]
    }

    fn value(&self, form: &Form, key: &str, value: FormValue) -> Raw {
        let [a, b] = self.phones;
        let phone = if matches!(key, "to" | "vn") { b } else { a };
        match value {
            FormValue::Status => form.status.into(),
            FormValue::Direction => form.direction.into(),
            FormValue::Leg => self.leg(form).into(),
            FormValue::Type => form.kind.as_str().into(),
            FormValue::AppId => self.appid.into(),
            FormValue::EpochMillis => (self.end(form) * 1000).into(),
            FormValue::EpochSeconds => match key {
                "start_time" => self.start.into(),
                "answer_time" => (self.start + self.ring_seconds).into(),
                _ => self.end(form).into(),
            },
            FormValue::Phone => phone.into(),
            FormValue::PhoneText => Raw::string(&phone.to_string()),
            FormValue::PhoneNational => Raw::string(&format!("0{phone}")),
            FormValue::Seconds => self.talk_seconds.into(),
            FormValue::Zero => 0.into(),
            FormValue::Decimal => {
                let millionths =
                    if key == "balance" { self.balance_millionths } else { self.rate_millionths };
                Raw::from_token(Money::from_millionths(millionths).as_json())
            }
            FormValue::Uuid => {
                let is_own = key == "cmiuuid" || names_leg_a(form) && self.leg(form) == "a";
                Raw::string(&uuid(self.ids[usize::from(!is_own)]))
            }
            FormValue::RequestId => Raw::string(&request_id(self.ids)),
            FormValue::Text => self.pick(&TEXTS).into(),
            FormValue::True => true.into(),
            FormValue::WsConnected => Raw::from_token(WsStatus::connected().as_json()),
            FormValue::WsDisconnected => {
                let (code, reason) = self.pick(&CLOSINGS);
                Raw::from_token(WsStatus::disconnected(code, reason).as_json())
            }
            FormValue::WsError => {
                let (code, error) = self.pick(&FAILURES);
                Raw::from_token(WsStatus::error(code, error).as_json())
            }
        }
    }

    /// A missed call has no talk time.
    fn end(&self, form: &Form) -> i64 {
        let talk = if form.kind == Kind::Cdr && form.status == "answered" { self.talk_seconds } else { 0 };
        self.start + self.ring_seconds + talk
    }
}

/// An object of these members, in this order; keys may need escapes.
pub(crate) fn open_object<T: OpenObject>(members: &[(&str, Raw)]) -> T {
    let quoted: Vec<String> = members
        .iter()
        .map(|(key, _)| {
            let mut quoted = String::new();
            escape::encode(key, &mut quoted);
            quoted
        })
        .collect();
    let members: Vec<_> = members
        .iter()
        .zip(&quoted)
        .map(|((_, value), key)| crate::Member { key: &key[1..key.len() - 1], value: value.as_json() })
        .collect();
    T::from_members(&members)
}

/// Whether leg a's `cmiuuid` is the conversation's id.
fn names_leg_a(form: &Form) -> bool {
    form.profile == Profile::India && form.call == CallDirection::Outbound
}

fn uuid(id: u128) -> String {
    let hex = format!("{id:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// 43 letters and digits: six bits of the two numbers for each.
fn request_id(ids: [u128; 2]) -> String {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    (0..43_usize)
        .map(|at| {
            let bits = ids[at / 22] >> (at % 22 * 5) & 0x3f;
            char::from(DIGITS[bits as usize % 62])
        })
        .collect()
}
