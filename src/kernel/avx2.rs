//! AVX2 and FMA: sixteen numbers are two registers of eight.
#![allow(unsafe_code)]

use std::arch::x86_64::{__m256, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_mul_ps, _mm256_set1_ps, _mm256_storeu_ps};

use ndarray::ArrayViewMut2;

use super::{
    packed::PANEL_WIDTH,
    schedule::{Simd, Source, run},
};

/// The proof that the machine has AVX2 and FMA: made by [`detect`](Self::detect) only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Avx2(());

impl Avx2 {
    pub(super) fn detect() -> Option<Self> {
        (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")).then_some(Self(()))
    }
}

impl Simd for Avx2 {
    const NAME: &'static str = "avx2";
    type Line = [__m256; 2];
    type Splat = __m256;

    #[inline(always)]
    fn zero(self) -> [__m256; 2] {
        // SAFETY: `self` proves AVX.
        [unsafe { _mm256_set1_ps(0.0) }; 2]
    }

    #[inline(always)]
    fn load(self, line: &[f32; PANEL_WIDTH]) -> [__m256; 2] {
        // SAFETY: `self` proves AVX; the load reads the eight numbers of a half.
        bytemuck::cast_ref::<_, [[f32; 8]; 2]>(line).each_ref().map(|half| unsafe { _mm256_loadu_ps(half.as_ptr()) })
    }

    #[inline(always)]
    fn store(self, value: [__m256; 2], line: &mut [f32; PANEL_WIDTH]) {
        for (half, value) in bytemuck::cast_mut::<_, [[f32; 8]; 2]>(line).iter_mut().zip(value) {
            // SAFETY: `self` proves AVX; the store writes the eight numbers of a half.
            unsafe { _mm256_storeu_ps(half.as_mut_ptr(), value) };
        }
    }

    #[inline(always)]
    fn splat(self, value: f32) -> __m256 {
        // SAFETY: `self` proves AVX.
        unsafe { _mm256_set1_ps(value) }
    }

    #[inline(always)]
    fn mul(self, factor: __m256, line: [__m256; 2]) -> [__m256; 2] {
        // SAFETY: `self` proves AVX.
        line.map(|half| unsafe { _mm256_mul_ps(factor, half) })
    }

    #[inline(always)]
    fn mul_add(self, factor: __m256, line: [__m256; 2], sum: [__m256; 2]) -> [__m256; 2] {
        // SAFETY: `self` proves FMA.
        std::array::from_fn(|half| unsafe { _mm256_fmadd_ps(factor, line[half], sum[half]) })
    }

    fn run(self, source: Source<'_>, out: &mut ArrayViewMut2<'_, f32>) {
        #[target_feature(enable = "avx2,fma")]
        fn with_features(isa: Avx2, source: Source<'_>, out: &mut ArrayViewMut2<'_, f32>) {
            run::<Avx2, 6, 1, 4, 3, 2, 1, 1>(isa, source, out);
        }
        // SAFETY: `self` proves AVX2 and FMA.
        unsafe { with_features(self, source, out) };
    }
}
