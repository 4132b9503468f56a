//! Decompositions on request, so that another process can take turns with them.

use std::{
    io::{self, BufRead, Write},
    time::Instant,
};

use factorized_embedding::io::safetensors::load_table;

use super::methods::Method;

/// Answers each line `METHOD RANK` with the seconds of a decomposition and its relative error.
pub(crate) fn serve(arguments: &[String]) {
    let [path, tensor, ..] = arguments else { panic!("--serve needs a safetensors file and the name of a tensor") };
    let table = load_table(path, tensor).expect("a table").to_array().into_owned();
    for line in io::stdin().lock().lines() {
        let line = line.expect("text");
        let (name, rank) = line.split_once(' ').expect("a method and a rank");
        let method = Method::ALL.into_iter().find(|method| method.name() == name).expect("the name of a method");
        let decompose = method.make(rank.parse().expect("a number"));
        let start = Instant::now();
        let decomposition = decompose.decompose(table.view()).expect("a finite table");
        let seconds = start.elapsed().as_secs_f64();
        let mut out = io::stdout().lock();
        writeln!(out, "{seconds} {}", decomposition.relative_error)
            .and_then(|()| out.flush())
            .expect("somebody who listens");
    }
}
