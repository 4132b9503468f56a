//! Rank correlation.

/// Spearman's rank correlation ρ: Pearson's correlation of ranks, those of equal numbers averaged. NaN where all numbers of
/// one side are equal.
pub(crate) fn spearman(a: &[f64], b: &[f64]) -> f64 {
    pearson(&ranks(a), &ranks(b))
}

/// The ranks of numbers from 1, the smallest first; equal numbers have the mean of theirs.
pub(crate) fn ranks(numbers: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..numbers.len()).collect();
    order.sort_by(|&i, &j| numbers[i].total_cmp(&numbers[j]));
    let mut ranks = vec![0.0; numbers.len()];
    let mut start = 0;
    for equal in order.chunk_by(|&i, &j| numbers[i] == numbers[j]) {
        let mean = start as f64 + (equal.len() + 1) as f64 / 2.0;
        for &i in equal {
            ranks[i] = mean;
        }
        start += equal.len();
    }
    ranks
}

fn pearson(a: &[f64], b: &[f64]) -> f64 {
    let mean = |numbers: &[f64]| numbers.iter().sum::<f64>() / numbers.len() as f64;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let (mut product, mut square_a, mut square_b) = (0.0, 0.0, 0.0);
    for (a, b) in a.iter().zip(b) {
        let (a, b) = (a - mean_a, b - mean_b);
        product += a * b;
        square_a += a * a;
        square_b += b * b;
    }
    product / (square_a * square_b).sqrt()
}
