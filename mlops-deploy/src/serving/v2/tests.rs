//! Bodies of the protocol: what real clients send, each thing that can be wrong, and damage at random.

use half::f16;
use proptest::prelude::*;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use super::{AnswerForm, decode, encode};
use crate::serving::error::{Result, ServeError, ServeErrorKind};
use crate::serving::serve::{InferRequest, InferResponse, Serve as _};
use crate::serving::tensor::{ByteStrings, Tensor, TensorData};
use crate::serving::testing::{IRIS, iris};

/// A body through decoding, an iris model and encoding.
async fn ask(body: &[u8], header_length: Option<usize>) -> Result<Value> {
    let (request, form) = decode(body, header_length)?;
    let answer = iris().infer("iris", None, request).await?;
    let answer = encode(&answer, &form)?;
    assert_eq!(answer.header_length, None);
    Ok(serde_json::from_slice(&answer.body).unwrap())
}

fn matrix(shape: Value, datatype: &str, data: Value) -> Vec<u8> {
    let input = json!({ "name": "input-0", "shape": shape, "datatype": datatype, "data": data });
    json!({ "inputs": [input] }).to_string().into_bytes()
}

#[tokio::test]
async fn both_conventions_flat_and_nested_give_the_same_answer() {
    let flat = matrix(json!([2, 4]), "FP64", json!([1, 2.5, 3, 4, 5, 6, 7, 8]));
    let nested = matrix(json!([2, 4]), "FP32", json!([[1, 2.5, 3, 4], [5, 6, 7, 8]]));
    let column = |at: usize, values: [f64; 2]| json!({ "name": IRIS[at], "shape": [2, 1], "datatype": "FP64", "data": values });
    let columns = json!({ "inputs": [column(2, [3.0, 7.0]), column(0, [1.0, 5.0]),
        column(3, [4.0, 8.0]), column(1, [2.5, 6.0])] });
    for body in [flat, nested, columns.to_string().into_bytes()] {
        let answer = ask(&body, None).await.unwrap();
        let want = json!({ "model_name": "iris", "model_version": "1",
            "outputs": [{ "name": "sum", "datatype": "FP64", "shape": [2], "data": [10.5, 26.0] }] });
        assert_eq!(answer, want, "{}", String::from_utf8_lossy(&body));
    }
}

#[tokio::test]
async fn the_id_goes_back_and_what_is_absent_stays_absent() {
    let body = br#"{"id":"a-1","parameters":{"priority":3},"unknown":[1,{"x":null}],
        "outputs":[{"name":"sum","parameters":null}],
        "inputs":[{"name":"x","shape":[1,4],"datatype":"INT64","parameters":{"content_type":"np"},
        "data":[1,2,3,4]}]}"#;
    let answer = ask(body, None).await.unwrap();
    assert_eq!(answer["id"], "a-1");
    assert_eq!(answer["outputs"][0]["data"], json!([10.0]));
    assert!(answer.get("parameters").is_none());
    assert!(answer["outputs"][0].get("parameters").is_none());
    let nulls = br#"{"id":null,"parameters":null,"outputs":null,
        "inputs":[{"name":"x","shape":[1,4],"datatype":"FP64","parameters":null,"data":[1,2,3,4]}]}"#;
    assert!(ask(nulls, None).await.unwrap().get("id").is_none());
}

