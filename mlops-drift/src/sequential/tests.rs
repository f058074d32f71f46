//! The martingale held against the urn, sequence by sequence.

use super::*;

/// The probability of a sequence of cells, step by step.
fn urn(gaps: &[u64], cells: &[usize]) -> f64 {
    let mut held: Vec<f64> = gaps.iter().map(|&gap| gap as f64).collect();
    let mut probability = 1.0;
    for &cell in cells {
        probability *= held[cell] / held.iter().sum::<f64>();
        held[cell] += 1.0;
    }
    probability
}

/// Every sequence of so many cells.
fn sequences(cells: usize, length: u32) -> impl Iterator<Item = Vec<usize>> {
    (0..cells.pow(length))
        .map(move |number| (0..length).map(|place| number / cells.pow(place) % cells).collect())
}

fn count(cells: usize, sequence: &[usize]) -> Vec<u64> {
    let mut counts = vec![0; cells];
    sequence.iter().for_each(|&cell| counts[cell] += 1);
    counts
}

#[test]
fn its_expectation_is_one_at_each_look_by_summing_over_all_sequences() -> Result<()> {
    for (gaps, windows) in [
        (&[1_u64, 2, 1][..], &[1_usize, 1, 1, 2, 1, 2][..]),
        (&[3, 40, 7], &[2, 3, 3]),
        (&[1, 1], &[1, 1, 1, 1, 1, 1, 1, 1, 1, 1]),
        (&[2, 5, 1, 9, 4], &[1, 2, 2]),
    ] {
        let length: usize = windows.iter().sum();
        let mut expected = vec![0.0; windows.len()];
        for sequence in sequences(gaps.len(), length as u32) {
            let mut evidence = Evidence::new(gaps)?;
            let (probability, mut rest) = (urn(gaps, &sequence), &sequence[..]);
            for (sum, &window) in expected.iter_mut().zip(windows) {
                let (now, later) = rest.split_at(window);
                *sum += probability * evidence.observe(&count(gaps.len(), now))?.exp();
                rest = later;
            }
        }
        for got in &expected {
            assert!((got - 1.0).abs() < 1e-11, "{gaps:?}: {expected:?}");
        }
    }
    Ok(())
}

/// 2 cells and single rows: more moments of change than are kept, so that capital is handed on. The
/// expectation is taken one step ahead, from a state far on.
#[test]
fn handing_capital_on_keeps_the_expectation() -> Result<()> {
    let gaps = [3_u64, 4];
    let mut evidence = Evidence::new(&gaps)?;
    let mut counts = [0_u64; 2];
    for step in 0..120_u64 {
        let before = evidence.ln_e();
        let all = (gaps.iter().sum::<u64>() + step) as f64;
        let mut mean = 0.0;
        for cell in 0..2 {
            let mut next = evidence.clone();
            let share = (gaps[cell] + counts[cell]) as f64 / all;
            mean += share * (next.observe(&count(2, &[cell]))? - before).exp();
        }
        assert!((mean - 1.0).abs() < 1e-11, "{step}: {mean}");
        let cell = usize::from(step * 7 % 10 < 8 && step > 40);
        evidence.observe(&count(2, &[cell]))?;
        counts[cell] += 1;
    }
    Ok(())
}

#[test]
fn the_split_into_windows_changes_the_moments_considered_alone() -> Result<()> {
    let gaps = [50_u64, 51, 49, 51];
    let (mut whole, mut parts) = (Evidence::new(&gaps)?, Evidence::new(&gaps)?);
    whole.observe(&[10, 20, 30, 60])?;
    for part in [[3, 5, 10, 20], [0, 0, 0, 0], [7, 15, 20, 40]] {
        parts.observe(&part)?;
    }
    assert_eq!(whole.rows(), parts.rows());
    assert!((whole.ln_e() - parts.ln_e()).abs() < 1.5, "{} {}", whole.ln_e(), parts.ln_e());
    assert!(whole.ln_e() > 5.0);
    Ok(())
}

#[test]
fn nothing_overflows() -> Result<()> {
    let mut evidence = Evidence::new(&[1, 1_000_000_000, 5_000_000, 1])?;
    for window in [[0, 1 << 40, 1 << 30, 0], [1 << 41, 0, 0, 0], [0, 0, 0, 1 << 50]] {
        assert!(evidence.observe(&window)?.is_finite());
    }
    let before = evidence.clone();
    assert!(evidence.observe(&[u64::MAX, 0, 0, 0]).is_err());
    assert!(evidence.observe(&[1, 2, 3]).is_err());
    assert_eq!(evidence, before);
    assert_eq!(evidence.p_value(), 0.0);
    assert!(evidence.ln_e() > 1e12);
    Ok(())
}

#[test]
fn a_state_goes_on_where_it_was_kept() -> Result<()> {
    let reference = Sample::new((0..300_i128).map(|row| row % 7));
    let options = SequentialOptions::default().with_seed(9);
    let mut watch = Sequential::numbers(&reference, 12, &options)?;
    for look in 0..60_i128 {
        watch.observe(&Sample::new((0..90).map(|row| row * (look + 3) % 7)), 4)?;
    }
    let kept = serde_json::to_string(&watch).expect("a state as JSON");
    let mut read: Sequential<i128> = serde_json::from_str(&kept).expect("the state read back");
    assert_eq!(read, watch);
    let window = Sample::new([3, 4, 5, 5, 6, -8]);
    watch.observe(&window, 1)?;
    read.observe(&window, 1)?;
    assert_eq!(read, watch);
    assert!(kept.len() < 20_000, "{}", kept.len());
    Ok(())
}

#[test]
fn a_damaged_state_is_refused() -> Result<()> {
    let mut evidence = Evidence::new(&[5, 6])?;
    evidence.observe(&[3, 4])?;
    let kept = serde_json::to_value(&evidence).expect("a state as JSON");
    let damages: [(&str, serde_json::Value); 6] = [
        ("version", 2.into()),
        ("gaps", vec![0, 11].into()),
        ("counts", vec![3, 5].into()),
        ("rows", 8.into()),
        ("cash", 0.into()),
        ("ln_largest", (-1).into()),
    ];
    for (field, value) in damages {
        let mut damaged = kept.clone();
        damaged[field] = value;
        assert!(serde_json::from_value::<Evidence>(damaged).is_err(), "{field}");
    }
    assert!(serde_json::from_value::<Evidence>(kept).is_ok());
    Ok(())
}

#[test]
fn what_can_not_be_watched_is_refused() {
    let options = SequentialOptions::default();
    assert!(Sequential::numbers(&Sample::<f64>::default(), 0, &options).is_err());
    for alpha in [0.0, 1.0, f64::NAN] {
        let options = options.with_alpha(alpha);
        assert!(Sequential::numbers(&Sample::new([1.0]), 0, &options).is_err());
    }
    assert!(Evidence::new(&[3]).is_err() && Evidence::new(&[3, 0]).is_err());
}
