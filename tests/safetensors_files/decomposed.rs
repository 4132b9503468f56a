//! Decompositions of tables that are read in blocks, written as U arrives.

use factorized_embedding::{
    Decompose, Error, GramAccumulator, MeanRemoval, RandomizedSvd, Rank, RowBlocks, RowWeights, SvdRoute, TruncatedSvd,
    io::safetensors::{SafetensorsRows, load_factors, load_table, save_decomposed, save_factors},
};

use crate::support::{files::Folder, random};

const GLOVE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/glove50-top10k-f16.safetensors");

fn rows() -> SafetensorsRows {
    SafetensorsRows::open(GLOVE, "weight").expect("a valid file")
}

fn weights() -> RowWeights {
    RowWeights::new((1..=10_000).map(|rank| 1e6 / f64::from(rank)).collect::<Vec<_>>()).expect("weights")
}

#[test]
fn a_table_in_one_block_gives_the_file_of_the_table_in_memory() {
    let table = load_table(GLOVE, "weight").expect("a valid file").to_array().into_owned();
    let folder = Folder::new();
    let (streamed, whole) = (folder.path("streamed"), folder.path("whole"));
    for mean in [MeanRemoval::Never, MeanRemoval::Always] {
        for route in [SvdRoute::Gram, SvdRoute::Qr] {
            let svd = TruncatedSvd::new(Rank::Fixed(20)).with_route(route).with_mean_removal(mean);
            let svd = svd.with_row_weights(weights());
            let decomposition = svd.decompose(table.view()).expect("a finite table");
            save_factors(&whole, &decomposition.factors).expect("a file");

            let basis = svd.basis(&mut rows()).expect("a finite table");
            let errors = save_decomposed(&streamed, &basis, &mut rows(), Some(&weights()), |_| Ok(())).expect("a file");
            assert_eq!(std::fs::read(&streamed).expect("a file"), std::fs::read(&whole).expect("a file"));
            assert_eq!(errors.relative_error, decomposition.relative_error);
            assert_eq!(errors.weighted_relative_error, decomposition.weighted_relative_error);
        }
    }
}

#[test]
fn small_blocks_differ_by_rounding_only() {
    let path = Folder::new();
    let path = path.path("factors");
    for block in [1000, 1001, 9999] {
        let mut source = rows().with_block_rows(block);
        let mut gram = GramAccumulator::new(source.dim()).expect("columns");
        gram.update_from(&mut source, None, |_| Ok(())).expect("a finite table");
        let basis = gram.solve(Rank::Fixed(20)).expect("enough rows");
        let mut seen = Vec::new();
        let errors = save_decomposed(&path, &basis, &mut source, None, |written| {
            seen.push(written);
            Ok(())
        });
        assert!(seen.is_sorted() && seen.last() == Some(&10_000), "{seen:?}");
        let error = errors.expect("a file").relative_error;
        let svd = TruncatedSvd::new(Rank::Fixed(20));
        let basis = svd.basis(&mut rows()).expect("a finite table");
        approx::assert_relative_eq!(error, basis.spectrum().error_at(20), max_relative = 1e-6);
        assert_eq!(load_factors(&path).expect("a valid file").shape(), basis.shape());
    }
}

#[test]
fn a_randomized_svd_reads_files_too() {
    let path = Folder::new();
    let path = path.path("factors");
    let svd = RandomizedSvd::new(Rank::RelativeError(0.5));
    let basis = svd.basis_with(&mut rows().with_block_rows(999), &mut random::rng(1)).expect("a finite table");
    let errors = save_decomposed(&path, &basis, &mut rows(), None, |_| Ok(())).expect("a file");
    assert!(errors.relative_error <= 0.5 + 1e-6);
}

#[test]
fn what_ends_too_early_leaves_the_old_file() {
    let folder = Folder::new();
    let path = folder.write("factors", b"what stood there");
    let basis = TruncatedSvd::new(Rank::Fixed(3)).basis(&mut rows()).expect("a finite table");
    let stop = |written| if written < 5000 { Ok(()) } else { Err(Error::NoConvergence { what: "patience" }) };
    let result = save_decomposed(&path, &basis, &mut rows(), None, stop);
    assert!(matches!(result, Err(Error::NoConvergence { what: "patience" })));
    let weights = RowWeights::new(vec![1.0; 3]).expect("weights");
    let result = save_decomposed(&path, &basis, &mut rows(), Some(&weights), |_| Ok(()));
    assert!(matches!(result, Err(Error::ShapeMismatch { .. })));
    assert_eq!(std::fs::read(&path).expect("a file"), b"what stood there");
    let folder = path.parent().expect("a folder");
    assert_eq!(std::fs::read_dir(folder).expect("a folder").count(), 1, "nothing else is left");
}
