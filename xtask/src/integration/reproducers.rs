//! What failed checks leave behind makes them fail again: with `replay`, and with the scripts alone.

use std::path::Path;
use std::process::Output;

use anyhow::{Context as _, ensure};
use piopiy_gallery::{ACK_LIMIT, AUTHORIZATION, Flaw, Flawed, SETTLE, SIGNING_KEY, SLOW_LIMIT, flaws, start};
use piopiy_mock_platform::deliver::check_run::{CheckOptions, Observation, replay_case, run_checks};
use piopiy_mock_platform::deliver::{Target, Trust};
use piopiy_mock_platform::judge::check::{
    CaseFile, Hook, Malformed, Severity, SigningKey, Tag, Verdict, find,
};
use piopiy_mock_platform::judge::report::{CheckReport, Human, Reporter};

use super::World;
use crate::workspace;

/// How many flaws are picked.
const PICKED: usize = 10;
/// Those that are always among what is tried: the one mixes up other webhooks each time, and of the other's two effects only one
/// is left at the end.
const ALWAYS: [&str; 2] = ["shares-a-variable", "replaces-repeats"];

/// A race, a replacement, and ten flaws that the seed picks: `raw.sh` alone reproduces each, and so does `curl.sh` where curl can tell; `replay`
/// gives the same verdict on the same receiver and on another one with the flaw, and passes without it.
///
/// # Errors
/// Where one of them does not.
pub(super) async fn picked(world: &World) -> anyhow::Result<String> {
    let mut told = Vec::new();
    for flaw in pick(world.seed) {
        let id = flaw.kills[0];
        let name = format!("{} {id}", flaw.name);
        println!("  {name}");
        told.push(again(flaw, id).await.with_context(|| name)?);
    }
    Ok(told.join(", "))
}

/// Flaws that fail a check, with a receiver that need not be killed.
fn pick(seed: u64) -> Vec<Flaw> {
    let is_fit = |flaw: &Flaw| {
        let check = find(flaw.kills[0]);
        let waits = |tag: &Tag| matches!(tag, Tag::Slow | Tag::Soak);
        // Ids within a compressed body stay as they are: the same receiver takes them for repeats.
        let is_compressed = flaw.kills[0] == "SEC-004";
        !flaw.is_restarted
            && !is_compressed
            && check.is_some_and(|check| {
                check.severity != Severity::May && !check.tags.iter().any(waits) && check.needs.is_empty()
            })
    };
    let (mut picked, mut fit): (Vec<Flaw>, Vec<Flaw>) =
        flaws().filter(is_fit).partition(|flaw| ALWAYS.contains(&flaw.name));
    let mut state = seed;
    while picked.len() < ALWAYS.len() + PICKED && !fit.is_empty() {
        // The constants of Knuth's MMIX generator.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let at = (state >> 33) as usize % fit.len();
        picked.push(fit.swap_remove(at));
    }
    picked
}

async fn again(flaw: Flaw, id: &str) -> anyhow::Result<String> {
    let check = find(id).context("there is no such check")?;
    let folder = tempfile::tempdir()?;
    let receiver = start(flaw.name).await;
    let mut options = options(&receiver, CheckOptions::default())?;
    options.failures = Some(folder.path().to_owned());
    let target = Target::parse(&receiver.url, &[])?;
    let report = run_checks(&target, &[check], &options, &(), std::future::pending()).await?;
    let verdict = verdict(&report)?;
    ensure!(verdict == Verdict::Fail, "it did not fail: {}", Human.render(&report));

    let left = folder.path().join(id);
    let text = std::fs::read_to_string(left.join("case.json"))?;
    let file = CaseFile::parse("case.json", &text)?;
    // A receiver may have died of it.
    let is_there = tokio::net::TcpStream::connect(target.authority()).await.is_ok();
    let same = if is_there { receiver } else { start(flaw.name).await };
    let (other, correct) = (start(flaw.name).await, start("none").await);
    // What has no id of its own is a repeat for who has kept it.
    let same = (!file.may_be_a_repeat()).then_some(("the same receiver", &same, Verdict::Fail));
    for (what, receiver, wanted) in same
        .into_iter()
        .chain([("another one", &other, Verdict::Fail), ("the correct one", &correct, Verdict::Pass)])
    {
        let options = self::options(receiver, CheckOptions::of(&file))?;
        let target = Target::parse(&receiver.url, &[])?;
        let report = replay_case(&target, &file, &options, &(), std::future::pending()).await?;
        ensure!(self::verdict(&report)? == wanted, "replay, {what}: {}", Human.render(&report));
    }
    let flawed = start(flaw.name).await;
    let raw = [script(&left, "raw.sh", &flawed).await?, script(&left, "raw.sh", &correct).await?];
    ensure!(raw[0].status.code() == Some(1), "raw.sh does not reproduce it: {}", told(&raw[0]));
    ensure!(raw[1].status.code() == Some(0), "raw.sh, the correct receiver: {}", told(&raw[1]));
    let flawed = start(flaw.name).await;
    let curl = script(&left, "curl.sh", &flawed).await?;
    // 2: curl cannot express it, or not tell.
    ensure!(matches!(curl.status.code(), Some(1 | 2)), "curl.sh: {}", told(&curl));
    let by_curl = if curl.status.code() == Some(1) { " and curl" } else { "" };
    Ok(format!("{} {id} by raw{by_curl}", flaw.name))
}