#[tokio::test]
async fn each_wrong_request_is_400_and_says_what_is_wrong() {
    let x = |shape: Value, datatype: &str, data: Value| matrix(shape, datatype, data);
    let numbers = json!([1, 2, 3, 4]);
    let outputs = br#"{"outputs":[{"name":"class"}],
        "inputs":[{"name":"x","shape":[1,4],"datatype":"FP64","data":[1,2,3,4]}]}"#;
    let again = br#"{"outputs":[{"name":"sum"},{"name":"sum"}],
        "inputs":[{"name":"x","shape":[1,4],"datatype":"FP64","data":[1,2,3,4]}]}"#;
    let column =
        |name: &str| json!({ "name": name, "shape": [1], "datatype": "FP64", "data": [1] });
    let columns = |names: &[&str]| {
        let inputs: Vec<_> = names.iter().map(|name| column(name)).collect();
        json!({ "inputs": inputs }).to_string().into_bytes()
    };
    let uneven = json!({ "inputs": [column(IRIS[0]),
        { "name": IRIS[1], "shape": [2], "datatype": "FP64", "data": [1, 2] }] });
    let table: Vec<(Vec<u8>, &[&str])> = vec![
        (b"{".to_vec(), &["not an inference request", "line 1"]),
        (b"".to_vec(), &["not an inference request"]),
        (b"[]".to_vec(), &["not an inference request"]),
        (b"{}".to_vec(), &["no inputs"]),
        (b"{\"inputs\":[[\"x\",[1],\"FP64\",null,[1]]]}".to_vec(), &["expected an object"]),
        (b"{\"inputs\":[]}".to_vec(), &["no inputs"]),
        (b"{\"inputs\":[{\"name\":\"x\"}]}".to_vec(), &["missing field `shape`"]),
        (x(json!([2, 4]), "FP64", numbers.clone()), &["\"input-0\"", "[2, 4]", "want=8", "got=4"]),
        (x(json!([1, 4]), "FP99", numbers.clone()), &["\"input-0\"", "\"FP99\"", "FP64"]),
        (x(json!([-1, 4]), "FP64", numbers.clone()), &["negative", "\"input-0\"", "[-1, 4]"]),
        (
            x(json!([1u64 << 40, 1u64 << 40]), "FP64", numbers.clone()),
            &["too large", "\"input-0\""],
        ),
        (x(json!([1, 4]), "FP64", json!([1, 2, null, 4])), &["[0, 2]", "got=null"]),
        (x(json!([1, 4]), "INT32", json!([1, 2, 3, 2_147_483_648_u32])), &["[0, 3]", "2147483648"]),
        (x(json!([1, 4]), "INT64", json!([1, 2, 3.5, 4])), &["[0, 2]", "got=3.5"]),
        (x(json!([1, 4]), "UINT8", json!([1, -1, 3, 4])), &["[0, 1]", "got=-1"]),
        (x(json!([1, 4]), "FP64", json!([1, "two", 3, 4])), &["[0, 1]", "\"two\""]),
        (x(json!([1, 4]), "FP64", json!([1, true, 3, 4])), &["[0, 1]", "true"]),
        (x(json!([2, 2]), "FP64", json!([[1, 2], [3]])), &["differ in length", "\"input-0\""]),
        (x(json!([2, 2]), "FP64", json!([[1, 2], 3])), &["level 1", "\"input-0\""]),
        (x(json!([1, 4]), "FP64", json!([1, [2], 3, 4])), &["level", "\"input-0\""]),
        (x(json!([1, 4]), "FP64", json!([[1, 2], [3, 4]])), &["want=[1, 4]", "got=[2, 2]"]),
        (x(json!([1, 3]), "FP64", json!([1, 2, 3])), &["want=[-1, 4]", "got=[1, 3]"]),
        (x(json!([0, 4]), "FP64", json!([])), &["no rows"]),
        (x(json!([4]), "FP64", numbers.clone()), &["no such input", IRIS[0]]),
        (x(json!([1, 4]), "BOOL", json!([true, true, true, true])), &["want=FP64", "got=BOOL"]),
        (x(json!([1, 4]), "BYTES", json!(["1", "2", "3", "4"])), &["want=FP64", "got=BYTES"]),
        (
            x(json!([1, 4]), "INT64", json!([1, 2, i64::MAX, 4])),
            &["exactly", "[0]", "9223372036854775807"],
        ),
        (outputs.to_vec(), &["no such output", "\"class\"", "sum"]),
        (again.to_vec(), &["asked for twice", "\"sum\""]),
        (columns(&IRIS[..3]), &["missing", IRIS[3], "want=FP64"]),
        (columns(&[IRIS[0], "colour"]), &["no such input", "\"colour\""]),
        (columns(&[IRIS[0], IRIS[0]]), &["twice", IRIS[0]]),
        (uneven.to_string().into_bytes(), &["differ in their rows", IRIS[0], IRIS[1]]),
    ];
    for (body, words) in table {
        let error = ask(&body, None).await.unwrap_err();
        let text = error.to_string();
        assert_eq!(error.kind(), ServeErrorKind::InvalidInput, "{text}");
        assert!(!text.ends_with('.') && !text.starts_with(char::is_uppercase), "{text}");
        for word in words {
            assert!(text.contains(word), "{word} is not in: {text}");
        }
        let body: Value = serde_json::from_slice(&error.to_json()).unwrap();
        assert_eq!(body, json!({ "error": text }));
    }
}

