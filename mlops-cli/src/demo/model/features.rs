//! From flights to the matrix a model learns from.
//!
//! Names become numbers by their smoothed share of late flights among the training rows (Micci-
//! Barreca, "A preprocessing scheme for high-cardinality categorical attributes", SIGKDD
//! Explorations 3(1), 2001): `(late + s * share) / (count + s)`, where `share` is that of all
//! training rows. A name that training never saw gets `share`. Nothing here looks at the labels of
//! the rows that are transformed, nor at other rows of the same table, so a flight has the same
//! features whether it comes alone or with others.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use ndarray::Array2;
use serde::{Deserialize, Serialize};

use super::flights::{Category, Flights};

/// How many average flights each name starts with.
const SMOOTHING: f64 = 50.0;
/// 1970-01-01 was a Thursday; Monday is 0.
const FIRST_WEEKDAY: i32 = 3;

/// One column of the matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Feature {
    Origin,
    Dest,
    Carrier,
    CarrierAtOrigin,
    Hour,
    Minute,
    Weekday,
    Distance,
    Temp,
    Dewp,
    Humid,
    WindSpeed,
    Precip,
    Pressure,
    Visib,
}

impl Feature {
    /// Every feature.
    pub(crate) const ALL: [Self; 15] = [
        Self::Origin,
        Self::Dest,
        Self::Carrier,
        Self::CarrierAtOrigin,
        Self::Hour,
        Self::Minute,
        Self::Weekday,
        Self::Distance,
        Self::Temp,
        Self::Dewp,
        Self::Humid,
        Self::WindSpeed,
        Self::Precip,
        Self::Pressure,
        Self::Visib,
    ];
}

/// The share of late flights by name.
type Rates = BTreeMap<String, f32>;

/// What was learned from the training rows to turn flights into features.
///
/// Numbers are kept as `f32`, which a JSON file carries without loss.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FeatureEncoder {
    features: Vec<Feature>,
    share: f32,
    origin: Rates,
    dest: Rates,
    carrier: Rates,
    carrier_at_origin: Rates,
}

impl FeatureEncoder {
    /// Learns from training rows, of which the unlabelled are left out.
    ///
    /// # Errors
    /// No labelled row, or no feature.
    pub(crate) fn fit(rows: &Flights, features: &[Feature]) -> Result<Self> {
        ensure!(!features.is_empty(), "no feature is asked for");
        let labels: Vec<(usize, bool)> = rows
            .label
            .iter()
            .enumerate()
            .filter_map(|(row, label)| Some((row, (*label)?)))
            .collect();
        ensure!(!labels.is_empty(), "no labelled flight to learn from rows={}", rows.len());
        let late = labels.iter().filter(|(_, late)| *late).count();
        let share = late as f64 / labels.len() as f64;
        let by = |category: &Category| rates(category, &labels, share);
        Ok(Self {
            features: features.to_vec(),
            share: share as f32,
            origin: by(&rows.origin),
            dest: by(&rows.dest),
            carrier: by(&rows.carrier),
            carrier_at_origin: by(&pairs(&rows.carrier, &rows.origin)),
        })
    }

    /// How many columns.
    pub(crate) fn width(&self) -> usize {
        self.features.len()
    }

    /// The matrix, one row a flight and one column a feature; a null reading is NaN.
    pub(crate) fn transform(&self, rows: &Flights) -> Array2<f32> {
        let mut matrix = Array2::zeros((rows.len(), self.features.len()));
        for (feature, mut into) in self.features.iter().zip(matrix.columns_mut()) {
            for (cell, value) in into.iter_mut().zip(self.column(*feature, rows)) {
                *cell = value;
            }
        }
        matrix
    }

    fn column(&self, feature: Feature, rows: &Flights) -> Vec<f32> {
        match feature {
            Feature::Origin => self.encode(&self.origin, &rows.origin),
            Feature::Dest => self.encode(&self.dest, &rows.dest),
            Feature::Carrier => self.encode(&self.carrier, &rows.carrier),
            Feature::CarrierAtOrigin => {
                self.encode(&self.carrier_at_origin, &pairs(&rows.carrier, &rows.origin))
            }
            Feature::Hour => rows.hour.iter().map(|value| f32::from(*value)).collect(),
            Feature::Minute => rows.minute.iter().map(|value| f32::from(*value)).collect(),
            Feature::Distance => rows.distance.iter().map(|value| f32::from(*value)).collect(),
            Feature::Weekday => weekdays(rows),
            Feature::Temp => rows.weather[0].clone(),
            Feature::Dewp => rows.weather[1].clone(),
            Feature::Humid => rows.weather[2].clone(),
            Feature::WindSpeed => rows.weather[3].clone(),
            Feature::Precip => rows.weather[4].clone(),
            Feature::Pressure => rows.weather[5].clone(),
            Feature::Visib => rows.weather[6].clone(),
        }
    }

