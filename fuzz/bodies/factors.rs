//! Files of factors, of factors in groups, and of states of optimizers.

use std::path::Path;

use factorized_embedding::{
    BlockwiseEmbedding, FactorizedEmbedding,
    io::safetensors::{
        load_block_factors, load_factors, load_optimizer, save_block_factors, save_factors, save_optimizer,
    },
    train::ArrayOptimizer,
};

use super::{use_layer, value, write};

pub(crate) fn check(folder: &Path, data: &[u8]) {
    let path = write(folder, "factors.safetensors", data);
    let again = folder.join("again.safetensors");
    if let Some(factors) = value(load_factors(&path)) {
        save_factors(&again, &factors).expect("a writable folder");
        assert_eq!(load_factors(&again).expect("what was just written"), factors);
        use_layer(&FactorizedEmbedding::new(factors));
    }
    if let Some(factors) = value(load_block_factors(&path)) {
        save_block_factors(&again, &factors).expect("a writable folder");
        assert_eq!(load_block_factors(&again).expect("what was just written"), factors);
        use_layer(&BlockwiseEmbedding::new(factors));
    }
    if let Some(state) = value(load_optimizer(&path)) {
        save_optimizer(&again, &state).expect("a writable folder");
        assert_eq!(load_optimizer(&again).expect("what was just written"), state);
        value(ArrayOptimizer::from_state(state));
    }
}
