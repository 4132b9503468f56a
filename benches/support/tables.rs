//! The same table in each of the ways that are compared.

use std::{
    cell::{OnceCell, RefCell},
    collections::BTreeMap,
    rc::Rc,
};

use factorized_embedding::{DenseEmbedding, FactorizedEmbedding, Factors, Shape, TokenId};
use ndarray::{Array2, Axis};
use rand::{SeedableRng, rngs::ChaCha8Rng};

use super::variants::Variant;

/// Random factors, and what is made of them when a bench first asks for it: a filter pays for no table that it leaves out.
pub(crate) struct Tables {
    shape: Shape,
    factorized: OnceCell<FactorizedEmbedding>,
    projection: OnceCell<Array2<f32>>,
    dense: OnceCell<DenseEmbedding<'static>>,
    dense_huge: OnceCell<DenseEmbedding<'static>>,
    variants: RefCell<BTreeMap<String, Rc<FactorizedEmbedding>>>,
}

impl Tables {
    pub(crate) fn new(shape: Shape) -> Self {
        Self {
            shape,
            factorized: OnceCell::new(),
            projection: OnceCell::new(),
            dense: OnceCell::new(),
            dense_huge: OnceCell::new(),
            variants: RefCell::default(),
        }
    }

    pub(crate) fn shape(&self) -> Shape {
        self.shape
    }

    /// `vocab30522_r128_d768`
    pub(crate) fn name(&self) -> String {
        let Shape { vocab_size, rank, dim } = self.shape;
        format!("vocab{vocab_size}_r{rank}_d{dim}")
    }

    pub(crate) fn factorized(&self) -> &FactorizedEmbedding {
        self.factorized.get_or_init(|| {
            let mut rng = ChaCha8Rng::seed_from_u64(1);
            FactorizedEmbedding::random(self.shape, 0.02, &mut rng).expect("a valid shape")
        })
    }

    pub(crate) fn factors(&self) -> &Factors {
        self.factorized().factors()
    }

    /// diag(D) · V \[rank, dim\].
    pub(crate) fn projection(&self) -> &Array2<f32> {
        self.projection.get_or_init(|| self.factors().projection())
    }

    pub(crate) fn dense(&self) -> &DenseEmbedding<'static> {
        self.dense.get_or_init(|| self.factorized().to_dense().expect("finite numbers"))
    }

    /// The dense table in huge pages.
    pub(crate) fn dense_huge(&self) -> &DenseEmbedding<'static> {
        self.dense_huge.get_or_init(|| self.dense().clone().with_huge_pages())
    }

    pub(crate) fn variant(&self, variant: &Variant) -> Rc<FactorizedEmbedding> {
        let mut variants = self.variants.borrow_mut();
        let make = || Rc::new(variant.make(self.factorized()));
        variants.entry(variant.name().to_owned()).or_insert_with(make).clone()
    }

    /// What one writes without this crate: the rows of U gathered, then multiplied.
    pub(crate) fn gather_dot(&self, ids: &[usize]) -> Array2<f32> {
        self.factors().u().select(Axis(0), ids).dot(self.projection())
    }
}

/// Ids as `ndarray` takes them.
pub(crate) fn indices(ids: &[TokenId]) -> Vec<usize> {
    ids.iter().map(|&id| id as usize).collect()
}
