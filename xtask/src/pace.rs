//! How exactly a rate was kept: when requests came, beside the instants at which they were to be sent.

use anyhow::ensure;

use crate::process::Process;

/// What a receiver saw of planned instants.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// What half of the requests were off at most, in microseconds.
    pub(crate) p50_us: f64,
    /// And 99 of 100.
    pub(crate) p99_us: f64,
    /// How much the rate that came was off.
    pub(crate) off_percent: f64,
}

impl Pace {
    /// Of instants in order, in nanoseconds of one clock: the n-th is compared with the n-th.
    ///
    /// # Errors
    /// Where not all came that were to be sent, or none was.
    pub(crate) fn of(planned: &[u64], came: &[u64], per_second: f64) -> anyhow::Result<Self> {
        ensure!(came.len() == planned.len(), "{} of {} webhooks came", came.len(), planned.len());
        ensure!(came.len() > 1, "{} webhooks are no pace", came.len());
        let mut off: Vec<u64> =
            planned.iter().zip(came).map(|(planned, came)| came.abs_diff(*planned)).collect();
        off.sort_unstable();
        let took = (came[came.len() - 1] - came[0]) as f64;
        let got = (came.len() - 1) as f64 * 1e9 / took;
        Ok(Self {
            p50_us: quantile_us(&off, 50),
            p99_us: quantile_us(&off, 99),
            off_percent: (got / per_second - 1.0).abs() * 100.0,
        })
    }
}

/// Of sorted nanoseconds.
pub(crate) fn quantile_us(sorted: &[u64], percent: usize) -> f64 {
    sorted.get(sorted.len() * percent / 100).map_or(f64::NAN, |ns| *ns as f64 / 1e3)
}

/// When each request came to a sink since it was last asked, in order.
///
/// # Errors
/// Where it does not say.
pub(crate) async fn arrivals(sink: &Process) -> anyhow::Result<Vec<u64>> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let text = client.get(sink.at("/arrivals")).send().await?.text().await?;
    let mut came = text.lines().map(str::parse).collect::<Result<Vec<u64>, _>>()?;
    came.sort_unstable();
    Ok(came)
}

#[cfg(test)]
mod tests {
    use super::Pace;

    #[test]
    fn a_pace_is_off_by_what_its_requests_are() {
        let planned: Vec<u64> = (0..100).map(|nth| nth * 1_000_000).collect();
        let came: Vec<u64> =
            planned.iter().map(|at| at + if *at == 98_000_000 { 900_000 } else { 7_000 }).collect();
        let pace = Pace::of(&planned, &came, 1_000.0).unwrap();
        assert_eq!((pace.p50_us, pace.p99_us), (7.0, 900.0));
        assert!(pace.off_percent < 1e-9);
        assert!(Pace::of(&planned, &came[1..], 1_000.0).is_err());
    }
}
