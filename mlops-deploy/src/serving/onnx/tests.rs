//! Small files, as `tests/onnx/models.py` writes them, and what is no such file.

use std::path::{Path, PathBuf};

use arrow::array::{AsArray as _, Float32Array};
use arrow::datatypes::{Float32Type, Int64Type};

use super::*;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/onnx").join(name)
}

fn load(name: &str) -> mlops_core::Result<Arc<dyn Predictor>> {
    OnnxLoader.load(&ModelFiles::new(file(name)))
}

/// Two flowers of Fisher's, the first a setosa, the second a virginica.
fn flowers() -> RecordBatch {
    let columns = [
        ("sepal_length", [5.1, 6.3]),
        ("sepal_width", [3.5, 3.3]),
        ("petal_length", [1.4, 6.0]),
        ("petal_width", [0.2, 2.5]),
    ];
    let column = |values: [f32; 2]| Arc::new(Float32Array::from(values.to_vec())) as ArrayRef;
    RecordBatch::try_from_iter(columns.map(|(name, values)| (name, column(values)))).unwrap()
}

#[test]
fn a_model_answers_each_row_by_the_names_in_its_file() {
    let model = load("iris.onnx").unwrap();
    let text = serde_json::to_string(model.signature()).unwrap();
    assert!(text.contains(r#"{"name":"petal_width","datatype":"FP32","shape":[-1]}"#), "{text}");
    let answer = model.predict(&flowers()).unwrap();
    assert_eq!(answer.schema(), model.signature().output_schema());
    assert_eq!(answer["class"].as_primitive::<Int64Type>().values(), &[0, 2]);
    let probability = answer["probability"].as_primitive::<Float32Type>();
    assert!(
        probability.values().iter().all(|value| (0.9..=1.0).contains(value)),
        "{probability:?}"
    );
    let one = model.predict(&flowers().slice(1, 1)).unwrap();
    assert_eq!(one, answer.slice(1, 1));
}

#[test]
fn a_model_for_one_row_is_asked_row_by_row() {
    let (any, one) = (load("iris.onnx").unwrap(), load("iris_one_row.onnx").unwrap());
    assert_eq!(one.signature(), any.signature());
    assert_eq!(one.predict(&flowers()).unwrap(), any.predict(&flowers()).unwrap());
}

#[test]
fn rows_of_many_values_go_in_and_come_out_as_lists() {
    let model = load("matrix.onnx").unwrap();
    let [input] = model.signature().inputs() else { panic!("one input") };
    assert_eq!((input.name(), input.shape()), ("x", &[-1_i64, 2, 2][..]));
    let values = Float32Array::from((0_i16..12).map(f32::from).collect::<Vec<_>>());
    let field = model.signature().input_schema();
    let arrow::datatypes::DataType::FixedSizeList(item, 4) = field.field(0).data_type() else {
        panic!("{field:?}")
    };
    let lists = arrow::array::FixedSizeListArray::new(Arc::clone(item), 4, Arc::new(values), None);
    let batch = RecordBatch::try_new(field, vec![Arc::new(lists)]).unwrap();
    // The slice begins behind the first row: what lies before it must not be read.
    let answer = model.predict(&batch.slice(1, 2)).unwrap();
    let doubled = answer.column(0).as_fixed_size_list();
    let second = doubled.value(1);
    assert_eq!(second.as_primitive::<Float32Type>().values(), &[16.0, 18.0, 20.0, 22.0]);
    let large = answer.column(1).as_fixed_size_list().value(0);
    assert_eq!(large.as_boolean().values().iter().collect::<Vec<_>>(), [false, false, true, true]);
}

#[test]
fn what_can_not_be_served_is_refused_with_the_tensor_and_the_reason() {
    for (name, words) in [
        ("two_rows.onnx", ["one size only", "x"]),
        ("text.onnx", ["neither a number nor a boolean", "x"]),
        ("total.onnx", ["row for each row", "total"]),
        ("external.onnx", ["external data", ""]),
        ("unknown_operator.onnx", ["NoSuchOperator", ""]),
    ] {
        let error = load(name).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{name}: {error}");
        let text = error.to_string();
        assert!(words.iter().all(|word| text.contains(word)), "{name}: {text}");
    }
}

#[test]
fn damaged_files_are_errors_and_never_panics() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("damaged.onnx");
    let try_load = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        OnnxLoader.load(&ModelFiles::new(&path))
    };
    for bytes in [&b""[..], b"not a model", b"\x08\x07"] {
        assert_eq!(try_load(bytes).unwrap_err().kind(), ErrorKind::Corrupt, "{bytes:?}");
    }
    let whole = std::fs::read(file("iris.onnx")).unwrap();
    for at in 0..whole.len() {
        for flip in [0x01, 0x80] {
            let mut damaged = whole.clone();
            damaged[at] ^= flip;
            // A flipped bit may leave a model, whose answers are then checked like any other's.
            if let Ok(model) = try_load(&damaged)
                && model.signature().input_schema() == flowers().schema()
            {
                drop(model.predict(&flowers()));
            }
        }
        drop(try_load(&whole[..at]));
    }
    let gone = OnnxLoader.load(&ModelFiles::new(folder.path().join("gone.onnx"))).unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::NotFound);
}
