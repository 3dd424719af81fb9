//! Medians of interleaved rounds, with the interval that a small sample allows.
//!
//! Nothing is assumed about how figures are distributed: the interval of the median is the pair of
//! order statistics that covers it with at least 95 %, as in any textbook's sign test.

/// What a sample of rounds says about one figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    /// Lower end of the interval that holds the median with at least 95 %.
    pub(crate) low: f64,
    /// Upper end of that interval.
    pub(crate) high: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
    pub(crate) count: usize,
}

impl Spread {
    /// Summarises `values`. None without values, or where one of them is not a number.
    pub(crate) fn of(mut values: Vec<f64>) -> Option<Spread> {
        if values.is_empty() || values.iter().any(|value| value.is_nan()) {
            return None;
        }
        values.sort_by(f64::total_cmp);
        let count = values.len();
        let outside = ranks_outside(count);
        Some(Spread {
            median: median_of_sorted(&values),
            low: values[outside],
            high: values[count - 1 - outside],
            least: values[0],
            most: values[count - 1],
            count,
        })
    }
}

fn median_of_sorted(values: &[f64]) -> f64 {
    let middle = values.len() / 2;
    if values.len() % 2 == 1 {
        values[middle]
    } else {
        f64::midpoint(values[middle - 1], values[middle])
    }
}

/// How many of the smallest (and of the largest) values may be left out of the interval.
///
/// The median lies below the k-th smallest of n values with the chance that at most k − 1 of n
/// fair coins fall heads. Below six values not even the whole range reaches 95 %; it is used then.
fn ranks_outside(count: usize) -> usize {
    let coins = 0.5f64.powi(i32::try_from(count).unwrap_or(i32::MAX));
    let mut ways = 1.0;
    let mut below = 0.0;
    let mut outside = 0;
    for rank in 0..count / 2 {
        below += ways * coins;
        if below > 0.025 {
            break;
        }
        outside = rank;
        ways *= (count - rank) as f64 / (rank + 1) as f64;
    }
    outside
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_the_one_of_the_tables() {
        // Tables of the sign test: n = 10 gives ranks 2 and 9, n = 12 ranks 3 and 10,
        // n = 20 ranks 6 and 15, n = 5 the whole range.
        let ranks = |count: usize| {
            let spread = Spread::of((1..=count).map(|rank| rank as f64).collect()).unwrap();
            (spread.low as usize, spread.high as usize)
        };
        assert_eq!(ranks(10), (2, 9));
        assert_eq!(ranks(12), (3, 10));
        assert_eq!(ranks(20), (6, 15));
        assert_eq!(ranks(5), (1, 5));
        assert_eq!(ranks(1), (1, 1));
    }

    #[test]
    fn the_median_of_an_even_count_lies_between() {
        let spread = Spread::of(vec![4.0, 1.0, 3.0, 2.0]).unwrap();
        assert_eq!(spread.median, 2.5);
        assert_eq!((spread.least, spread.most, spread.count), (1.0, 4.0, 4));
    }

    #[test]
    fn what_is_not_a_number_is_no_figure() {
        assert_eq!(Spread::of(vec![]), None);
        assert_eq!(Spread::of(vec![1.0, f64::NAN]), None);
    }
}
