//! The at most 32 coarse cells in which clusters are counted.

use std::collections::HashMap;

use crate::cells::{Anchors, Number, Tally};

/// How many coarse cells a column has at most.
pub(crate) const COARSE_CELLS: usize = 32;

/// Ordered coarse cells of a numeric column: unions of its cells, laid once by its reference.
///
/// A value that holds more than its part has a coarse cell of its own, and so have the values below and
/// above everything that the reference has seen: otherwise a constant column could never drift.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Unions {
    /// The coarse cell of a slot's edge, and of what lies inside of it.
    of_slot: Vec<[u8; 2]>,
}

impl Unions {
    pub(crate) fn lay<T: Number>(anchors: &Anchors<T>, reference: &Tally) -> Self {
        let mut part = reference.len() as f64 / COARSE_CELLS as f64;
        loop {
            let (of_slot, cells) = with_part(anchors, reference, part);
            if cells <= COARSE_CELLS {
                return Self { of_slot };
            }
            part *= 1.1;
        }
    }

    /// Where each coarse cell but the first one begins, counting an edge and what lies inside of it, slot
    /// by slot.
    pub(crate) fn starts(&self) -> Vec<u32> {
        let cells: Vec<u8> = self.of_slot.iter().flatten().copied().collect();
        (1_u32..)
            .zip(cells.windows(2))
            .filter(|(_, pair)| pair[0] != pair[1])
            .map(|(k, _)| k)
            .collect()
    }

    /// Of so many slots; `None` when they can't have been laid so.
    pub(crate) fn from_starts(slots: usize, starts: &[u32]) -> Option<Self> {
        let ascending = starts.windows(2).all(|pair| pair[0] < pair[1]);
        let within = starts.first().is_none_or(|&first| first >= 2)
            && starts.last().is_none_or(|&last| (last as usize) < 2 * slots);
        if !(ascending && within && starts.len() < COARSE_CELLS) {
            return None;
        }
        let mut of_slot = Vec::with_capacity(slots);
        let (mut starts, mut cell) = (starts.iter().copied().peekable(), 0_u8);
        let mut place = |at: usize| {
            cell += u8::from(starts.next_if(|&start| start as usize == at).is_some());
            cell
        };
        (0..slots).for_each(|slot| of_slot.push([place(2 * slot), place(2 * slot + 1)]));
        Some(Self { of_slot })
    }

    /// How many values lie in each.
    pub(crate) fn counts(&self, tally: &Tally) -> [u64; COARSE_CELLS] {
        let mut counts = [0; COARSE_CELLS];
        for (cells, slot) in self.of_slot.iter().zip(&tally.slots) {
            counts[usize::from(cells[0])] += slot.at;
            counts[usize::from(cells[1])] += slot.inside;
        }
        counts
    }

    #[inline]
    pub(crate) fn cell_of<T: Number>(&self, anchors: &Anchors<T>, value: T) -> usize {
        let slot = anchors.cell(value);
        let inside = slot == 0 || anchors.edges()[slot - 1] != value;
        usize::from(self.of_slot[slot][usize::from(inside)])
    }
}

fn with_part<T: Number>(anchors: &Anchors<T>, tally: &Tally, part: f64) -> (Vec<[u8; 2]>, usize) {
    let edges = anchors.edges();
    let mut cells = 0_usize;
    // Whatever comes next begins a cell of its own.
    let (mut begin, mut open) = (true, 0.0);
    let mut place = |count: u64| {
        let count = count as f64;
        if begin || count > part || open + count > part {
            cells += 1;
            open = 0.0;
        }
        open += count;
        begin = count > part;
        u8::try_from(cells).unwrap_or(u8::MAX)
    };
    let mut of_slot = vec![[0, 0]];
    for (at, slot) in tally.slots.iter().enumerate().skip(1) {
        let edge = place(slot.at);
        let next = edges.get(at);
        let inside = match next {
            // Nothing lies between neighbouring integers.
            Some(next) if edges[at - 1].successor() == Some(*next) => edge,
            Some(_) => place(slot.inside),
            None => 0,
        };
        of_slot.push([edge, inside]);
    }
    // Above all edges, in a cell of its own as below them.
    let above = cells + 1;
    if let Some(last) = of_slot.last_mut().filter(|_| tally.slots.len() > 1) {
        last[1] = u8::try_from(above).unwrap_or(u8::MAX);
        return (of_slot, above + 1);
    }
    (of_slot, 1)
}

