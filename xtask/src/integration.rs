//! `cargo xtask integration`: real runs over loopback.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use piopiy_events::Profile;
use piopiy_mock_platform::deliver::Redelivery;

use crate::receivers::{Careful, Documented, Durable};
use crate::tally::{Missing, Tally};
use crate::{traffic, workspace};

mod action;
mod calls;
pub(crate) mod campaign;
mod careful;
mod check;
mod console;
mod crash;
mod deadlines;
mod drain;
mod every_page;
mod examples;
mod explore;
mod failures;
mod frameworks;
mod full_disk;
mod load;
mod measured;
mod pages;
mod python;
mod readme;
mod receiver_page;
mod recipes;
mod reproducers;
mod schedule;
mod schemathesis;
mod sdk;
pub(crate) mod stream;
mod syncs;
mod webdriver;

/// Which runs, and what to do with those that cannot run here.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Only the runs whose name begins with this
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    /// Print the names of the runs, and run none
    #[arg(long)]
    list: bool,
    /// Fail, instead of skipping by name, where a program that a run needs is missing
    #[arg(long)]
    require_all: bool,
    /// What random choices follow from; a fresh one, printed, where none is given
    #[arg(long)]
    seed: Option<u64>,
    /// Take the time: `check` with 20 seeds on every rung, crashes and campaigns with 4 to 20 times as much
    #[arg(long)]
    soak: bool,
}

/// What every run is given.
#[derive(Debug)]
struct World {
    durable: Durable,
    /// What random choices follow from.
    seed: u64,
    /// What the ids of the webhooks follow from.
    nonce: u64,
    /// Whether there is time for many seeds.
    soak: bool,
}

/// One run.
#[derive(Debug, Clone, Copy)]
enum Run {
    /// The mock platform against `piopiy-receiver`.
    Durable(Profile, Redelivery),
    /// The same, with faults.
    Chaos,
    /// The mock platform against a documented receiver, which stores nothing and so doubles effects.
    Documented(Documented, Profile, Redelivery),
    /// The mock platform against a receiver that fails.
    Failure(failures::Failure),
    /// The redelivery schedule, as the receiving side sees it.
    Schedule(Redelivery),
    /// Clients that never finish.
    Deadlines(Option<Duration>),
    /// SIGTERM under way.
    Drain,
    /// SIGKILL again and again.
    Crash,
    /// The same with its store in PostgreSQL, which crashes too.
    CrashPostgres,
    /// Something else goes wrong again and again.
    Campaign(campaign::Campaign),
    /// One sync for every commit.
    Syncs,
    /// `piopiy-mock check` on `piopiy-receiver` finds nothing.
    Check(check::Observation),
    /// The same with its store in PostgreSQL.
    CheckPostgres,
    /// And is over in time.
    CheckInTime,
    /// `piopiy-mock check --explore` on `piopiy-receiver` finds nothing.
    Explore,
    /// On a receiver that asks before it inserts it finds the two deliveries that it takes.
    ExploreRace,
    /// The action for GitHub, step by step.
    Action,
    /// `piopiy-mock check` on a documented receiver finds what was measured.
    Measured(Documented),
    /// And the debugger of the one that has one.
    Debugger,
    /// `piopiy-mock check` on a receiver in another language: nothing on the correct one, and every flaw.
    Careful(Careful),
    /// What failed checks leave behind, of ten flaws.
    Reproducers,
    /// The same by TLS.
    ReproducersByTls,
    /// The same of webhooks that are signed.
    ReproducersSigned,
    /// The test in Rust that one leaves behind.
    ReproducerTest,
    /// An application of `examples/`, called.
    Example(examples::Example),
    /// `piopiy-mock check` on the receiver for a framework: nothing but what is known.
    Framework(examples::Example),
    /// The receiver for Express on a disk that is full.
    FullDisk,
    /// The test that a page shows, on the application that it names.
    Page(pages::Page),
    /// The console, in a browser.
    Console,
    /// The page of the receiver, in a browser.
    ReceiverPage,
    /// Requests after the OpenAPI document of the REST APIs, right and wrong ones.
    Schemathesis,
    /// The same of the control API.
    SchemathesisControl,
    /// An SDK of PIOPIY's against the REST APIs.
    Sdk(sdk::Sdk),
    /// One audio stream, sample by sample.
    StreamEcho,
    /// A hundred of them at once.
    StreamHundred,
    /// A load whose generator gets a tenth of a core.
    LoadStarved,
    /// The largest rate of a receiver that has a known one.
    LoadCapacity,
    /// A load that four processes share.
    LoadShards,
    /// Loads at a rate, and what the receiver saw of the planned instants.
    LoadPace,
    /// A load on a receiver that stalls.
    LoadStall,
    /// A load of 100,000 calls at once.
    LoadCalls,
    /// What a load writes, read by the tools of others.
    LoadTools,
    /// Workflows and manifests, read by the schemas of their tools.
    Recipes,
    /// The commands of the README.
    Readme,
    /// Those of the tutorials.
    Tutorials,
}

