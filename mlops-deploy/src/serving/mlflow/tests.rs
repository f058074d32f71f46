//! Bodies of invocations: every form, every wrong one, answers, and damage at random.

use arrow::array::RecordBatch;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::json;

use super::{Format, decode, encode};
use crate::serving::error::{Result, ServeErrorKind};
use crate::serving::signature::{Signature, TensorSpec};
use crate::serving::tensor::{Binding, Datatype};

fn binding() -> Binding {
    let inputs = vec![
        TensorSpec::new("hour", Datatype::Int64),
        TensorSpec::new("wind", Datatype::Fp32),
        TensorSpec::new("port", Datatype::Bytes),
    ];
    let outputs = vec![TensorSpec::new("late", Datatype::Fp64)];
    Binding::new(Signature::new(inputs, outputs).unwrap())
}

fn read(body: &str) -> Result<RecordBatch> {
    decode(Format::Json, body.as_bytes(), &binding())
}

fn table(batch: &RecordBatch) -> String {
    let columns = batch.columns().iter();
    columns.map(|column| format!("{column:?}").replace(['\n', ' '], "")).collect()
}

#[test]
fn every_form_gives_the_same_batch() {
    let want = table(
        &read(r#"{"dataframe_records":[{"hour":1,"wind":0.5,"port":"EWR"},{"port":"J,\"K","wind":2,"hour":-3}]}"#)
            .unwrap(),
    );
    assert!(want.contains("0.5") && want.contains("EWR") && want.contains("-3"), "{want}");
    for body in [
        r#"{"dataframe_split":{"columns":["port","extra","hour","wind"],"index":[7,8],"data":[["EWR",null,1,0.5],["J,\"K",[1],-3,2]]}}"#,
        r#"{"dataframe_split":{"data":[["EWR",1,0.5],["J,\"K",-3,2]],"columns":["port","hour","wind"]}}"#,
        r#"{"instances":[{"hour":1,"wind":0.5,"port":"EWR"},{"hour":-3,"wind":2,"port":"J,\"K"}],"signature_name":"x"}"#,
        r#"{"instances":[[1,0.5,"EWR"],[-3,2.0,"J,\"K"]]}"#,
        r#"{"inputs":{"hour":[1,-3],"port":["EWR","J,\"K"],"wind":[0.5,2],"extra":null},"params":{"a":1}}"#,
        r#"{"inputs":[[1,0.5,"EWR"],[-3,2,"J,\"K"]]}"#,
    ] {
        assert_eq!(read(body).map(|batch| table(&batch)).unwrap(), want, "{body}");
    }
    for csv in [
        "hour,wind,port\n1,0.5,EWR\n-3,2,\"J,\"\"K\"\n",
        "\u{feff}port,extra,hour,wind\r\nEWR,,1,0.5\r\n\"J,\"\"K\",x,-3,2.0",
    ] {
        let batch = decode(Format::Csv, csv.as_bytes(), &binding()).unwrap();
        assert_eq!(table(&batch), want, "{csv}");
    }
}

#[test]
fn a_missing_number_is_a_nan_among_floats_only() {
    let nan = read(r#"{"inputs":[[1,null,"EWR"]]}"#).unwrap();
    assert!(table(&nan).contains("NaN"));
    let nan = decode(Format::Csv, b"hour,wind,port\n1,,EWR\n", &binding()).unwrap();
    assert!(table(&nan).contains("NaN"));
    for body in [r#"{"inputs":[[null,1,"EWR"]]}"#, r#"{"inputs":[[1,1,"a"],[null,1,"EWR"]]}"#] {
        let error = read(body).unwrap_err().to_string();
        assert!(error.contains("\"hour\"") && error.contains("null"), "{error}");
    }
    assert!(read(r#"{"inputs":[[1,1,null]]}"#).is_err());
}

#[test]
fn one_input_takes_plain_values_and_a_list_its_lists() {
    let of = |shape: &[i64]| {
        let x = TensorSpec::new("x", Datatype::Fp64).with_shape(shape.to_vec());
        Binding::new(Signature::new(vec![x.clone()], vec![x]).unwrap())
    };
    let plain = decode(Format::Json, br#"{"instances":[1,2.5,null]}"#, &of(&[-1])).unwrap();
    assert_eq!(plain.num_rows(), 3);
    for body in [r#"{"inputs":{"x":[[1,2],[3,4]]}}"#, r#"{"instances":[{"x":[1,2]},{"x":[3,4]}]}"#]
    {
        let lists = decode(Format::Json, body.as_bytes(), &of(&[-1, 2])).unwrap();
        assert_eq!(lists.num_rows(), 2);
        let answer = encode(&lists, of(&[-1, 2]).signature()).unwrap();
        assert_eq!(answer, br#"{"predictions":[[1.0,2.0],[3.0,4.0]]}"#);
    }
    assert!(decode(Format::Csv, b"x\n1\n", &of(&[-1, 2])).is_err());
    let short = decode(Format::Json, br#"{"inputs":{"x":[[1,2],[3]]}}"#, &of(&[-1, 2]));
    assert!(short.unwrap_err().to_string().contains("want=4 got=3"));
}

#[test]
fn each_wrong_body_is_refused_with_what_is_wrong() {
    for (body, word) in [
        ("", "not an invocation"),
        ("[]", "not an invocation"),
        ("{}", "none of dataframe_split"),
        (r#"{"inputs":[[1,1,"a"]],"instances":[[1,1,"a"]]}"#, "more than one of"),
        (r#"{"inputs":[[1,1,"a"]]} x"#, "trailing"),
        (r#"{"inputs":[]}"#, "no rows"),
        (r#"{"inputs":{}}"#, "no rows"),
        (r#"{"inputs":[[1,1]]}"#, "want=3 got=2"),
        (r#"{"inputs":[[1,1,"a"],[1,1]]}"#, "row=1 want=3 got=2"),
        (r#"{"inputs":[[1,1,"a"],[1,1,"b",4]]}"#, "row=1 want=3 got=4"),
        (r#"{"inputs":[[1,1,"a"],{"hour":1}]}"#, "mixed"),
        (r#"{"inputs":[{"hour":1},[1]]}"#, "mixed"),
        (r#"{"inputs":{"hour":[1],"wind":[1,2],"port":["a"]}}"#, "\"hour\" rows=2"),
        (r#"{"instances":[{"hour":1,"wind":1}]}"#, "missing: column=\"port\""),
        (r#"{"instances":[{"hour":1,"wind":1,"port":"a"},{"hour":1,"wind":1}]}"#, "row=1"),
        (r#"{"instances":[{"hour":1,"wind":1},{"hour":1,"wind":1,"port":"a"}]}"#, "\"port\" row=0"),
        (r#"{"dataframe_split":{"columns":["hour"],"data":[[1,1,"a"]]}}"#, "want=1 got=3"),
        (r#"{"dataframe_split":{"columns":["hour","hour"],"data":[[1,1]]}}"#, "twice"),
        (r#"{"inputs":[[1.5,1,"a"]]}"#, "column=\"hour\" want=INT64 row=0 got=1.5"),
        (
            r#"{"inputs":[[1,1,"a"],[18446744073709551615,1,"a"]]}"#,
            "row=1 got=18446744073709551615",
        ),
        (r#"{"inputs":[[1,"x","a"]]}"#, "column=\"wind\""),
        (r#"{"inputs":[[1,1,2]]}"#, "column=\"port\""),
    ] {
        let error = read(body).unwrap_err();
        assert_eq!(error.kind(), ServeErrorKind::InvalidInput);
        assert!(error.to_string().contains(word), "{body}: {error}");
    }
    for (body, word) in [
        (&b""[..], "no rows"),
        (b"hour,wind,port\n", "no rows"),
        (b"hour,wind\n1,1\n", "missing: column=\"port\""),
        (b"hour,wind,port\n1,1\n", "row=0 want=3 got=2"),
        (b"hour,hour,port\n1,1,a\n", "twice"),
        (b"hour,wind,port\n1.5,1,a\n", "column=\"hour\""),
        (b"hour,wind,port\n1,\"1,a\n", "not closed"),
        (b"hour,wind,port\n1,\"1\"x,a\n", "behind a quote"),
        (b"hour,wind,port\n1,1,\xff\n", "UTF-8"),
    ] {
        let error = decode(Format::Csv, body, &binding()).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
    assert_eq!(Format::from_content_type(None).unwrap(), Format::Json);
    let typed = Format::from_content_type(Some("Text/CSV; charset=utf-8"));
    assert_eq!(typed.unwrap(), Format::Csv);
    assert!(Format::from_content_type(Some("text/html")).is_err());
}

#[test]
fn several_outputs_are_records() {
    let batch = read(r#"{"inputs":[[1,null,"EWR"]]}"#).unwrap();
    let answer: serde_json::Value =
        serde_json::from_slice(&encode(&batch, binding().signature()).unwrap()).unwrap();
    let row = json!({ "hour": 1, "wind": null, "port": "EWR" });
    assert_eq!(answer, json!({ "predictions": [row] }));
}

#[test]
fn damaged_bodies_never_panic() {
    let mut rng = StdRng::seed_from_u64(20_131_102);
    let bodies = [
        (Format::Json, &br#"{"dataframe_split":{"columns":["port","hour","wind"],"data":[["EWR",1,0.5],["J",-3,2]]}}"#[..]),
        (Format::Json, br#"{"instances":[{"hour":1,"wind":0.5,"port":"EWR"},{"hour":2,"wind":1,"port":"J"}]}"#),
        (Format::Json, br#"{"inputs":{"hour":[1,2],"wind":[0.5,1],"port":["EWR","J"]}}"#),
        (Format::Csv, b"hour,wind,port\n1,0.5,EWR\n-3,2,\"J,\"\"K\"\n"),
    ];
    let mut refused = 0;
    for round in 0..6000 {
        let (format, body) = bodies[round % bodies.len()];
        let mut body = body.to_vec();
        for _ in 0..rng.random_range(1..4) {
            let at = rng.random_range(0..body.len());
            match rng.random_range(0..4) {
                0 => body.truncate(at.max(1)),
                1 => body[at] ^= 1 << rng.random_range(0..8),
                2 => body[at] = b"[]{},:\"0-\n\rn"[rng.random_range(0..12)],
                _ => body.insert(at, rng.random()),
            }
        }
        refused += usize::from(decode(format, &body, &binding()).is_err());
    }
    assert!(refused > 3000, "{refused}");
}
