//! AVX-512F: sixteen numbers are one register.
#![allow(unsafe_code)]

use std::arch::x86_64::{__m512, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_mul_ps, _mm512_set1_ps, _mm512_storeu_ps};

use ndarray::ArrayViewMut2;

use super::{
    packed::PANEL_WIDTH,
    schedule::{Simd, Source, run},
};

/// The proof that the machine has AVX-512F: made by [`detect`](Self::detect) only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Avx512(());

impl Avx512 {
    pub(super) fn detect() -> Option<Self> {
        is_x86_feature_detected!("avx512f").then_some(Self(()))
    }
}

impl Simd for Avx512 {
    const NAME: &'static str = "avx512";
    type Line = __m512;
    type Splat = __m512;

    #[inline(always)]
    fn zero(self) -> __m512 {
        // SAFETY: `self` proves AVX-512F.
        unsafe { _mm512_set1_ps(0.0) }
    }

    #[inline(always)]
    fn load(self, line: &[f32; PANEL_WIDTH]) -> __m512 {
        // SAFETY: `self` proves AVX-512F; the load reads sixteen numbers.
        unsafe { _mm512_loadu_ps(line.as_ptr()) }
    }

    #[inline(always)]
    fn store(self, value: __m512, line: &mut [f32; PANEL_WIDTH]) {
        // SAFETY: `self` proves AVX-512F; the store writes sixteen numbers.
        unsafe { _mm512_storeu_ps(line.as_mut_ptr(), value) };
    }

    #[inline(always)]
    fn splat(self, value: f32) -> __m512 {
        // SAFETY: `self` proves AVX-512F.
        unsafe { _mm512_set1_ps(value) }
    }

    #[inline(always)]
    fn mul(self, factor: __m512, line: __m512) -> __m512 {
        // SAFETY: `self` proves AVX-512F.
        unsafe { _mm512_mul_ps(factor, line) }
    }

    #[inline(always)]
    fn mul_add(self, factor: __m512, line: __m512, sum: __m512) -> __m512 {
        // SAFETY: `self` proves AVX-512F.
        unsafe { _mm512_fmadd_ps(factor, line, sum) }
    }

    fn run(self, source: Source<'_>, out: &mut ArrayViewMut2<'_, f32>) {
        #[target_feature(enable = "avx512f")]
        fn with_features(isa: Avx512, source: Source<'_>, out: &mut ArrayViewMut2<'_, f32>) {
            run::<Avx512, 6, 4, 8, 8, 4, 4, 4>(isa, source, out);
        }
        // SAFETY: `self` proves AVX-512F.
        unsafe { with_features(self, source, out) };
    }
}