const POLICIES: [Redelivery; 2] = [Redelivery::UntilAck, Redelivery::Always];

/// Every run there is, by name.
fn all() -> Vec<(String, Run)> {
    let mut runs = Vec::new();
    for profile in Profile::ALL {
        for policy in POLICIES {
            runs.push((format!("piopiy-receiver/{profile}/{policy}"), Run::Durable(profile, policy)));
        }
    }
    runs.push(("piopiy-receiver/chaos".to_owned(), Run::Chaos));
    for receiver in Documented::ALL {
        for profile in Profile::ALL {
            for policy in POLICIES {
                let name = receiver.name().replace(" receiver", "");
                runs.push((format!("{name}/{profile}/{policy}"), Run::Documented(receiver, profile, policy)));
            }
        }
    }
    runs.extend(failures::Failure::ALL.map(|failure| (format!("failing/{failure}"), Run::Failure(failure))));
    runs.extend(POLICIES.map(|policy| (format!("schedule/{policy}"), Run::Schedule(policy))));
    runs.push(("deadlines/configured".to_owned(), Run::Deadlines(Some(Duration::from_secs(2)))));
    runs.push(("deadlines/default".to_owned(), Run::Deadlines(None)));
    runs.push(("drain".to_owned(), Run::Drain));
    runs.push(("crash".to_owned(), Run::Crash));
    runs.push(("crash/postgres".to_owned(), Run::CrashPostgres));
    runs.extend(campaign::Campaign::ALL.map(|it| (format!("campaign/{}", it.name()), Run::Campaign(it))));
    runs.push(("syncs".to_owned(), Run::Syncs));
    runs.extend(check::Observation::ALL.map(|seen| (format!("check/{}", seen.name()), Run::Check(seen))));
    runs.push(("check/postgres".to_owned(), Run::CheckPostgres));
    runs.push(("check/in-time".to_owned(), Run::CheckInTime));
    runs.push(("explore/piopiy-receiver".to_owned(), Run::Explore));
    runs.push(("explore/asks-then-inserts".to_owned(), Run::ExploreRace));
    runs.push(("action".to_owned(), Run::Action));
    runs.extend(Documented::ALL.map(|receiver| {
        (format!("check/{}", receiver.name().replace(" receiver", "")), Run::Measured(receiver))
    }));
    runs.extend(Careful::ALL.map(|it| (format!("check/careful-{}", it.name()), Run::Careful(it))));
    runs.push(("check/flask-debug".to_owned(), Run::Debugger));
    runs.push(("reproducers/picked".to_owned(), Run::Reproducers));
    runs.push(("reproducers/tls".to_owned(), Run::ReproducersByTls));
    runs.push(("reproducers/signed".to_owned(), Run::ReproducersSigned));
    runs.push(("reproducers/test.rs".to_owned(), Run::ReproducerTest));
    runs.extend(examples::Example::ALL.map(|it| (format!("examples/{}", it.name()), Run::Example(it))));
    runs.extend(examples::Example::ALL.map(|it| (format!("receivers/{}", it.name()), Run::Framework(it))));
    runs.push(("receivers/express-full-disk".to_owned(), Run::FullDisk));
    runs.extend(pages::Page::ALL.map(|it| (format!("pages/{}", it.name()), Run::Page(it))));
    runs.push(("console/browser".to_owned(), Run::Console));
    runs.push(("page/browser".to_owned(), Run::ReceiverPage));
    runs.extend(sdk::Sdk::ALL.map(|it| (format!("sdk/{}", it.name()), Run::Sdk(it))));
    runs.push(("rest/schemathesis".to_owned(), Run::Schemathesis));
    runs.push(("control/schemathesis".to_owned(), Run::SchemathesisControl));
    runs.push(("stream/echo".to_owned(), Run::StreamEcho));
    runs.push(("stream/hundred".to_owned(), Run::StreamHundred));
    runs.push(("load/starved".to_owned(), Run::LoadStarved));
    runs.push(("load/capacity".to_owned(), Run::LoadCapacity));
    runs.push(("load/shards".to_owned(), Run::LoadShards));
    runs.push(("load/pace".to_owned(), Run::LoadPace));
    runs.push(("load/stall".to_owned(), Run::LoadStall));
    runs.push(("load/calls".to_owned(), Run::LoadCalls));
    runs.push(("load/tools".to_owned(), Run::LoadTools));
    runs.push(("recipes".to_owned(), Run::Recipes));
    runs.push(("readme".to_owned(), Run::Readme));
    runs.push(("tutorials".to_owned(), Run::Tutorials));
    runs
}

