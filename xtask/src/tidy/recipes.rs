//! Recipes are what they say they are, and name only options that the programs have.

use std::collections::BTreeSet;

use serde_json::Value;

use super::workflows;
use crate::workspace;

const FOLDER: &str = "docs/recipes";

fn read(path: &str) -> String {
    std::fs::read_to_string(workspace::root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn documents(path: &str) -> Vec<Value> {
    use serde::Deserialize as _;
    let text = read(path);
    serde_yaml_ng::Deserializer::from_str(&text)
        .map(|document| Value::deserialize(document).unwrap_or_else(|error| panic!("{path}: {error}")))
        .collect()
}

fn one(path: &str) -> Value {
    let mut documents = documents(path);
    assert_eq!(documents.len(), 1, "{path}");
    documents.remove(0)
}

/// Long options in a text, in lines that are no comments.
fn options(text: &str) -> BTreeSet<&str> {
    let lines = text.lines().filter(|line| {
        let line = line.trim_start();
        let is_of_others =
            ["curl ", "sha256sum", "docker ", "kubectl "].iter().any(|other| line.contains(other));
        !line.starts_with('#') && !line.starts_with("//") && !is_of_others
    });
    let words = lines.flat_map(|line| line.split(|c: char| !c.is_ascii_alphanumeric() && c != '-'));
    words
        .filter(|word| {
            word.strip_prefix("--").is_some_and(|name| name.starts_with(|c: char| c.is_ascii_lowercase()))
        })
        .collect()
}

#[test]
fn recipes_name_options_that_there_are() {
    let pages = workspace::files_under(&workspace::root().join("docs/cli")).unwrap();
    let pages: String = pages.iter().map(|page| std::fs::read_to_string(page).unwrap()).collect();
    let known = options(&pages);
    let mut counted = 0;
    let mut paths: Vec<String> = workspace::files_under(&workspace::root().join(FOLDER))
        .unwrap()
        .iter()
        .map(|path| workspace::relative(path))
        .filter(|path| !path.ends_with(".md"))
        .collect();
    paths.push("examples/container/compose.yaml".to_owned());
    for path in paths {
        let text = read(&path);
        for option in options(&text) {
            assert!(known.contains(option), "{path}: {option} is no option of either program");
            counted += 1;
        }
    }
    assert!(counted > 30, "{counted} options were looked at only");
}

#[test]
fn options_are_found_where_they_are_meant() {
    assert_eq!(
        options(
            "  - --listen\n# --not\nargs: --rate 5 --fail-on must\ncurl --fail x\n'--wait-for', --- a--b"
        ),
        BTreeSet::from(["--fail-on", "--listen", "--rate", "--wait-for"])
    );
}

#[test]
fn workflows_are_whole() {
    for path in ["docs/recipes/github-actions.yml", "examples/load/workflow.yml"] {
        workflows::whole(path);
    }
}

#[test]
fn the_job_for_gitlab_reports_what_it_found() {
    let job = &one("docs/recipes/gitlab-ci.yml")["receiver"];
    assert!(job["image"].is_string() && job["timeout"].is_string(), "{job}");
    let script = job["script"][0].as_str().unwrap();
    assert_eq!(job["artifacts"]["when"], "always");
    let junit = job["artifacts"]["reports"]["junit"].as_str().unwrap();
    assert!(script.contains(&format!("--report junit={junit}")), "{script}");
}

#[test]
fn services_have_an_image_and_no_rights() {
    for path in ["docs/recipes/compose.yaml", "examples/container/compose.yaml"] {
        let compose = one(path);
        for (name, service) in compose["services"].as_object().unwrap() {
            assert!(service["image"].is_string() || !service["build"].is_null(), "{path}: {name}");
            for port in service["ports"].as_array().into_iter().flatten() {
                assert!(
                    port.as_str().unwrap().starts_with("127.0.0.1:"),
                    "{path}: {name} is open to the network"
                );
            }
            let mut words = service["command"].as_array().into_iter().flatten();
            assert!(words.all(Value::is_string), "{path}: {name}: a word that is no text");
        }
        assert_eq!(compose["services"]["receiver"]["cap_drop"][0], "ALL", "{path}");
    }
}

#[test]
fn pods_run_without_rights_and_find_their_parts() {
    let mut documents = documents("docs/recipes/kubernetes.yaml");
    documents.push(one("docs/recipes/kubernetes-check.yaml"));
    let kinds: Vec<_> = documents.iter().filter_map(|document| document["kind"].as_str()).collect();
    assert_eq!(kinds, ["Service", "StatefulSet", "Job"]);
    for document in &documents {
        assert!(document["apiVersion"].is_string() && document["metadata"]["name"].is_string(), "{document}");
    }
    let (service, set) = (&documents[0]["spec"], &documents[1]["spec"]);
    assert_eq!(service["selector"], set["selector"]["matchLabels"]);
    assert_eq!(set["selector"]["matchLabels"], set["template"]["metadata"]["labels"]);
    assert_eq!(set["replicas"], 1, "one process per file");
    for pod in documents[1..].iter().map(|document| &document["spec"]["template"]["spec"]) {
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
        let container = &pod["containers"][0];
        assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
        assert_eq!(container["securityContext"]["allowPrivilegeEscalation"], false);
        assert!(container["resources"]["limits"]["memory"].is_string());
        let volumes = pod["volumes"].as_array().into_iter().flatten().map(|volume| volume["name"].clone());
        let claims = set["volumeClaimTemplates"]
            .as_array()
            .unwrap()
            .iter()
            .map(|claim| claim["metadata"]["name"].clone());
        let there: Vec<Value> = volumes.chain(claims).collect();
        for mount in container["volumeMounts"].as_array().into_iter().flatten() {
            assert!(there.contains(&mount["name"]), "{mount} is nowhere");
        }
    }
}

/// `$(NAME)` in the command lines of a pod's containers, where nothing gives the variable a value: Kubernetes passes it on as it
/// stands.
fn undefined(document: &Value) -> Vec<String> {
    let spec = &document["spec"];
    let pod = &spec["template"]["spec"];
    let mut found = Vec::new();
    let containers = ["initContainers", "containers"].into_iter().filter_map(|key| pod[key].as_array());
    for container in containers.flatten() {
        let mut names: Vec<&str> =
            container["env"].as_array().into_iter().flatten().filter_map(|it| it["name"].as_str()).collect();
        if spec["completionMode"] == "Indexed" {
            // Kubernetes sets it.
            names.push("JOB_COMPLETION_INDEX");
        }
        let words = ["command", "args"].into_iter().filter_map(|key| container[key].as_array()).flatten();
        for word in words.filter_map(Value::as_str) {
            // `$$(NAME)` stands for itself.
            let word = word.replace("$$", "");
            let references = word.split("$(").skip(1).filter_map(|rest| rest.split_once(')'));
            found.extend(references.filter(|(it, _)| !names.contains(it)).map(|(it, _)| it.to_owned()));
        }
    }
    found
}

#[test]
fn pods_are_given_every_variable_of_their_command_lines() {
    for path in [
        "docs/recipes/kubernetes.yaml",
        "docs/recipes/kubernetes-check.yaml",
        "examples/load/kubernetes.yaml",
    ] {
        for document in documents(path) {
            assert_eq!(undefined(&document), [""; 0], "{path}: no `env` has it");
        }
    }
}

#[test]
fn a_variable_that_nothing_defines_is_found() {
    let check = |told: &str, expected: &[&str]| {
        let document: Value = serde_yaml_ng::from_str(told).unwrap();
        assert_eq!(undefined(&document), expected, "{told}");
    };
    let job = |container: &str| format!("spec: {{template: {{spec: {{containers: [{container}]}}}}}}");
    check(&job("{args: [run, 'http://a/?token=$(TOKEN)']}"), &["TOKEN"]);
    check(&job("{command: [/a, $(TOKEN)], env: [{name: OTHER, value: a}]}"), &["TOKEN"]);
    check(&job("{args: [$(TOKEN)-$(A)], env: [{name: TOKEN, value: a}]}"), &["A"]);
    check(&job("{args: [$$(TOKEN), '$5 (A)']}"), &[]);
    check(&job("{args: [$(JOB_COMPLETION_INDEX)/4]}"), &["JOB_COMPLETION_INDEX"]);
    let indexed = "spec: {completionMode: Indexed, template: {spec: {containers: [{args: [$(JOB_COMPLETION_INDEX)/4]}]}}}";
    check(indexed, &[]);
}

#[test]
fn code_is_of_its_language() {
    let parses = |program: &str, arguments: &[&str]| {
        // What is missing is named by the tests that run code; here it is only that nobody can look.
        !workspace::works(program, &["--version"]) || workspace::works(program, arguments)
    };
    assert!(parses("node", &["--check", "docs/recipes/testcontainers.test.mjs"]));
    let ast = "import ast, sys; ast.parse(open(sys.argv[1]).read())";
    for script in
        ["docs/recipes/test_containers.py", "examples/flask/receiver.py", "examples/fastapi/receiver.py"]
    {
        assert!(parses("python3", &["-c", ast, script]), "{script}");
    }
    assert!(parses("node", &["--check", "examples/express/receiver.js"]));
    assert!(parses("php", &["-l", "examples/php/receiver.php"]));
}
