use super::scenario::{Distribution, Shape};

/// How many pieces the quantile function is cut into.
const PIECES: usize = 256;

/// A distribution of lengths of time, as a table of its quantiles with straight lines between them. A draw costs a
/// look-up and is integer arithmetic, the same on every machine; the tails end at the quantiles 1/512 and 511/512.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Quantiles {
    table: Vec<u32>,
}

impl Quantiles {
    pub(crate) fn new(distribution: &Distribution) -> Self {
        let ceiling = u64::from(u32::MAX);
        let low = distribution.min.map_or(0, |min| min.millis().min(ceiling));
        let high = distribution.max.map_or(ceiling, |max| max.millis().min(ceiling));
        let quantile = |piece: usize| {
            let p = if piece == 0 {
                0.5 / PIECES as f64
            } else if piece == PIECES {
                1.0 - 0.5 / PIECES as f64
            } else {
                piece as f64 / PIECES as f64
            };
            let millis = match distribution.shape {
                Shape::Constant(value) => value.millis() as f64,
                Shape::Uniform { from, to } => {
                    let (from, to) = (from.millis() as f64, to.millis() as f64);
                    from + (to - from) * (piece as f64 / PIECES as f64)
                }
                Shape::Exponential { mean } => -(mean.millis() as f64) * libm::log(1.0 - p),
                Shape::Lognormal { median, p95 } => {
                    let sigma =
                        libm::log(p95.millis() as f64 / median.millis() as f64) / normal_quantile(0.95);
                    median.millis() as f64 * libm::exp(sigma * normal_quantile(p))
                }
            };
            // `as` saturates, and rounds towards zero.
            (libm::round(millis) as u64).clamp(low, high.max(low)) as u32
        };
        Self { table: (0..=PIECES).map(quantile).collect() }
    }

    /// The length of time, in milliseconds, that 64 random bits stand for.
    pub(crate) fn at(&self, bits: u64) -> u64 {
        let piece = (bits >> 56) as usize;
        let within = (bits >> 24) & 0xffff_ffff;
        let (from, to) = (u64::from(self.table[piece]), u64::from(self.table[piece + 1]));
        // The table rises, so nothing is lost below 0.
        from + (((to - from) * within) >> 32)
    }

    /// The longest that it gives, in milliseconds.
    pub(crate) fn longest(&self) -> u64 {
        self.table.last().map_or(0, |&last| u64::from(last))
    }
}

/// The quantile function of the standard normal distribution: Acklam's rational approximation (relative error
/// under 1.2e-9), which needs but the four operations, a root and a logarithm.
fn normal_quantile(p: f64) -> f64 {
    const A: [f64; 6] = [
        -3.969_683_028_665_376e1,
        2.209_460_984_245_205e2,
        -2.759_285_104_469_687e2,
        1.383_577_518_672_69e2,
        -3.066_479_806_614_716e1,
        2.506_628_277_459_239,
    ];
    const B: [f64; 5] = [
        -5.447_609_879_822_406e1,
        1.615_858_368_580_409e2,
        -1.556_989_798_598_866e2,
        6.680_131_188_771_972e1,
        -1.328_068_155_288_572e1,
    ];
    const C: [f64; 6] = [
        -7.784_894_002_430_293e-3,
        -3.223_964_580_411_365e-1,
        -2.400_758_277_161_838,
        -2.549_732_539_343_734,
        4.374_664_141_464_968,
        2.938_163_982_698_783,
    ];
    const D: [f64; 4] =
        [7.784_695_709_041_462e-3, 3.224_671_290_700_398e-1, 2.445_134_137_142_996, 3.754_408_661_907_416];
    let polynomial = |coefficients: &[f64], x: f64| coefficients.iter().fold(0.0, |sum, c| sum * x + c);
    let tail = |p: f64| {
        let q = libm::sqrt(-2.0 * libm::log(p));
        polynomial(&C, q) / (polynomial(&D, q) * q + 1.0)
    };
    if p < 0.02425 {
        tail(p)
    } else if p > 1.0 - 0.02425 {
        -tail(1.0 - p)
    } else {
        let q = p - 0.5;
        let r = q * q;
        polynomial(&A, r) * q / (polynomial(&B, r) * r + 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::scenario::Length;

    fn quantiles(shape: Shape) -> Quantiles {
        Quantiles::new(&Distribution { shape, min: None, max: Some(Length::from_millis(100_000)) })
    }

    #[test]
    fn quantiles_are_those_of_the_distribution() {
        let half = 1 << 63;
        let ms = Length::from_millis;
        let lognormal = quantiles(Shape::Lognormal { median: ms(10_000), p95: ms(60_000) });
        assert_eq!(lognormal.at(half), 10_000);
        let p95 = lognormal.at((0.95 * 2f64.powi(64)) as u64);
        assert!((59_000..61_500).contains(&p95), "{p95}");
        assert_eq!(lognormal.at(u64::MAX), 100_000, "cut at the maximum");
        let exponential = quantiles(Shape::Exponential { mean: ms(10_000) });
        assert_eq!(exponential.at(half), 6_931);
        let uniform = quantiles(Shape::Uniform { from: ms(100), to: ms(1_100) });
        assert_eq!([0, half].map(|bits| uniform.at(bits)), [100, 600]);
        assert_eq!(quantiles(Shape::Constant(ms(5))).at(12_345), 5);
    }

    #[test]
    fn tables_stay_what_they_are() {
        let ms = Length::from_millis;
        let lognormal = quantiles(Shape::Lognormal { median: ms(10_000), p95: ms(60_000) });
        let exponential = quantiles(Shape::Exponential { mean: ms(10_000) });
        insta::assert_debug_snapshot!([
            lognormal.table.iter().step_by(32).collect::<Vec<_>>(),
            exponential.table.iter().step_by(32).collect()
        ]);
    }
}