/// By TLS: what is answered there, and what is taken without it. The scripts take the certificate from `CACERT`, and say so
/// where they cannot do without.
///
/// # Errors
/// Where one of them does not reproduce it.
pub(super) async fn by_tls() -> anyhow::Result<String> {
    let flawed = start("listens-without-tls-too").await;
    let correct = start("speaks-no-http2").await;
    let folder = tempfile::tempdir()?;
    let target = |receiver: &Flawed, url: &str| -> anyhow::Result<Target> {
        let pem = std::fs::read(receiver.cacert.as_ref().context("it speaks no TLS")?)?;
        Ok(Target::parse(url, &[])?.trusting(Trust::certificates(&pem)?))
    };
    let options = |receiver: &Flawed| -> anyhow::Result<CheckOptions> {
        let mut options = CheckOptions::default();
        // It refuses what is no JSON: then that is wrong.
        options.malformed = Malformed::Quarantine;
        options.observation = Some(Observation::Url(target(receiver, &receiver.observe_url)?));
        options.failures = Some(folder.path().to_owned());
        Ok(options)
    };
    let checks = ["TRN-031", "JSN-007"].map(find).into_iter().flatten().collect::<Vec<_>>();
    let to = target(&flawed, &flawed.url)?;
    let report = run_checks(&to, &checks, &options(&flawed)?, &(), std::future::pending()).await?;
    for check in &report.checks {
        ensure!(check.outcome.verdict == Verdict::Fail, "it did not fail: {}", Human.render(&report));
        let left = folder.path().join(&*check.id);
        let text = std::fs::read_to_string(left.join("case.json"))?;
        let file = CaseFile::parse("case.json", &text)?;
        let again = replay_case(&to, &file, &options(&flawed)?, &(), std::future::pending()).await?;
        ensure!(verdict(&again)? == Verdict::Fail, "replay: {}", Human.render(&again));
        for name in ["raw.sh", "curl.sh"] {
            let told = script(&left, name, &flawed).await?;
            let is_raw = name == "raw.sh";
            // How a connection is begun is not for curl to say.
            let wanted = if is_raw || check.id == "JSN-007" { 1 } else { 2 };
            ensure!(told.status.code() == Some(wanted), "{} {name}: {}", check.id, self::told(&told));
        }
    }
    let left = folder.path().join("TRN-031");
    let passed = script(&left, "raw.sh", &correct).await?;
    ensure!(passed.status.code() == Some(0), "the correct receiver: {}", told(&passed));
    let mut distrusted = correct;
    distrusted.cacert = None;
    let distrusted = script(&left, "raw.sh", &distrusted).await?;
    let text = told(&distrusted);
    ensure!(distrusted.status.code() == Some(2) && text.contains("CACERT"), "without CACERT: {text}");
    Ok("TRN-031 by raw, JSN-007 by raw and curl".to_owned())
}

/// Of webhooks that are signed: with the key they are signed anew, in the way in which they were.
///
/// # Errors
/// Where one of them does not reproduce it, or does on the correct receiver.
pub(super) async fn signed() -> anyhow::Result<String> {
    const FLAWS: [&str; 4] =
        ["takes-any-signature", "takes-old-signatures", "verifies-what-it-writes", "knows-one-signature"];
    let check = find("SEC-018").context("there is no such check")?;
    let correct = start("secure").await;
    for flaw in FLAWS {
        let folder = tempfile::tempdir()?;
        let flawed = start(flaw).await;
        let signing = |receiver: &Flawed, options: CheckOptions| -> anyhow::Result<_> {
            let mut target = Target::parse(&receiver.url, &[])?;
            let mut observe = Target::parse(&receiver.observe_url, &[])?;
            if let Some(file) = &receiver.cacert {
                let trust = Trust::certificates(&std::fs::read(file)?)?;
                (target, observe) = (target.trusting(trust.clone()), observe.trusting(trust));
            }
            let mut options = self::options(receiver, options)?;
            options.headers.clear();
            options.observation = Some(Observation::Url(observe));
            options.signing_key = Some(SigningKey::parse(SIGNING_KEY)?);
            Ok((target, options))
        };
        let (target, mut options) = signing(&flawed, CheckOptions::default())?;
        options.failures = Some(folder.path().to_owned());
        let report = run_checks(&target, &[check], &options, &(), std::future::pending()).await?;
        ensure!(verdict(&report)? == Verdict::Fail, "{flaw} did not fail: {}", Human.render(&report));
        let left = folder.path().join(check.id);
        let text = std::fs::read_to_string(left.join("case.json"))?;
        let file = CaseFile::parse("case.json", &text)?;
        for (receiver, wanted, code) in [(&flawed, Verdict::Fail, 1), (&correct, Verdict::Pass, 0)] {
            let (target, options) = signing(receiver, CheckOptions::of(&file))?;
            let again = replay_case(&target, &file, &options, &(), std::future::pending()).await?;
            ensure!(verdict(&again)? == wanted, "{flaw}, replay: {}", Human.render(&again));
            let raw = script(&left, "raw.sh", receiver).await?;
            ensure!(raw.status.code() == Some(code), "{flaw}, raw.sh: {}", told(&raw));
        }
    }
    Ok(format!("{} by raw", FLAWS.join(", ")))
}

