//! The header of a page.

use ::parquet::basic::Encoding;

use super::thrift::{Kind, Thrift, Wrong};

/// What a page says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) body: Body,
    /// Bytes once decompressed, and as they stand in the file.
    pub(super) plain: usize,
    pub(super) packed: usize,
    /// The checksum of the bytes in the file.
    pub(super) checksum: Option<u32>,
}

/// The kinds of pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Body {
    Data {
        values: usize,
        encoding: Encoding,
        definition: Encoding,
        repetition: Encoding,
    },
    DataV2 {
        values: usize,
        nulls: usize,
        rows: usize,
        encoding: Encoding,
        definition: usize,
        repetition: usize,
        is_compressed: bool,
    },
    Dictionary {
        values: usize,
        encoding: Encoding,
        is_sorted: bool,
    },
    /// Of no use here.
    Index,
}

/// Numbers of one struct, by field.
#[derive(Debug, Clone, Copy, Default)]
struct Numbers {
    fields: [Option<i64>; 9],
}

impl Numbers {
    /// Reads the integers and truth values of a struct; the fields of `inner` are left to `visit`.
    fn read(
        thrift: &mut Thrift<'_>,
        visit: &mut dyn FnMut(&mut Thrift<'_>, i64, Kind) -> Result<bool, Wrong>,
    ) -> Result<Self, Wrong> {
        let mut numbers = Self::default();
        thrift.fields(&mut |thrift, number, kind| {
            let slot = usize::try_from(number).ok().and_then(|at| numbers.fields.get_mut(at));
            match (kind, slot) {
                (Kind::Integer, Some(slot)) => *slot = Some(thrift.integer()?),
                (Kind::True | Kind::False, Some(slot)) => *slot = Some((kind == Kind::True).into()),
                _ => return visit(thrift, number, kind),
            }
            Ok(true)
        })?;
        Ok(numbers)
    }

    fn count(&self, at: usize) -> Result<usize, Wrong> {
        let value = self.fields[at].and_then(|value| i32::try_from(value).ok());
        value.and_then(|value| usize::try_from(value).ok()).ok_or(Wrong::Bad)
    }

    fn flag(&self, at: usize, otherwise: bool) -> bool {
        self.fields[at].map_or(otherwise, |value| value != 0)
    }

    fn encoding(&self, at: usize) -> Result<Encoding, Wrong> {
        Ok(match self.fields[at] {
            Some(0) => Encoding::PLAIN,
            Some(2) => Encoding::PLAIN_DICTIONARY,
            Some(3) => Encoding::RLE,
            #[expect(deprecated, reason = "old files have it")]
            Some(4) => Encoding::BIT_PACKED,
            Some(5) => Encoding::DELTA_BINARY_PACKED,
            Some(6) => Encoding::DELTA_LENGTH_BYTE_ARRAY,
            Some(7) => Encoding::DELTA_BYTE_ARRAY,
            Some(8) => Encoding::RLE_DICTIONARY,
            Some(9) => Encoding::BYTE_STREAM_SPLIT,
            _ => return Err(Wrong::Bad),
        })
    }
}

impl Header {
    /// Reads a header; also gives its length.
    pub(super) fn read(bytes: &[u8]) -> Result<(Self, usize), Wrong> {
        let mut thrift = Thrift::new(bytes);
        let mut inner = [None; 9];
        let outer = Numbers::read(&mut thrift, &mut |thrift, number, kind| {
            let slot = usize::try_from(number).ok().and_then(|at| inner.get_mut(at));
            let Some(slot) = slot.filter(|_| kind == Kind::Struct) else { return Ok(false) };
            *slot = Some(Numbers::read(thrift, &mut |_, _, _| Ok(false))?);
            Ok(true)
        })?;
        let part = |at: usize| inner[at].ok_or(Wrong::Bad);
        let body = match outer.fields[1] {
            Some(0) => {
                let data = part(5)?;
                Body::Data {
                    values: data.count(1)?,
                    encoding: data.encoding(2)?,
                    definition: data.encoding(3)?,
                    repetition: data.encoding(4)?,
                }
            }
            Some(1) => Body::Index,
            Some(2) => {
                let dictionary = part(7)?;
                Body::Dictionary {
                    values: dictionary.count(1)?,
                    encoding: dictionary.encoding(2)?,
                    is_sorted: dictionary.flag(3, false),
                }
            }
            Some(3) => {
                let data = part(8)?;
                Body::DataV2 {
                    values: data.count(1)?,
                    nulls: data.count(2)?,
                    rows: data.count(3)?,
                    encoding: data.encoding(4)?,
                    definition: data.count(5)?,
                    repetition: data.count(6)?,
                    is_compressed: data.flag(7, true),
                }
            }
            _ => return Err(Wrong::Bad),
        };
        let checksum = match outer.fields[4] {
            None => None,
            Some(value) => Some(i32::try_from(value).map_err(|_| Wrong::Bad)?.cast_unsigned()),
        };
        let header = Self { body, plain: outer.count(2)?, packed: outer.count(3)?, checksum };
        Ok((header, bytes.len() - thrift.left()))
    }
}
