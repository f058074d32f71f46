//! A column's cells and counts by their parts, for who writes them down; on the way back everything is
//! checked that counting and comparing rely on.

use super::Anchors;
use super::far::{Far, Summed};
use super::moments::{Origin, Squares};
use super::number::Number;
use super::tally::Tally;
use crate::kernels::{MOST_EDGES, Slot};

/// Why parts can't belong together.
type Checked<T> = Result<T, &'static str>;

/// The cells of a column, but for what follows from them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AnchorParts<T> {
    /// Ascending and distinct.
    pub(crate) edges: Vec<T>,
    /// The places of the edges at which PSI's bins end.
    pub(crate) bins: Vec<u32>,
    /// Where squared distances are taken from.
    pub(crate) centre: T,
    /// Their unit is `4^power`, with `power` even.
    pub(crate) power: i32,
}

/// The counts of one side, edge by edge.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct TallyParts {
    /// How many values lie below the first edge and above the last one; without any edge all of them
    /// are below.
    pub(crate) outside: [u64; 2],
    /// The sums of their distances from there, as `sum * 2^exponent`, ascending.
    pub(crate) distances: [Vec<(i32, u128)>; 2],
    /// How many values lie at each edge.
    pub(crate) at: Vec<u64>,
    /// How many lie between each edge and the next one.
    pub(crate) inside: Vec<u64>,
    /// The sums of their offsets from the lower edge, in the cell's unit.
    pub(crate) offsets: Vec<u128>,
    /// The sum of the squared distances from the centre that are near, in 2^-60 of their unit.
    pub(crate) near: i128,
    /// The sum of the far ones, as `sum * 2^exponent`, ascending.
    pub(crate) far: Vec<(i32, u128)>,
}

impl<T: Number> Anchors<T> {
    pub(crate) fn parts(&self) -> AnchorParts<T> {
        let (edges, bins) = (self.edges().to_vec(), self.bins.clone());
        AnchorParts { edges, bins, centre: self.origin.centre, power: self.origin.power }
    }

    pub(crate) fn from_parts(parts: AnchorParts<T>) -> Checked<Self> {
        let AnchorParts { edges, bins, centre, power } = parts;
        if edges.len() > MOST_EDGES {
            return Err("there are more edges than a column can have");
        }
        if edges.iter().any(|edge| edge.canonical().is_none()) {
            return Err("an edge is not finite");
        }
        if edges.windows(2).any(|pair| pair[0] >= pair[1]) {
            return Err("edges are not in order");
        }
        if edges.windows(2).any(|pair| !T::gap(pair[0], pair[1], 1.0).is_finite()) {
            return Err("a cell has no width");
        }
        if bins.windows(2).any(|pair| pair[0] >= pair[1]) {
            return Err("the bins of the population stability index are not in order");
        }
        if bins.last().is_some_and(|&last| last as usize >= edges.len()) {
            return Err("a bin of the population stability index ends at no edge");
        }
        let Some(origin) = Origin::from_parts(centre, power) else {
            return Err("the origin of squared distances is out of range");
        };
        Ok(Self::new(edges, bins, origin))
    }
}

impl Tally {
    pub(crate) fn parts(&self) -> TallyParts {
        let (near, far) = self.squares.parts();
        let edges = self.slots.len().saturating_sub(1);
        let end = |slot: Option<&Slot>| slot.map_or(0, |slot| slot.inside);
        let above = if edges > 0 { end(self.slots.last()) } else { 0 };
        let cells = self.slots.get(1..edges).unwrap_or_default();
        TallyParts {
            outside: [end(self.slots.first()), above],
            distances: [self.below.terms().to_vec(), self.above.terms().to_vec()],
            at: self.slots.iter().skip(1).map(|slot| slot.at).collect(),
            inside: cells.iter().map(|slot| slot.inside).collect(),
            offsets: cells.iter().map(|slot| slot.offsets).collect(),
            near,
            far: far.terms().to_vec(),
        }
    }

