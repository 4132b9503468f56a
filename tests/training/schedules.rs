//! Learning rates step by step.

use factorized_embedding::train::Schedule;

fn rates(schedule: Schedule, steps: u64) -> Vec<f64> {
    (0..steps).map(|step| schedule.learning_rate(step)).collect()
}

fn constant(rate: f64) -> Schedule {
    Schedule::constant(rate).expect("a learning rate")
}

#[test]
fn a_constant_is_constant() {
    assert_eq!(rates(constant(0.25), 3), [0.25; 3]);
    assert_eq!(constant(0.25).learning_rate(u64::MAX), 0.25);
    assert_eq!(constant(0.0).learning_rate(7), 0.0);
}

#[test]
fn warming_up_ends_at_the_learning_rate() {
    assert_eq!(rates(constant(1.0).with_warm_up(4), 6), [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]);
    assert_eq!(rates(constant(1.0).with_warm_up(1), 2), [1.0, 1.0]);
}

#[test]
fn a_line_falls_by_the_same_in_each_step() {
    let schedule = constant(1.0).with_linear_decay(4, 0.5).expect("a learning rate");
    assert_eq!(rates(schedule, 6), [1.0, 0.875, 0.75, 0.625, 0.5, 0.5]);
    assert_eq!(rates(schedule.with_warm_up(2), 6), [0.5, 1.0, 1.0, 0.75, 0.5, 0.5]);
}

#[test]
fn a_cosine_falls_fastest_halfway() {
    let schedule = constant(1.0).with_warm_up(2).with_cosine_decay(8, 0.0).expect("a learning rate");
    // Steps 2 to 8 are at 0°, 30°, … of half a circle.
    let expected = [0.5, 1.0, 1.0, 0.933_012_701_892_219_3, 0.75, 0.5, 0.25, 0.066_987_298_107_780_7, 0.0, 0.0];
    for (step, (rate, expected)) in rates(schedule, 10).into_iter().zip(expected).enumerate() {
        assert!((rate - expected).abs() <= 4.0 * f64::EPSILON, "{rate} in step {step}, expected {expected}");
    }
    assert_eq!(schedule.learning_rate(u64::MAX), 0.0);
}

#[test]
fn a_decay_that_ends_before_the_warm_up_leaves_the_last_rate() {
    for end in [0, 3, 4] {
        let schedule = constant(1.0).with_warm_up(4).with_cosine_decay(end, 0.1).expect("a learning rate");
        assert_eq!(rates(schedule, 6), [0.25, 0.5, 0.75, 1.0, 0.1, 0.1]);
    }
}

#[test]
fn rates_that_make_no_sense_are_refused() {
    for rate in [-1.0, f64::NAN, f64::INFINITY] {
        let error = Schedule::constant(rate).expect_err("it is refused");
        assert_eq!(
            error.to_string(),
            format!("learning_rate is {rate}, expected a finite number that is not negative")
        );
        let message = format!("last learning rate is {rate}, expected a finite number that is not negative");
        let decays = [constant(1.0).with_linear_decay(9, rate), constant(1.0).with_cosine_decay(9, rate)];
        for decay in decays {
            assert_eq!(decay.expect_err("it is refused").to_string(), message);
        }
    }
}
