//! The tests that the documentation shows, as it shows them.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::process::Command;
use tokio::time::timeout;

use super::examples::{Application, Example, free_ports};
use crate::tally::Missing;
use crate::workspace;

/// A page with a test in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Page {
    Node,
    Python,
}

const PATIENCE: Duration = Duration::from_secs(120);

impl Page {
    pub(super) const ALL: [Self; 2] = [Self::Node, Self::Python];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Python => "python",
        }
    }

    /// What it needs that this machine has not.
    pub(super) fn missing(self) -> Option<Missing> {
        self.example().missing()
    }

    /// Installs the application that it tests.
    pub(super) fn set_up(self) -> anyhow::Result<()> {
        self.example().set_up()
    }

    /// The application that the page says it tests.
    fn example(self) -> Example {
        match self {
            Self::Node => Example::Express,
            Self::Python => Example::Flask,
        }
    }

    /// The language of its block, the name of the file in its first line, and how that is run.
    fn program(self) -> (&'static str, &'static str, &'static [&'static str]) {
        match self {
            Self::Node => {
                ("js", "menu.test.mjs", &["node", "--test", "--test-reporter=tap", "menu.test.mjs"])
            }
            Self::Python => ("python", "test_menu.py", &["python3", "-m", "unittest", "-v", "test_menu"]),
        }
    }
}

/// Starts the application, and runs the page's test on it with `piopiy-mock` on the path.
///
/// # Errors
/// Where the page has no such test, or it fails.
pub(super) async fn run(page: Page) -> anyhow::Result<String> {
    let path = workspace::root().join(format!("docs/testing-in-{}.md", page.name()));
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let (language, file, command) = page.program();
    let code =
        block(&text, language).with_context(|| format!("{} has no {language} block", path.display()))?;
    let first = code.lines().next().unwrap_or_default();
    ensure!(first.ends_with(file), "the test does not begin with the name of its file, {file}: {first}");
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join(file), code)?;

    let mock = workspace::build("piopiy-mock-platform", "piopiy-mock", workspace::Profile::Dev)?;
    let programs = mock.parent().context("the program lies in no folder")?;
    let search = std::env::var_os("PATH").unwrap_or_default();
    let search =
        std::env::join_paths(std::iter::once(programs.to_owned()).chain(std::env::split_paths(&search)))?;
    let port = free_ports().await?;
    let app = Application::start(page.example(), port).await?;
    let (program, arguments) = command.split_first().context("there is no command")?;
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder.path());
    command.env("PATH", search).env("APP", format!("http://127.0.0.1:{port}"));
    // What a runner of tests sets for the tests below it is not meant for this one.
    command.env_remove("NODE_TEST_CONTEXT").stdin(Stdio::null()).kill_on_drop(true);
    let output = timeout(PATIENCE, command.output()).await.context("the test does not end")??;
    let said = [&output.stdout[..], &output.stderr[..]].concat();
    let said = String::from_utf8_lossy(&said);
    ensure!(output.status.success(), "the test ended with {}:\n{said}", output.status);
    let passed =
        passed(&said).with_context(|| format!("it does not say how many tests there were:\n{said}"))?;
    ensure!(passed >= 3, "{passed} tests passed, 3 at least are shown:\n{said}");
    app.stop().await?;
    Ok(format!("{passed} tests, as shown"))
}

/// The first block of a language.
fn block<'a>(page: &'a str, language: &str) -> Option<&'a str> {
    let (_, rest) = page.split_once(&format!("\n```{language}\n"))?;
    rest.split_once("\n```\n").map(|(code, _)| code)
}

/// How many tests passed: `# pass 3` of Node, `Ran 3 tests` and `OK` of Python.
fn passed(said: &str) -> Option<u32> {
    let count = |line: &str| {
        let count = line.strip_prefix("# pass ").or_else(|| line.strip_prefix("Ran "))?;
        count.split(' ').next()?.parse().ok()
    };
    said.lines().find_map(count)
}

#[cfg(test)]
mod tests {
    use super::{block, passed};

    #[test]
    fn the_block_and_the_count_are_found() {
        let page = "a\n```text\nno\n```\n```js\n// x.mjs\n`${1}`\n```\n\n```js\nother\n```\n";
        assert_eq!(block(page, "js"), Some("// x.mjs\n`${1}`"));
        assert_eq!(block(page, "python"), None);
        assert_eq!(passed("ok 1\n# tests 4\n# pass 3\n"), Some(3));
        assert_eq!(passed("x ... ok\n\nRan 2 tests in 0.1s\n\nOK\n"), Some(2));
        assert_eq!(passed("nothing"), None);
    }
}
