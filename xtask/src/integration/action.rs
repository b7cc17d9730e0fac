//! The action of `action.yml`, as GitHub would run it: its scripts, with what a runner gives them.

use std::path::{Path, PathBuf};
use std::process::Output;

use anyhow::{Context as _, ensure};
use tokio::process::Command;

use super::World;
use crate::receivers::Kept;
use crate::workspace;

/// What GitHub gives a step.
struct Runner {
    folder: tempfile::TempDir,
}

impl Runner {
    fn new() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        for file in ["path", "output", "summary"] {
            std::fs::write(folder.path().join(file), "")?;
        }
        Ok(Self { folder })
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A script of the action under bash.
    async fn run(&self, script: &str, environment: &[(&str, &str)]) -> anyhow::Result<Output> {
        let mut command = Command::new("bash");
        command.arg(workspace::root().join(".github/action").join(script)).current_dir(self.folder.path());
        let path = std::fs::read_to_string(self.at("path"))?;
        let before = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", path.lines().chain([before.as_str()]).collect::<Vec<_>>().join(":"));
        command.env("GITHUB_ACTIONS", "true").env("RUNNER_TEMP", self.folder.path());
        for (name, file) in
            [("GITHUB_PATH", "path"), ("GITHUB_OUTPUT", "output"), ("GITHUB_STEP_SUMMARY", "summary")]
        {
            command.env(name, self.at(file));
        }
        command.env("ACTION_REPOSITORY", "example/example").envs(environment.iter().copied());
        for name in ["CARGO_MANIFEST_DIR", "CARGO_MANIFEST_PATH", "CARGO_PKG_VERSION"] {
            command.env_remove(name);
        }
        command.kill_on_drop(true).output().await.with_context(|| format!("cannot start bash for {script}"))
    }
}

/// From source and as a release, the action installs the program, checks a receiver, and hands out what came of it.
///
/// # Errors
/// Where it does not.
pub(super) async fn run(world: &World) -> anyhow::Result<String> {
    let runner = Runner::new()?;
    let built = runner.run("install.sh", &[("INPUT_VERSION", "source"), ("BUILD_PROFILE", "dev")]).await?;
    ensure!(built.status.success(), "install.sh: {}", said(&built));
    let refused = runner.run("install.sh", &[("INPUT_COMMAND", "laod")]).await?;
    let told = said(&refused);
    ensure!(refused.status.code() == Some(2) && told.contains("can be check or load"), "a command: {told}");
    let outputs = std::fs::read_to_string(runner.at("output"))?;
    ensure!(outputs == "result=usage\nexit-code=2\n", "a command: {outputs}");
    std::fs::write(runner.at("output"), "")?;
    let program = runner.at("piopiy-mock/bin/piopiy-mock");
    ensure!(program.is_file(), "install.sh built nothing: {}", said(&built));
    checks(world, &runner).await?;
    loads(world, &runner).await?;
    releases(&program).await?;
    Ok("built from source, checked, loaded and compared with a baseline; a release packed, and installed by its checksum".to_owned())
}

