//! Every Arrow type ends checked, or unchecked with a reason.

use std::sync::Arc;

use mlops_drift::arrow::array::{
    Array, ArrayRef, BooleanArray, Decimal128Array, DictionaryArray, Float64Array, Int32Array,
    Int64Array, ListArray, NullArray, StringArray, StringViewArray, TimestampMicrosecondArray,
    UInt64Array,
};
use mlops_drift::arrow::compute::cast;
use mlops_drift::arrow::datatypes::{DataType, Int8Type, Int32Type, TimeUnit};
use mlops_drift::report::{Change, Counts, Kind};
use mlops_drift::{FitOptions, MonitorOptions, Verdict, compare};

use super::{batch, floats, one};

fn numbers(from: i64, to: i64) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values((from..to).map(|x| x % 100)))
}

#[test]
fn numbers_of_every_width_give_the_same_distance() {
    let types = [
        DataType::Int8,
        DataType::Int16,
        DataType::Int32,
        DataType::Int64,
        DataType::UInt8,
        DataType::UInt16,
        DataType::UInt32,
        DataType::UInt64,
        DataType::Float16,
        DataType::Float32,
        DataType::Float64,
        DataType::Decimal128(20, 4),
        DataType::Decimal64(10, 2),
        DataType::Decimal32(9, 2),
        DataType::Date32,
        DataType::Timestamp(TimeUnit::Second, None),
        DataType::Duration(TimeUnit::Millisecond),
        DataType::Time64(TimeUnit::Nanosecond),
    ];
    for data_type in types {
        let to = |array: ArrayRef| {
            let via = match data_type {
                DataType::Date32 => cast(&array, &DataType::Int32).expect("narrower"),
                _ => array,
            };
            cast(&via, &data_type).expect("a cast")
        };
        let column = one(to(numbers(0, 100)), to(numbers(25, 100)));
        assert_eq!(column.verdict, Verdict::Drifted, "{data_type}");
        assert_eq!(column.decided_by, Some(Change::Location), "{data_type}");
        let ks = column.statistics.ks.expect("a number has it");
        assert_eq!(ks.value, Some(0.25), "{data_type}");
        assert_eq!(ks.numerator.as_deref(), Some("1875"), "{data_type}");
        assert_eq!(ks.denominator.as_deref(), Some("7500"), "{data_type}");
        let shift = column.statistics.mean_shift.expect("a number has it");
        assert!(shift.value.is_some_and(|s| (s - 12.5).abs() < 1e-9), "{data_type}: {shift:?}");
        let time = !data_type.is_numeric();
        assert_eq!(column.kind, Some(if time { Kind::Time } else { Kind::Numeric }));
    }
}

#[test]
fn categories_of_every_encoding_give_the_same_distance() {
    let texts = |old: usize| -> ArrayRef {
        let names = (0..200).map(|row| if row < old { "old" } else { ["a", "b"][row % 2] });
        Arc::new(StringArray::from_iter_values(names))
    };
    let types = [
        DataType::Utf8,
        DataType::LargeUtf8,
        DataType::Utf8View,
        DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
        DataType::Dictionary(Box::new(DataType::UInt8), Box::new(DataType::LargeUtf8)),
    ];
    for data_type in types {
        let to = |old| cast(&texts(old), &data_type).expect("a cast");
        let column = one(to(100), to(0));
        assert_eq!(column.kind, Some(Kind::Categorical), "{data_type}");
        assert_eq!(column.decided_by, Some(Change::Categories), "{data_type}");
        assert_eq!(column.effect, Some(0.5), "{data_type}");
        assert_eq!(column.categories.vanished, ["old"], "{data_type}");
        assert!(column.categories.new.is_empty());
    }
    let unseen = one(texts(0), texts(100));
    assert_eq!((unseen.verdict, unseen.categories.new), (Verdict::Drifted, vec!["old".to_owned()]));
}

#[test]
fn a_dictionary_is_read_by_value_with_nulls_in_keys_and_values() {
    let values: ArrayRef = Arc::new(StringViewArray::from(vec![Some("x"), None, Some("x")]));
    let keys = Int32Array::from(vec![Some(0), Some(1), Some(2), None, Some(0)]);
    let array = DictionaryArray::<Int32Type>::try_new(keys, values).expect("valid keys");
    let plain: ArrayRef = Arc::new(StringArray::from(vec!["x"; 40]));
    let plain = cast(&plain, array.data_type()).expect("a cast");
    let column = one(plain, Arc::new(array));
    let Counts { rows, null, finite, .. } = column.counts.current;
    assert_eq!((rows, null, finite), (5, 2, 3));
    assert_eq!(column.effect.map(|e| e > 0.0), Some(true), "the share of nulls changed");
    let none: ArrayRef = Arc::new(StringArray::from(Vec::<&str>::new()));
    let keys = mlops_drift::arrow::array::Int8Array::from(vec![None, None]);
    let empty = DictionaryArray::<Int8Type>::try_new(keys, none).expect("valid keys");
    let empty: ArrayRef = Arc::new(empty);
    assert_eq!(one(Arc::clone(&empty), empty).counts.current.null, 2);
}