#[tokio::test]
async fn unknown_models_are_404_and_failing_ones_500() {
    let server = iris();
    let request = |first: f64| {
        let data = TensorData::Fp64(vec![first, 0.0, 0.0, 0.0]);
        let inputs = vec![Tensor::new("x", vec![1, 4], data).unwrap()];
        InferRequest { inputs, ..InferRequest::default() }
    };
    let table = [
        ("rose", None, 1.0, 404),
        ("iris", Some("2"), 1.0, 404),
        ("iris", Some("one"), 1.0, 404),
        ("iris", Some("+1"), 1.0, 404),
        ("iris", Some("99999999999"), 1.0, 404),
        ("iris", Some("1"), -1.0, 500),
        ("iris", Some("1"), -2.0, 500),
        ("iris", Some("1"), -3.0, 500),
    ];
    for (model, version, first, status) in table {
        let error = server.infer(model, version, request(first)).await.unwrap_err();
        assert_eq!(error.kind().status(), status, "{model} {version:?} {first}: {error}");
    }
    assert!(server.infer("iris", Some("1"), request(1.0)).await.is_ok());
}

#[test]
fn bodies_about_the_server_have_the_protocols_shape() {
    let server = iris();
    let parse = |body: Vec<u8>| serde_json::from_slice::<Value>(&body).unwrap();
    assert_eq!(super::live_body(true), b"{\"live\":true}");
    assert_eq!(super::ready_body(false), b"{\"ready\":false}");
    let ready = parse(super::model_ready_body("iris", true));
    assert_eq!(ready, json!({ "name": "iris", "ready": true }));
    let metadata = parse(super::model_body(&server.metadata("iris", None).unwrap()).unwrap());
    let input = |name| json!({ "name": name, "datatype": "FP64", "shape": [-1] });
    let want = json!({ "name": "iris", "versions": ["1"], "platform": "mlops",
        "inputs": IRIS.map(input), "outputs": [input("sum")] });
    assert_eq!(metadata, want);
    let index = parse(super::index_body(&server.index()).unwrap());
    let want = json!([{ "name": "iris", "version": "1", "state": "READY", "reason": "" }]);
    assert_eq!(index, want);
    let about = parse(super::server_body(&server.server()).unwrap());
    assert_eq!(about["name"], "mlops");
    assert_eq!(about["extensions"][0], "binary_tensor_data");
}

/// A request as tritonclient writes it: JSON, then the tensors' bytes.
fn binary_body() -> (Vec<u8>, usize) {
    let json = json!({ "id": "", "parameters": { "binary_data_output": true },
        "inputs": [{ "name": "x", "shape": [1, 4], "datatype": "FP64",
            "parameters": { "binary_data_size": 32 } }] });
    let mut body = json.to_string().into_bytes();
    let header = body.len();
    [1.0_f64, 2.0, 3.0, 4.5].iter().for_each(|v| body.extend(v.to_le_bytes()));
    (body, header)
}

#[tokio::test]
async fn binary_tensors_go_in_and_out() {
    let (body, header) = binary_body();
    let (request, form) = decode(&body, Some(header)).unwrap();
    let answer = iris().infer("iris", None, request).await.unwrap();
    let answer = encode(&answer, &form).unwrap();
    assert_eq!(answer.content_type(), "application/octet-stream");
    let (json, tail) = answer.body.split_at(answer.header_length.unwrap());
    let json: Value = serde_json::from_slice(json).unwrap();
    assert_eq!(json["id"], "");
    assert_eq!(json["outputs"][0]["parameters"], json!({ "binary_data_size": 8 }));
    assert!(json["outputs"][0].get("data").is_none());
    assert_eq!(tail, 10.5_f64.to_le_bytes());
}

