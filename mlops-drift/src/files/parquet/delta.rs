//! How much delta encoded lengths unfold to, found out before a decoder takes memory for them.
//!
//! Source: "Delta Encoding" of the Apache Parquet documentation.

/// A run of integers, each the one before plus a delta.
#[derive(Debug, Clone)]
pub(super) struct Delta<'a> {
    rest: &'a [u8],
    /// How many integers are to come.
    left: usize,
    block: usize,
    mini_blocks: usize,
    value: i64,
    is_first: bool,
    least: i64,
    /// Bit widths of the mini blocks that are to come.
    widths: &'a [u8],
    /// The mini block: its bits, their width, how many were taken, and how many integers are left.
    bits: &'a [u8],
    width: usize,
    taken: usize,
    in_mini_block: usize,
}

impl<'a> Delta<'a> {
    /// Reads the head of a run; `None` if it is none.
    pub(super) fn new(bytes: &'a [u8]) -> Option<Self> {
        let mut rest = bytes;
        let block = usize::try_from(varint(&mut rest)?).ok()?;
        let mini_blocks = usize::try_from(varint(&mut rest)?).ok()?;
        let left = usize::try_from(varint(&mut rest)?).ok()?;
        let value = zigzag(&mut rest)?;
        let each = block.checked_div(mini_blocks)?;
        (block % 128 == 0 && each * mini_blocks == block && each > 0 && each % 32 == 0).then_some(
            Self {
                rest,
                left,
                block: each,
                mini_blocks,
                value,
                is_first: true,
                least: 0,
                widths: &[],
                bits: &[],
                width: 0,
                taken: 0,
                in_mini_block: 0,
            },
        )
    }

    /// How many integers are to come.
    pub(super) const fn left(&self) -> usize {
        self.left
    }

    /// The next integer; `None` where bytes are missing or there is none left.
    pub(super) fn next(&mut self) -> Option<i64> {
        self.left = self.left.checked_sub(1)?;
        if self.is_first {
            self.is_first = false;
            return Some(self.value);
        }
        if self.in_mini_block == 0 {
            self.open()?;
        }
        self.in_mini_block -= 1;
        let mut delta = 0_u64;
        for bit in 0..self.width {
            let at = self.taken + bit;
            let byte = *self.bits.get(at / 8)?;
            delta |= u64::from(byte >> (at % 8) & 1) << bit;
        }
        self.taken += self.width;
        let delta = delta.cast_signed().wrapping_add(self.least);
        self.value = self.value.wrapping_add(delta);
        Some(self.value)
    }

    /// Goes to the next mini block, and to the next block where there is none.
    fn open(&mut self) -> Option<()> {
        if self.widths.is_empty() {
            self.least = zigzag(&mut self.rest)?;
            (self.widths, self.rest) = self.rest.split_at_checked(self.mini_blocks)?;
        }
        let (width, widths) = self.widths.split_first()?;
        (self.width, self.widths) = (usize::from(*width), widths);
        if self.width > 64 {
            return None;
        }
        // The last one may be cut off behind its last value.
        let bytes = (self.width * self.block / 8).min(self.rest.len());
        (self.bits, self.rest) = self.rest.split_at(bytes);
        (self.taken, self.in_mini_block) = (0, self.block);
        Some(())
    }

    /// What stands behind the run, once all of it was taken.
    pub(super) const fn behind(&self) -> &'a [u8] {
        self.rest
    }
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, behind) = rest.split_first()?;
        *rest = behind;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn zigzag(rest: &mut &[u8]) -> Option<i64> {
    let value = varint(rest)?;
    Some((value >> 1).cast_signed() ^ -((value & 1).cast_signed()))
}

