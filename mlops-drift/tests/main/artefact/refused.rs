//! What can't be read or written is one error that says why.

use std::sync::Arc;

use mlops_drift::{ErrorKind, FitOptions, Reference};

use super::monitor;
use crate::{batch, floats};

#[test]
fn every_altered_byte_and_every_cut_is_one_error() {
    let past = batch(vec![("x", floats((0..40).map(f64::from)))]);
    let reference = Reference::fit([&past], &FitOptions::default()).expect("a reference");
    let bytes = reference.to_bytes().expect("bytes");
    let monitor = monitor(reference);
    monitor.observe(&past).expect("a window");
    let counts = monitor.state_bytes().expect("counts");
    let ends = |bytes: &[u8], is_reference: bool| {
        let result = match is_reference {
            true => Reference::from_bytes(bytes).map(|_| ()),
            false => monitor.merge_bytes(bytes),
        };
        let error = result.expect_err("it was altered");
        // Another kind or version is what the first bytes then say.
        assert!([ErrorKind::Corrupt, ErrorKind::InvalidInput].contains(&error.kind()), "{error}");
        assert!(!error.to_string().contains('\n'), "{error}");
    };
    for (whole, is_reference) in [(&bytes, true), (&counts, false)] {
        for at in 0..whole.len() {
            for bit in 0..8 {
                let mut altered = whole.clone();
                altered[at] ^= 1 << bit;
                ends(&altered, is_reference);
            }
            ends(&whole[..at], is_reference);
        }
        ends(&[whole.as_slice(), b"\0"].concat(), is_reference);
    }
    assert_eq!(monitor.report().rows.current, 40, "nothing was added");
}

#[test]
fn counts_of_another_reference_are_refused_by_both_names() {
    let fit = |last: f64| {
        let past = batch(vec![("x", floats([1.0, 2.0, last]))]);
        Reference::fit([&past], &FitOptions::default()).expect("a reference")
    };
    let (a, b) = (fit(3.0), fit(4.0));
    let names =
        [a.fingerprint().expect("one").to_string(), b.fingerprint().expect("one").to_string()];
    assert!(names[0] != names[1] && names.iter().all(|name| name.len() == 64), "{names:?}");
    let (a, b) = (monitor(a), monitor(b));
    let error = a.merge_bytes(&b.state_bytes().expect("counts")).expect_err("another one");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    let [expected, found] = names;
    assert!(error.to_string().ends_with(&format!("expected={expected} found={found}")), "{error}");

    let error = a.merge_bytes(&fit(3.0).to_bytes().expect("bytes")).expect_err("a reference");
    assert_eq!(error.to_string(), "not a monitor's counts: found=a fitted reference");
}

#[test]
fn a_file_is_saved_as_a_whole_and_its_errors_name_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(format!("weather.{}", Reference::FILE_ENDING));
    for last in [3.0, 4.0] {
        let past = batch(vec![("x", floats([1.0, 2.0, last]))]);
        let reference = Reference::fit([&past], &FitOptions::default()).expect("a reference");
        reference.save(&path).expect("saved");
        let opened = Reference::open(&path).expect("opened");
        assert_eq!(opened.fingerprint().expect("one"), reference.fingerprint().expect("one"));
        let bytes = std::fs::read(&path).expect("a file");
        assert_eq!(bytes, reference.to_bytes().expect("bytes"));
        assert!(reference.save(folder.path().join("no").join("x.ref")).is_err());
    }
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1);

    let whole = std::fs::read(&path).expect("a file");
    std::fs::write(&path, &whole[..whole.len() / 2]).expect("a file");
    let error = Reference::open(&path).expect_err("half of it");
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().ends_with(&format!("path={}", path.display())), "{error}");
    let error = Reference::open(folder.path().join("none.ref")).expect_err("no file");
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[test]
fn a_type_nested_too_deeply_is_refused_with_its_column() {
    use mlops_drift::arrow::array::new_empty_array;
    use mlops_drift::arrow::datatypes::{DataType, Field};
    let deep = (0..80).fold(DataType::Int8, |inner, _| {
        DataType::List(Arc::new(Field::new_list_field(inner, true)))
    });
    let past = batch(vec![("x", floats([])), ("deep", new_empty_array(&deep))]);
    let reference = Reference::fit([&past], &FitOptions::default()).expect("a reference");
    let error = reference.to_bytes().expect_err("too deep");
    assert!(error.to_string().ends_with("leave the column out: column=deep"), "{error}");
}
