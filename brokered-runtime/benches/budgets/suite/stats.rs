//! Medians, quantiles, and confidence intervals of ratios.

/// The value below which the fraction `q` of the samples lies.
pub(super) fn quantile(samples: &[f64], q: f64) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    at(&sorted, q)
}

pub(super) fn median(samples: &[f64]) -> f64 {
    quantile(samples, 0.5)
}

/// Interpolates linearly between the two neighbours.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a position in a slice, which is far below 2^52"
)]
fn at(sorted: &[f64], q: f64) -> f64 {
    let position = q * (sorted.len() - 1) as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (sorted[above] - sorted[below]) * position.fract()
}

/// Our median divided by the baseline's, with its 95 % confidence interval.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ratio {
    pub(super) value: f64,
    pub(super) low: f64,
    pub(super) high: f64,
}

impl Ratio {
    /// The bootstrap: draws the pairs again with replacement, and computes the ratio of their medians.
    pub(super) fn of_pairs(ours: &[f64], baseline: &[f64]) -> Self {
        const REPETITIONS: usize = 400;
        let mut random = Random(0x9E37_79B9_7F4A_7C15);
        let mut ratios: Vec<f64> = (0..REPETITIONS)
            .map(|_| {
                let drawn: Vec<usize> = ours.iter().map(|_| random.below(ours.len())).collect();
                let median_of = |side: &[f64]| {
                    median(&drawn.iter().map(|&index| side[index]).collect::<Vec<_>>())
                };
                median_of(ours) / median_of(baseline)
            })
            .collect();
        ratios.sort_by(f64::total_cmp);
        Self {
            value: median(ours) / median(baseline),
            low: at(&ratios, 0.025),
            high: at(&ratios, 0.975),
        }
    }
}

/// xorshift64*, with a fixed seed, so that the same samples always give the same interval.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let drawn = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(drawn).unwrap_or(0) % end
    }
}
