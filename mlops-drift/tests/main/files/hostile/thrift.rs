//! The compact encoding of Thrift, written by hand.

/// A struct that is being written.
#[derive(Default)]
pub(super) struct Struct {
    bytes: Vec<u8>,
    last: u8,
}

pub(super) fn varint(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value > 0x7f {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}

pub(super) fn zigzag(value: i64) -> Vec<u8> {
    varint(((value << 1) ^ (value >> 63)).cast_unsigned())
}

/// A list of structs, or of what takes as many bytes as it takes.
pub(super) fn list(kind: u8, items: &[Vec<u8>]) -> Vec<u8> {
    [list_head(kind, items.len() as u64), items.concat()].concat()
}

/// The head of a list that may lie about its length.
pub(super) fn list_head(kind: u8, count: u64) -> Vec<u8> {
    [vec![0xf0 | kind], varint(count)].concat()
}

pub(super) const INT: u8 = 5;
pub(super) const TEXT: u8 = 8;
pub(super) const STRUCT: u8 = 12;

impl Struct {
    fn field(mut self, number: u8, kind: u8, value: &[u8]) -> Self {
        self.bytes.push((number - self.last) << 4 | kind);
        self.bytes.extend_from_slice(value);
        self.last = number;
        self
    }

    pub(super) fn int(self, number: u8, value: i64) -> Self {
        self.field(number, 6, &zigzag(value))
    }

    /// An integer of 32 bits, which some readers tell from one of 64.
    pub(super) fn short(self, number: u8, value: i32) -> Self {
        self.field(number, INT, &zigzag(value.into()))
    }

    pub(super) fn text(self, number: u8, value: &str) -> Self {
        self.field(number, TEXT, &text(value))
    }

    pub(super) fn list(self, number: u8, list: &[u8]) -> Self {
        self.field(number, 9, list)
    }

    pub(super) fn inner(self, number: u8, value: &[u8]) -> Self {
        self.field(number, STRUCT, value)
    }

    pub(super) fn end(mut self) -> Vec<u8> {
        self.bytes.push(0);
        self.bytes
    }
}

pub(super) fn text(value: &str) -> Vec<u8> {
    [varint(value.len() as u64), value.as_bytes().to_vec()].concat()
}