/// The bytes that values take once each is whole, where each shares a prefix with the one before;
/// `None` if the lengths can't be read, or if there are more than `most`.
pub(super) fn unfolded(bytes: &[u8], most: usize) -> Option<usize> {
    let prefixes = Delta::new(bytes)?;
    if prefixes.left() > most {
        return None;
    }
    let mut end = prefixes.clone();
    while end.left() > 0 {
        end.next()?;
    }
    let mut suffixes = Delta::new(end.behind())?;
    if suffixes.left() != prefixes.left() {
        return None;
    }
    let mut prefixes = prefixes;
    let (mut length, mut total) = (0_usize, 0_usize);
    while prefixes.left() > 0 {
        let prefix = usize::try_from(prefixes.next()?).ok()?;
        let suffix = usize::try_from(suffixes.next()?).ok()?;
        if suffix > bytes.len() {
            return None;
        }
        length = length.min(prefix).saturating_add(suffix);
        total = total.saturating_add(length);
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put_varint(mut value: u64, out: &mut Vec<u8>) {
        while value > 0x7f {
            out.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        out.push(value as u8);
    }

    fn put_zigzag(value: i64, out: &mut Vec<u8>) {
        put_varint(((value << 1) ^ (value >> 63)).cast_unsigned(), out);
    }

    /// Blocks of 128 in four parts, as the format describes them.
    fn encoded(values: &[i64]) -> Vec<u8> {
        let mut out = Vec::new();
        for head in [128, 4, values.len() as u64] {
            put_varint(head, &mut out);
        }
        put_zigzag(values.first().copied().unwrap_or(0), &mut out);
        let deltas: Vec<i64> = values.windows(2).map(|pair| pair[1] - pair[0]).collect();
        for block in deltas.chunks(128) {
            let least = block.iter().min().copied().unwrap_or(0);
            put_zigzag(least, &mut out);
            let parts: Vec<&[i64]> = block.chunks(32).collect();
            let width = |part: &&[i64]| {
                let largest = part.iter().map(|delta| delta - least).max().unwrap_or(0);
                64 - largest.leading_zeros() as usize
            };
            let widths: Vec<usize> = parts.iter().map(width).collect();
            out.extend((0..4).map(|at| widths.get(at).copied().unwrap_or(0) as u8));
            for (part, width) in parts.iter().zip(widths) {
                let mut bits = vec![0_u8; width * 32 / 8];
                for (at, delta) in part.iter().enumerate() {
                    let delta = (delta - least).cast_unsigned();
                    for bit in (0..width).filter(|bit| delta >> bit & 1 == 1) {
                        bits[(at * width + bit) / 8] |= 1 << ((at * width + bit) % 8);
                    }
                }
                out.extend(bits);
            }
        }
        out
    }

    #[test]
    fn a_run_is_what_was_written() {
        for count in [1, 2, 31, 33, 128, 129, 1_000] {
            let values: Vec<i64> = (0..count).map(|i| (i * i * 7) % 1_013 - 500).collect();
            let mut bytes = encoded(&values);
            bytes.extend(b"behind");
            let mut run = Delta::new(&bytes).expect("a run");
            assert_eq!(run.left(), values.len());
            let read: Vec<i64> = std::iter::from_fn(|| run.next()).collect();
            assert_eq!(read, values);
            assert_eq!(run.behind(), b"behind", "{count}");
        }
    }

    #[test]
    fn shared_prefixes_are_counted_in_full() {
        let texts: Vec<String> = (0..500).map(|i| "x".repeat(i % 97) + &i.to_string()).collect();
        let shared = |pair: &[String]| {
            pair[0].bytes().zip(pair[1].bytes()).take_while(|(a, b)| a == b).count()
        };
        let prefixes: Vec<usize> = std::iter::once(0).chain(texts.windows(2).map(shared)).collect();
        let suffixes = texts.iter().zip(&prefixes).map(|(text, prefix)| text.len() - prefix);
        let suffixes: Vec<i64> = suffixes.map(|length| length as i64).collect();
        let prefixes: Vec<i64> = prefixes.iter().map(|length| *length as i64).collect();
        let bytes = [encoded(&prefixes), encoded(&suffixes), vec![b'x'; 30_000]].concat();
        let total = texts.iter().map(String::len).sum::<usize>();
        assert_eq!(unfolded(&bytes, 500), Some(total));
        assert_eq!(unfolded(&bytes, 499), None);
        for length in 0..encoded(&prefixes).len() {
            assert_eq!(unfolded(&bytes[..length], 500), None, "{length}");
        }
    }
}
