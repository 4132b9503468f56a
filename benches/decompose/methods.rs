//! The methods that are compared.

use factorized_embedding::{Decompose, Products, RandomizedSvd, Rank, SvdRoute, TruncatedSvd};

#[derive(Clone, Copy)]
pub(crate) enum Method {
    Qr,
    Gram,
    GramF32,
    Randomized,
    RandomizedF64,
}

impl Method {
    pub(crate) const ALL: [Self; 5] = [Self::Qr, Self::Gram, Self::GramF32, Self::Randomized, Self::RandomizedF64];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Qr => "svd/qr",
            Self::Gram => "svd/gram",
            Self::GramF32 => "svd/gram_f32",
            Self::Randomized => "randomized",
            Self::RandomizedF64 => "randomized/f64",
        }
    }

    pub(crate) fn make(self, rank: usize) -> Box<dyn Decompose + Sync> {
        let rank = Rank::Fixed(rank);
        let svd = |route| Box::new(TruncatedSvd::new(rank).with_route(route));
        match self {
            Self::Qr => svd(SvdRoute::Qr),
            Self::Gram => svd(SvdRoute::Gram),
            Self::GramF32 => svd(SvdRoute::GramF32),
            Self::Randomized => Box::new(RandomizedSvd::new(rank)),
            Self::RandomizedF64 => Box::new(RandomizedSvd::new(rank).with_products(Products::F64)),
        }
    }
}
