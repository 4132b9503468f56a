//! The fewest bytes of an error.

use super::{
    build::Built,
    plan::{Options, Plan},
};
use crate::{Error, QuantizedFactors, Result};

/// Tables that are coded before the best of them is taken.
const ATTEMPTS: usize = 4;
/// An error this little below the one that was asked for is close enough.
const CLOSE: f64 = 0.995;

/// The plan of the fewest bytes whose weighted error is at most this, what became of it, and the bytes of its file at most.
///
/// Errors are expected first, in proportion to those of the tables that were coded before.
///
/// # Errors
/// Those of `build`; [`InvalidSetting`](Error::InvalidSetting) for an error that no codes are fine enough for.
pub(super) fn within_error(
    options: &Options,
    error: f64,
    mut build: impl FnMut(&Plan) -> Result<Built>,
) -> Result<(Plan, Built, usize)> {
    let mut best: Option<(Plan, Built, usize)> = None;
    // How many times as large as expected errors are.
    let mut factor = 1.0;
    for _ in 0..ATTEMPTS {
        let Some((plan, bytes)) = fewest_bytes(options, error / factor)? else { break };
        if best.as_ref().is_some_and(|best| bytes == best.2) {
            break;
        }
        let (expected, built) = (options.relative_errors(&plan).weighted, build(&plan)?);
        let achieved = built.errors.weighted;
        let fits = achieved <= error;
        if fits && best.as_ref().is_none_or(|best| bytes < best.2) {
            best = Some((plan, built, bytes));
        }
        if expected == 0.0 || (fits && achieved >= CLOSE * error) {
            break;
        }
        // A little more, so that the next one fits.
        factor = achieved / expected * (1.0 + (1.0 - CLOSE) / 2.0);
    }
    let expected = "an error that codes of 8 bits can have";
    best.ok_or(Error::InvalidSetting { name: "relative error", value: error, expected })
}

/// The fewest bytes whose error is to be expected at most this.
fn fewest_bytes(options: &Options, error: f64) -> Result<Option<(Plan, usize)>> {
    let expects = |bytes: usize| -> Result<Option<Plan>> {
        Ok(options.choose(bytes)?.filter(|plan| options.relative_errors(plan).weighted <= error))
    };
    let [vocab_size, dim] = options.planner.shape;
    let rows = vocab_size.saturating_mul(dim + 3);
    let header = QuantizedFactors::max_header_bytes(vocab_size, dim);
    let mut enough = rows.saturating_add(dim * (dim + 2 * QuantizedFactors::MAX_GROUPS + 64)).saturating_add(header);
    let Some(mut best) = expects(enough)? else { return Ok(None) };
    let mut too_few = 0;
    // To a thousandth of what it takes.
    while enough - too_few > 1 + enough / 1000 {
        let middle = too_few.midpoint(enough);
        match expects(middle)? {
            Some(plan) => (enough, best) = (middle, plan),
            None => too_few = middle,
        }
    }
    Ok(Some((best, enough)))
}