async fn checks(world: &World, runner: &Runner) -> anyhow::Result<()> {
    let receiver = world.durable.serve("127.0.0.1:0", Kept::Memory, &["--observe"]).await?;
    let observe = receiver.at("/__observe");
    let args = format!("--only 'TRN-00*,JSN-001' --seed 7\n--observe-url \"{observe}\"");
    let inputs =
        |args| [("INPUT_URL", receiver.url()), ("INPUT_ARGS", args), ("INPUT_REPORT_DIR", "reports")];
    let checked = runner.run("check.sh", &inputs(&args)).await?;
    ensure!(checked.status.success(), "check.sh: {}", said(&checked));
    let outputs = std::fs::read_to_string(runner.at("output"))?;
    for line in ["exit-code=0", "result=passed", "failed=", "seed=0x7", "report-dir=reports"] {
        ensure!(outputs.lines().any(|told| told == line), "{line} is not among the outputs: {outputs}");
    }
    for report in ["report.json", "junit.xml", "report.html"] {
        ensure!(runner.at("reports").join(report).is_file(), "{report} was not written");
    }
    let summary = std::fs::read_to_string(runner.at("summary"))?;
    ensure!(!summary.is_empty(), "the summary of the step is empty");
    // What stands for a command in a shell is a word here.
    std::fs::write(runner.at("output"), "")?;
    let tricked = runner.run("check.sh", &inputs("--only '$(touch tricked)' ; touch tricked")).await?;
    ensure!(tricked.status.code() == Some(2), "check.sh took `;` for a word: {}", said(&tricked));
    ensure!(!runner.at("tricked").exists(), "check.sh ran what it was given as arguments");
    let outputs = std::fs::read_to_string(runner.at("output"))?;
    for line in ["exit-code=2", "result=usage", "report-dir=reports"] {
        ensure!(outputs.lines().any(|told| told == line), "{line} is not among the outputs: {outputs}");
    }
    receiver.stop().await
}

/// A load is compared with a baseline that is there, and the step ends as that does.
async fn loads(world: &World, runner: &Runner) -> anyhow::Result<()> {
    let receiver = world.durable.serve("127.0.0.1:0", Kept::Memory, &[]).await?;
    let baseline = runner.at("baseline.json").display().to_string();
    let load = async |baseline: &str, expected: i32| {
        let inputs = [
            ("INPUT_URL", receiver.url()),
            (
                "INPUT_ARGS",
                "--rate 100 --duration 6s --connections 4 --threads 1 --seed 7 --assert 'errors==0'",
            ),
            ("INPUT_BASELINE", baseline),
            // How fast this machine is, is no matter here.
            ("INPUT_COMPARE_ARGS", "--floor 10s --tolerate 'rate=20%'"),
            ("INPUT_REPORT_DIR", "loads"),
        ];
        std::fs::write(runner.at("output"), "")?;
        let loaded = runner.run("load.sh", &inputs).await?;
        ensure!(loaded.status.code() == Some(expected), "load.sh, and not {expected}: {}", said(&loaded));
        Ok(std::fs::read_to_string(runner.at("output"))?)
    };
    let outputs = load("", 0).await?;
    for line in ["exit-code=0", "result=passed", "seed=0x7", "report-dir=loads"] {
        ensure!(outputs.lines().any(|told| told == line), "{line} is not among the outputs: {outputs}");
    }
    let reports = runner.at("loads");
    for report in ["load.json", "load.html", "load.hlog"] {
        ensure!(reports.join(report).is_file(), "{report} was not written");
    }
    let report = std::fs::read_to_string(reports.join("load.json"))?;
    std::fs::write(&baseline, &report)?;
    load(&baseline, 0).await?;
    ensure!(reports.join("changes.md").is_file(), "the comparison was not written");
    // One that was twice as fast.
    let mut twice: serde_json::Value = serde_json::from_str(&report)?;
    for interval in twice["series"].as_array_mut().context("no series")? {
        interval["sent"] = (interval["sent"].as_u64().unwrap_or_default() * 2).into();
    }
    std::fs::write(&baseline, twice.to_string())?;
    for (baseline, code, expected) in [
        (baseline.as_str(), 1, ["exit-code=1", "result=regression", "failed=rate"]),
        ("/nowhere.json", 2, ["exit-code=2", "result=usage", "failed="]),
    ] {
        let outputs = load(baseline, code).await?;
        for line in expected {
            // Of what is told twice the last counts.
            let name = line.split('=').next().unwrap_or_default();
            let told = outputs.lines().rfind(|told| told.split('=').next() == Some(name));
            ensure!(told == Some(line), "{line} is not what the outputs come to: {outputs}");
        }
    }
    receiver.stop().await
}