#[test]
fn numbers_named_categorical_are_compared_by_name() {
    let side = |values: [f64; 4]| batch(vec![("x", floats(values.repeat(50)))]);
    let sides = [side([0.0, 1.0, f64::NAN, 2.0]), side([-0.0, 1.0, f64::INFINITY, 3.0])];
    let options = FitOptions::default().with_categorical(["x"]);
    let report = compare(&sides[..1], &sides[1..], &options, &MonitorOptions::default());
    let column = report.expect("a report").columns.remove(0);
    assert_eq!(column.kind, Some(Kind::Categorical));
    assert_eq!((column.counts.reference.nan, column.counts.current.infinite), (50, 50));
    assert_eq!(
        (column.categories.new, column.categories.vanished),
        (vec!["3".into()], vec!["2".into()])
    );
    let dates: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![i64::MAX, i64::MIN, 0]));
    let report = compare(
        &[batch(vec![("x", Arc::clone(&dates))])],
        &[batch(vec![("x", dates)])],
        &options,
        &MonitorOptions::default(),
    );
    assert_eq!(report.expect("odd dates are names too").columns[0].counts.current.finite, 3);
}

#[test]
fn integers_beyond_the_reach_of_floats_stay_apart() {
    let side = |offset: u64| -> ArrayRef {
        Arc::new(UInt64Array::from_iter_values((0..200).map(|row| (1 << 63) + row % 100 + offset)))
    };
    let column = one(side(0), side(50));
    assert_eq!(column.statistics.ks.and_then(|ks| ks.value), Some(0.5));
    assert_eq!(column.statistics.wasserstein.and_then(|w| w.value), Some(50.0));
    let ends: ArrayRef = Arc::new(Int64Array::from(vec![i64::MIN, i64::MAX]));
    let column = one(Arc::clone(&ends), ends);
    assert_eq!(column.statistics.ks.and_then(|ks| ks.value), Some(0.0));
}

#[test]
fn booleans_are_tested_as_categories() {
    let side = |every: usize| -> ArrayRef {
        Arc::new((0..400).map(|row| Some(row % every == 0)).collect::<BooleanArray>())
    };
    let column = one(side(2), side(10));
    assert_eq!(column.kind, Some(Kind::Boolean));
    assert_eq!((column.verdict, column.decided_by), (Verdict::Drifted, Some(Change::Categories)));
    assert_eq!(column.effect, Some(0.4));
}

#[test]
fn decimals_are_reported_in_their_own_unit() {
    let side = |add: i128| -> ArrayRef {
        let values = (0..100).map(|row| row * 5 + add);
        let array = Decimal128Array::from_iter_values(values);
        Arc::new(array.with_precision_and_scale(12, 2).expect("a scale"))
    };
    let column = one(side(0), side(125));
    let near = |value: Option<f64>, expected: f64| {
        value.is_some_and(|value| (value - expected).abs() < 1e-12)
    };
    assert!(near(column.statistics.wasserstein.and_then(|w| w.value), 1.25));
    assert!(near(column.statistics.mean_shift.and_then(|s| s.value), 1.25));
    assert!(near(column.quantile_shifts[2].reference, 2.47), "rounded down to a cent");
}

#[test]
fn unsupported_types_are_unchecked_with_a_reason() {
    let list: ArrayRef =
        Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(vec![Some(vec![Some(1)])]));
    let nulls: ArrayRef = Arc::new(NullArray::new(3));
    for array in [list, nulls] {
        let column = one(Arc::clone(&array), Arc::clone(&array));
        assert_eq!((column.verdict, column.kind), (Verdict::Unchecked, None));
        assert!(column.reason.is_some_and(|reason| reason.contains("not supported")));
        assert_eq!(column.counts.current.rows, array.len() as u64);
    }
}

#[test]
fn nulls_nan_and_infinities_are_counted_and_left_out() {
    let values = [Some(1.0), None, Some(f64::NAN), Some(f64::INFINITY), Some(-0.0)];
    let array: ArrayRef = Arc::new(Float64Array::from(values.repeat(20)));
    let column = one(floats([0.0, 1.0].repeat(50)), array);
    let Counts { rows, null, nan, infinite, finite, .. } = column.counts.current;
    assert_eq!((rows, null, nan, infinite, finite), (100, 20, 20, 20, 40));
    assert_eq!(column.statistics.ks.and_then(|ks| ks.value), Some(0.0));
    assert_eq!((column.decided_by, column.effect), (Some(Change::Nulls), Some(0.6)));
    assert_eq!(column.verdict, Verdict::Drifted);
}

#[test]
fn a_slice_of_an_array_is_read_with_its_own_bitmap() {
    let values: Vec<Option<f64>> = (0..100).map(|row| (row % 2 == 0).then_some(7.0)).collect();
    let array = Float64Array::from(values).slice(1, 3);
    let column = one(floats([7.0; 30]), Arc::new(array));
    assert_eq!((column.counts.current.null, column.counts.current.finite), (2, 1));
}