    /// Looks each name up once, then each row by its code.
    fn encode(&self, rates: &Rates, category: &Category) -> Vec<f32> {
        let rate = |name: &String| rates.get(name).copied().unwrap_or(self.share);
        let by_code: Vec<f32> = category.names.iter().map(rate).collect();
        category.codes.iter().map(|code| by_code[usize::from(*code)]).collect()
    }
}

fn rates(category: &Category, labels: &[(usize, bool)], share: f64) -> Rates {
    let mut counts = vec![(0.0, 0.0); category.names.len()];
    for (row, late) in labels {
        let (count, lates) = &mut counts[usize::from(category.codes[*row])];
        *count += 1.0;
        *lates += f64::from(u8::from(*late));
    }
    let rate = |(count, late): (f64, f64)| (late + SMOOTHING * share) / (count + SMOOTHING);
    let seen = category.names.iter().zip(counts).filter(|(_, (count, _))| *count > 0.0);
    seen.map(|(name, counts)| (name.clone(), rate(counts) as f32)).collect()
}

/// The combination of two names as a name of its own: `B6@JFK`.
fn pairs(first: &Category, second: &Category) -> Category {
    let width = second.names.len();
    let codes = first.codes.iter().zip(&second.codes);
    let codes = codes.map(|(a, b)| (usize::from(*a) * width + usize::from(*b)) as u16).collect();
    let join = |a: &String| second.names.iter().map(|b| format!("{a}@{b}")).collect::<Vec<_>>();
    Category { codes, names: first.names.iter().flat_map(join).collect() }
}

fn weekdays(rows: &Flights) -> Vec<f32> {
    let weekday = |day: i32| (day + FIRST_WEEKDAY).rem_euclid(7) as f32;
    rows.local_days().into_iter().map(weekday).collect()
}

#[cfg(test)]
mod tests {
    use super::super::flights::tests::sample;
    use super::*;

    #[test]
    fn a_name_is_its_smoothed_share_of_late_flights() {
        let rows = sample(700);
        let encoder = FeatureEncoder::fit(&rows, &[Feature::Dest]).unwrap();
        let labels: Vec<(usize, bool)> =
            (0..rows.len()).filter_map(|row| Some((row, rows.label[row]?))).collect();
        let share = labels.iter().filter(|(_, late)| *late).count() as f64 / labels.len() as f64;
        let boston: Vec<bool> =
            labels.iter().filter(|(row, _)| rows.dest.name(*row) == "BOS").map(|l| l.1).collect();
        let late = boston.iter().filter(|late| **late).count() as f64;
        let expected = (late + 50.0 * share) / (boston.len() as f64 + 50.0);
        let matrix = encoder.transform(&rows);
        let row = (0..rows.len()).find(|row| rows.dest.name(*row) == "BOS").unwrap();
        assert!((f64::from(matrix[[row, 0]]) - expected).abs() < 1e-6);
    }

    #[test]
    fn an_unseen_name_gets_the_overall_share() {
        let rows = sample(300);
        let encoder = FeatureEncoder::fit(&rows, &[Feature::Carrier]).unwrap();
        let mut other = rows.clone();
        other.carrier = Category::from_names((0..300).map(|_| "ZZ")).unwrap();
        assert!(encoder.transform(&other).iter().all(|value| *value == encoder.share));
    }

    #[test]
    fn a_flight_has_the_same_features_alone_or_among_others() {
        let rows = sample(300);
        let encoder = FeatureEncoder::fit(&rows, &Feature::ALL).unwrap();
        let all = encoder.transform(&rows);
        let alone = encoder.transform(&rows.between(rows.time[17], rows.time[18]));
        let bits = |values: Vec<f32>| values.into_iter().map(f32::to_bits).collect::<Vec<_>>();
        assert_eq!(bits(alone.row(0).to_vec()), bits(all.row(17).to_vec()));
    }

    #[test]
    fn weekdays_count_from_monday() {
        let rows = sample(25); // 2013-01-01 was a Tuesday
        let matrix = FeatureEncoder::fit(&rows, &[Feature::Weekday]).unwrap().transform(&rows);
        assert_eq!((matrix[[0, 0]], matrix[[24, 0]]), (1.0, 2.0));
    }

    #[test]
    fn without_labels_there_is_nothing_to_learn() {
        let mut rows = sample(10);
        rows.label.fill(None);
        assert!(FeatureEncoder::fit(&rows, &Feature::ALL).is_err());
        assert!(FeatureEncoder::fit(&sample(10), &[]).is_err());
    }
}
