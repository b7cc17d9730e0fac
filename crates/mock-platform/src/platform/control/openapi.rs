//! The OpenAPI document of the control API.

use axum::Json;
use piopiy_events::Phase;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::answers::{
    CallAnswer, CallsAnswer, ClockAnswer, ConfigAnswer, DeliveriesAnswer, Rates, RequestsAnswer, ResetAnswer,
    RestFaults, StreamRates, SummaryAnswer,
};
use super::calls::LONGEST_WAIT_MS;
use super::refusal::Refusal;
use super::requests::{Advance, DropStream, HangUp, HoldCall, MOST_LISTED, PlaceCall, Press};

/// `GET /api/openapi.json`.
pub(super) async fn served() -> Json<Value> {
    Json(control_openapi())
}

/// The OpenAPI 3.1 document of the control API, as it is served at `/api/openapi.json`.
///
/// # Examples
/// ```
/// let document = piopiy_mock_platform::platform::control_openapi();
/// assert_eq!(document["openapi"], "3.1.0");
/// assert!(document["paths"]["/api/calls/{id}/digits"]["post"].is_object());
/// ```
#[must_use]
pub fn control_openapi() -> Value {
    let mut schemas = Schemas::new();
    let mut paths: Map<String, Value> = Map::new();
    for operation in operations() {
        let path = paths.entry(format!("/api{}", operation.path)).or_insert_with(|| json!({}));
        path[operation.method] = operation.described(&mut schemas);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Control of the mock platform",
            "version": "1.0.0",
            "description": "What a test does with it. Only programs of this machine are answered. Unofficial: PIOPIY itself has no such API.",
        },
        "paths": paths,
        "components": { "schemas": schemas.taken() },
    })
}

/// What can be asked for.
struct Operation {
    method: &'static str,
    path: &'static str,
    summary: &'static str,
    /// The status and the body of an answer that is no refusal.
    answer: (&'static str, Option<Schema>),
    body: Option<Body>,
    /// Query parameters: name, type, what it is.
    asked: &'static [(&'static str, &'static str, &'static str)],
    /// Which refusals there are, beside those that any request may meet.
    refusals: &'static [&'static str],
}

type Schema = fn(&mut SchemaGenerator) -> Value;

/// A body, and whether it has to be there.
struct Body(Schema, bool);

const LIMIT: (&str, &str, &str) = ("limit", "count", "how many at most");

fn operations() -> Vec<Operation> {
    let base = |method, path, summary, answer| Operation {
        method,
        path,
        summary,
        answer,
        body: None,
        asked: &[],
        refusals: &[],
    };
    let ok = |schema: Schema| ("200", Some(schema));
    let with_body: &[&str] = &["400", "408", "413", "422"];
    let on_call: &[&str] = &["400", "404", "408", "413", "422"];
    let act = |path, summary, body| Operation {
        body: Some(body),
        refusals: on_call,
        ..base("post", path, summary, ("202", Some(of::<CallAnswer> as Schema)))
    };
    vec![
        base("get", "/openapi.json", "This document", ("200", Some(any))),
        Operation {
            asked: &[LIMIT],
            refusals: &["400"],
            ..base("get", "/calls", "The calls that are remembered, the newest first", ok(of::<CallsAnswer>))
        },
        Operation {
            body: Some(Body(of::<PlaceCall>, false)),
            refusals: &["400", "408", "409", "413", "422", "429"],
            ..base(
                "post",
                "/calls",
                "A customer calls a number of the account",
                ("201", Some(of::<CallAnswer>)),
            )
        },
        Operation {
            asked: &[
                (
                    "wait_ms",
                    "milliseconds",
                    "how long to wait until the call is over and its webhooks are settled",
                ),
                (
                    "phase",
                    "phase",
                    "wait no longer than until the call was in this phase, now or before; `has_reached` says whether it was",
                ),
            ],
            refusals: &["400", "404", "422"],
            ..base("get", "/calls/{id}", "One call, with all that happened in it", ok(of::<CallAnswer>))
        },
        act("/calls/{id}/digits", "Somebody presses keys on leg a", Body(of::<Press>, true)),
        Operation {
            refusals: &["400", "404", "408", "409", "413", "422"],
            ..act("/calls/{id}/hangup", "Somebody hangs up", Body(of::<HangUp>, false))
        },
        act("/calls/{id}/hold", "The caller is put on hold, or taken back", Body(of::<HoldCall>, false)),
        act("/calls/{id}/stream/drop", "The audio stream breaks", Body(of::<DropStream>, false)),
        Operation {
            asked: &[LIMIT, ("call", "string", "only those of this call")],
            refusals: &["400", "404"],
            ..base("get", "/deliveries", "The webhooks, and what became of them", ok(of::<DeliveriesAnswer>))
        },
        Operation {
            refusals: &["400", "404", "422"],
            ..base(
                "post",
                "/deliveries/{id}/resend",
                "Sends a webhook once more; the copy",
                ("202", Some(of::<DeliveriesAnswer>)),
            )
        },
        Operation {
            asked: &[LIMIT],
            refusals: &["400", "422"],
            ..base(
                "get",
                "/requests",
                "Requests that belong to no call: they were refused, or nothing is where they went",
                ok(of::<RequestsAnswer>),
            )
        },
        base("get", "/faults", "What goes wrong with webhooks on purpose", ok(of::<Rates>)),
        Operation {
            body: Some(Body(of::<Rates>, false)),
            refusals: with_body,
            ..base("put", "/faults", "Sets what goes wrong from now on", ok(of::<Rates>))
        },
        base("get", "/stream/faults", "What goes wrong with audio streams on purpose", ok(of::<StreamRates>)),
        Operation {
            body: Some(Body(of::<StreamRates>, false)),
            refusals: with_body,
            ..base(
                "put",
                "/stream/faults",
                "Sets it, for streams that are opened from now on",
                ok(of::<StreamRates>),
            )
        },
        base(
            "get",
            "/rest/faults",
            "What the REST APIs do on purpose, besides answering",
            ok(of::<RestFaults>),
        ),
        Operation {
            body: Some(Body(of::<RestFaults>, false)),
            refusals: with_body,
            ..base(
                "put",
                "/rest/faults",
                "Sets a rate limit, and requests that fail, from now on",
                ok(of::<RestFaults>),
            )
        },
        Operation {
            body: Some(Body(of::<Advance>, true)),
            refusals: with_body,
            ..base("post", "/clock/advance", "Moves virtual time on", ok(of::<ClockAnswer>))
        },
        base(
            "post",
            "/reset",
            "Ends and forgets all calls, undoes faults, and makes accounts what they were at the start",
            ok(of::<ResetAnswer>),
        ),
        base("get", "/config", "What the platform is like, secrets left out", ok(of::<ConfigAnswer>)),
        base("get", "/summary", "What came of it so far", ok(of::<SummaryAnswer>)),
        Operation {
            refusals: &["429"],
            ..base("get", "/events", "Server-sent events: `ready`, `change`, `missed`", ("200", None))
        },
    ]
}

