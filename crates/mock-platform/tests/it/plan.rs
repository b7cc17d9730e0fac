use piopiy_events::{Profile, Webhook};
use piopiy_mock_platform::plan::{PlanOptions, Scenario, Seed, Simulator};

#[test]
fn every_payload_of_the_default_scenario_is_documented_form() {
    for profile in Profile::ALL {
        let mut options = PlanOptions::new(profile, Seed(0x5eed));
        options.calls = Some(500);
        for call in Simulator::new(&Scenario::default(), options).calls() {
            for webhook in &call.webhooks {
                let text = String::from_utf8_lossy(&webhook.body);
                let parsed = Webhook::parse(&webhook.body).unwrap_or_else(|error| panic!("{error}: {text}"));
                let validation = parsed.validate(profile);
                assert!(validation.findings.is_empty(), "{text}\n{:?}", validation.findings);
                let form = validation.form.unwrap();
                assert_eq!((form.name, form.evidence), (&*webhook.name, webhook.evidence), "{text}");
            }
        }
    }
}
