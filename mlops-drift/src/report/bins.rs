//! The statistics of binned data: bins of numbers between the edges of PSI, or categories.

use super::{PlainStatistic, Statistics, TestedStatistic};
use crate::statistic::{
    EmptyBins, chi_square, g, hellinger, jensen_shannon, kullback_leibler, l_infinity,
    total_variation,
};

/// All statistics that follow from the counts of both sides, reference first; the others are left out.
pub(super) fn statistics(bins: &[Vec<u64>; 2], empty: EmptyBins) -> Statistics {
    let [reference, current] = bins;
    let plain = |value: Option<f64>| Some(PlainStatistic { value });
    let effect = total_variation(reference, current);
    Statistics {
        g: Some(TestedStatistic { value: g(reference, current), p_value: None, effect }),
        chi_square: plain(chi_square(reference, current)),
        total_variation: plain(effect),
        l_infinity: plain(l_infinity(reference, current)),
        jensen_shannon: plain(jensen_shannon(reference, current)),
        kullback_leibler: plain(kullback_leibler(reference, current, empty)),
        hellinger: plain(hellinger(reference, current)),
        ..Statistics::default()
    }
}
