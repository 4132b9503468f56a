//! Multiply-adds that wait for nothing but the multipliers.
//!
//! An accumulator of each of 12 chains is multiplied by the same number and added to the same number. A multiply-add takes
//! 4 cycles and two can begin in each, so that 8 chains are enough on the machines that there are; 12 accumulators and the
//! two numbers fit the 16 registers of AVX2. Every chain begins with another number, so that none is computed only once.

#![allow(unsafe_code)]

const CHAINS: usize = 12;
/// As many as the compiler keeps in registers without being told to.
const PORTABLE_CHAINS: usize = 8;
const STEPS: usize = 4096;

/// A loop of multiply-adds for an instruction set.
pub(crate) struct Kernel {
    /// As [`Isa`](factorized_embedding::Isa) names it.
    pub(crate) isa: &'static str,
    /// Operations of a run.
    pub(crate) flops: u64,
    pub(crate) run: fn(f32, f32) -> f32,
}

impl Kernel {
    fn new(isa: &'static str, numbers: usize, run: fn(f32, f32) -> f32) -> Self {
        Self { isa, flops: (2 * STEPS * numbers) as u64, run }
    }
}

/// Those that this machine has, the widest vectors first.
pub(crate) fn kernels() -> Vec<Kernel> {
    let mut kernels = Vec::new();
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") {
            // SAFETY: the feature has just been detected.
            kernels.push(Kernel::new("avx512", 16 * CHAINS, |factor, term| unsafe { avx512(factor, term) }));
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            // SAFETY: both features have just been detected.
            kernels.push(Kernel::new("avx2", 8 * CHAINS, |factor, term| unsafe { avx2(factor, term) }));
        }
    }
    #[cfg(target_arch = "aarch64")]
    if std::arch::is_aarch64_feature_detected!("neon") {
        // SAFETY: the feature has just been detected.
        kernels.push(Kernel::new("neon", 4 * CHAINS, |factor, term| unsafe { neon(factor, term) }));
    }
    kernels.push(Kernel::new("portable", 4 * PORTABLE_CHAINS, portable));
    kernels
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn avx512(factor: f32, term: f32) -> f32 {
    use std::arch::x86_64::{_mm512_fmadd_ps, _mm512_reduce_add_ps, _mm512_set1_ps};
    let (factor, term) = (_mm512_set1_ps(factor), _mm512_set1_ps(term));
    let mut chains: [_; CHAINS] = std::array::from_fn(|i| _mm512_set1_ps(i as f32));
    for _ in 0..STEPS {
        for chain in &mut chains {
            *chain = _mm512_fmadd_ps(*chain, factor, term);
        }
    }
    chains.into_iter().map(|chain| _mm512_reduce_add_ps(chain)).sum()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn avx2(factor: f32, term: f32) -> f32 {
    use std::arch::x86_64::{_mm256_add_ps, _mm256_cvtss_f32, _mm256_fmadd_ps, _mm256_set1_ps};
    let (factor, term) = (_mm256_set1_ps(factor), _mm256_set1_ps(term));
    let mut chains: [_; CHAINS] = std::array::from_fn(|i| _mm256_set1_ps(i as f32));
    for _ in 0..STEPS {
        for chain in &mut chains {
            *chain = _mm256_fmadd_ps(*chain, factor, term);
        }
    }
    // One lane is enough to keep the others: they are made by the same instructions.
    _mm256_cvtss_f32(chains.into_iter().fold(term, |sum, chain| _mm256_add_ps(sum, chain)))
}

#[cfg(target_arch = "aarch64")]
#[target_feature(enable = "neon")]
fn neon(factor: f32, term: f32) -> f32 {
    use std::arch::aarch64::{vaddvq_f32, vdupq_n_f32, vfmaq_f32};
    let (factor, term) = (vdupq_n_f32(factor), vdupq_n_f32(term));
    let mut chains: [_; CHAINS] = std::array::from_fn(|i| vdupq_n_f32(i as f32));
    for _ in 0..STEPS {
        for chain in &mut chains {
            *chain = vfmaq_f32(term, *chain, factor);
        }
    }
    chains.into_iter().map(|chain| vaddvq_f32(chain)).sum()
}

/// A multiplication and an addition each, in vectors of four if the compiler finds them.
fn portable(factor: f32, term: f32) -> f32 {
    let mut chains: [[f32; 4]; PORTABLE_CHAINS] =
        std::array::from_fn(|i| std::array::from_fn(|lane| (4 * i + lane) as f32));
    for _ in 0..STEPS {
        for chain in &mut chains {
            for lane in chain {
                *lane = *lane * factor + term;
            }
        }
    }
    chains.as_flattened().iter().sum()
}