/// Cells of a column of categories: the most frequent ones of the reference each their own, and one
/// for the rest of them and all that the reference has not seen.
///
/// The unseen have no cell to themselves beside the rare ones: it would be empty on the reference's
/// side by its making, and rare categories, which are seen on few days, would alarm too often.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Codes(HashMap<String, usize>);

impl Codes {
    const REST: usize = COARSE_CELLS - 1;

    pub(crate) fn lay(reference: &HashMap<String, u64>) -> Self {
        let mut ranked: Vec<(&String, u64)> = reference.iter().map(|(k, &v)| (k, v)).collect();
        ranked.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
        ranked.truncate(Self::REST);
        let code = |(rank, (name, _)): (usize, (&String, u64))| (name.clone(), rank);
        Self(ranked.into_iter().enumerate().map(code).collect())
    }

    /// The names of those that have a cell, in its order.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<(&String, usize)> =
            self.0.iter().map(|(name, &code)| (name, code)).collect();
        names.sort_unstable_by_key(|&(_, code)| code);
        names.into_iter().map(|(name, _)| name.clone()).collect()
    }

    /// `None` for too many names, or one named twice.
    pub(crate) fn from_names(names: Vec<String>) -> Option<Self> {
        let count = names.len();
        let codes: HashMap<String, usize> =
            names.into_iter().enumerate().map(|(code, name)| (name, code)).collect();
        (codes.len() == count && count <= Self::REST).then_some(Self(codes))
    }

    /// How many values lie in each.
    pub(crate) fn counts(&self, values: &HashMap<String, u64>) -> [u64; COARSE_CELLS] {
        let mut counts = [0; COARSE_CELLS];
        values.iter().for_each(|(name, count)| counts[self.cell_of(name)] += count);
        counts
    }

    pub(crate) fn cell_of(&self, name: &str) -> usize {
        self.0.get(name).copied().unwrap_or(Self::REST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cells::lay;

    fn laid<T: Number>(values: impl IntoIterator<Item = T>) -> (Anchors<T>, Unions, usize) {
        let mut values: Vec<T> = values.into_iter().collect();
        values.sort_unstable_by(|a, b| a.order(*b));
        let (anchors, tally) = lay(&values, None);
        let unions = Unions::lay(&anchors, &tally);
        let cells = unions.of_slot.iter().flatten().copied().max().map_or(0, usize::from) + 1;
        assert_eq!(
            Unions::from_starts(anchors.len() + 1, &unions.starts()).as_ref(),
            Some(&unions)
        );
        let held = unions.counts(&tally);
        assert_eq!(held.iter().sum::<u64>(), values.len() as u64);
        (anchors, unions, cells)
    }

    #[test]
    fn a_constant_has_room_on_both_sides() {
        let (anchors, unions, _) = laid([5.0; 9]);
        assert_eq!([4.0, 5.0, 6.0].map(|value| unions.cell_of(&anchors, value)), [0, 1, 2]);
        let (anchors, unions, _) = laid([5_i64; 9]);
        assert_eq!([4, 5, 6].map(|value| unions.cell_of(&anchors, value)), [0, 1, 2]);
    }

    #[test]
    fn heavy_values_stand_alone_and_cells_stay_few() {
        let hours = laid((0..24_000_i64).map(|row| row % 24)).2;
        let mixed = laid((0..10_000).map(|row| if row % 3 == 0 { 0.0 } else { f64::from(row) })).2;
        let even = laid((0..50).map(f64::from)).2;
        for cells in [hours, mixed, even] {
            assert!((20..=COARSE_CELLS).contains(&cells), "{cells}");
        }
        let (anchors, unions, cells) = laid((0..10_000).map(|row| (row % 3 * row) as f64));
        let cell = |value: f64| unions.cell_of(&anchors, value);
        assert_eq!((cell(-1.0), cell(0.0), cell(0.5), cell(1e300)), (0, 1, 2, cells - 1));
    }

    #[test]
    fn rare_and_new_categories_share_a_cell() {
        let counts = (0..40_u64).map(|k| (format!("c{k:02}"), 100 - k)).collect();
        let codes = Codes::lay(&counts);
        assert_eq!(Codes::from_names(codes.names()).as_ref(), Some(&codes));
        assert_eq!(codes.counts(&counts)[30..], [70, (61..70).sum::<u64>()]);
        assert_eq!(Codes::from_names(vec!["a".to_owned(); 2]), None);
        assert_eq!([codes.cell_of("c00"), codes.cell_of("c30")], [0, 30]);
        assert_eq!(["c31", "c39", "never"].map(|name| codes.cell_of(name)), [31; 3]);
    }
}