impl Operation {
    fn described(&self, schemas: &mut Schemas) -> Value {
        let (status, answer) = self.answer;
        let content = match answer {
            Some(schema) => json!({ "application/json": { "schema": schema(&mut schemas.answers) } }),
            None => json!({ "text/event-stream": { "schema": { "type": "string" } } }),
        };
        let mut responses = json!({ status: { "description": self.summary, "content": content } });
        for refusal in ["403", "405"].iter().chain(self.refusals) {
            responses[refusal] = json!({
                "description": reason(refusal),
                "content": { "application/json": { "schema": of::<Refusal>(&mut schemas.answers) } },
            });
        }
        let mut described = json!({ "summary": self.summary, "responses": responses });
        let mut parameters: Vec<Value> = Vec::new();
        if self.path.contains("{id}") {
            parameters.push(
                json!({ "name": "id", "in": "path", "required": true, "schema": { "type": "string" } }),
            );
        }
        for (name, kind, what) in self.asked {
            let schema = match *kind {
                "count" => json!({ "type": "integer", "minimum": 0, "maximum": MOST_LISTED }),
                "milliseconds" => json!({ "type": "integer", "minimum": 0, "maximum": LONGEST_WAIT_MS }),
                "phase" => json!({ "type": "string", "enum": Phase::ALL.map(Phase::as_str) }),
                _ => json!({ "type": kind }),
            };
            parameters.push(json!({ "name": name, "in": "query", "description": what, "schema": schema }));
        }
        if !parameters.is_empty() {
            described["parameters"] = parameters.into();
        }
        if let Some(Body(schema, required)) = &self.body {
            let schema = schema(&mut schemas.requests);
            described["requestBody"] =
                json!({ "required": required, "content": { "application/json": { "schema": schema } } });
        }
        described
    }
}

fn reason(status: &str) -> &'static str {
    match status {
        "400" => "It cannot be read",
        "403" => "It asks for another host, or comes from a web page of another origin",
        "404" => "There is no such thing, or it is over",
        "405" => "The path has other methods",
        "409" => "The call, or the platform, is not like that now",
        "408" => "The body was too slow",
        "413" => "The body is too large",
        "429" => "There are too many already",
        _ => "It can be read, and means nothing",
    }
}

/// Requests and answers, each with what is said of them once.
struct Schemas {
    requests: SchemaGenerator,
    answers: SchemaGenerator,
}

impl Schemas {
    fn new() -> Self {
        let settings = SchemaSettings::draft2020_12().with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        });
        Self {
            requests: settings.clone().for_deserialize().into_generator(),
            answers: settings.for_serialize().into_generator(),
        }
    }

    fn taken(mut self) -> Map<String, Value> {
        // What is both asked and answered may be left out where it is asked.
        let mut all = self.answers.take_definitions(true);
        all.extend(self.requests.take_definitions(true));
        all
    }
}

fn of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Value {
    generator.subschema_for::<T>().to_value()
}

fn any(_: &mut SchemaGenerator) -> Value {
    json!({ "type": "object" })
}
