//! The schemas against the samples, and against what the strategies make.

use std::collections::{BTreeMap, BTreeSet};

use jsonschema::Validator;
use piopiy_events::answer::{AnswerRequest, DtmfRequest};
use piopiy_events::{Form, OpenObject, Profile, Webhook, schema, strategy};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::fixtures::{manifest, read};

fn validator(schema: &Value) -> Validator {
    jsonschema::draft202012::meta::validate(schema).expect("a schema");
    jsonschema::draft202012::new(schema).expect("a schema")
}

/// The files, by path.
fn files() -> BTreeMap<String, Value> {
    let files = schema::files();
    let count = files.len();
    let files: BTreeMap<_, _> =
        files.into_iter().map(|(path, text)| (path, serde_json::from_str(&text).unwrap())).collect();
    assert_eq!(files.len(), count, "no path twice");
    files
}

fn assert_fits(schema: &Validator, json: &str, what: &str) {
    let value: Value = serde_json::from_str(json).unwrap();
    let errors: Vec<_> = schema.iter_errors(&value).map(|error| error.to_string()).collect();
    assert_eq!(errors, [""; 0], "{what}: {json}");
}

#[test]
fn every_file_is_a_schema() {
    for (path, schema) in files() {
        if path != "openapi.json" {
            assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema", "{path}");
            assert!(schema["title"].is_string(), "{path}");
            validator(&schema);
        }
    }
}

/// Every documented field says where it is documented.
#[test]
fn every_field_names_its_source() {
    fn check(schema: &Value, path: &str, seen: &mut usize) {
        if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
            for (key, property) in properties {
                if let Some(text) = property.get("description").and_then(Value::as_str) {
                    assert!(text.contains(" Source: ") && text.ends_with('.'), "{path}, {key}: {text}");
                    *seen += 1;
                }
            }
        }
        for (_, inner) in schema.as_object().into_iter().flatten() {
            check(inner, path, seen);
        }
        for inner in schema.as_array().into_iter().flatten() {
            check(inner, path, seen);
        }
    }
    let mut seen = 0;
    for (path, schema) in files() {
        check(&schema, &path, &mut seen);
    }
    assert!(seen > 1000, "{seen}");
}

/// The schema that a sample is of: its file below `schemas/`.
fn schema_of(sample: &str, kind: &str) -> Option<String> {
    let (folder, name) = sample.split_once('/').unwrap();
    let name = name.trim_end_matches(".json");
    let rest = |name: &str| Some(format!("rest/legacy/{name}.json"));
    match (folder, name) {
        // CHUB has no profile, and a part of a payload is of no form.
        ("chub" | "chub-india", _) => None,
        _ if kind == "partial" => None,
        (_, "answer-url-request") => Some("answer-request.json".to_owned()),
        (_, "dtmf-action-url-request") => Some("dtmf-request.json".to_owned()),
        ("pcmo", _) => Some("pcmo.json".to_owned()),
        ("ws", _) => Some("stream-message.json".to_owned()),
        ("guess", _) => Some(format!("{}.json", name.split_once("--").unwrap().0)),
        ("rest", "chub-streaming-setting--request") => rest("stream-setting"),
        ("rest", "chub-streaming-setting--response") => rest("stream-setting-response"),
        ("rest", "global-2022-get-cmiuuid--request") => rest("cmiuuid-cdr"),
        ("rest", "india-get-request-id--request") => rest("requestid-cdr"),
        ("rest", "global-2022-get-cmiuuid--response" | "india-get-request-id--response") => {
            rest("cdr-response")
        }
        ("rest", "global-create-sip-endpoint--request") => rest("add-sip"),
        ("rest", "global-create-sip-endpoint--response") => rest("add-sip-response"),
        ("rest", request) if request.ends_with("--request") => rest("make-call"),
        ("rest", _) => rest("make-call-response"),
        (profile, _) => Some(format!("{profile}.json")),
    }
}

#[test]
fn every_sample_fits_its_schema() {
    let files = files();
    let mut fitted = 0;
    for sample in manifest() {
        if let Some(path) = schema_of(&sample.file, &sample.kind) {
            assert_fits(&validator(&files[&path]), &sample.text(), &sample.file);
            fitted += 1;
        }
    }
    assert_eq!(fitted, manifest().len() - 11, "all but two parts and nine of CHUB");
}

#[test]
fn webhooks_of_a_form_fit_its_schema_and_no_deviation_does() {
    let mut runner = TestRunner::deterministic();
    for profile in Profile::ALL {
        let any_form = validator(&schema::profile(profile));
        for _ in 0..200 {
            let webhook = strategy::webhook(profile).new_tree(&mut runner).unwrap().current();
            let form = webhook.validate(profile).form.unwrap();
            let json = webhook.to_json();
            assert_fits(&validator(&schema::form(form)), &json, form.name);
            assert_fits(&any_form, &json, form.name);
        }
    }
    fn check(form: &Form, sample: &str, key: &str, value: Option<&str>) {
        let mut webhook = Webhook::parse(read(sample).as_bytes()).unwrap();
        assert_fits(&validator(&schema::form(form)), &webhook.to_json(), sample);
        webhook.set(key, value.map(|value| value.parse().unwrap()));
        let value: Value = serde_json::from_str(&webhook.to_json()).unwrap();
        assert!(!validator(&schema::form(form)).is_valid(&value), "{key}: {value}");
    }
    let form = Form::named(Profile::Global, "cdr.inbound.missed").next().unwrap();
    let sample = "global/inbound-webhooks-missed--leg-a.json";
    check(form, sample, "duration", Some("5"));
    check(form, sample, "from", Some("\"440000000000\""));
    check(form, sample, "cmiuuid", Some("\"C4EC9BD2\""));
    check(form, sample, "status", Some("\"MISSED\""));
    check(form, sample, "leg", Some("\"c\""));
    check(form, sample, "time", Some("1725975496"));
    check(form, sample, "balance", Some("\"1.5\""));
    check(form, sample, "appid", None);
}

