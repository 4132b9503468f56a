//! The formulas of a step, number by number.
//!
//! A step is computed twice: first to see whether everything that it gives is finite, then to write it. Both are the same code,
//! so that they see the same bits, and nothing is held in memory between them. For Adam the first is mostly spared: a test without
//! roots and divisions comes before it, which bounds what the step can give. The code is inlined into the loop over rows, which is
//! compiled for each instruction set.

use super::{Momentum, Optimizer};

/// The rule of a step, with everything that is the same for all numbers of an array.
#[derive(Clone, Copy, Debug)]
pub(super) enum Arithmetic {
    Plain { rate: f32 },
    Polyak { rate: f32, momentum: f32 },
    Nesterov { rate: f32, momentum: f32 },
    Adagrad { rate: f32, epsilon: f32 },
    RowwiseAdagrad { rate: f32, epsilon: f32 },
    Adam(Adam),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Adam {
    /// 1 − β₁
    first: f32,
    /// β₂
    kept: f32,
    /// 1 − β₂
    second: f32,
    /// η·√(1 − β₂ᵗ) / (1 − β₁ᵗ)
    rate: f32,
    /// What is added to √v.
    epsilon: f32,
    /// 1 − η·λ
    keep: f32,
}

/// What a step knows beside the rule.
#[derive(Clone, Copy, Debug)]
pub(super) struct StepContext {
    pub(super) learning_rate: f64,
    /// Of this array, this step included.
    pub(super) step: u64,
    /// Whether the gradient is of some rows only.
    pub(super) lazy: bool,
    /// Whether the array is one that weight decay is for.
    pub(super) decays: bool,
}

/// Numbers that are changed together: of one row, or of any number of rows where a rule does not look at rows.
pub(super) struct Row<'a> {
    pub(super) parameters: &'a mut [f32],
    pub(super) gradient: &'a [f32],
    /// As many as the rule remembers; the others are empty.
    pub(super) slots: [&'a mut [f32]; 2],
}

impl Arithmetic {
    pub(super) fn new(rule: Optimizer, context: StepContext) -> Self {
        let StepContext { learning_rate, step, lazy, decays } = context;
        let rate = learning_rate as f32;
        match rule {
            Optimizer::Sgd { momentum: Momentum::None } => Self::Plain { rate },
            Optimizer::Sgd { momentum: Momentum::Polyak(momentum) } => Self::Polyak { rate, momentum: momentum as f32 },
            Optimizer::Sgd { momentum: Momentum::Nesterov(momentum) } => {
                Self::Nesterov { rate, momentum: momentum as f32 }
            }
            Optimizer::Adagrad { epsilon, .. } => Self::Adagrad { rate, epsilon: epsilon as f32 },
            Optimizer::RowwiseAdagrad { epsilon, .. } => Self::RowwiseAdagrad { rate, epsilon: epsilon as f32 },
            Optimizer::Adam { betas, epsilon } => {
                Self::Adam(Adam::new(learning_rate, betas, epsilon, (step, lazy), 0.0))
            }
            Optimizer::AdamW { betas, epsilon, weight_decay } => {
                let weight_decay = if decays { weight_decay } else { 0.0 };
                Self::Adam(Adam::new(learning_rate, betas, epsilon, (step, lazy), weight_decay))
            }
        }
    }

    /// Whether rows that stand behind each other may be changed as if they were one.
    pub(super) fn joins_rows(self) -> bool {
        !matches!(self, Self::RowwiseAdagrad { .. })
    }

