//! The documented form of each payload: which fields, of which type, in which order, and on what evidence.

mod global;
mod global_2022;
mod india;

use std::fmt;

use crate::{Kind, Profile};

/// One payload as a profile has it. Validation, schemas and the simulator all read this one table.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Form {
    /// The profile it belongs to.
    pub profile: Profile,
    /// `live.<status>` in lower case, or `cdr.<direction of the call>.<outcome>`.
    pub name: &'static str,
    /// Live event or CDR.
    pub kind: Kind,
    /// The direction of the call that it belongs to.
    pub call: CallDirection,
    /// `status` on the wire.
    pub status: &'static str,
    /// `direction` on the wire.
    pub direction: &'static str,
    /// `leg` on the wire: one of these.
    pub legs: &'static [&'static str],
    /// What supports it.
    pub evidence: Evidence,
    /// The page, or what a guess was made from.
    pub source: &'static str,
    /// The fields in the order of the documented sample.
    pub fields: &'static [FormField],
}

/// Who started a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a call has two ends")]
pub enum CallDirection {
    /// The customer's customer called.
    Inbound,
    /// The account called, through the API.
    Outbound,
}

/// What supports a [`Form`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Evidence {
    /// A whole sample is documented.
    Documented,
    /// A sample is documented, but captured in part.
    Partial,
    /// No page shows the payload: it is inferred from its neighbours.
    Guess,
}

/// A field of a [`Form`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct FormField {
    /// The key on the wire.
    pub key: &'static str,
    /// What the value looks like.
    pub value: FormValue,
    /// Whether the field must be there.
    pub required: bool,
}

/// What the value of a [`FormField`] looks like, JSON type included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FormValue {
    /// The form's own `status`.
    Status,
    /// The form's own `direction`.
    Direction,
    /// One of the form's own `legs`.
    Leg,
    /// `"cdr"` or `"event"`, after the form's kind.
    Type,
    /// A positive whole number.
    AppId,
    /// A whole number of milliseconds since 1970.
    EpochMillis,
    /// A whole number of seconds since 1970.
    EpochSeconds,
    /// A whole number of 7 to 15 digits.
    Phone,
    /// A string of 7 to 15 digits.
    PhoneText,
    /// A string of digits that begins with 0.
    PhoneNational,
    /// A whole number of seconds, at least 0.
    Seconds,
    /// The number 0.
    Zero,
    /// A string: an amount with six decimals.
    Decimal,
    /// A string: a UUID in lower case.
    Uuid,
    /// A string: 43 characters `[0-9A-Za-z]`.
    RequestId,
    /// Any string.
    Text,
    /// `true`.
    True,
    /// A string: `{"status":"connected"}`.
    WsConnected,
    /// A string: `{"status":"disconnected","message":{"code":…,"reason":…}}`.
    WsDisconnected,
    /// A string: `{"status":"error","message":{"code":…,"error":…}}`.
    WsError,
}

impl Form {
    /// The forms of a profile, live events first, in the order in which a call has them.
    #[must_use]
    pub fn all(profile: Profile) -> &'static [Self] {
        match profile {
            Profile::Global => global::FORMS,
            Profile::Global2022 => global_2022::FORMS,
            Profile::India => india::FORMS,
        }
    }

    /// The forms with a name, such as `live.hangup` or `cdr.inbound.missed`: one for each leg and direction that
    /// differ.
    ///
    /// # Examples
    /// ```
    /// use piopiy_events::{Form, Profile};
    /// let forms: Vec<_> = Form::named(Profile::Global, "cdr.inbound.missed").collect();
    /// assert_eq!(forms[0].source, "https://doc.telecmi.com/piopiy/docs/inbound-webhooks-missed");
    /// ```
    pub fn named(profile: Profile, name: &str) -> impl Iterator<Item = &'static Self> {
        Self::all(profile).iter().filter(move |form| form.name == name)
    }

    /// The form of a payload, if the profile has it.
    #[must_use]
    pub fn find(
        profile: Profile,
        call: CallDirection,
        kind: Kind,
        status: &str,
        leg: &str,
    ) -> Option<&'static Self> {
        Self::all(profile).iter().find(|form| {
            form.call == call && form.kind == kind && form.status == status && form.legs.contains(&leg)
        })
    }
}

impl Evidence {
    /// The word for it: `documented`, `partial`, `guess`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Documented => "documented",
            Self::Partial => "partial",
            Self::Guess => "guess",
        }
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl CallDirection {
    /// The word on the wire: `inbound`, `outbound`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
        }
    }
}

impl fmt::Display for CallDirection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

const fn always(key: &'static str, value: FormValue) -> FormField {
    FormField { key, value, required: true }
}

const fn sometimes(key: &'static str, value: FormValue) -> FormField {
    FormField { key, value, required: false }
}

/// One row of a profile's table.
macro_rules! form {
    ($profile:ident $call:ident $name:literal $kind:ident $status:literal $direction:literal $legs:tt $evidence:ident $source:expr, $fields:expr) => {
        crate::Form {
            profile: crate::Profile::$profile,
            name: $name,
            kind: crate::Kind::$kind,
            call: crate::CallDirection::$call,
            status: $status,
            direction: $direction,
            legs: &$legs,
            evidence: crate::Evidence::$evidence,
            source: $source,
            fields: $fields,
        }
    };
}

use form;
