//! The ways in which this crate can compute the same thing.

use factorized_embedding::{Embedding, FactorizedEmbedding, Isa, RepeatedIds, Result, TokenId};

/// What the hot rows take, the index of the vocabulary included.
const HOT_BYTES: usize = 8 << 20;

/// A way to make and to run a factorized layer.
pub(crate) struct Variant {
    name: String,
    threads: usize,
    make: Box<dyn Fn(&FactorizedEmbedding) -> FactorizedEmbedding>,
}

impl Variant {
    fn new(name: impl Into<String>, make: impl Fn(&FactorizedEmbedding) -> FactorizedEmbedding + 'static) -> Self {
        Self { name: name.into(), threads: 1, make: Box::new(make) }
    }

    /// `factorized/<isa>`: each instruction set that this machine has, the one that a layer takes by itself first; no id's
    /// row is copied.
    pub(crate) fn isas() -> impl Iterator<Item = Self> {
        Isa::supported().map(|isa| {
            let name = format!("factorized/{isa}");
            Self::new(name, move |layer| layer.clone().with_isa(isa).with_repeated_ids(RepeatedIds::Compute))
        })
    }

    /// `factorized/threads2`: the best instruction set on two threads.
    pub(crate) fn two_threads() -> Self {
        let plain = |layer: &FactorizedEmbedding| layer.clone().with_repeated_ids(RepeatedIds::Compute);
        Self { threads: 2, ..Self::new("factorized/threads2", plain) }
    }

    /// `factorized/dedup`: rows of repeated ids are copied, whether that pays or not.
    pub(crate) fn dedup() -> Self {
        Self::new("factorized/dedup", |layer| layer.clone().with_repeated_ids(RepeatedIds::Copy))
    }

    /// `factorized/auto`: as a layer does it by itself.
    pub(crate) fn auto() -> Self {
        Self::new("factorized/auto", FactorizedEmbedding::clone)
    }

    /// `factorized/hot`: rows of the lowest ids, which are the most used ones where ids repeat, are kept ready in 8 MB.
    pub(crate) fn hot() -> Self {
        Self::new("factorized/hot", |layer| {
            let most_used: Vec<TokenId> = (0..layer.vocab_size() as TokenId).collect();
            layer.clone().with_hot_rows(&most_used, HOT_BYTES).expect("ids of the vocabulary")
        })
    }

    /// `factorized/f16`, `factorized/bf16`, `factorized/int8`: U in fewer bytes; no id's row is copied.
    pub(crate) fn stored() -> [Self; 3] {
        [
            Self::new("factorized/f16", |layer| plain(layer.to_f16())),
            Self::new("factorized/bf16", |layer| plain(layer.to_bf16())),
            Self::new("factorized/int8", |layer| plain(layer.to_int8())),
        ]
    }

    /// `factorized/huge`: the best instruction set with U in huge pages; no id's row is copied.
    pub(crate) fn huge_pages() -> Self {
        let huge = |layer: &FactorizedEmbedding| layer.clone().with_huge_pages();
        Self::new("factorized/huge", move |layer| huge(layer).with_repeated_ids(RepeatedIds::Compute))
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn threads(&self) -> usize {
        self.threads
    }

    pub(crate) fn make(&self, layer: &FactorizedEmbedding) -> FactorizedEmbedding {
        (self.make)(layer)
    }
}

fn plain(layer: Result<FactorizedEmbedding>) -> FactorizedEmbedding {
    layer.expect("numbers that are small enough").with_repeated_ids(RepeatedIds::Compute)
}
