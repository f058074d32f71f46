//! The compact encoding of Thrift, as far as checking footers and reading page headers needs it.
//!
//! Source: "Thrift compact protocol" of the Apache Thrift documentation.

/// Why bytes are no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrong {
    /// They end too early; more of them may help.
    Short,
    /// They never will be one.
    Bad,
}

type Read<T> = Result<T, Wrong>;

/// Structs and lists within each other.
const DEEPEST: u8 = 32;

/// What a field or an element is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    True,
    False,
    Byte,
    /// Of 16, 32 or 64 bits, all written alike.
    Integer,
    Double,
    Binary,
    List,
    Map,
    Struct,
    Uuid,
}

impl Kind {
    fn of(code: u8) -> Read<Self> {
        Ok(match code {
            1 => Self::True,
            2 => Self::False,
            3 => Self::Byte,
            4..=6 => Self::Integer,
            7 => Self::Double,
            8 => Self::Binary,
            9 | 10 => Self::List,
            11 => Self::Map,
            12 => Self::Struct,
            13 => Self::Uuid,
            _ => return Err(Wrong::Bad),
        })
    }
}

/// Bytes that are read from the front.
#[derive(Debug, Clone, Copy)]
pub(super) struct Thrift<'a> {
    rest: &'a [u8],
}