    /// `count` values in these cells.
    pub(crate) fn from_parts<T: Number>(
        parts: TallyParts,
        anchors: &Anchors<T>,
        count: u64,
    ) -> Checked<Self> {
        let TallyParts { outside, distances, at, inside, offsets, near, far } = parts;
        let cells = anchors.len().saturating_sub(1);
        if at.len() != anchors.len() || inside.len() != cells || offsets.len() != cells {
            return Err("there are not as many counts as edges");
        }
        let all = at.iter().chain(&inside).chain(&outside);
        if all.copied().try_fold(0_u64, u64::checked_add) != Some(count) {
            return Err("the counts of the cells do not add up to the usable rows");
        }
        let mut slots = vec![Slot::default(); anchors.len() + 1];
        slots.iter_mut().skip(1).zip(at).for_each(|(slot, at)| slot.at = at);
        for (k, (inside, offsets)) in inside.into_iter().zip(offsets).enumerate() {
            check_cell(anchors, k, inside, offsets)?;
            (slots[k + 1].inside, slots[k + 1].offsets) = (inside, offsets);
        }
        slots[0].inside = outside[0];
        match slots.last_mut() {
            Some(last) if cells + 1 == anchors.len() => last.inside = outside[1],
            _ if outside[1] > 0 => return Err("values lie above the last of no edges"),
            _ => {}
        }
        let [below, above] = distances;
        let ends = [(below, outside[0]), (above, outside[1])];
        let [below, above] = ends.map(|(terms, count)| {
            let measured = anchors.len() > 0 && count > 0;
            let sum = Far::from_terms(terms, count, Summed::Numbers);
            sum.filter(|sum| sum.terms().is_empty() != measured)
        });
        let (Some(below), Some(above)) = (below, above) else {
            return Err("the distances of the values out of range can't be theirs");
        };
        let far = Far::from_terms(far, count, Summed::Squares);
        let Some(squares) = far.and_then(|far| Squares::from_parts(near, far, count)) else {
            return Err("the squared distances can't be those of the values");
        };
        Ok(Self { slots, below, above, squares })
    }

    /// Whether the other side's values can be added to these; their number must have been looked at.
    pub(crate) fn has_room_for(&self, other: &Self) -> bool {
        self.below.has_room_for(&other.below)
            && self.above.has_room_for(&other.above)
            && self.squares.has_room_for(&other.squares)
    }

    /// Whether any value lies outside of the edges.
    pub(crate) fn is_out_of_range(&self) -> bool {
        let ends = [self.slots.first(), self.slots.last()];
        ends.into_iter().flatten().any(|slot| slot.inside > 0)
    }
}

/// What lies between the edge `k` and the next one.
fn check_cell<T: Number>(
    anchors: &Anchors<T>,
    k: usize,
    inside: u64,
    offsets: u128,
) -> Checked<()> {
    let (low, high) = (anchors.padded[k], anchors.padded[k + 1]);
    if inside > 0 && low.successor() == Some(high) {
        return Err("values lie between neighbouring integers");
    }
    let widest = high.offset(low, anchors.units[k + 1]);
    if offsets > u128::from(inside) * u128::from(widest) {
        return Err("the offsets of a cell are larger than its width");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cells::lay;

    fn laid() -> (Anchors<f64>, Tally, Tally) {
        let sorted: Vec<f64> = (0..500).map(|k| f64::from(k * k) * 0.01 - 3.0).collect();
        let (anchors, reference) = lay(&sorted, Some(40));
        let mut current = Tally::new(anchors.len());
        current.add_all(&anchors, &[-1e9, -4.0, 0.1, 17.0, 17.5, 1e6, 1e300]);
        (anchors, reference, current)
    }

    #[test]
    fn parts_make_the_same_whole() {
        let (anchors, reference, current) = laid();
        let again = Anchors::from_parts(anchors.parts()).expect("its own parts");
        assert_eq!(again.parts(), anchors.parts());
        for (tally, count) in [(&reference, 500), (&current, 7)] {
            let found = Tally::from_parts(tally.parts(), &again, count);
            assert_eq!(found.as_ref(), Ok(tally));
        }
        let none: (Anchors<i64>, Tally) = lay(&[], None);
        let mut current = Tally::new(0);
        current.add_all(&none.0, &[5, 6]);
        let again = Anchors::from_parts(none.0.parts()).expect("no edges at all");
        assert_eq!(Tally::from_parts(current.parts(), &again, 2), Ok(current));
    }

    #[test]
    fn what_can_not_be_is_refused() {
        let (anchors, _, current) = laid();
        let parts = anchors.parts();
        let wrong: [fn(&mut AnchorParts<f64>); 7] = [
            |parts| parts.edges.swap(3, 4),
            |parts| parts.edges[3] = parts.edges[4],
            |parts| parts.edges[0] = f64::NAN,
            |parts| parts.edges[0] = f64::NEG_INFINITY,
            |parts| parts.bins[8] = 1_000,
            |parts| parts.bins.reverse(),
            |parts| parts.power = 1,
        ];
        for (at, wrong) in wrong.into_iter().enumerate() {
            let mut parts = parts.clone();
            wrong(&mut parts);
            assert!(Anchors::from_parts(parts).is_err(), "{at}");
        }
        let parts = current.parts();
        let wrong: [fn(&mut TallyParts); 9] = [
            |parts| parts.outside[0] += 1,
            |parts| parts.outside[0] = u64::MAX,
            |parts| parts.at.push(0),
            |parts| parts.at[0] += 1,
            |parts| parts.offsets[0] = 1,
            |parts| parts.distances[0].clear(),
            |parts| parts.distances[1][0].1 = u128::MAX,
            |parts| parts.near = -1,
            |parts| parts.far.push((5_000, 1)),
        ];
        for (at, wrong) in wrong.into_iter().enumerate() {
            let mut parts = parts.clone();
            wrong(&mut parts);
            assert!(Tally::from_parts(parts, &anchors, 7).is_err(), "{at}");
        }
    }
}
