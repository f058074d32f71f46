//! Flights to bytes and back, and bytes that are no flights.

use super::super::flights::tests::sample;
use super::*;

/// NaN is unequal to itself, hence the comparison by what is written.
fn assert_same(a: &Flights, b: &Flights) {
    assert_eq!(a.to_batch().unwrap(), b.to_batch().unwrap());
}

#[test]
fn flights_survive_the_file_and_give_the_same_bytes() {
    let flights = sample(500);
    let bytes = flights.to_parquet().unwrap();
    let back = Flights::from_parquet(&bytes).unwrap();
    assert_same(&flights, &back);
    assert_eq!(bytes, back.to_parquet().unwrap());
    let empty = Flights::from_parquet(&sample(0).to_parquet().unwrap()).unwrap();
    assert!(empty.is_empty());
}

#[test]
fn a_stretch_of_the_file_is_that_stretch_of_the_flights() {
    let flights = sample(500);
    let bytes = flights.to_parquet().unwrap();
    let (first, last) = (flights.time[0], flights.time[499]);
    let stretches =
        [(first, last + 1), (first + 1, last), (first + 40 * 3_600, last - 1), (0, first)];
    for (from, to) in stretches {
        let part = Flights::from_parquet_between(&bytes, from, to).unwrap();
        assert_eq!(part.len(), flights.rows_between(from, to).len(), "{from} {to}");
        assert_eq!(part.to_parquet().unwrap(), flights.between(from, to).to_parquet().unwrap());
    }
    assert!(Flights::from_parquet_between(&bytes, last, first).unwrap().is_empty());
    let unsorted = Flights { time: flights.time.iter().rev().copied().collect(), ..flights };
    let error = Flights::from_parquet_between(&unsorted.to_parquet().unwrap(), 0, 1).unwrap_err();
    assert!(format!("{error:#}").contains("not sorted"), "{error:#}");
}

#[test]
fn a_delay_above_fifteen_minutes_is_late() {
    let batch = sample(4).to_batch().unwrap();
    let delay: ArrayRef =
        Arc::new(Float32Array::from(vec![Some(15.0), Some(15.5), Some(-3.0), None]));
    let columns = batch.schema().fields().len() - 1;
    let schema = batch.schema();
    let named = (0..columns)
        .map(|at| (schema.field(at).name().clone(), batch.column(at).clone()))
        .chain([("arr_delay".to_owned(), delay)]);
    let delayed = RecordBatch::try_from_iter(named).unwrap();
    let flights = Flights::from_batch(&delayed).unwrap();
    assert_eq!(flights.label, [Some(false), Some(true), Some(false), None]);
}

#[test]
fn rows_to_score_need_no_label_and_no_weather() {
    let batch = sample(6).to_batch().unwrap().project(&[0, 1, 2, 3, 4, 5, 6]).unwrap();
    let flights = Flights::from_batch(&batch).unwrap();
    assert!(flights.label.iter().all(Option::is_none));
    assert!(flights.weather[0].iter().all(|value| value.is_nan()));
    let missing = Flights::from_batch(&batch.project(&[0, 1]).unwrap()).unwrap_err();
    assert_eq!(missing.to_string(), "no column name=dest");
}

#[test]
fn values_outside_their_range_are_refused() {
    let mut flights = sample(5);
    flights.hour[2] = 24;
    let error = Flights::from_batch(&flights.to_batch().unwrap()).unwrap_err();
    assert_eq!(error.to_string(), "value is out of range name=hour value=24");
    let mut flights = sample(5);
    flights.time.swap(0, 4);
    let error = Flights::from_batch(&flights.to_batch().unwrap()).unwrap_err();
    assert_eq!(error.to_string(), "flights are not sorted by time_hour");
}

#[test]
fn a_cut_or_foreign_file_is_an_error() {
    let bytes = sample(300).to_parquet().unwrap();
    for keep in [0, 4, 11, 12, bytes.len() / 2, bytes.len() - 1] {
        assert!(Flights::from_parquet(&bytes[..keep]).is_err(), "kept {keep}");
    }
    let error = Flights::from_parquet(b"time_hour,origin\n1,EWR\n").unwrap_err();
    assert!(error.to_string().contains("does not begin with PAR1"), "{error}");
}

#[test]
fn a_damaged_file_never_panics() {
    let bytes = sample(40).to_parquet().unwrap();
    for at in (0..bytes.len()).step_by(3) {
        for flip in [0x01, 0x80, 0xff] {
            let mut damaged = bytes.clone();
            damaged[at] ^= flip;
            drop(Flights::from_parquet(&damaged));
            drop(Flights::from_parquet_between(&damaged, 0, i64::MAX));
        }
    }
}