    /// Makes the step (or only computes it), and says whether all of its results are finite.
    #[inline(always)]
    pub(super) fn apply<const WRITE: bool>(self, row: Row<'_>) -> bool {
        let Row { parameters, gradient, slots: [first, second] } = row;
        match self {
            Self::Plain { rate } => change::<WRITE>(parameters, gradient, |p, g| p - rate * g),
            Self::Polyak { rate, momentum } => change_with::<WRITE>(parameters, gradient, first, |p, g, m| {
                let m = momentum * m + g;
                (p - rate * m, m)
            }),
            Self::Nesterov { rate, momentum } => change_with::<WRITE>(parameters, gradient, first, |p, g, m| {
                let m = momentum * m + g;
                (p - rate * (g + momentum * m), m)
            }),
            Self::Adagrad { rate, epsilon } => change_with::<WRITE>(parameters, gradient, first, |p, g, s| {
                let s = s + g * g;
                (p - rate * g / (s.sqrt() + epsilon), s)
            }),
            Self::RowwiseAdagrad { rate, epsilon } => {
                // A row has one number.
                let [s] = first else { return false };
                let new = *s + mean_of_squares(gradient);
                if WRITE {
                    *s = new;
                }
                let rate = rate / (new.sqrt() + epsilon);
                change::<WRITE>(parameters, gradient, |p, g| p - rate * g) & new.is_finite()
            }
            Self::Adam(adam) => adam.apply::<WRITE>(parameters, gradient, first, second),
        }
    }
}

impl Adam {
    fn new(
        learning_rate: f64,
        [beta1, beta2]: [f64; 2],
        epsilon: f64,
        (step, lazy): (u64, bool),
        weight_decay: f64,
    ) -> Self {
        let [first, second] = [beta1, beta2].map(|beta| 1.0 - beta.powf(step as f64));
        Self {
            first: (1.0 - beta1) as f32,
            kept: beta2 as f32,
            second: (1.0 - beta2) as f32,
            rate: (learning_rate * second.sqrt() / first) as f32,
            epsilon: if lazy { epsilon } else { epsilon * second.sqrt() } as f32,
            keep: (1.0 - learning_rate * weight_decay) as f32,
        }
    }

    #[inline(always)]
    fn apply<const WRITE: bool>(self, p: &mut [f32], g: &[f32], m: &mut [f32], v: &mut [f32]) -> bool {
        if !WRITE && self.is_surely_finite(p, g, m, v) {
            return true;
        }
        let Self { rate, epsilon, keep, .. } = self;
        let mut bad = 0;
        for (((p, &g), m), v) in p.iter_mut().zip(g).zip(m).zip(v) {
            let (new_m, new_v) = self.moments(g, *m, *v);
            let new_p = keep * *p - rate * new_m / (new_v.sqrt() + epsilon);
            if WRITE {
                (*p, *m, *v) = (new_p, new_m, new_v);
            } else {
                bad |= not_finite(new_p) | not_finite(new_m) | not_finite(new_v);
            }
        }
        bad == 0
    }

    /// Whether the step is finite by a bound: √v + ε ≥ ε, so that with the new moments m and v
    ///
    /// ```text
    /// |new p| ≤ |keep·p| + |rate·m| / ε
    /// ```
    ///
    /// Both below a quarter of the largest number leave room for what is rounded; and m, bounded so, is finite. `false` means that it
    /// is not known: the step itself has to be computed.
    #[inline(always)]
    fn is_surely_finite(self, p: &[f32], g: &[f32], m: &[f32], v: &[f32]) -> bool {
        let Self { rate, epsilon, keep, .. } = self;
        let mut unsure = 0;
        for (((&p, &g), &m), &v) in p.iter().zip(g).zip(m).zip(v) {
            let (new_m, new_v) = self.moments(g, m, v);
            let is_small = ((rate * new_m).abs() < 0.25 * f32::MAX * epsilon) & ((keep * p).abs() < 0.25 * f32::MAX);
            unsure |= u32::from(!(is_small & (new_v >= 0.0))) | not_finite(new_v);
        }
        unsure == 0
    }

