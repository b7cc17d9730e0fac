//! Workflows, manifests and recipes are of the form that their tools read, by the schemas of those tools.

use std::path::{Path, PathBuf};

use anyhow::ensure;

use super::python::{ended, python};
use crate::receivers::venv;
use crate::workspace;

const KUBERNETES: &str = "kubernetes";
/// Files by the schema that they are of.
const FILES: [(&str, &[&str]); 5] = [
    ("github-workflows", &["docs/recipes/github-actions.yml", "examples/load/workflow.yml"]),
    ("github-actions", &["action.yml"]),
    ("gitlab-ci", &["docs/recipes/gitlab-ci.yml"]),
    ("compose-spec", &["docs/recipes/compose.yaml", "examples/container/compose.yaml"]),
    (
        KUBERNETES,
        &[
            "docs/recipes/kubernetes.yaml",
            "docs/recipes/kubernetes-check.yaml",
            "examples/load/kubernetes.yaml",
        ],
    ),
];
const WORKFLOWS: &str = ".github/workflows";

/// Where the schemas are named.
fn folder() -> PathBuf {
    workspace::root().join("fixtures/sdk/schemas")
}

/// Installs them.
pub(super) fn set_up() -> anyhow::Result<()> {
    venv(&folder())
}

/// Reads every file by its schema, and one that is wrong by each.
///
/// # Errors
/// Where a schema does not have what a file says, or has what none should.
pub(super) async fn run() -> anyhow::Result<String> {
    let wrong = tempfile::tempdir()?;
    let wrong = wrong.path().join("wrong.yaml");
    std::fs::write(
        &wrong,
        "apiVersion: v1\nkind: Service\nmetadata: {name: wrong}\nspec: {replicas: many}\njobs: {one: {steps: 3}}\nservices: 7\n",
    )?;
    let mut count = 0;
    for (schema, files) in FILES {
        let mut paths: Vec<PathBuf> = files.iter().map(|file| workspace::root().join(file)).collect();
        if schema == "github-workflows" {
            paths.extend(workspace::files_under(&workspace::root().join(WORKFLOWS))?);
        }
        for path in &paths {
            python(&folder(), &of(schema, &shown(path))).await?;
            count += 1;
        }
        let output = ended(&folder(), &of(schema, &shown(&wrong))).await?;
        let told = [output.stdout, output.stderr].concat();
        let told = String::from_utf8_lossy(&told);
        let is_refused = told.contains("validation errors") || told.contains("did not validate");
        ensure!(output.status.code() == Some(1) && is_refused, "{schema} takes what is wrong: {told}");
    }
    Ok(format!("{count} files are what the schemas of their tools say"))
}

/// How a file is read by a schema; both tools bring theirs along.
fn of(schema: &str, path: &str) -> Vec<String> {
    if schema == KUBERNETES {
        return ["-m", "kubernetes_validate", "--strict", path].map(str::to_owned).to_vec();
    }
    let schema = format!("vendor.{schema}");
    ["-m", "check_jsonschema", "--builtin-schema", &schema, path].map(str::to_owned).to_vec()
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
