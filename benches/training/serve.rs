//! Steps on request, so that another process can take turns with them.

use std::{
    fs::File,
    io::{self, BufRead, Write},
    path::Path,
    time::Instant,
};

use factorized_embedding::{FactorizedEmbedding, Factors, TokenId};
use ndarray::{Array2, ArrayRef2};
use ndarray_npy::{ReadNpyExt, WriteNpyExt};

use super::{
    step::{Trained, Training},
    support,
};

/// Trains a layer of `u.npy` and `v.npy`, dense and factorized, by the rows of `ids.npy` \[batches, n\] in turn and `grad_out.npy`
/// \[n, dim\], all in the same folder. Answers each line `dense` or `factorized` with the seconds of a step, and `save` with an
/// empty line, once the trained numbers are in the files `trained_table.npy`, `trained_u.npy` and `trained_v.npy`.
pub(super) fn serve(arguments: &[String]) {
    let [folder, threads, ..] = arguments else { panic!("--serve needs a folder and a number of threads") };
    let folder = Path::new(folder);
    let factors = Factors::new(read(folder, "u"), read(folder, "v")).expect("shapes that multiply");
    let (ids, grad_out): (Array2<TokenId>, Array2<f32>) = (read(folder, "ids"), read(folder, "grad_out"));
    let layer = FactorizedEmbedding::new(factors);
    let mut dense = Trained::new(layer.to_dense().expect("finite numbers"));
    let mut factorized = Trained::new(layer);
    let mut batches = [(); 2].map(|()| ids.rows().into_iter().cycle());
    let pool = support::pool(threads.parse().expect("a number of threads"));
    for line in io::stdin().lock().lines() {
        let line = line.expect("text");
        let answer = if line == "save" {
            write(folder, "trained_table", &dense.layer.to_array());
            write(folder, "trained_u", &factorized.layer.factors().u());
            write(folder, "trained_v", &factorized.layer.factors().v());
            String::new()
        } else {
            let which = usize::from(line == "factorized");
            let training: &mut dyn Training = if which == 1 { &mut factorized } else { &mut dense };
            let ids = batches[which].next().expect("a batch at least");
            let ids = ids.as_slice().expect("rows that are contiguous");
            pool.install(|| {
                let start = Instant::now();
                training.step(ids, grad_out.view());
                start.elapsed().as_secs_f64().to_string()
            })
        };
        let mut out = io::stdout().lock();
        writeln!(out, "{answer}").and_then(|()| out.flush()).expect("somebody who listens");
    }
}

fn read<A: ReadNpyExt>(folder: &Path, name: &str) -> A {
    A::read_npy(File::open(folder.join(name).with_extension("npy")).expect("a file"))
        .expect("an array of the right type")
}

fn write(folder: &Path, name: &str, array: &ArrayRef2<f32>) {
    array.write_npy(File::create(folder.join(name).with_extension("npy")).expect("a file")).expect("room for an array");
}
