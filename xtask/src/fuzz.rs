//! `cargo xtask fuzz`: libFuzzer on what reads bytes from outside, from the samples on.
//!
//! The flags are those of `cargo fuzz -s none`, which stable Rust has; cargo-fuzz itself is not needed.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, ensure};

use crate::tally::Tally;
use crate::workspace;

/// What to run, and for how long.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Only this target; all where none is named
    target: Option<String>,
    /// Seconds for each
    #[arg(long, default_value_t = 30)]
    seconds: u32,
    /// What the mutations follow from; 0 for another each time
    #[arg(long, default_value_t = 0)]
    seed: u32,
}

/// The package, which is a workspace of its own.
const FOLDER: &str = "crates/mock-platform/fuzz";
/// A target may take so many seconds for one input, and so many MiB in all.
const LIMITS: [&str; 2] = ["-timeout=10", "-rss_limit_mb=2048"];

/// What libFuzzer has to see of a program: which branches are taken, and what is compared with what.
const FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1";

/// The targets, and where their first inputs are: files, or the files of folders.
const TARGETS: [(&str, &[&str]); 8] = [
    (
        "webhook",
        &[
            "fixtures/wire/global",
            "fixtures/wire/global-2022",
            "fixtures/wire/india",
            "fixtures/wire/chub",
            "fixtures/wire/chub-india",
            "fixtures/wire/guess",
        ],
    ),
    ("call_flow", &["fixtures/wire/pcmo"]),
    ("rest", &["fixtures/wire/rest"]),
    ("scenario", &["fixtures/scenarios"]),
    ("config", &["crates/mock-platform/src/cli/config/platform.toml"]),
    (
        "receiver_config",
        &["crates/receiver/src/cli/config/default.toml", "crates/mock-platform/fuzz/seeds/receiver_config"],
    ),
    ("stream", &["fixtures/wire/ws"]),
    ("observe", &["crates/mock-platform/fuzz/seeds/observe"]),
];

/// Builds the targets, and runs each.
///
/// # Errors
/// Where there is no such target, or they do not build.
pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let chosen = |name: &str| options.target.as_deref().is_none_or(|target| target == name);
    let chosen: Vec<_> = TARGETS.into_iter().filter(|(name, _)| chosen(name)).collect();
    let names = TARGETS.map(|(name, _)| name).join(", ");
    ensure!(!chosen.is_empty(), "there is no target {:?}; there are {names}", options.target);
    let mut tally = Tally::default();
    let programs = build()?;
    for (name, seeds) in chosen {
        tally.part(name, || fuzz(&programs, name, seeds, options));
    }
    Ok(tally.finish())
}

/// Compiles all targets, without what only running them needs: libFuzzer, and so a C++ compiler.
///
/// # Errors
/// Where one has a warning or does not compile.
pub(crate) fn check() -> anyhow::Result<String> {
    let mut cargo = workspace::cargo();
    cargo.args(["check", "--quiet", "--locked", "--manifest-path"]);
    cargo.arg(format!("{FOLDER}/Cargo.toml")).arg("--target-dir").arg(target_folder());
    cargo.env("RUSTFLAGS", "-D warnings --cfg fuzzing").env_remove("CARGO_ENCODED_RUSTFLAGS");
    // Nothing is linked, so it need not be there.
    cargo.env("CUSTOM_LIBFUZZER_PATH", "/libfuzzer.a");
    workspace::run(&mut cargo)?;
    Ok(format!("{} targets", TARGETS.len()))
}

/// Builds all targets, and says where they are.
fn build() -> anyhow::Result<PathBuf> {
    let host = host()?;
    let target = target_folder();
    let mut cargo = workspace::cargo();
    cargo.args(["build", "--release", "--locked", "--manifest-path", &format!("{FOLDER}/Cargo.toml")]);
    // With a target named, what runs while it is built (scripts, macros) is not instrumented.
    cargo.args(["--target", &host, "--target-dir"]).arg(&target);
    workspace::run(cargo.env("RUSTFLAGS", FLAGS).env_remove("CARGO_ENCODED_RUSTFLAGS"))?;
    Ok(target.join(host).join("release"))
}

/// Beside what else is built, so that it is removed with it.
fn target_folder() -> PathBuf {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace::root().join("target"), PathBuf::from);
    target.join("fuzz")
}

fn host() -> anyhow::Result<String> {
    let output = workspace::command("rustc").arg("-vV").output().context("cannot start rustc")?;
    let told = String::from_utf8_lossy(&output.stdout);
    let host = told.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc names no host")?;
    Ok(host.to_owned())
}

fn fuzz(programs: &Path, name: &str, seeds: &[&str], options: &Options) -> anyhow::Result<String> {
    let (corpus, found) = (target_folder().join("corpus").join(name), target_folder().join("found"));
    for folder in [&corpus, &found] {
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    let count = plant(seeds, &corpus)?;
    let mut fuzzer = workspace::command(programs.join(name));
    fuzzer.arg(&corpus).args(LIMITS).args(["-print_final_stats=1", "-verbosity=0"]);
    fuzzer.arg(format!("-max_total_time={}", options.seconds)).arg(format!("-seed={}", options.seed));
    fuzzer.arg(format!("-artifact_prefix={}/{name}-", found.display()));
    let output = fuzzer.output().with_context(|| format!("cannot start {name}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "found something; the input is in {}:\n{said}", found.display());
    let runs = runs(&said).with_context(|| format!("no count of runs in: {said}"))?;
    ensure!(runs > 0, "nothing was run: {said}");
    Ok(format!("{runs} inputs in {} s, from {count} samples on", options.seconds))
}

/// Copies the samples into the corpus, where those that were found before are.
fn plant(seeds: &[&str], corpus: &Path) -> anyhow::Result<usize> {
    let mut count = 0;
    for seed in seeds {
        let seed = workspace::root().join(seed);
        let files = if seed.is_dir() { workspace::files_under(&seed)? } else { vec![seed] };
        for file in files {
            let name = workspace::relative(&file).replace('/', "-");
            std::fs::copy(&file, corpus.join(name)).with_context(|| file.display().to_string())?;
            count += 1;
        }
    }
    Ok(count)
}

/// How many inputs were run, by libFuzzer's own count.
fn runs(said: &str) -> Option<u64> {
    said.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{FOLDER, TARGETS, plant, runs};
    use crate::workspace;

    #[test]
    fn every_target_is_run_from_samples_on() {
        let manifest = std::fs::read_to_string(workspace::root().join(FOLDER).join("Cargo.toml")).unwrap();
        let files = workspace::files_under(&workspace::root().join(FOLDER).join("fuzz_targets")).unwrap();
        let files: BTreeSet<_> = files.iter().filter_map(|file| file.file_stem()?.to_str()).collect();
        assert_eq!(files, TARGETS.iter().map(|(name, _)| *name).collect());
        for (name, seeds) in TARGETS {
            assert!(manifest.contains(&format!("[[bin]]\nname = \"{name}\"\n")), "{name} is not built");
            let corpus = tempfile::tempdir().unwrap();
            assert!(plant(seeds, corpus.path()).unwrap() > 0, "{name} has no samples");
        }
    }

    #[test]
    fn what_was_run_is_counted_by_the_fuzzer() {
        assert_eq!(runs("#1 INITED\nstat::number_of_executed_units: 4711\nstat::x: 1"), Some(4711));
        assert_eq!(runs("nothing"), None);
    }
}
