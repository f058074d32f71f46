//! Counting keys of a dictionary.

/// Neighbouring rows often have one key: counted in turns, none waits for the count before.
pub(crate) const TURNS: usize = 4;

dispatch! {
    /// Counts keys in the table of their turn; one that `index` puts beyond a table counts as the last entry.
    fn count_codes[K: Copy, I: Fn(K) -> usize](
        keys: &[K],
        index: I,
        tables: &mut [Vec<u64>; TURNS],
    ) = count;
}

#[inline(always)]
fn count<K: Copy, I: Fn(K) -> usize>(keys: &[K], index: I, tables: &mut [Vec<u64>; TURNS]) {
    let length = tables[0].len();
    assert!(length > 0 && tables.iter().all(|table| table.len() == length), "unlike tables");
    let [first, second, third, fourth] = tables;
    let mut tables = [first.as_mut_slice(), second, third, fourth];
    let mut add = |turn: usize, key: K| {
        let at = index(key).min(length - 1);
        // SAFETY: every table has `length` entries (asserted above), and `at` is below that.
        let count = unsafe { tables[turn].get_unchecked_mut(at) };
        *count = count.wrapping_add(1);
    };
    let (chunks, rest) = keys.as_chunks::<TURNS>();
    for chunk in chunks {
        add(0, chunk[0]);
        add(1, chunk[1]);
        add(2, chunk[2]);
        add(3, chunk[3]);
    }
    rest.iter().for_each(|&key| add(0, key));
}
