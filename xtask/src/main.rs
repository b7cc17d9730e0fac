//! Every task of the project: `cargo xtask --help`.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool")]

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod bench;
mod cargo_test;
mod ci;
mod demo;
mod disk_pacer;
mod docs;
mod fixtures;
mod fuzz;
mod gallery;
mod generated;
mod http1;
mod integration;
mod load_ledger;
mod mock;
mod observe;
mod pace;
mod pacer;
mod process;
mod receivers;
mod recorder;
mod release;
mod sink;
mod tally;
mod test;
mod tidy;
mod traffic;
mod workspace;

/// Every task of the project.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Show simulated calls arriving at the durable receiver, with nothing lost and nothing doubled
    Demo(demo::Options),
    /// Run all tests: the workspace's, and those of the receivers that need Node or Python
    Test(test::Options),
    /// Run the static checks: formatting, lints, docs, each feature alone, drift, tidiness, dependencies
    Ci(ci::Options),
    /// Run whole calls, failing receivers, crashes, deadlines and the schedule, for real over loopback
    Integration(integration::Options),
    /// Measure: parsing, generating, durable receiving, loads; in interleaved rounds, with medians
    Bench(bench::Options),
    /// Run every check against every flaw of the gallery, and write or compare the matrix
    Gallery(gallery::Options),
    /// Write every generated file anew: schemas, OpenAPI document, golden plans
    Fixtures(fixtures::Options),
    /// Write the pages of the guide that follow from the code: checks, commands, evidence
    Docs(docs::Options),
    /// Say whether the version is the same everywhere, and print the notes of a release
    Release(release::Options),
    /// Run libFuzzer on what reads bytes from outside
    Fuzz(fuzz::Options),
    /// The application of the runs `stream/…`
    #[command(hide = true)]
    EchoApplication,
    /// The receiver of loads that are measured
    #[command(hide = true)]
    Sink(sink::Options),
    /// The sender beside which paces are measured
    #[command(hide = true)]
    Pacer(pacer::Options),
    /// What writes to the disk beside which durable paces are measured
    #[command(hide = true)]
    DiskPacer(disk_pacer::Options),
    /// The crowd of `campaign/slow-clients`
    #[command(hide = true)]
    SlowClients(integration::campaign::crowd::Options),
    /// What `stream/hundred` measures
    #[command(hide = true)]
    HundredStreams,
}

fn main() -> ExitCode {
    let done = match Cli::parse().task {
        Task::Demo(options) => demo::run(&options),
        Task::Test(options) => test::run(&options),
        Task::Ci(options) => ci::run(&options),
        Task::Integration(options) => integration::run(&options),
        Task::Bench(options) => bench::run(&options),
        Task::Gallery(options) => gallery::run(&options),
        Task::Fixtures(options) => fixtures::run(&options),
        Task::Docs(options) => docs::run(&options),
        Task::Release(options) => release::run(&options),
        Task::Fuzz(options) => fuzz::run(&options),
        Task::Sink(options) => sink::serve(&options),
        Task::Pacer(options) => pacer::send(&options),
        Task::DiskPacer(options) => disk_pacer::write(&options),
        Task::SlowClients(options) => integration::campaign::crowd::run(&options),
        Task::EchoApplication => integration::stream::serve_echo(),
        Task::HundredStreams => integration::stream::measure_hundred(),
    };
    done.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