    #[inline(always)]
    fn moments(self, g: f32, m: f32, v: f32) -> (f32, f32) {
        (m + self.first * (g - m), self.kept * v + self.second * (g * g))
    }
}

/// 1 or 0: no branch, so that the loops above stay loops over vectors.
#[inline(always)]
fn not_finite(number: f32) -> u32 {
    u32::from(!number.is_finite())
}

#[inline(always)]
fn change<const WRITE: bool>(p: &mut [f32], g: &[f32], new: impl Fn(f32, f32) -> f32) -> bool {
    let mut bad = 0;
    for (p, &g) in p.iter_mut().zip(g) {
        let new = new(*p, g);
        if WRITE {
            *p = new;
        } else {
            bad |= not_finite(new);
        }
    }
    bad == 0
}

#[inline(always)]
fn change_with<const WRITE: bool>(
    p: &mut [f32],
    g: &[f32],
    slot: &mut [f32],
    new: impl Fn(f32, f32, f32) -> (f32, f32),
) -> bool {
    let mut bad = 0;
    for ((p, &g), s) in p.iter_mut().zip(g).zip(slot) {
        let new = new(*p, g, *s);
        if WRITE {
            (*p, *s) = new;
        } else {
            bad |= not_finite(new.0) | not_finite(new.1);
        }
    }
    bad == 0
}

/// In eight sums, which do not wait for each other.
#[inline(always)]
fn mean_of_squares(row: &[f32]) -> f32 {
    let (eights, rest) = row.as_chunks::<8>();
    let mut sums = [0.0_f64; 8];
    for numbers in eights {
        for (sum, &number) in sums.iter_mut().zip(numbers) {
            *sum += f64::from(number) * f64::from(number);
        }
    }
    for (sum, &number) in sums.iter_mut().zip(rest) {
        *sum += f64::from(number) * f64::from(number);
    }
    (sums.iter().sum::<f64>() / row.len() as f64) as f32
}

#[cfg(test)]
mod tests {
    use super::Adam;

    #[test]
    fn adam_is_checked_as_it_is_written() {
        let extremes = [0.0, 1.0, 1e-30, 1e-12, 1e12, 1e30, f32::MIN_POSITIVE, f32::MAX, f32::INFINITY];
        let numbers: Vec<f32> = extremes.iter().flat_map(|&number| [number, -number]).chain([f32::NAN]).collect();
        let mut counts = [0, 0];
        for (rate, epsilon) in
            [(1e-3, 1e-8), (1e-3, 0.0), (1e-3, f32::MIN_POSITIVE), (0.0, 1e-8), (5e29, 1e-8), (1e30, 1e-8)]
        {
            let adam = Adam { first: 0.1, kept: 0.999, second: 0.001, rate, epsilon, keep: 0.99 };
            for &p in &numbers {
                for &g in &numbers {
                    for (&m, &v) in numbers.iter().flat_map(|m| numbers.iter().map(move |v| (m, v))) {
                        let (mut new_p, mut new_m, mut new_v) = ([p], [m], [v]);
                        let checked = adam.apply::<false>(&mut new_p, &[g], &mut new_m, &mut new_v);
                        adam.apply::<true>(&mut new_p, &[g], &mut new_m, &mut new_v);
                        let is_finite = [new_p, new_m, new_v].iter().all(|number| number[0].is_finite());
                        assert_eq!(checked, is_finite, "{adam:?}: p {p}, m {m}, v {v}, g {g}");
                        counts[usize::from(checked)] += 1;
                    }
                }
            }
        }
        assert!(counts.iter().all(|&count| count > 10_000), "{counts:?}");
    }

    #[test]
    fn ordinary_steps_need_no_roots_to_be_checked() {
        let adam = Adam { first: 0.1, kept: 0.999, second: 0.001, rate: 1e-3, epsilon: 1e-8, keep: 0.99 };
        for number in [0.0, 1e-30, 1e-3, 1.0, 1e6] {
            assert!(adam.is_surely_finite(&[number; 40], &[-number; 40], &[number; 40], &[number; 40]), "{number}");
        }
        assert!(!adam.is_surely_finite(&[f32::MAX], &[1.0], &[1.0], &[1.0]), "nobody knows");
    }
}
