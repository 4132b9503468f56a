//! Groups of rows.

use factorized_embedding::{RowGroups, RowWeights};

fn counts(len: usize) -> RowWeights {
    // The most used row in the middle.
    RowWeights::new((0..len).map(|id| 1.0 / (1.0 + id.abs_diff(len / 2) as f64)).collect::<Vec<_>>()).expect("positive")
}

#[test]
fn groups_by_frequency_hold_ever_more_rows_of_ever_smaller_counts() {
    for len in [1, 2, 3, 10, 100, 1003] {
        let weights = counts(len);
        for num_groups in [1, 2, 6, 13, 256] {
            for ratio in [1.0, 1.5, 2.0, 1e300] {
                let groups =
                    RowGroups::by_frequency_with_ratio(&weights, num_groups, ratio).expect("a ratio from 1 up");
                let sizes = groups.sizes();
                let name = format!("{len} rows, {num_groups} groups, ratio {ratio}: {sizes:?}");
                assert_eq!((groups.vocab_size(), groups.num_groups()), (len, num_groups), "{name}");
                assert_eq!(sizes.iter().sum::<usize>(), len, "{name}");
                // Ends are rounded, so that sizes are off by less than one row.
                let scale = (0..num_groups).map(|group| ratio.powi(-(group as i32))).sum::<f64>();
                for (group, &size) in sizes.iter().rev().enumerate() {
                    let exact = len as f64 * ratio.powi(-(group as i32)) / scale;
                    assert!((size as f64 - exact).abs() <= 1.0 + 1e-6, "{name}: {size}, not {exact}");
                }
                let order = weights.most_used();
                let in_order: Vec<u8> = order.iter().map(|&id| groups.group_of()[id as usize]).collect();
                assert!(in_order.is_sorted(), "{name}: {in_order:?}");
            }
        }
    }
}

#[test]
fn given_groups_stay_what_they_are() {
    let groups = RowGroups::from_group_of([3, 0, 3, 255]).expect("rows");
    assert_eq!(groups.group_of(), [3, 0, 3, 255]);
    assert_eq!(groups.num_groups(), 256);
    assert_eq!(groups.sizes().iter().sum::<usize>(), 4);
    assert_eq!((groups.sizes()[0], groups.sizes()[1], groups.sizes()[3], groups.sizes()[255]), (1, 0, 2, 1));
}