impl<'a> Thrift<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// How many bytes were not read.
    pub(super) const fn left(&self) -> usize {
        self.rest.len()
    }

    fn byte(&mut self) -> Read<u8> {
        let (first, rest) = self.rest.split_first().ok_or(Wrong::Short)?;
        self.rest = rest;
        Ok(*first)
    }

    fn pass(&mut self, count: usize) -> Read<()> {
        self.rest = self.rest.get(count..).ok_or(Wrong::Short)?;
        Ok(())
    }

    fn varint(&mut self) -> Read<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Wrong::Bad)
    }

    /// An integer of any width.
    pub(super) fn integer(&mut self) -> Read<i64> {
        let value = self.varint()?;
        Ok((value >> 1).cast_signed() ^ -((value & 1).cast_signed()))
    }

    /// An integer that is a size or a count.
    pub(super) fn count(&mut self) -> Read<usize> {
        let value = i32::try_from(self.integer()?).map_err(|_| Wrong::Bad)?;
        usize::try_from(value).map_err(|_| Wrong::Bad)
    }

    /// What the elements of a list are, and how many; no more than there are bytes.
    pub(super) fn list(&mut self) -> Read<(Kind, usize)> {
        let head = self.byte()?;
        if head == 0 {
            // How some writers say "empty".
            return Ok((Kind::Byte, 0));
        }
        let kind = Kind::of(head & 0x0f)?;
        let count = match head >> 4 {
            15 => usize::try_from(self.varint()?).map_err(|_| Wrong::Bad)?,
            few => usize::from(few),
        };
        if count > self.left() { Err(Wrong::Short) } else { Ok((kind, count)) }
    }

    /// Reads a struct: `visit` gets each field's number and kind, and reads it or answers `false` to
    /// have it passed over.
    pub(super) fn fields(
        &mut self,
        visit: &mut dyn FnMut(&mut Self, i64, Kind) -> Read<bool>,
    ) -> Read<()> {
        self.fields_within(DEEPEST, visit)
    }

    fn fields_within(
        &mut self,
        depth: u8,
        visit: &mut dyn FnMut(&mut Self, i64, Kind) -> Read<bool>,
    ) -> Read<()> {
        let mut number: i64 = 0;
        loop {
            let head = self.byte()?;
            if head & 0x0f == 0 {
                return Ok(());
            }
            let kind = Kind::of(head & 0x0f)?;
            number = match head >> 4 {
                0 => self.integer()?,
                step => number.saturating_add(i64::from(step)),
            };
            if !visit(self, number, kind)? {
                self.skip(kind, depth)?;
            }
        }
    }

    /// Passes over a field's value.
    fn skip(&mut self, kind: Kind, depth: u8) -> Read<()> {
        let depth = depth.checked_sub(1).ok_or(Wrong::Bad)?;
        match kind {
            Kind::True | Kind::False => Ok(()),
            Kind::Byte => self.pass(1),
            Kind::Integer => self.varint().map(|_| ()),
            Kind::Double => self.pass(8),
            Kind::Uuid => self.pass(16),
            Kind::Binary => {
                let length = usize::try_from(self.varint()?).map_err(|_| Wrong::Bad)?;
                self.pass(length)
            }
            Kind::Struct => self.fields_within(depth, &mut |_, _, _| Ok(false)),
            Kind::List => {
                let (kind, count) = self.list()?;
                (0..count).try_for_each(|_| self.skip_element(kind, depth))
            }
            Kind::Map => {
                let count = usize::try_from(self.varint()?).map_err(|_| Wrong::Bad)?;
                if count == 0 {
                    return Ok(());
                }
                let kinds = self.byte()?;
                let (key, value) = (Kind::of(kinds >> 4)?, Kind::of(kinds & 0x0f)?);
                (0..count).try_for_each(|_| {
                    self.skip_element(key, depth)?;
                    self.skip_element(value, depth)
                })
            }
        }
    }

    /// Passes over an element of a list, where a truth value takes a byte.
    pub(super) fn pass_element(&mut self, kind: Kind) -> Read<()> {
        self.skip_element(kind, DEEPEST)
    }

    fn skip_element(&mut self, kind: Kind, depth: u8) -> Read<()> {
        match kind {
            Kind::True | Kind::False => self.pass(1),
            other => self.skip(other, depth),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `{1: 150, 2: "hi", 5: true, 300: [{1: -1}, {}]}` by the rules of the protocol.
    const STRUCT: [u8; 17] =
        [0x15, 0xac, 0x02, 0x18, 2, b'h', b'i', 0x31, 0x09, 0xd8, 0x04, 0x2c, 0x15, 0x01, 0, 0, 0];

    #[test]
    fn fields_are_read_or_passed_over() {
        let mut seen = Vec::new();
        let mut thrift = Thrift::new(&STRUCT);
        let read = thrift.fields(&mut |thrift, number, kind| {
            seen.push((number, kind));
            match number {
                1 => assert_eq!(thrift.integer(), Ok(150)),
                300 => {
                    assert_eq!(thrift.list(), Ok((Kind::Struct, 2)));
                    let mut inner = Vec::new();
                    thrift.fields(&mut |thrift, number, _| {
                        inner.push((number, thrift.integer()?));
                        Ok(true)
                    })?;
                    assert_eq!(inner, [(1, -1)]);
                    thrift.pass_element(Kind::Struct)?;
                }
                _ => return Ok(false),
            }
            Ok(true)
        });
        assert_eq!(read, Ok(()));
        assert_eq!(thrift.left(), 0);
        let kinds = [Kind::Integer, Kind::Binary, Kind::True, Kind::List];
        assert_eq!(seen, [1, 2, 5, 300].into_iter().zip(kinds).collect::<Vec<_>>());
    }

    #[test]
    fn every_shorter_one_is_short_and_a_deep_one_is_bad() {
        let all = |bytes: &[u8]| Thrift::new(bytes).fields(&mut |_, _, _| Ok(false));
        for length in 0..STRUCT.len() {
            assert_eq!(all(&STRUCT[..length]), Err(Wrong::Short), "{length}");
        }
        // A struct in a struct in a struct, a million deep.
        assert_eq!(all(&vec![0x1c; 1_000_000]), Err(Wrong::Bad));
        // A list of lists of lists.
        let lists: Vec<u8> = std::iter::once(0x19).chain(vec![0x19; 1_000_000]).collect();
        assert_eq!(all(&lists), Err(Wrong::Bad));
        // A list of two milliards in five bytes, and a number without an end.
        assert_eq!(all(&[0x19, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x07]), Err(Wrong::Short));
        assert_eq!(
            all(&[0x15; 1].iter().copied().chain([0xff; 20]).collect::<Vec<_>>()),
            Err(Wrong::Bad)
        );
    }
}
