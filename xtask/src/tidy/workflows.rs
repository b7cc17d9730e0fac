//! Workflows and the action are YAML of the form that GitHub reads, and name scripts that are there.

use serde_json::Value;

use crate::workspace;

fn read(path: &str) -> Value {
    let text = std::fs::read_to_string(workspace::root().join(path)).unwrap();
    serde_yaml_ng::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn steps(steps: &Value, path: &str) {
    for step in steps.as_array().unwrap_or_else(|| panic!("{path}: no steps")) {
        let (run, uses) = (step["run"].as_str(), step["uses"].as_str());
        assert!(run.is_some() != uses.is_some(), "{path}: a step either runs or uses: {step}");
        let is_fixed =
            |uses: &str| uses == "./" || uses.split_once('@').is_some_and(|(_, version)| !version.is_empty());
        assert!(uses.is_none_or(is_fixed), "{path}: {uses:?} has no version");
        // A tag of anybody else's can be moved to what runs with our rights.
        let is_ours = |uses: &str| uses == "./" || uses.starts_with("actions/");
        assert!(!path.starts_with(".github") || uses.is_none_or(is_ours), "{path}: {uses:?}");
        // What is skipped there is run nowhere.
        let may_skip = |run: &str| {
            run.contains("cargo xtask test")
                || (run.contains("cargo xtask integration") && !run.contains("--only"))
        };
        assert!(!run.is_some_and(|run| may_skip(run) && !run.contains("--require-all")), "{path}: {step}");
        // What is put into a script by an expression is run by whoever can write it.
        assert!(!run.is_some_and(|run| run.contains("${{")), "{path}: an expression in a script: {step}");
    }
}

/// A workflow that is told whole.
pub(super) fn whole(path: &str) {
    let workflow = read(path);
    assert!(workflow["permissions"].is_object(), "{path}: says nothing of its permissions");
    for (job, told) in workflow["jobs"].as_object().unwrap() {
        assert!(told["timeout-minutes"].is_u64(), "{path}: {job} has no limit");
        steps(&told["steps"], path);
        for needed in needs(told) {
            assert!(workflow["jobs"][needed].is_object(), "{path}: {job} needs {needed}, which is not there");
        }
    }
}

/// The jobs that a job waits for.
fn needs(job: &Value) -> Vec<&str> {
    let listed = job["needs"].as_array().into_iter().flatten().filter_map(Value::as_str);
    listed.chain(job["needs"].as_str()).collect()
}

#[test]
fn every_workflow_is_read_and_every_step_is_whole() {
    let files = workspace::files_under(&workspace::root().join(".github/workflows")).unwrap();
    assert!(files.len() >= 4, "{files:?}");
    for file in files {
        whole(&workspace::relative(&file));
    }
}

#[test]
fn the_action_says_what_it_takes_and_runs_scripts_that_are_there() {
    let action = read("action.yml");
    assert_eq!(action["runs"]["using"], "composite");
    let all = &action["runs"]["steps"];
    steps(all, "action.yml");
    let text = all.to_string();
    for input in action["inputs"].as_object().unwrap().keys() {
        assert!(text.contains(&format!("inputs.{input}")), "nothing uses the input {input}");
    }
    let mut scripts = 0;
    for run in all.as_array().unwrap().iter().filter_map(|step| step["run"].as_str()) {
        let (_, script) = run.split_once("$GITHUB_ACTION_PATH/").unwrap();
        let script = workspace::root().join(script.trim_end_matches('"'));
        assert!(script.is_file(), "{}", script.display());
        if workspace::works("shellcheck", &["--version"]) {
            // What it sources is beside it.
            let lint = ["-x", "-P", "SCRIPTDIR", script.to_str().unwrap()];
            assert!(workspace::works("shellcheck", &lint), "see shellcheck {}", lint.join(" "));
        }
        scripts += 1;
    }
    assert_eq!(scripts, 3);
    let folder = workspace::root().join(".github/action");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let scripts: Vec<_> = files.filter(|file| file.extension().is_some_and(|name| name == "sh")).collect();
    assert_eq!(scripts.len(), 5, "{scripts:?}");
    for script in &scripts {
        let is_bash = workspace::works("bash", &["-n", script.to_str().unwrap()]);
        assert!(is_bash, "{} is no bash", script.display());
    }
    let upload = all.as_array().unwrap().last().unwrap();
    assert!(
        upload["if"].as_str().unwrap().contains("always()"),
        "reports are wanted most where something failed"
    );
}

#[test]
fn the_action_asks_for_archives_that_a_release_has() {
    let text = |path: &str| std::fs::read_to_string(workspace::root().join(path)).unwrap();
    let (install, release) = (text(".github/action/install.sh"), text(".github/workflows/release.yml"));
    let asked: Vec<&str> = install
        .lines()
        .filter_map(|line| line.trim().strip_suffix(" ;;")?.split_once(") echo ").map(|(_, target)| target))
        .filter(|target| !target.starts_with('"'))
        .collect();
    assert_eq!(asked.len(), 4, "{asked:?}");
    for target in asked {
        assert!(release.contains(&format!("target: {target},")), "{target} is never built");
    }
}
