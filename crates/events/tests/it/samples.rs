//! Every sample of the wire, as `fixtures/wire/MANIFEST.json` lists them.

use piopiy_events::{Evidence, Kind, Profile, Raw, Webhook};

use crate::fixtures::{Sample, manifest, minified, wire};

fn is_webhook(sample: &Sample) -> bool {
    let folder = sample.file.split('/').next().unwrap();
    !matches!(folder, "pcmo" | "rest" | "ws") && !sample.file.contains("-request")
}

#[test]
fn every_sample_is_listed_and_every_listed_one_exists() {
    let mut listed: Vec<_> = manifest().into_iter().map(|sample| sample.file).collect();
    let mut found = Vec::new();
    for folder in std::fs::read_dir(wire()).unwrap().map(|entry| entry.unwrap().path()) {
        if folder.is_dir() {
            for file in std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
                found.push(file.strip_prefix(wire()).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    listed.sort();
    found.sort();
    assert_eq!(listed, found);
}

#[test]
fn every_webhook_comes_out_value_for_value() {
    let mut seen = 0;
    for sample in manifest().iter().filter(|sample| is_webhook(sample)) {
        let text = sample.text();
        let webhook = Webhook::parse(text.as_bytes()).unwrap();
        assert_eq!(webhook.to_json(), minified(&text), "{}", sample.file);
        assert_eq!(webhook.kind().is_none(), sample.kind == "partial", "{}", sample.file);
        if let Some(kind) = webhook.kind() {
            let expected = if sample.file.contains("live-") { Kind::LiveEvent } else { Kind::Cdr };
            assert_eq!(kind, expected, "{}", sample.file);
            assert!(webhook.identity().is_some(), "{}", sample.file);
        }
        seen += 1;
    }
    assert_eq!(seen, 38);
}

#[test]
fn complete_samples_are_of_their_documented_form() {
    for sample in manifest().iter().filter(|sample| is_webhook(sample)) {
        let (folder, file) = sample.file.split_once('/').unwrap();
        let guessed = folder == "guess";
        let profile = if guessed { file.split_once("--").unwrap().0 } else { folder };
        let Ok(profile) = profile.parse::<Profile>() else {
            continue;
        };
        if sample.kind == "partial" {
            continue;
        }
        let text = sample.text();
        let validation = Webhook::parse(text.as_bytes()).unwrap().validate(profile);
        assert_eq!(validation.findings, [], "{}", sample.file);
        let form = validation.form.unwrap();
        assert_eq!(form.evidence == Evidence::Guess, guessed, "{}: {form:?}", sample.file);
    }
}

#[test]
fn odd_values_pass_untouched() {
    let body = r#"{"n":9007199254740993,"big":123456789012345678901234567890,"inf":1e400,"whole":12.0,"callerid":"04471000000","status":"Parked","leg":"c","z":{"b": [1,2]},"cmiuuid":"x","surrogate":"\ud800","é\n":null,"time":"12"}"#;
    let webhook = Webhook::parse(body.as_bytes()).unwrap();
    assert_eq!(webhook.to_json(), body);
    assert_eq!(serde_json::to_string(&webhook).unwrap(), body);
    assert_eq!(serde_json::from_str::<Webhook>(body).unwrap(), webhook);
    assert_eq!(webhook.get("é\n").map(Raw::as_json), Some("null"));
}
