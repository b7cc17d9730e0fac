//! As fast as webhooks are acknowledged, with nothing stored at first: the contenders take turns in each round.

use anyhow::Context as _;
use piopiy_events::Profile as Wire;

use super::clients::Clients;
use super::contender::{Contender, Programs};
use super::{CONNECTIONS, Effort, Goal, Row, Section, Series, per_second, percent, runtime, us};
use crate::{process, traffic};

/// What came of a contender, round by round.
#[derive(Debug, Default)]
struct Measured {
    rate: Series,
    cpu: Series,
    per_commit: Series,
}

/// Closed loop over keep-alive connections, every id fresh.
///
/// # Errors
/// Where a webhook is not acknowledged, or what is stored is not what was acknowledged.
pub(in crate::bench) fn rates(effort: Effort) -> anyhow::Result<Section> {
    let programs = Programs::all()?;
    let runtime = runtime()?;
    let mut all: Vec<(Contender, Measured)> =
        programs.contenders().into_iter().map(|contender| (contender, Measured::default())).collect();
    for _ in 0..effort.rounds {
        let bodies: Vec<_> =
            traffic::bodies(Wire::Global, traffic::fresh_nonce()).take(effort.webhooks).collect();
        for (contender, measured) in &mut all {
            runtime.block_on(round(&programs, *contender, &bodies, measured))?;
        }
        // Who goes first changes, so that none always has the warmer machine.
        all.rotate_left(1);
    }
    Ok(Section {
        title: format!(
            "Durable receive: {} webhooks with fresh ids over {CONNECTIONS} connections, receiver on one core",
            effort.webhooks
        ),
        note: format!("{} rounds", effort.rounds),
        rows: rows(&all)?,
    })
}

async fn round(
    programs: &Programs,
    contender: Contender,
    bodies: &[Vec<u8>],
    measured: &mut Measured,
) -> anyhow::Result<()> {
    // What is compiled while it runs, as Node.js does it, is compiled by then.
    let (first, rest) = bodies.split_at(bodies.len() / 10);
    // It takes several times as long, and its rate is no other for that.
    let rest = if contender == Contender::Express { &rest[..rest.len() / 3] } else { rest };
    let started = programs.start(contender).await?;
    let mut clients = Clients::connect(started.process.address()).await?;
    clients.post(first).await?;
    let commits = started.commits().await?;
    let cpu = process::cpu(started.process.id()?)?;
    let seconds = clients.post(rest).await?;
    let cpu = process::cpu(started.process.id()?)? - cpu;
    let posted = rest.len() as f64;
    measured.rate.push(posted / seconds);
    measured.cpu.push(cpu.as_secs_f64() * 1e6 / posted);
    if let (Some(before), Some(after)) = (commits, started.commits().await?) {
        measured.per_commit.push(posted / (after - before));
    }
    // Connections that are open hold up the end.
    drop(clients);
    programs.stop(started, first.len() + rest.len()).await
}

fn rows(all: &[(Contender, Measured)]) -> anyhow::Result<Vec<Row>> {
    let of = |it| all.iter().find(|(contender, _)| *contender == it).map(|(_, measured)| measured);
    let (memory, sqlite) =
        of(Contender::Memory).zip(of(Contender::Sqlite)).context("not all was measured")?;
    let mut rows = Vec::new();
    for (contender, shown, name, goal) in [
        (Contender::Memory, "`--store memory`", "", 0.0),
        (Contender::Sqlite, "`--store sqlite:FILE`", "SQLite", 0.70),
        (Contender::Postgres, "`--store postgres://…`, the server on the same machine", "PostgreSQL", 0.35),
        (Contender::Express, "Express and body-parser, which store nothing, a third as many", "", 0.0),
    ] {
        let Some(measured) = of(contender) else { continue };
        rows.push(Row::new(format!("{shown}: rate"), &measured.rate, per_second));
        rows.push(Row::new(format!("{shown}: CPU of the receiver for each"), &measured.cpu, us));
        if goal > 0.0 {
            let per_commit = |count| format!("{count:.1}");
            rows.push(Row::new(format!("webhooks per commit, {name}"), &measured.per_commit, per_commit));
            let over = measured.rate.over(&memory.rate);
            rows.push(Row::with_goal(format!("{name} over memory"), &over, percent, Goal::AtLeast(goal)));
        }
    }
    if let Some(express) = of(Contender::Express) {
        let over = sqlite.rate.over(&express.rate);
        let form = |ratio| format!("{ratio:.2}");
        rows.push(Row::with_goal("SQLite over Express and body-parser", &over, form, Goal::AtLeast(4.0)));
    }
    Ok(rows)
}
