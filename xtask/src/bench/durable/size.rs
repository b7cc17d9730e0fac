//! With many webhooks stored: whether it becomes slower, and larger.

use piopiy_events::Profile as Wire;

use super::clients::Clients;
use super::contender::{Contender, Programs};
use super::filled::Filled;
use super::{CONNECTIONS, Effort, Goal, Row, Section, Series, per_second, percent, runtime, us};
use crate::{process, traffic};

const FEW: usize = 100_000;
const MANY: usize = 5_000_000;

/// What came of it, round by round.
#[derive(Debug, Default)]
struct Measured {
    rate: Series,
    cpu: Series,
}

/// One store grows from few webhooks to many; then it takes turns with fresh ones that have few.
///
/// # Errors
/// Where a webhook is not acknowledged, or what is stored is not what was acknowledged.
pub(in crate::bench) fn size(effort: Effort) -> anyhow::Result<Section> {
    let programs = Programs::receiver()?;
    let runtime = runtime()?;
    let (few, many) = if effort.is_quick { (FEW / 5, MANY / 25) } else { (FEW, MANY) };
    let share = effort.webhooks / 5;
    let [mut early, mut with_few, mut with_many] = [(); 3].map(|()| Measured::default());
    let (small_mib, large_mib) = runtime.block_on(async {
        let mut large = Filled::with(&programs, Contender::Sqlite, few).await?;
        let small_mib = resident_mib(&large)?;
        for _ in 0..effort.rounds {
            measure(&mut large, share, &mut early).await?;
        }
        large.fill(many).await?;
        let large_mib = resident_mib(&large)?;
        for round in 0..effort.rounds {
            let mut small = Filled::with(&programs, Contender::Sqlite, few).await?;
            // Whoever comes first comes last the next time.
            if round % 2 == 0 {
                measure(&mut small, 2 * share, &mut with_few).await?;
                measure(&mut large, 2 * share, &mut with_many).await?;
            } else {
                measure(&mut large, 2 * share, &mut with_many).await?;
                measure(&mut small, 2 * share, &mut with_few).await?;
            }
            small.stop(&programs).await?;
        }
        large.stop(&programs).await?;
        anyhow::Ok((small_mib, large_mib))
    })?;
    let mib = |mib: f64| format!("{mib:.1} MiB");
    let of_same = Series::of(with_many.rate.median() / early.rate.median());
    let rows = vec![
        Row::new(format!("with {few} stored: rate"), &with_few.rate, per_second),
        Row::new(format!("with {many} stored: rate"), &with_many.rate, per_second),
        Row::with_goal("many over few", &with_many.rate.over(&with_few.rate), percent, Goal::AtLeast(0.85)),
        Row::new(format!("with {few} stored: CPU of the receiver for each"), &with_few.cpu, us),
        Row::new(format!("with {many} stored: CPU of the receiver for each"), &with_many.cpu, us),
        Row::new(format!("the same store with {few}, before it was filled: rate"), &early.rate, per_second),
        Row::new("many over few, of the same store", &of_same, percent),
        Row::new(format!("with {few} stored: resident memory"), &Series::of(small_mib), mib),
        Row::new(format!("with {many} stored: resident memory"), &Series::of(large_mib), mib),
        Row::with_goal("growth between them", &Series::of(large_mib - small_mib), mib, Goal::LessThan(32.0)),
    ];
    Ok(Section {
        title: format!(
            "Durable receive with many stored: `--store sqlite:FILE`, {CONNECTIONS} connections, {few} webhooks and {many}"
        ),
        note: format!("{} rounds; memory of one store", effort.rounds),
        rows,
    })
}

async fn measure(filled: &mut Filled, webhooks: usize, measured: &mut Measured) -> anyhow::Result<()> {
    let bodies: Vec<_> = traffic::bodies(Wire::Global, traffic::fresh_nonce()).take(webhooks).collect();
    let process = &filled.started.process;
    let mut clients = Clients::connect(process.address()).await?;
    let cpu = process::cpu(process.id()?)?;
    let seconds = clients.post(&bodies).await?;
    let cpu = process::cpu(process.id()?)? - cpu;
    filled.stored += webhooks;
    measured.rate.push(webhooks as f64 / seconds);
    measured.cpu.push(cpu.as_secs_f64() * 1e6 / webhooks as f64);
    Ok(())
}

fn resident_mib(filled: &Filled) -> anyhow::Result<f64> {
    Ok(process::resident_kib(filled.started.process.id()?) / 1024.0)
}
