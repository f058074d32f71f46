//! The code of a Jupyter notebook, without its outputs, counters, prose and metadata.

use serde_json::Value as Json;

use crate::fingerprint::value::Value;

/// The canonical bytes of the list of code cells, each one text; `None` when `bytes` are no
/// notebook of format 4.
pub(super) fn code_of(bytes: &[u8]) -> Option<Vec<u8>> {
    let notebook: Json = serde_json::from_slice(bytes).ok()?;
    let cells = notebook.get("cells")?.as_array()?;
    let code =
        cells.iter().filter(|cell| cell.get("cell_type").and_then(Json::as_str) == Some("code"));
    let sources: Vec<String> =
        code.map(|cell| source(cell.get("source")?)).collect::<Option<_>>()?;
    Some(Value::from(sources).canonical())
}

/// A cell's source is one text or a list of lines; both mean the same.
fn source(source: &Json) -> Option<String> {
    match source {
        Json::String(text) => Some(text.clone()),
        Json::Array(lines) => lines.iter().map(Json::as_str).collect(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_counters_and_prose_do_not_count() {
        let first = br##"{"cells":[
            {"cell_type":"markdown","source":["# Title"]},
            {"cell_type":"code","source":["a = 1\n","b = 2"],"outputs":[],"execution_count":null}],
            "metadata":{},"nbformat":4,"nbformat_minor":5}"##;
        let second = br##"{"cells":[
            {"cell_type":"code","source":"a = 1\nb = 2","outputs":[{"text":"2"}],
             "execution_count":7}],
            "metadata":{"kernel":"x"},"nbformat":4,"nbformat_minor":5}"##;
        assert!(code_of(first).is_some());
        assert_eq!(code_of(first), code_of(second));
        let changed = br#"{"cells":[{"cell_type":"code","source":"a = 3"}]}"#;
        assert_ne!(code_of(first), code_of(changed));
    }

    #[test]
    fn what_is_no_notebook_is_told_apart() {
        for bad in [&b"{"[..], b"{}", b"[]", br#"{"cells":[{"cell_type":"code"}]}"#] {
            assert_eq!(code_of(bad), None);
        }
    }
}
