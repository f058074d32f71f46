//! Content of which every byte was altered, under a checksum made anew.

use super::super::{Counts, Reference};
use super::{KINDS, fitted, monitor, reread, rows};
use crate::artefact::container::{Content, open, seal};
use crate::artefact::{VERSION, decode, encode};
use crate::{Detail, ErrorKind};

/// Alters every byte of a body in turn, in several ways; says how many were read and how many refused.
fn alter(whole: &[u8], mut ends: impl FnMut(&[u8]) -> bool) -> (u32, u32) {
    let (mut read, mut refused) = (0, 0);
    for at in 0..whole.len() {
        let flipped = [0x01, 0x40, 0x80, 0xff].map(|flip| {
            let mut bytes = whole.to_vec();
            bytes[at] ^= flip;
            bytes
        });
        // The largest number there is, where one may stand.
        let largest = [&whole[..at], &[0xff; 18], &[0x03], &whole[at + 1..]].concat();
        for bytes in flipped.iter().chain([&largest]) {
            *if ends(bytes) { &mut read } else { &mut refused } += 1;
        }
        assert!(!ends(&whole[..at]), "cut off behind {at} bytes it was read");
    }
    (read, refused)
}

#[test]
fn a_misleading_reference_is_refused_or_can_be_worked_with() {
    for (clustered, detail) in KINDS {
        let current = rows(5..9, 0.4);
        let reference = Reference::of(&fitted(clustered, detail)).expect("it can be written");
        let whole = encode(&reference).expect("it can be encoded");
        let (read, refused) = alter(&whole, |body| match reread(body) {
            Ok(reference) => {
                let bytes = reference.to_bytes().expect("it was read");
                let again = crate::Reference::from_bytes(&bytes).expect("it was written");
                assert_eq!(again.to_bytes().expect("it was read"), bytes);
                let monitor = monitor(reference);
                // Its columns may have other names or types now.
                if monitor.observe(&current).is_ok() {
                    assert_eq!(monitor.report().rows.current, 48);
                }
                true
            }
            Err(error) => {
                assert!(
                    [ErrorKind::Corrupt, ErrorKind::TooLarge].contains(&error.kind()),
                    "{error}"
                );
                assert!(!error.to_string().contains('\n'), "{error}");
                false
            }
        });
        assert!(read > 0 && refused > 500, "{read} {refused}");
    }
}

#[test]
fn misleading_counts_are_refused_or_can_be_worked_with() {
    for (clustered, detail) in KINDS {
        let reference = fitted(clustered, detail);
        let counting = monitor(reference.clone());
        counting.observe(&rows(5..9, 0.4)).expect("one batch");
        let bytes = counting.state_bytes().expect("counts");
        let (_, whole) = open(Content::Counts, VERSION, &bytes).expect("just written");
        let taking = monitor(reference);
        let (read, refused) = alter(whole, |body| {
            let bytes = seal(Content::Counts, VERSION, body).expect("it is small");
            taking.reset();
            match taking.merge_bytes(&bytes) {
                Ok(()) => {
                    // Once more it may not fit; the report is made of what did.
                    if taking.merge_bytes(&bytes).is_ok() {
                        taking.observe(&rows(9..10, 0.0)).expect("one batch");
                    }
                    taking.report().columns.len() == 6 + usize::from(!clustered)
                }
                Err(error) => {
                    assert_eq!(taking.report().rows.current, 0, "nothing is added");
                    let kinds = [ErrorKind::Corrupt, ErrorKind::TooLarge, ErrorKind::InvalidInput];
                    assert!(kinds.contains(&error.kind()), "{error}");
                    false
                }
            }
        });
        assert!(read > 0 && refused > 500, "{read} {refused}");
    }
}

#[test]
fn no_more_is_added_than_there_is_room_for() {
    let reference = fitted(false, Detail::default());
    let counting = monitor(reference.clone());
    counting.observe(&rows(5..9, 1e200)).expect("one batch");
    let bytes = counting.state_bytes().expect("counts");
    let (_, body) = open(Content::Counts, VERSION, &bytes).expect("just written");
    let mut counts: Counts = decode(Content::Counts, body).expect("just written");
    counts.rows = (1 << 46) - 1;
    let full = seal(Content::Counts, VERSION, &encode(&counts).expect("counts")).expect("small");
    let taking = monitor(reference);
    taking.merge_bytes(&full).expect("it is just not too much");
    let error = taking.merge_bytes(&bytes).expect_err("no room");
    assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
    assert_eq!(taking.report().rows.current, (1 << 46) - 1);
}