fn verdict(report: &CheckReport) -> anyhow::Result<Verdict> {
    Ok(report.checks.first().context("nothing ran")?.outcome.verdict)
}

/// With what the gallery is made for, and all that a receiver of it has.
fn options(receiver: &Flawed, mut options: CheckOptions) -> anyhow::Result<CheckOptions> {
    options.ack_limit = ACK_LIMIT;
    options.slow_limit = SLOW_LIMIT;
    options.settle = SETTLE;
    options.capabilities = receiver.capabilities.iter().map(ToString::to_string).collect();
    options.headers = vec![(AUTHORIZATION.0.to_owned(), AUTHORIZATION.1.to_owned())];
    options.observation = Some(Observation::Url(Target::parse(&receiver.observe_url, &[])?));
    options.second = receiver.second_url.as_ref().map(|url| Target::parse(url, &[])).transpose()?;
    for hook in Hook::ALL {
        options.hooks.extend(receiver.hooks.get(hook.option()).map(|command| (hook, command.clone())));
    }
    Ok(options)
}

async fn script(folder: &Path, name: &str, receiver: &Flawed) -> anyhow::Result<Output> {
    let mut command = tokio::process::Command::new("bash");
    command.arg(folder.join(name)).arg(&receiver.url).kill_on_drop(true);
    command.env("OBSERVE_URL", &receiver.observe_url).env("PIOPIY_MOCK_TOKEN", AUTHORIZATION.1);
    command.env("SIGNING_KEY", SIGNING_KEY);
    for (option, hook) in &receiver.hooks {
        command.env(option.trim_start_matches('-').to_uppercase().replace('-', "_"), hook);
    }
    if let Some(file) = &receiver.cacert {
        command.env("CACERT", file);
    }
    Ok(command.output().await?)
}

fn told(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Where the test is built: kept, so that the second time is quick.
fn built() -> std::path::PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(std::path::PathBuf::from);
    target.unwrap_or_else(|| workspace::root().join("target")).join("reproducer")
}

/// The test in Rust compiles, fails on the flawed receiver, and passes on the correct one.
///
/// # Errors
/// Where that does not come out.
pub(super) async fn rust_test(_: &World) -> anyhow::Result<String> {
    let receiver = start("stores-repeats").await;
    let folder = tempfile::tempdir()?;
    let mut options = options(&receiver, CheckOptions::default())?;
    options.headers.clear();
    options.failures = Some(folder.path().to_owned());
    let check = find("DUP-001").context("there is no such check")?;
    let target = Target::parse(&receiver.url, &[])?;
    run_checks(&target, &[check], &options, &(), std::future::pending()).await?;

    let package = folder.path().join("package");
    std::fs::create_dir_all(package.join("tests"))?;
    std::fs::create_dir_all(package.join("src"))?;
    std::fs::write(package.join("src/lib.rs"), "")?;
    for name in ["test.rs", "case.json"] {
        std::fs::copy(folder.path().join("DUP-001").join(name), package.join("tests").join(name))?;
    }
    let root = workspace::root();
    std::fs::copy(root.join("Cargo.lock"), package.join("Cargo.lock"))?;
    let manifest = format!(
        "[package]\nname = \"reproducer\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[dev-dependencies]\npiopiy-mock-platform = {{ path = {:?} }}\ntokio = {{ version = \"1\", features = [\"macros\", \"rt-multi-thread\"] }}\n\n[workspace]\n",
        root.join("crates/mock-platform")
    );
    std::fs::write(package.join("Cargo.toml"), manifest)?;
    let correct = start("none").await;
    for (receiver, passes) in [(&receiver, false), (&correct, true)] {
        let mut cargo = tokio::process::Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
        cargo.args(["test", "--offline", "--manifest-path"]).arg(package.join("Cargo.toml"));
        cargo.env("CARGO_TARGET_DIR", built()).kill_on_drop(true);
        cargo.env("RECEIVER_URL", &receiver.url).env("OBSERVE_URL", &receiver.observe_url);
        let output = cargo.output().await?;
        let text = told(&output);
        ensure!(text.contains("test dup_001_"), "it did not run: {text}");
        ensure!(output.status.success() == passes, "it should have ended otherwise: {text}");
    }
    Ok("fails with the flaw, passes without".to_owned())
}
