//! A layer that one thread looks up in while another trains it.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use candle_core::{Module, Result};

use crate::plain::{bridged, factors, ids};

/// A forward pass takes the layer as it meets it; only a backward pass can come too late.
#[test]
fn forward_passes_succeed_beside_steps() -> Result<()> {
    let embedding = bridged(factors());
    embedding.forward(&ids(&[3], &[1]))?.sum_all()?.backward()?;
    let gradients = embedding.take_gradients().expect("gradients");
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        let steps = scope.spawn(|| {
            let mut steps = 0;
            while !is_done.load(Ordering::Relaxed) {
                embedding.step(&gradients, 1e-6)?;
                steps += 1;
            }
            Ok::<_, candle_core::Error>(steps)
        });
        let forward = (0..5000).try_for_each(|_| embedding.forward(&ids(&[3, 4], &[2])).map(drop));
        is_done.store(true, Ordering::Relaxed);
        forward?;
        assert!(steps.join().expect("no panic")? > 0);
        Ok(())
    })
}