#[test]
fn the_form_of_each_output_can_be_chosen() {
    let form = |all: Value, outputs: Value| {
        let inputs = json!([{ "name": "x", "shape": [1], "datatype": "FP64", "data": [1] }]);
        let parameters = json!({ "binary_data_output": all });
        let body = json!({ "inputs": inputs, "parameters": parameters, "outputs": outputs });
        decode(body.to_string().as_bytes(), None).unwrap().1
    };
    let one = |binary: Value| json!([{ "name": "a", "parameters": { "binary_data": binary } }, { "name": "b" }]);
    assert_eq!(form(json!(null), json!(null)), AnswerForm::json());
    assert_eq!(form(json!(true), json!(null)), AnswerForm::binary());
    for (all, each, want) in [
        (json!(false), json!(true), [true, false]),
        (json!(true), json!(false), [false, true]),
        (json!(true), json!(null), [true, true]),
    ] {
        let form = form(all, one(each));
        assert_eq!([form.is_binary("a"), form.is_binary("b")], want);
    }
}

#[test]
fn wrong_lengths_of_binary_bodies_are_refused_before_anything_is_read() {
    let (body, header) = binary_body();
    let wrong = |body: &[u8], header: Option<usize>| {
        let error = decode(body, header).unwrap_err();
        assert_eq!(error.kind(), ServeErrorKind::InvalidInput);
        error.to_string()
    };
    assert!(wrong(&body, None).contains("not an inference request"));
    assert!(wrong(&body, Some(body.len() + 1)).contains("shorter than its JSON"));
    assert!(wrong(&body, Some(usize::MAX)).contains("shorter than its JSON"));
    assert!(wrong(&body, Some(header - 1)).contains("not an inference request"));
    assert!(
        wrong(&body[..body.len() - 1], Some(header)).contains("binary_data_size=32 got_bytes=31")
    );
    assert!(wrong(&[&body[..], b"x"].concat(), Some(header)).contains("left_bytes=1"));
    assert!(wrong(&body[..header], None).contains("binary_data_size=32"));
    let of = |shape: Value, datatype: &str, size: Value, tail: &[u8]| {
        let parameters = json!({ "binary_data_size": size });
        let input =
            json!({ "name": "x", "shape": shape, "datatype": datatype, "parameters": parameters });
        let mut body = json!({ "inputs": [input] }).to_string().into_bytes();
        let header = body.len();
        body.extend(tail);
        wrong(&body, Some(header))
    };
    assert!(of(json!([2]), "FP32", json!(4), &[0; 4]).contains("want_bytes=8 got_bytes=4"));
    assert!(of(json!([1u64 << 62]), "FP32", json!(4), &[0; 4]).contains("want_bytes=too many"));
    assert!(of(json!([1u64 << 40, 1u64 << 40]), "FP32", json!(4), &[0; 4]).contains("too large"));
    assert!(of(json!([1]), "FP32", json!(u64::MAX), &[0; 4]).contains("shorter than its tensors"));
    assert!(of(json!([1]), "BYTES", json!(4), &[9, 0, 0, 0]).contains("want=1 got=0"));
    assert!(of(json!([2]), "BYTES", json!(4), &[0; 4]).contains("want=2 got=1"));
    assert!(of(json!([1]), "BYTES", json!(3), &[0; 3]).contains("left_bytes=3"));
    assert!(of(json!([1]), "BYTES", json!(8), &[0xff; 8]).contains("got=0"));
}

fn response(data: TensorData) -> InferResponse {
    let tensor = Tensor::new("x", vec![data.len()], data).unwrap();
    let (model, version) = ("m".to_owned(), "1".to_owned());
    InferResponse { model, version, id: None, outputs: vec![tensor] }
}