/// What a release is packed into is installed, where it has the checksum that was given.
async fn releases(program: &Path) -> anyhow::Result<()> {
    let runner = Runner::new()?;
    let version = env!("CARGO_PKG_VERSION");
    let target = target(&runner).await?;
    let archive = format!("piopiy-mock-{version}-{target}.tar.gz");
    let releases = runner.at("releases");
    let folder = releases.join(format!("v{version}"));
    std::fs::create_dir_all(&folder)?;
    let built = program.parent().context("a program without a folder")?;
    let mut pack = Command::new("bash");
    pack.arg(workspace::root().join(".github/release/pack.sh")).arg(&target).arg(built).arg(&folder);
    let licences = folder.join("licences.txt");
    std::fs::write(&licences, crate::release::licences::text()?)?;
    pack.env("LICENCES", &licences);
    let packed = pack.output().await.context("cannot start bash for pack.sh")?;
    ensure!(packed.status.success(), "pack.sh: {}", said(&packed));
    ensure!(folder.join(&archive).is_file(), "pack.sh made no {archive}: {}", said(&packed));
    let sum = Command::new("sha256sum")
        .arg(folder.join(&archive))
        .output()
        .await
        .context("cannot start sha256sum")?;
    let sum = String::from_utf8_lossy(&sum.stdout).split_whitespace().next().unwrap_or_default().to_owned();
    let url = format!("file://{}", releases.display());
    let inputs = |sum| {
        [
            ("INPUT_VERSION", version),
            ("INPUT_SHA256", sum),
            ("RELEASES", url.as_str()),
            ("RELEASES_PROTOCOL", "=file"),
        ]
    };
    for (sum, expected) in [("", "no checksum is known for"), ("00", "it is not installed")] {
        let refused = runner.run("install.sh", &inputs(sum)).await?;
        let told = said(&refused);
        ensure!(refused.status.code() == Some(3) && told.contains(expected), "checksum {sum:?}: {told}");
        ensure!(!runner.at("piopiy-mock/bin/piopiy-mock").exists(), "installed in spite of checksum {sum:?}");
    }
    std::fs::write(runner.at("output"), "")?;
    let elsewhere = [inputs(&sum).as_slice(), &[("RELEASES", "file:///nowhere")]].concat();
    let unfetched = runner.run("install.sh", &elsewhere).await?;
    let outputs = std::fs::read_to_string(runner.at("output"))?;
    ensure!(unfetched.status.code() == Some(3), "a release that is not there: {}", said(&unfetched));
    ensure!(
        said(&unfetched).contains("::error title=piopiy-mock::"),
        "nothing is told: {}",
        said(&unfetched)
    );
    ensure!(outputs == "result=environment\nexit-code=3\n", "a release that is not there: {outputs}");
    let installed = runner.run("install.sh", &inputs(&sum)).await?;
    ensure!(installed.status.success(), "install.sh: {}", said(&installed));
    ensure!(runner.at("piopiy-mock/bin/piopiy-mock").is_file(), "the release was not installed");
    for file in
        ["completions/piopiy-mock.bash", "man/piopiy-mock.1", "man/piopiy-mock-check.1", "LICENSE-MIT"]
    {
        let beside = runner.at("piopiy-mock/bin").join(file);
        ensure!(beside.metadata().is_ok_and(|file| file.len() > 0), "the archive has no {file}");
    }
    Ok(())
}

/// What the script calls this machine: it says so where it knows no checksum.
async fn target(runner: &Runner) -> anyhow::Result<String> {
    let refused = runner.run("install.sh", &[("INPUT_VERSION", "0.0.0")]).await?;
    let told = said(&refused);
    let (_, rest) = told.split_once("piopiy-mock-0.0.0-").with_context(|| format!("not refused: {told}"))?;
    let (target, _) = rest.split_once(".tar.gz").context("no archive is named")?;
    Ok(target.to_owned())
}

fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    format!("{}\n{}\n{}", output.status, text(&output.stdout), text(&output.stderr))
}
