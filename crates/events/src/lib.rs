//! The PIOPIY (TeleCMI) webhook wire, typed: what the platform POSTs, and what it is told in return.
//!
//! This is an unofficial project, not affiliated with TeleCMI. The wire's facts come from public documentation;
//! what was captured whole, in part, or is a guess is told apart by [`Evidence`].
//!
//! * [`Webhook`] reads any payload, losslessly: unknown fields, digits, key order and odd spellings stay.
//! * [`validate`](Webhook::validate) lists where a payload deviates from the documented [`Form`].
//! * [`Identity`] says whether two deliveries are the same webhook; [`CallState`] and [`Calls`] fold webhooks, in
//!   any order, into the state of calls.
//! * [`answer`], [`pcmo`], [`rest`] and [`stream`] are the rest of the wire: what the platform asks while a call is
//!   on, what it is told to do, its REST API, and the messages over an audio stream.
//!
//! Each field's documentation ends with its source: the name of a page under `https://doc.telecmi.com/piopiy/docs/`
//! (with a slash at its end: an older capture), with `india/` under `https://doc.telecmi.com/piopiy-india/docs/`, with
//! `chub/` of the sister product CHUB; or a file of the vendor's public repositories `piopiy_node` (node), its examples
//! (ex), `piopiy_python` (py) and `pipecat-piopiy` (pipecat); or *guess*, where nobody documents it.
//!
//! The crate does no I/O, reads no clock and has no runtime.
//!
//! # Features
//! * `proptest`: a strategy for every payload.
//! * `schemars`: JSON Schema for every payload and profile.
//! * `arbitrary`: `Arbitrary` for fuzzing.

pub mod answer;
mod call_state;
mod calls;
mod cdr;
#[cfg(any(feature = "proptest", feature = "arbitrary"))]
mod documented;
mod field;
mod form;
#[cfg(feature = "arbitrary")]
mod fuzz;
mod identity;
mod json;
mod live_event;
mod open;
pub mod pcmo;
mod profile;
pub mod rest;
#[cfg(feature = "schemars")]
pub mod schema;
#[cfg(feature = "proptest")]
pub mod strategy;
pub mod stream;
mod unrecognised;
mod validate;
mod webhook;

pub use call_state::{CallState, Phase};
pub use calls::Calls;
pub use cdr::Cdr;
pub use field::{
    AppId, Base64, Code, ConversationId, Count, Direction, DirectionKind, Document, EpochMillis,
    EpochSeconds, Flag, Leg, LegId, LegKind, List, Map, Money, Nested, OneOrMany, PayloadType, PhoneNumber,
    Rate, RequestId, Seconds, Secret, Status, StatusKind, Text, WsDetail, WsReport, WsReportKind, WsStatus,
};
pub use form::{CallDirection, Evidence, Form, FormField, FormValue};
pub use identity::Identity;
pub use json::{JsonType, Limits, Member, ParseError, ParseErrorKind, Raw};
pub use live_event::LiveEvent;
pub use open::{Field, FieldValue, OpenObject, Shape};
pub use profile::{Profile, UnknownProfile};
pub use unrecognised::{Unrecognised, UnrecognisedReason};
pub use validate::{Finding, Validation};
pub use webhook::{Kind, Webhook};