#[test]
fn what_is_no_number_is_a_word_in_json_and_itself_in_binary() {
    let data = TensorData::Fp32(vec![f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.1]);
    let body = encode(&response(data), &AnswerForm::json()).unwrap().body;
    let text = String::from_utf8(body).unwrap();
    assert!(text.contains(r#""data":["NaN","Infinity","-Infinity",0.1]"#), "{text}");
    let bytes = TensorData::Bytes([&[0xff_u8][..]].into_iter().collect());
    let error = encode(&response(bytes.clone()), &AnswerForm::json()).unwrap_err();
    assert_eq!(error.kind(), ServeErrorKind::InvalidInput);
    assert!(encode(&response(bytes), &AnswerForm::binary()).is_ok());
}

fn any_data() -> impl Strategy<Value = TensorData> {
    use proptest::collection::vec;
    prop_oneof![
        vec(any::<bool>(), 0..20).prop_map(TensorData::Bool),
        vec(any::<i8>(), 0..20).prop_map(TensorData::Int8),
        vec(any::<i16>(), 0..20).prop_map(TensorData::Int16),
        vec(any::<i32>(), 0..20).prop_map(TensorData::Int32),
        vec(prop_oneof![any::<i64>(), Just(i64::MIN), Just(i64::MAX)], 0..20)
            .prop_map(TensorData::Int64),
        vec(any::<u8>(), 0..20).prop_map(TensorData::Uint8),
        vec(any::<u16>(), 0..20).prop_map(TensorData::Uint16),
        vec(any::<u32>(), 0..20).prop_map(TensorData::Uint32),
        vec(prop_oneof![any::<u64>(), Just(u64::MAX), 0..10_u64], 0..20)
            .prop_map(TensorData::Uint64),
        vec(-65504.0..65504.0_f32, 0..20)
            .prop_map(|v| TensorData::Fp16(v.into_iter().map(f16::from_f32).collect())),
        vec(prop_oneof![any::<f32>(), Just(f32::INFINITY)], 0..20).prop_map(TensorData::Fp32),
        vec(prop_oneof![any::<f64>(), Just(f64::NEG_INFINITY)], 0..20).prop_map(TensorData::Fp64),
        vec(".{0,9}", 0..20).prop_map(|v| TensorData::Bytes(v.iter().collect::<ByteStrings>())),
    ]
}

/// The request that sends the tensors of an answer back.
fn sent_back(answer: &super::Encoded) -> Tensor {
    let (json, tail) = answer.body.split_at(answer.header_length.unwrap_or(answer.body.len()));
    let mut json: Value = serde_json::from_slice(json).unwrap();
    json["inputs"] = json["outputs"].take();
    let mut body = json.to_string().into_bytes();
    let header = body.len();
    body.extend(tail);
    let header = answer.header_length.map(|_| header);
    decode(&body, header).unwrap().0.inputs.remove(0)
}

proptest! {
    #[test]
    fn a_tensor_comes_back_from_json_and_from_binary(data in any_data()) {
        for form in [AnswerForm::json(), AnswerForm::binary()] {
            let answer = response(data.clone());
            let back = sent_back(&encode(&answer, &form).unwrap());
            prop_assert_eq!(&back, &answer.outputs[0]);
        }
    }
}

#[test]
fn damaged_bodies_never_panic() {
    let mut rng = StdRng::seed_from_u64(20_130_401);
    let (binary, header) = binary_body();
    let flat = matrix(json!([2, 4]), "FP64", json!([[1, 2.5, 3, 4], [5, 6, 7, -8e3]]));
    let texts = matrix(json!([2]), "BYTES", json!(["a\u{e9}", "b\"c"]));
    let mut refused = 0;
    for round in 0..6000 {
        let (mut body, mut length) = match round % 3 {
            0 => (flat.clone(), None),
            1 => (texts.clone(), None),
            _ => (binary.clone(), Some(header)),
        };
        for _ in 0..rng.random_range(1..4) {
            let at = rng.random_range(0..body.len());
            match rng.random_range(0..5) {
                0 => body.truncate(at.max(1)),
                1 => body[at] ^= 1 << rng.random_range(0..8),
                2 => body[at] = b"[]{},:\"09-eE.ntf"[rng.random_range(0..16)],
                3 => body.insert(at, rng.random()),
                _ => length = length.map(|_| rng.random_range(0..body.len() + 8)),
            }
        }
        let outcome: Result<_, ServeError> = decode(&body, length);
        refused += usize::from(outcome.is_err());
    }
    assert!(refused > 3000, "{refused}");
}

#[test]
fn deep_nesting_is_refused() {
    let deep = format!("{}{}", "[".repeat(60), "]".repeat(60));
    let body =
        format!(r#"{{"inputs":[{{"name":"x","shape":[1],"datatype":"FP64","data":{deep}}}]}}"#);
    let error = decode(body.as_bytes(), None).unwrap_err();
    assert!(error.to_string().contains("too deep"), "{error}");
    let endless = "[".repeat(1 << 20);
    assert!(decode(endless.as_bytes(), None).is_err());
}
