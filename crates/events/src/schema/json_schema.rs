//! `JsonSchema`, for types of other crates that hold a value of the wire.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::Value;

use super::object;
use crate::pcmo::{Action, Pcmo};
use crate::stream::StreamMessage;
use crate::{Cdr, LiveEvent, Profile, Raw, Unrecognised, Webhook};

macro_rules! json_schema {
    ($($name:ty: $schema:expr;)*) => {
        $(
            impl JsonSchema for $name {
                fn schema_name() -> Cow<'static, str> {
                    let path = stringify!($name);
                    path.rsplit("::").next().unwrap_or(path).into()
                }

                fn schema_id() -> Cow<'static, str> {
                    concat!(module_path!(), "::", stringify!($name)).into()
                }

                fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
                    Schema::try_from($schema).unwrap_or_default()
                }
            }
        )*
    };
}

json_schema! {
    Raw: Value::Bool(true);
    Webhook: any_webhook();
    LiveEvent: object::<LiveEvent>();
    Cdr: object::<Cdr>();
    Unrecognised: object::<Unrecognised>();
    Action: super::action();
    Pcmo: super::pcmo();
    StreamMessage: super::stream_message();
    crate::answer::AnswerRequest: object::<crate::answer::AnswerRequest>();
    crate::answer::DtmfRequest: object::<crate::answer::DtmfRequest>();
}

/// Any object is a webhook; what is documented of it is an annotation.
fn any_webhook() -> Value {
    let profiles: Vec<_> = Profile::ALL.iter().map(|profile| profile.as_str()).collect();
    serde_json::json!({
        "type": "object",
        "additionalProperties": true,
        "description": format!("A webhook, open. Documented forms: see the schemas of {}.", profiles.join(", ")),
        "examples": [{"leg": "a", "status": "in_answered", "cmiuuid": "c4ec9bd2-efad-4296-aa5b-eeafa6aeeea0"}],
    })
}
