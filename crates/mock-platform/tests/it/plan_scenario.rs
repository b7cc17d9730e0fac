//! What is told to someone who writes a scenario.

use piopiy_mock_platform::plan::{Scenario, ScenarioError};

fn error(text: &str) -> String {
    Scenario::parse("mine.toml", text).unwrap_err().to_string()
}

#[test]
fn default_toml_is_the_default() {
    let written = Scenario::builtin("default").unwrap();
    let mut expected = Scenario::default();
    expected.description.clone_from(&written.description);
    expected.name.clone_from(&written.name);
    expected.text.clone_from(&written.text);
    assert_eq!(written, expected);
}

#[test]
fn every_built_in_scenario_is_read_and_says_what_it_is() {
    let mut names: Vec<_> = Scenario::builtin_names().collect();
    for name in &names {
        assert!(!Scenario::builtin(name).unwrap().description.is_empty(), "{name}");
    }
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/scenarios");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    files.sort();
    names.sort_unstable();
    assert_eq!(files, names, "every file of fixtures/scenarios is built in");
}

#[test]
fn mistakes_are_named_with_their_place() {
    let mistakes = [
        "[calls]\ninbound-mised = 1",
        "[call]\ninbound-missed = 1",
        "[times]\n# how long they talk\ntalk = \"12 seconds\"",
        "[times]\ntalk = 12",
        "[times]\ntalk = { lognormal = { median = \"1m\" } }",
        "[times]\ntalk = { uniform = { from = \"2s\", to = \"1s\" } }",
        "[times]\ntalk = { min = \"2s\" }",
        "[times]\nring = { constant = \"1s\", exponental = { mean = \"1s\" } }",
        "[times]\nring = \"8d\"",
        "[arrivals]\nspacing = \"poison\"",
        "[arrivals]\nper-second = 0.0",
        "[arrivals]\nper-second = nan",
        "[calls]\ninbound-missed = 0",
        "[calls]\ninbound-missed = -1",
        "[bridge]\nno-answer = 1.5",
        "[bridge]\nloop = 0",
        "[streams]\nmost = 9",
        "[account]\nprice-per-minute = \"a penny\"",
        "[account]\nprice-per-minute = 0.012",
        "[numbers]\nregions = [\"uk\", \"fr\"]",
        "[numbers]\nregions = []",
        "stages = [{ kind = \"ramp\", over = \"5s\" }]",
        "stages = [{ kind = \"leap\", to = 5, over = \"5s\" }]",
        "[[stages]]\nkind = \"step\"\nto = 5\novr = \"5s\"",
        "stages = [{ kind = \"soak\", to = 5, over = \"5s\" }]",
        "stages = [{ kind = \"burst\", to = -5, over = \"5s\" }]",
        "stages = [{ kind = \"soak\", over = \"0s\" }]",
        "stages = [{ kind = \"soak\" }]",
        "stages = [{ kind = \"step\", to = 0, over = \"5s\" }]",
        "[calls\n",
    ];
    let told: Vec<_> = mistakes.iter().map(|text| format!("{text}\n=> {}", error(text))).collect();
    insta::assert_snapshot!(told.join("\n\n"));
}

#[test]
fn an_unknown_scenario_is_told_from_the_known_ones() {
    let told = |name| match Scenario::builtin(name) {
        Err(error @ ScenarioError::Unknown { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(told("bussy-hour"), "no scenario is called \"bussy-hour\": did you mean `busy-hour`?");
    assert!(told("xyz").starts_with("no scenario is called \"xyz\"; built in are default, busy-hour, "));
}

#[test]
fn what_is_left_out_is_the_default_but_for_weights() {
    let scenario = Scenario::parse("mine.toml", "[calls]\noutbound-missed = 3\n[bridge]\nloop = 4").unwrap();
    let default = Scenario::default();
    assert_eq!(scenario.calls.outbound_missed, 3);
    assert_eq!(scenario.calls.inbound_answered, 0);
    assert_eq!((scenario.bridge.attempts, scenario.bridge.group_size), (4, default.bridge.group_size));
    assert_eq!(scenario.times, default.times);
}
