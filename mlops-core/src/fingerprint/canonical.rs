//! Canonical bytes and the labelled digest over them.
//!
//! The form is RFC 8785 over strings, arrays and objects only: UTF-8, the seven short escapes and
//! `\u00xx` below 0x20, nothing else escaped, no space, keys sorted by UTF-16 code units. Rust's
//! own string order is UTF-8 order, which puts U+FB33 before an emoji; RFC 8785 wants the reverse.

use std::fmt;

use sha2::{Digest as _, Sha256};

use super::key::KeyDigest;
use super::section::Section;
use super::value::Value;

/// Version tag of every label. A rule that changes is a new tag.
const VERSION: &str = "mlops-run-v1";

/// What a digest is of; it stands before the hashed bytes, so that equal bytes in two places have
/// different digests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Label {
    /// The digests of the sections of a run.
    Run,
    /// One section of a run.
    Section(Section),
    /// The contents of a source tree.
    Tree,
    /// One step of a pipeline.
    Step,
    /// What a run gave.
    Result,
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run => f.write_str("run"),
            Self::Section(section) => f.write_str(section.word()),
            Self::Tree => f.write_str("tree"),
            Self::Step => f.write_str("step"),
            Self::Result => f.write_str("result"),
        }
    }
}

/// SHA-256 of `mlops-run-v1:` + label + line feed + `canonical`.
#[must_use]
pub fn digest(label: Label, canonical: &[u8]) -> KeyDigest {
    let hash = Sha256::new()
        .chain_update(format!("{VERSION}:{label}\n"))
        .chain_update(canonical)
        .finalize();
    KeyDigest::from_bytes(hash.into())
}

/// Appends the typed form of `value`: `["i","5"]`, `["m",{"a":["n"]}]`.
pub(super) fn write_value(out: &mut Vec<u8>, value: &Value) {
    out.extend_from_slice(b"[\"");
    out.extend_from_slice(value.tag().as_bytes());
    out.push(b'"');
    if !matches!(value, Value::Null) {
        out.push(b',');
    }
    match value {
        Value::Null => {}
        Value::List(items) => write_list(out, items, write_value),
        Value::Map(map) => write_object(out, map.iter().map(|(k, v)| (k.as_str(), v)), write_value),
        Value::Text(text) => write_text(out, text),
        Value::Bool(_) | Value::Int(_) | Value::Float(_) => write_text(out, &value.scalar_text()),
    }
    out.push(b']');
}

/// Appends an array, one element a call of `write`.
pub(super) fn write_list<T>(
    out: &mut Vec<u8>,
    items: impl IntoIterator<Item = T>,
    mut write: impl FnMut(&mut Vec<u8>, T),
) {
    out.push(b'[');
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write(out, item);
    }
    out.push(b']');
}

/// Appends an object with its keys in UTF-16 order. Keys must be unique.
pub(super) fn write_object<'a, T>(
    out: &mut Vec<u8>,
    entries: impl IntoIterator<Item = (&'a str, T)>,
    mut write: impl FnMut(&mut Vec<u8>, T),
) {
    let mut entries: Vec<(&str, T)> = entries.into_iter().collect();
    entries.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
    out.push(b'{');
    for (index, (key, value)) in entries.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_text(out, key);
        out.push(b':');
        write(out, value);
    }
    out.push(b'}');
}

/// Appends a string with exactly the escapes of RFC 8785, section 3.2.2.2.
pub(super) fn write_text(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..0x20 => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> String {
        let mut out = Vec::new();
        write_text(&mut out, text);
        String::from_utf8(out).expect("canonical bytes are UTF-8")
    }

    #[test]
    fn only_the_escapes_of_rfc_8785_are_used() {
        assert_eq!(text("\"\\\u{8}\u{c}\n\r\t"), r#""\"\\\b\f\n\r\t""#);
        assert_eq!(text("\0\u{1f}\u{b}"), r#""\u0000\u001f\u000b""#);
        assert_eq!(text("/\u{7f}é\u{2028}😀<>"), "\"/\u{7f}é\u{2028}😀<>\"");
    }

    #[test]
    fn keys_are_sorted_by_utf_16_code_units() {
        let keys = ["\u{fb33}", "\u{1f600}", "é", "1", "\r", "\u{80}", "a"];
        let mut out = Vec::new();
        write_object(&mut out, keys.map(|key| (key, key)), write_text);
        let order: Vec<&str> = vec!["\r", "1", "a", "\u{80}", "é", "\u{1f600}", "\u{fb33}"];
        let text = String::from_utf8(out).expect("canonical bytes are UTF-8");
        let parsed: Vec<(String, String)> = text
            .trim_matches(['{', '}'])
            .split(',')
            .filter_map(|pair| pair.split_once(':'))
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .collect();
        let expected: Vec<String> = order.into_iter().map(self::text).collect();
        assert_eq!(parsed.into_iter().map(|(k, _)| k).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn equal_bytes_under_two_labels_have_two_digests() {
        assert_ne!(digest(Label::Run, b"{}"), digest(Label::Tree, b"{}"));
        let params = digest(Label::Section(Section::Params), b"{}");
        assert_ne!(params, digest(Label::Section(Section::Seeds), b"{}"));
    }
}
