use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{form, object, pcmo};
use crate::answer::{AnswerRequest, DtmfRequest};
use crate::{Form, Profile};

/// One OpenAPI 3.1 document: a webhook for each event name, with the forms of all profiles that have it, and the two
/// requests that are answered with a call flow.
#[must_use]
pub fn openapi() -> Value {
    let mut schemas = Map::new();
    let mut events: BTreeMap<&str, Vec<&Form>> = BTreeMap::new();
    for profile in Profile::ALL {
        for form in Form::all(profile) {
            schemas.insert(component(form), form::body(form));
            events.entry(form.name).or_default().push(form);
        }
    }
    schemas.insert("answer_request".to_owned(), object::<AnswerRequest>());
    schemas.insert("dtmf_request".to_owned(), object::<DtmfRequest>());
    schemas.insert("pcmo".to_owned(), pcmo());

    let mut webhooks: Map<String, Value> =
        events.into_iter().map(|(name, forms)| (name.to_owned(), event(name, &forms))).collect();
    let answer = "A call reached the account's number, or one made with `answer_url` was answered";
    webhooks.insert("answer".to_owned(), asked("answer", answer, "answer_request"));
    let dtmf = "Digits were pressed during an `input` or `play_get_input` action";
    webhooks.insert("dtmf".to_owned(), asked("dtmf", dtmf, "dtmf_request"));

    json!({
        "openapi": "3.1.0",
        "jsonSchemaDialect": super::DIALECT,
        "info": {
            "title": "PIOPIY webhooks",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What the PIOPIY (TeleCMI) platform POSTs to a receiver. Unofficial, not affiliated with \
                TeleCMI: made from public documentation; each schema says whether it is documented, partial or a guess.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "webhooks": webhooks,
        "components": { "schemas": schemas },
    })
}

fn component(of: &Form) -> String {
    format!("{}.{}", of.profile, form::name(of))
}

fn reference(component: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{component}") })
}

fn event(name: &str, forms: &[&Form]) -> Value {
    let mut lines: Vec<_> =
        forms.iter().map(|form| format!("- {}: {}", form.profile, form::evidence(form))).collect();
    lines.dedup();
    let references: Vec<_> = forms.iter().map(|form| reference(&component(form))).collect();
    let retried = name.starts_with("cdr.");
    let delivery = if retried {
        "A CDR is delivered again 5, 10 and 15 minutes after one another; whether an acknowledgement stops that is \
            not documented."
    } else {
        "Whether a live event is delivered again is not documented."
    };
    json!({
        "post": {
            "operationId": name,
            "summary": format!("Webhook {name}"),
            "description": format!("{delivery}\n\n{}", lines.join("\n")),
            "requestBody": {
                "required": true,
                "content": { "application/json": { "schema": { "anyOf": references } } },
            },
            "responses": { "2XX": { "description": "Acknowledged" } },
        },
    })
}

fn asked(name: &str, summary: &str, request: &str) -> Value {
    json!({
        "post": {
            "operationId": name,
            "summary": summary,
            "requestBody": {
                "required": true,
                "content": { "application/json": { "schema": reference(request) } },
            },
            "responses": {
                "200": {
                    "description": "What happens next",
                    "content": { "application/json": { "schema": reference("pcmo") } },
                },
            },
        },
    })
}