/// Runs what was asked for.
///
/// # Errors
/// Where no run has such a name, or the receiver does not build.
pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let only = options.only.as_deref().unwrap_or_default();
    let runs: Vec<_> = all().into_iter().filter(|(name, _)| name.starts_with(only)).collect();
    ensure!(!runs.is_empty(), "no run is named `{only}…`; `cargo xtask integration --list` names all");
    if options.list {
        runs.iter().for_each(|(name, _)| println!("{name}"));
        return Ok(ExitCode::SUCCESS);
    }
    let mut tally = Tally::default();
    let world = World {
        durable: Durable::build(workspace::Profile::Dev)?,
        seed: options.seed.unwrap_or_else(traffic::fresh_nonce),
        nonce: traffic::fresh_nonce(),
        soak: options.soak,
    };
    println!("{} runs; --seed {} repeats the random choices", runs.len(), world.seed);
    let runtime = tokio::runtime::Runtime::new().context("cannot start a runtime")?;
    for (name, run) in runs {
        match run.missing() {
            Some(missing) => tally.skip(&name, &missing, options.require_all),
            None => tally.part(&name, || {
                run.set_up()?;
                runtime.block_on(run.perform(&world))
            }),
        }
    }
    Ok(tally.finish())
}

impl Run {
    /// What it needs that this machine has not.
    fn missing(self) -> Option<Missing> {
        match self {
            Self::Documented(receiver, ..) | Self::Measured(receiver) => receiver.missing(),
            Self::Debugger => Documented::Flask.missing(),
            Self::Careful(receiver) => receiver.missing(),
            Self::Example(example) => example.missing(),
            Self::Framework(example) => frameworks::missing(example),
            Self::FullDisk => full_disk::missing(),
            Self::Page(page) => page.missing(),
            Self::Campaign(campaign) => campaign.missing(),
            Self::Sdk(sdk) => sdk.missing(),
            Self::Schemathesis | Self::SchemathesisControl | Self::LoadTools | Self::Recipes => {
                sdk::Sdk::Python.missing()
            }
            Self::Console | Self::ReceiverPage => webdriver::missing(),
            Self::Readme | Self::Tutorials if !workspace::works("bash", &["--version"]) => {
                Some(Missing("bash"))
            }
            Self::CheckPostgres | Self::CrashPostgres if piopiy_postgres::programs().is_none() => {
                Some(Missing(piopiy_postgres::PACKAGE))
            }
            Self::Syncs if !workspace::works("strace", &["-V"]) => Some(Missing("strace")),
            Self::Action => {
                let missing = ["bash", "curl", "tar", "sha256sum"];
                missing.into_iter().find(|name| !workspace::works(name, &["--version"])).map(Missing)
            }
            Self::Reproducers | Self::ReproducersByTls | Self::ReproducersSigned => {
                let missing = ["bash", "curl", "python3"];
                missing.into_iter().find(|name| !workspace::works(name, &["--version"])).map(Missing)
            }
            _ => None,
        }
    }