/// Lone surrogates and `1e400`, which `serde_json` cannot hold, are passed over.
fn assert_all_fit(schema: &Value, documents: &BoxedStrategy<String>, what: &str) {
    let schema = validator(schema);
    let mut runner = TestRunner::deterministic();
    let mut fitted = 0;
    for _ in 0..100 {
        let json = documents.new_tree(&mut runner).unwrap().current();
        if serde_json::from_str::<Value>(&json).is_ok() {
            assert_fits(&schema, &json, what);
            fitted += 1;
        }
    }
    assert!(fitted > 50, "{what}: {fitted}");
}

#[test]
fn objects_of_a_type_fit_its_schema() {
    fn check<T: OpenObject + std::fmt::Debug + 'static>() {
        let objects = strategy::object::<T>().prop_map(|object| object.to_json()).boxed();
        assert_all_fit(&schema::object::<T>(), &objects, std::any::type_name::<T>());
    }
    check::<AnswerRequest>();
    check::<DtmfRequest>();
    check::<piopiy_events::rest::legacy::MakeCall>();
    check::<piopiy_events::rest::legacy::CdrResponse>();
    check::<piopiy_events::rest::v3::PcmoCall>();
    check::<piopiy_events::rest::v3::TransferAction>();
    assert_all_fit(&schema::pcmo(), &strategy::pcmo().prop_map(|pcmo| pcmo.to_json()).boxed(), "pcmo");
    let messages = strategy::stream_message().prop_map(|message| message.to_json()).boxed();
    assert_all_fit(&schema::stream_message(), &messages, "stream message");
    let (pcmo, message) = (validator(&schema::pcmo()), validator(&schema::stream_message()));
    assert!(!pcmo.is_valid(&json!([{"action": "bridge", "duration": "long"}])));
    assert!(pcmo.is_valid(&json!([{"action": "juggle", "balls": 3}])), "open");
    assert!(!message.is_valid(&json!({"action": "rewind"})));
}

#[test]
fn the_openapi_document_has_a_webhook_for_every_event_name() {
    let openapi = schema::openapi();
    assert_eq!(openapi["openapi"], "3.1.0");
    let forms = || Profile::ALL.into_iter().flat_map(Form::all);
    let names: BTreeSet<_> = forms().map(|form| form.name).chain(["answer", "dtmf"]).collect();
    let webhooks = openapi["webhooks"].as_object().unwrap();
    assert_eq!(webhooks.keys().map(String::as_str).collect::<BTreeSet<_>>(), names);

    let mut used = BTreeSet::new();
    for (name, webhook) in webhooks {
        let post = &webhook["post"];
        assert_eq!(post["operationId"], name.as_str());
        assert!(post["responses"].as_object().unwrap().keys().all(|code| code == "2XX" || code == "200"));
        let schema = &post["requestBody"]["content"]["application/json"]["schema"];
        let references = schema["anyOf"].as_array().cloned().unwrap_or_else(|| vec![schema.clone()]);
        assert!(!references.is_empty(), "{name}");
        for reference in references {
            let pointer = reference["$ref"].as_str().unwrap().trim_start_matches('#').to_owned();
            let referenced = openapi.pointer(&pointer).expect(&pointer);
            validator(referenced);
            used.insert(pointer.rsplit('/').next().unwrap().to_owned());
        }
    }
    used.insert("pcmo".to_owned());
    let schemas = openapi["components"]["schemas"].as_object().unwrap();
    assert_eq!(schemas.keys().cloned().collect::<BTreeSet<_>>(), used, "each schema is used");
    assert_eq!(schemas.len(), forms().count() + 3, "each form has its own name");
    let allowed = |name: &String| name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    assert!(schemas.keys().all(allowed));
}

#[test]
fn types_of_other_crates_can_hold_the_wire() {
    #[derive(schemars::JsonSchema)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    struct Stored {
        webhook: Webhook,
        flow: piopiy_events::pcmo::Pcmo,
        extra: piopiy_events::Raw,
    }
    let schema = validator(schemars::schema_for!(Stored).as_value());
    assert!(schema.is_valid(&json!({"webhook": {"x": 1}, "flow": [{"action": "hangup"}], "extra": [null]})));
    assert!(!schema.is_valid(&json!({"webhook": [], "flow": [], "extra": 1})));
    assert!(!schema.is_valid(&json!({"webhook": {}, "flow": {}, "extra": 1})));
}
