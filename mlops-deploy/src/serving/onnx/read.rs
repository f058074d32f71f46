//! From the bytes of an ONNX file to something that runs, and to its signature.

use std::panic::{AssertUnwindSafe, catch_unwind};

use mlops_core::{Error, ErrorKind, Result};
use tract_onnx::prelude::{
    DatumType, Framework as _, InferenceFact, InferenceModel, InferenceModelExt as _,
    IntoRunnable as _, OutletId, TDim, TractError, TypedModel,
};
use tract_onnx::tract_hir::infer::Factoid as _;

use super::values::datatype;
use super::{OnnxModel, Rows};
use crate::serving::signature::{Signature, TensorSpec};

/// Reads a model.
///
/// # Errors
/// `Corrupt` for bytes that are no ONNX file, `Unsupported` for a model that can't be run here.
pub(super) fn read(bytes: &[u8]) -> Result<OnnxModel> {
    let parsed = catch_unwind(AssertUnwindSafe(|| parse(bytes)));
    parsed.unwrap_or_else(|_| Err(corrupt("the parser gave up on a damaged file".to_owned())))
}

fn parse(bytes: &[u8]) -> Result<OnnxModel> {
    let onnx = tract_onnx::onnx().with_ignore_value_info(true).with_ignore_output_shapes(true);
    let proto = onnx.proto_model_for_read(&mut &*bytes).map_err(|e| corrupt(format!("{e:#}")))?;
    if proto.graph.is_none() {
        return Err(corrupt("it holds no graph".to_owned()));
    }
    let model = onnx.model_for_proto_model(&proto).map_err(unsupported)?;
    let names = output_names(&model)?;
    let (inputs, model, rows, count) = with_rows(model)?;
    let optimized = model.into_optimized().map_err(unsupported)?;
    let outputs = outputs(&optimized, &names, &count)?;
    let signature = Signature::new(inputs, outputs).map_err(|error| {
        Error::new(ErrorKind::Unsupported, "a model that can't be asked over the protocol")
            .with_source(error)
    })?;
    let plan = optimized.into_runnable().map_err(unsupported)?;
    Ok(OnnxModel { signature, rows, plan })
}

/// The inputs of the file, and the model with the number of rows that it takes: any, or one.
fn with_rows(mut model: InferenceModel) -> Result<(Vec<TensorSpec>, InferenceModel, Rows, TDim)> {
    let outlets = model.input_outlets().map_err(unsupported)?.to_vec();
    let inputs: Vec<Input> =
        outlets.iter().map(|at| Input::of(&model, *at)).collect::<Result<_>>()?;
    let one = inputs.iter().any(|input| input.rows == Rows::One);
    let (rows, count) = match one {
        true => (Rows::One, TDim::from(1)),
        false => (Rows::Any, TDim::from(model.symbols.new_with_prefix("rows"))),
    };
    for (at, input) in inputs.iter().enumerate() {
        model.set_input_fact(at, input.fact(&count)).map_err(unsupported)?;
    }
    Ok((inputs.into_iter().map(|input| input.spec).collect(), model, rows, count))
}

struct Input {
    spec: TensorSpec,
    datum: DatumType,
    rows: Rows,
}

impl Input {
    fn of(model: &InferenceModel, outlet: OutletId) -> Result<Self> {
        let name = &model.node(outlet.node).name;
        let fact = model.outlet_fact(outlet).map_err(unsupported)?;
        let no = |what: &str| {
            Err(refused(format!("{what}: input={name:?} is={}", fact.format_dt_shape())))
        };
        let Some(datum) = fact.datum_type.concretize() else { return no("an input has no type") };
        let Some(datatype) = datatype(datum) else {
            return no("an input is neither a number nor a boolean");
        };
        let dims: Vec<Option<i64>> = fact
            .shape
            .dims()
            .map(|dim| dim.concretize().and_then(|dim| dim.to_i64().ok()))
            .collect();
        let (false, Some((first, others))) = (fact.shape.is_open(), dims.split_first()) else {
            return no("an input has no shape with the rows first");
        };
        let rows = match first {
            None => Rows::Any,
            Some(1) => Rows::One,
            Some(_) => {
                return no(
                    "an input takes batches of one size only, export it with a dynamic first axis",
                );
            }
        };
        let Some(others) = others.iter().copied().collect::<Option<Vec<i64>>>() else {
            return no("an input is dynamic behind its first axis");
        };
        let shape = std::iter::once(-1).chain(others).collect();
        Ok(Self { spec: TensorSpec::new(name, datatype).with_shape(shape), datum, rows })
    }

    fn fact(&self, rows: &TDim) -> InferenceFact {
        let others = self.spec.shape()[1..].iter().map(|size| TDim::from(*size));
        let shape: Vec<TDim> = std::iter::once(rows.clone()).chain(others).collect();
        InferenceFact::dt_shape(self.datum, shape)
    }
}

/// The names that the file gives its outputs.
fn output_names(model: &InferenceModel) -> Result<Vec<String>> {
    let outlets = model.output_outlets().map_err(unsupported)?;
    let name = |outlet: &OutletId| match model.outlet_label(*outlet) {
        Some(label) => label.to_owned(),
        None => model.node(outlet.node).name.clone(),
    };
    Ok(outlets.iter().map(name).collect())
}

fn outputs(model: &TypedModel, names: &[String], rows: &TDim) -> Result<Vec<TensorSpec>> {
    let output = |(at, name): (usize, &String)| {
        let fact = model.output_fact(at).map_err(unsupported)?;
        let no = |what: &str| Err(refused(format!("{what}: output={name:?} is={fact:?}")));
        let Some(datatype) = datatype(fact.datum_type) else {
            return no("an output is neither numbers nor booleans");
        };
        let Some((first, others)) = fact.shape.split_first() else {
            return no("an output has no rows");
        };
        if first != rows {
            return no("an output does not have a row for each row of the input");
        }
        let sizes: Option<Vec<i64>> = others.iter().map(|dim| dim.to_i64().ok()).collect();
        let Some(sizes) = sizes else { return no("an output's size depends on the rows") };
        let shape = std::iter::once(-1).chain(sizes).collect();
        Ok(TensorSpec::new(name, datatype).with_shape(shape))
    };
    names.iter().enumerate().map(output).collect()
}

fn corrupt(why: String) -> Error {
    Error::new(ErrorKind::Corrupt, format!("not an ONNX file: {why}"))
}

fn refused(why: String) -> Error {
    Error::new(ErrorKind::Unsupported, format!("an ONNX model can't be served: {why}"))
}

fn unsupported(error: TractError) -> Error {
    refused(format!("{error:#}"))
}
