use proptest::prelude::*;

use super::{alone, ranges, runs};

proptest! {
    #[test]
    fn runs_name_every_number_and_close_no_wider_gap(
        numbers: std::collections::BTreeSet<u16>,
        gap in 0_u64..40,
    ) {
        let numbers: Vec<u64> = numbers.into_iter().map(u64::from).collect();
        let runs = runs(numbers.iter().copied().map(alone), gap);
        let named: Vec<u64> = ranges(&runs).flatten().collect();
        prop_assert!(named.is_sorted_by(|a, b| a < b));
        prop_assert!(numbers.iter().all(|number| named.binary_search(number).is_ok()));
        for named in named {
            let near = |number: &u64| number.abs_diff(named) <= gap;
            prop_assert!(numbers.iter().any(near));
        }
        let begins = ranges(&runs).skip(1).zip(ranges(&runs));
        prop_assert!(begins.into_iter().all(|(next, one)| next.start > one.end + gap));
    }
}
