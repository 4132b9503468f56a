//! Which instruction sets the kernels can use on this machine.

use std::fmt;

#[cfg(target_arch = "aarch64")]
use super::neon::Neon;
#[cfg(target_arch = "x86_64")]
use super::{avx2::Avx2, avx512::Avx512};
use super::{
    portable::Portable,
    simd::{Kernel, Simd},
};

/// An instruction set that this machine has: the proof that kernels for it may run.
///
/// Layers use the [best](Isa::best) one by themselves. Tests, benches and bug reports ask for each of the
/// [supported](Isa::supported) ones, with [`FactorizedEmbedding::with_isa`](crate::FactorizedEmbedding::with_isa).
///
/// Results of different instruction sets differ in their last bits, since some of them round once where others round twice.
///
/// # Examples
///
/// ```
/// use factorized_embedding::Isa;
///
/// let supported: Vec<Isa> = Isa::supported().collect();
/// assert_eq!(supported[0], Isa::best());
/// assert_eq!(supported.last().map(ToString::to_string), Some("portable".to_owned()));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Isa(Level);

/// The instruction sets that there are kernels for; those of other machines are not even named here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Level {
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512<false>, Option<Avx512<true>>),
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    #[cfg(target_arch = "aarch64")]
    Neon(Neon),
    Portable(Portable),
}

impl Isa {
    /// All that this machine has, best first. The last one, `portable`, is there on every machine.
    pub fn supported() -> impl Iterator<Item = Self> {
        let levels = [
            #[cfg(target_arch = "x86_64")]
            Avx512::detect().map(|isa| Level::Avx512(isa, Avx512::detect())),
            #[cfg(target_arch = "x86_64")]
            Avx2::detect().map(Level::Avx2),
            #[cfg(target_arch = "aarch64")]
            Neon::detect().map(Level::Neon),
            Some(Level::Portable(Portable)),
        ];
        levels.into_iter().flatten().map(Self)
    }

    /// The best that this machine has.
    #[must_use]
    pub fn best() -> Self {
        Self::supported().next().unwrap_or(Self(Level::Portable(Portable)))
    }

    /// Runs a kernel with this instruction set.
    pub(super) fn run<K: Kernel>(self, kernel: K) -> K::Output {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Level::Avx512(isa, _) => isa.run(kernel),
            #[cfg(target_arch = "x86_64")]
            Level::Avx2(isa) => isa.run(kernel),
            #[cfg(target_arch = "aarch64")]
            Level::Neon(isa) => isa.run(kernel),
            Level::Portable(isa) => isa.run(kernel),
        }
    }

    /// The same for kernels that read codes: with instructions that serve nothing else, if the machine has them.
    pub(super) fn run_codes<K: Kernel>(self, kernel: K) -> K::Output {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Level::Avx512(_, Some(isa)) => isa.run(kernel),
            _ => self.run(kernel),
        }
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            #[cfg(target_arch = "x86_64")]
            Level::Avx512(..) => Avx512::<false>::NAME,
            #[cfg(target_arch = "x86_64")]
            Level::Avx2(_) => Avx2::NAME,
            #[cfg(target_arch = "aarch64")]
            Level::Neon(_) => Neon::NAME,
            Level::Portable(_) => Portable::NAME,
        })
    }
}
