//! What the lengths that delta encodings keep in front of their values take once they are decoded.

use ::parquet::basic::Encoding;

use super::super::fence::Broken;
use super::delta::{Delta, unfolded};
use super::header::Body;

/// Bytes that a decoder takes beside the page itself. `levels` are the highest of repetition and of
/// definition.
pub(super) fn cost(body: &Body, levels: [i16; 2], bytes: &[u8]) -> Result<usize, Broken> {
    let short = || Broken::corrupt("a page of a parquet file is shorter than its levels");
    let (encoding, values, start) = match *body {
        Body::Data { encoding, values, definition, repetition } => {
            let mut start = 0_usize;
            for (most, how) in levels.into_iter().zip([repetition, definition]) {
                let rest = bytes.get(start..).ok_or_else(short)?;
                start = self::levels(most, how, values, rest)
                    .and_then(|length| start.checked_add(length))
                    .ok_or_else(short)?;
            }
            (encoding, values, start)
        }
        Body::DataV2 { encoding, values, definition, repetition, .. } => {
            (encoding, values, definition.saturating_add(repetition))
        }
        Body::Dictionary { .. } | Body::Index => return Ok(0),
    };
    let bytes = bytes.get(start..).ok_or_else(short)?;
    // A length of a prefix and one of a suffix.
    let lists = |count: usize| count.saturating_mul(8);
    let cost = match encoding {
        Encoding::DELTA_LENGTH_BYTE_ARRAY | Encoding::DELTA_BYTE_ARRAY if bytes.is_empty() => {
            Some(0)
        }
        Encoding::DELTA_LENGTH_BYTE_ARRAY => {
            let count = Delta::new(bytes).map(|run| run.left());
            count.filter(|count| *count <= values).map(lists)
        }
        Encoding::DELTA_BYTE_ARRAY => {
            unfolded(bytes, values).map(|total| total.saturating_add(lists(values)))
        }
        _ => Some(0),
    };
    cost.ok_or_else(|| Broken::corrupt("a page of a parquet file has other lengths than it says"))
}

/// How many bytes levels take at the head of a page of the first version.
fn levels(most: i16, encoding: Encoding, values: usize, bytes: &[u8]) -> Option<usize> {
    if most == 0 {
        return Some(0);
    }
    if encoding == Encoding::RLE {
        let [a, b, c, d, ..] = *bytes else { return None };
        return usize::try_from(u32::from_le_bytes([a, b, c, d])).ok()?.checked_add(4);
    }
    let bits = usize::try_from(i16::BITS - most.leading_zeros()).ok()?;
    Some(values.checked_mul(bits)?.div_ceil(8))
}
