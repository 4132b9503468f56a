//! Parts that learn at rates of their own.

use factorized_embedding::{
    Error, Shape,
    train::{FactorOptimizer, Optimizer, PartRates},
};

use crate::{
    drawn::{factor_gradients, layer, rules, some_ids},
    support::compare::assert_same_bits,
};

const SHAPE: Shape = Shape { vocab_size: 20, rank: 3, dim: 7 };
/// Powers of two: a product of a rate with them is exact.
const RATES: PartRates = PartRates { u: 2.0, diagonal: 0.5, v: 0.125, bias: 4.0 };
const RATE: f64 = 0.05;

/// Each part is what it would be if all parts had its rate: no rule looks at two parts.
#[test]
fn each_part_has_its_rate() {
    for rule in rules() {
        let trained = |rates: PartRates, rate: f64| {
            let mut layer = layer(SHAPE, 1);
            let mut optimizer = FactorOptimizer::new(rule).expect("a rule").with_part_rates(rates).expect("rates");
            assert_eq!(optimizer.part_rates(), rates);
            for step in 0..4 {
                let ids = (step != 2).then(|| some_ids(SHAPE.vocab_size, 3, step));
                let gradients = factor_gradients(SHAPE, ids, step);
                optimizer.step(&mut layer, &gradients, rate).expect("shapes that fit");
            }
            // Of U alone, which takes another way.
            let mut gradients = factor_gradients(SHAPE, None, 9);
            (gradients.diagonal, gradients.v, gradients.bias) = (None, None, None);
            optimizer.step(&mut layer, &gradients, rate).expect("shapes that fit");
            layer.into_factors().into_parts()
        };
        let parts = trained(RATES, RATE);
        let alone = |rate: f64| trained(PartRates::default(), rate * RATE);
        assert_same_bits(&format!("u by {rule:?}"), parts.u.view(), alone(RATES.u).u.view());
        assert_same_bits(&format!("v by {rule:?}"), parts.v.view(), alone(RATES.v).v.view());
        assert_eq!(parts.diagonal, alone(RATES.diagonal).diagonal, "{rule:?}");
        assert_eq!(parts.bias, alone(RATES.bias).bias, "{rule:?}");
        assert_ne!(parts.u, alone(1.0).u, "{rule:?}");
    }
}

#[test]
fn rates_that_are_none_are_refused() {
    for rate in [-1.0, f64::NAN, f64::INFINITY] {
        for rates in [
            PartRates { u: rate, ..PartRates::default() },
            PartRates { diagonal: rate, ..PartRates::default() },
            PartRates { v: rate, ..PartRates::default() },
            PartRates { bias: rate, ..PartRates::default() },
        ] {
            let refused = FactorOptimizer::new(Optimizer::adam()).expect("a rule").with_part_rates(rates);
            assert!(matches!(refused, Err(Error::InvalidSetting { .. })), "{rates:?}: {refused:?}");
        }
    }
}
