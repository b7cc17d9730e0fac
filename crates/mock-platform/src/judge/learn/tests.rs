use super::*;

fn wire(file: &str) -> String {
    let path = format!("{}/../../fixtures/wire/{file}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

/// What is new in a text, one line for each.
fn new_in(text: &str) -> Vec<String> {
    let learned = learn(&[Capture::parse("capture", text).unwrap()]);
    let told = |counted: &Counted| {
        let Novelty { what, within, field, found } = &counted.novelty;
        format!("{what} {within} {} {found} x{}", field.as_deref().unwrap_or("-"), counted.count)
    };
    learned.new.iter().map(told).collect()
}

#[test]
fn the_documented_samples_have_nothing_new() {
    let manifest: Vec<serde_json::Value> = serde_json::from_str(&wire("MANIFEST.json")).unwrap();
    let mut captures = Vec::new();
    for sample in &manifest {
        let file = sample["file"].as_str().unwrap();
        let folder = file.split('/').next().unwrap();
        if sample["kind"] == "complete"
            && ["global", "global-2022", "india", "guess"].contains(&folder)
            && !file.contains("-request")
        {
            captures.push(Capture::parse(file, &wire(file)).unwrap());
        }
    }
    assert!(captures.len() >= 17, "{}", captures.len());
    let learned = learn(&captures);
    assert_eq!(learned.new, []);
    assert_eq!(learned.webhooks, captures.len() as u64);
}

#[test]
fn simulated_calls_have_nothing_new() {
    use crate::plan::{PlanOptions, Scenario, Seed, Simulator};
    for profile in piopiy_events::Profile::ALL {
        let simulator = Simulator::new(&Scenario::default(), PlanOptions::new(profile, Seed(77)));
        let bodies: Vec<String> = (0..100)
            .flat_map(|index| simulator.call(index).webhooks)
            .map(|webhook| String::from_utf8(webhook.body).unwrap())
            .collect();
        assert_eq!(new_in(&bodies.join("\n")), Vec::<String>::new(), "{profile}");
    }
}

#[test]
fn what_is_changed_is_found_and_masked() {
    let sample = wire("global/inbound-webhooks-missed--leg-a.json");
    let with = |from: &str, to: &str| {
        assert!(sample.contains(from), "{from} in {sample}");
        new_in(&sample.replacen(from, to, 1))
    };
    assert_eq!(with("\"status\": \"missed\"", "\"status\":\"voicemail\""), ["value cdr status voicemail x1"]);
    assert_eq!(with("{", "{\"agent_447700900123\":1,"), ["field cdr missed agent_############ number x1"]);
    assert_eq!(
        with("\"leg\": \"a\"", "\"leg\":\"447700900123\""),
        ["value cdr missed leg (a text of 12 characters) x1"]
    );
    assert_eq!(with("\"duration\": 0", "\"duration\":\"0\""), ["type cdr missed duration string x1"]);
    let learned = learn(&[Capture::parse("f", "{\"hello\":1}\n{\"hello\":2}").unwrap()]);
    assert_eq!((learned.new[0].count, learned.new[0].first.as_str()), (2, "f:1"));
}

#[test]
fn an_order_that_no_call_has_is_found_once_for_repeats() {
    let event = |status: &str, time: u32| {
        format!(
            r#"{{"appid":2222222,"cmiuuid":"x","conversation_uuid":"x","direction":"inbound","leg":"a","status":"{status}","time":{time},"from":442080000000,"to":447700900123}}"#
        )
    };
    let text = [event("hangup", 3), event("answered", 2), event("answered", 2)].join("\n");
    let orders: Vec<String> = new_in(&text).into_iter().filter(|line| line.starts_with("order")).collect();
    assert_eq!(orders, ["order one leg - event answered after event hangup x1"]);
}

#[test]
fn captures_come_in_several_forms() {
    let body = r#"{"cmiuuid":"x","leg":"a","status":"missed"}"#;
    let har = serde_json::json!({"log": {"entries": [
        {"request": {"method": "GET"}},
        {"request": {"method": "POST", "postData": {"text": body}}},
    ]}});
    let exported = format!(r#"{{"seq":1,"received_at":2,"kind":"cdr","webhook":{body}}}"#);
    let quarantined =
        serde_json::json!({"seq": 1, "received_at": 2, "reason": "x", "body": body}).to_string();
    for text in
        [body, &format!("[{body}]"), &format!("\n{body}\n"), &har.to_string(), &exported, &quarantined]
    {
        let capture = Capture::parse("f", text).unwrap();
        let bodies: Vec<&str> = capture.bodies().map(|(_, body)| body).collect();
        assert_eq!(bodies, [body], "{text}");
    }
    let lines: Vec<usize> = Capture::parse("f", &format!("{body}\n\n{{\n}}\n{body}"))
        .unwrap()
        .bodies()
        .map(|(line, _)| line)
        .collect();
    assert_eq!(lines, [1, 3, 5]);
    for (text, expected) in [
        ("", "f:1: there is no webhook in it"),
        ("{}\nnonsense", "f:2: this is neither JSON Lines"),
        ("{}\n7", "f:2: a webhook is a JSON object"),
    ] {
        let error = Capture::parse("f", text).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{text:?}: {error}");
    }
}