    fn set_up(self) -> anyhow::Result<()> {
        match self {
            Self::Documented(receiver, ..) | Self::Measured(receiver) => receiver.set_up(),
            Self::Debugger => Documented::Flask.set_up(),
            Self::Example(example) | Self::Framework(example) => example.set_up(),
            Self::FullDisk => examples::Example::Express.set_up(),
            Self::Page(page) => page.set_up(),
            Self::Sdk(sdk) => sdk.set_up(),
            Self::Schemathesis | Self::SchemathesisControl => schemathesis::set_up(),
            Self::LoadTools => load::tools::set_up(),
            Self::Recipes => recipes::set_up(),
            _ => Ok(()),
        }
    }

    async fn perform(self, world: &World) -> anyhow::Result<String> {
        match self {
            Self::Durable(profile, policy) => calls::durable(world, profile, policy).await,
            Self::Chaos => calls::chaos(world).await,
            Self::Documented(receiver, profile, policy) => calls::documented(receiver, profile, policy).await,
            Self::Failure(failure) => failures::run(failure).await,
            Self::Schedule(policy) => schedule::run(policy).await,
            Self::Deadlines(deadline) => deadlines::run(world, deadline).await,
            Self::Drain => drain::run(world).await,
            Self::Crash => crash::run(world).await,
            Self::CrashPostgres => crash::on_postgres(world).await,
            Self::Campaign(campaign) => campaign.run(world).await,
            Self::Syncs => syncs::run(world).await,
            Self::Check(observation) => check::clean(world, observation).await,
            Self::CheckPostgres => check::on_postgres(world).await,
            Self::CheckInTime => check::in_time().await,
            Self::Explore => explore::clean(world).await,
            Self::ExploreRace => explore::race(world).await,
            Self::Action => action::run(world).await,
            Self::Measured(receiver) => measured::run(receiver).await,
            Self::Debugger => measured::debugger().await,
            Self::Careful(receiver) => careful::run(receiver).await,
            Self::Reproducers => reproducers::picked(world).await,
            Self::ReproducersByTls => reproducers::by_tls().await,
            Self::ReproducersSigned => reproducers::signed().await,
            Self::ReproducerTest => reproducers::rust_test(world).await,
            Self::Example(example) => examples::run(example).await,
            Self::Framework(example) => frameworks::run(example).await,
            Self::FullDisk => full_disk::run().await,
            Self::Page(page) => pages::run(page).await,
            Self::Console => console::run().await,
            Self::ReceiverPage => receiver_page::run(world).await,
            Self::Sdk(sdk) => sdk::run(sdk).await,
            Self::Schemathesis => schemathesis::rest(world).await,
            Self::SchemathesisControl => schemathesis::control(world).await,
            Self::StreamEcho => stream::one().await,
            Self::StreamHundred => stream::hundred().await,
            Self::LoadStarved => load::starved().await,
            Self::LoadCapacity => load::capacity().await,
            Self::LoadShards => load::shards::run().await,
            Self::LoadPace => load::exactness::pace().await,
            Self::LoadStall => load::exactness::stall().await,
            Self::LoadCalls => load::calls::run().await,
            Self::LoadTools => load::tools::run().await,
            Self::Recipes => recipes::run().await,
            Self::Readme => readme::run(world).await,
            Self::Tutorials => readme::tutorials(world).await,
        }
    }
}
