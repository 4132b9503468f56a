//! A real table of which half of the entries are hidden.

use factorized_embedding::{AlternatingLeastSquares, Decompose, Rank, TruncatedSvd, io::safetensors::load_table};
use ndarray::{Array1, Array2, Axis};

use super::checks::{known, mask, product, residual, zeros_and_ones};

const RANK: usize = 12;

/// Both methods take the means of the columns off first: an SVD with zeros where entries are missing then is one with
/// the means in their place.
#[test]
fn hidden_entries_are_met_better_than_by_imputed_means_and_an_svd() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/glove50-top10k-f16.safetensors");
    let table = load_table(path, "weight").expect("a valid file").to_array().into_owned();
    let mask = mask(table.dim(), 0.5, 91);
    let ones = zeros_and_ones(&mask);
    let sums = (table.mapv(f64::from) * &ones).sum_axis(Axis(0));
    let means: Array1<f64> = sums / ones.sum_axis(Axis(0));
    let centred = table - means.mapv(|mean| mean as f32);

    let imputed = &centred * &ones.mapv(|one| one as f32);
    let svd = TruncatedSvd::new(Rank::Fixed(RANK)).decompose(imputed.view()).expect("a finite table");
    let als = AlternatingLeastSquares::new(RANK).with_ridge(28.0).with_tolerance(1e-3).with_max_iterations(15);
    let als = als.fit(&known(centred.view(), &mask)).expect("a finite table");

    let hidden = 1.0 - ones;
    let rest = |product: &Array2<f64>| residual(centred.view(), &hidden, product);
    let means_only = rest(&Array2::zeros(centred.dim()));
    let [svd, als] = [svd, als].map(|decomposition| rest(&product(&decomposition.factors)) / means_only);
    // Little can be said of an entry by the others: the shares that are explained are small, and theirs is clearly
    // less.
    assert!(1.0 - als > 1.05 * (1.0 - svd), "explained: {} by ALS, {} by SVD", 1.0 - als, 1.0 - svd);
}
