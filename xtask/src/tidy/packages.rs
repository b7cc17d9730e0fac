//! Manifests say what a registry shows of a crate, and the oldest Rust is the same everywhere.

use serde_json::Value;

use crate::workspace;

fn metadata() -> Value {
    let output = workspace::cargo()
        .args(["metadata", "--no-deps", "--offline", "--format-version=1"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The packages that may be published.
fn published() -> Vec<Value> {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().unwrap().iter();
    packages.filter(|package| package["publish"].is_null()).cloned().collect()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(workspace::root().join(path)).unwrap()
}

#[test]
fn every_crate_says_what_it_is() {
    let packages = published();
    let mut names: Vec<_> = packages.iter().filter_map(|package| package["name"].as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["piopiy-events", "piopiy-ladder", "piopiy-mock-platform", "piopiy-receiver"]);
    for package in &packages {
        let name = package["name"].as_str().unwrap();
        for key in ["description", "license", "readme", "documentation", "repository", "rust_version"] {
            assert!(package[key].as_str().is_some_and(|text| !text.is_empty()), "{name} has no {key}");
        }
        let keywords = package["keywords"].as_array().unwrap();
        assert!((3..=5).contains(&keywords.len()), "{name}: {keywords:?}");
        assert!(keywords.iter().all(|word| word.as_str().unwrap().len() <= 20), "{name}: {keywords:?}");
        assert!(!package["categories"].as_array().unwrap().is_empty(), "{name} has no categories");
        assert_eq!(package["metadata"]["docs"]["rs"]["all-features"], true, "{name}");
        let readme = read(&format!("crates/{}/README.md", name.trim_start_matches("piopiy-")));
        assert!(readme.contains("not affiliated"), "{name}: its README does not say that it is unofficial");
        for licence in ["LICENSE-APACHE", "LICENSE-MIT"] {
            let text = read(&format!("crates/{}/{licence}", name.trim_start_matches("piopiy-")));
            assert_eq!(text, read(licence), "{name}: {licence}");
        }
        assert!(!readme.contains("](../"), "{name}: a link out of the package leads nowhere there");
    }
}

#[test]
fn the_oldest_rust_is_the_same_everywhere() {
    let oldest = published()[0]["rust_version"].as_str().unwrap().to_owned();
    let short = oldest.trim_end_matches(".0");
    for (path, form) in [
        ("clippy.toml", "msrv = \"VERSION\""),
        (".github/workflows/ci.yml", "rust: [\"VERSION.0\", stable]"),
        ("README.md", "Rust VERSION or later"),
        ("CONTRIBUTING.md", "Rust VERSION must still compile all"),
        ("docs/versions.md", "(VERSION now)"),
    ] {
        let wanted = form.replace("VERSION", short);
        assert!(read(path).contains(&wanted), "{path} does not have `{wanted}`");
    }
}

#[test]
fn the_image_is_two_programs_and_no_root() {
    let text = read("examples/container/Dockerfile");
    let last = text.rsplit("\nFROM ").next().unwrap();
    assert!(last.starts_with("scratch\n"), "{last}");
    assert!(last.contains("\nUSER 65532:65532\n"), "{last}");
    for program in ["piopiy-mock", "piopiy-receiver"] {
        assert!(text.contains(&format!("target/release/{program}")), "no {program}");
    }
    for script in ["pack.sh", "lay-out.sh"] {
        let script = workspace::root().join(".github/release").join(script);
        let script = script.to_str().unwrap();
        assert!(workspace::works("bash", &["-n", script]));
        assert!(!workspace::works("shellcheck", &["--version"]) || workspace::works("shellcheck", &[script]));
    }
}
