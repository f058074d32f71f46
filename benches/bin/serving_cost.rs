//! CPU a request of the model server beside a bare handler that does the same, drift on and off.
//!
//! `serving_cost [--rounds N] [--check] [--peer PYTHON]`. Every server runs in a process of its own behind the same
//! accept loop, and is asked over the same connections; the servers take turns within each round, and what is
//! compared are ratios of one round. The bare handler parses the same JSON with serde into a struct, computes the
//! same sum, and answers as much. `--check` ends with 1 when an aim is missed. `--peer` runs the same thing in
//! FastAPI on uvicorn, one worker.

#![allow(clippy::print_stdout)]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::Duration;

use axum::routing::post;
use axum::{Json, Router};
use bytes::Bytes;
use mlops_benches::child::{Server, attend};
use mlops_benches::client::post_all;
use mlops_benches::drift::Watch;
use mlops_benches::{BoxError, median};
use mlops_core::id::{ModelName, VersionNumber};
use mlops_deploy::arrow::array::{ArrayRef, AsArray as _, Float64Array, RecordBatch};
use mlops_deploy::arrow::datatypes::{Float64Type, SchemaRef};
use mlops_deploy::serving::metrics::ServingMetrics;
use mlops_deploy::serving::model::RepositoryOptions;
use mlops_deploy::serving::predictor::Cost;
use mlops_deploy::serving::rest::{MAX_BODY_BYTES, ServingState, routes};
use mlops_deploy::serving::tensor::Datatype;
use mlops_deploy::serving::{
    LoadedModel, Predictor, Repository, ServeError, Signature, TensorSpec,
};
use mlops_drift::{DriftMonitor, FitOptions, MonitorOptions, Reference};
use mlops_http::auth::Anyone;
use mlops_http::body::BodyLimits;
use mlops_http::listen::{DEFAULT_HOST, bind};
use mlops_http::server::{ServerHandle, ServerOptions, serve};
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use serde::{Deserialize, Serialize};

const PATH: &str = "/v2/models/sum/infer";
const COLUMNS: usize = 14;
const CLIENTS: usize = 8;
/// Bodies that are sent in turn: a monitor sees more than one value.
const BODIES: usize = 256;
const MOST_AT_ONE_ROW: f64 = 2.0;
const MOST_FOR_DRIFT: f64 = 0.05;
const LEAST_OF_FASTAPI: f64 = 10.0;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        ["serve", kind] => serve_until_told(kind).map(|()| true),
        _ => Options::parse(&arguments).and_then(|options| measure(&options)),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("failed: {error}");
            ExitCode::FAILURE
        }
    }
}

struct Options {
    rounds: usize,
    check: bool,
    peer: Option<PathBuf>,
}

impl Options {
    fn parse(mut arguments: &[&str]) -> Result<Self, BoxError> {
        let mut options = Self { rounds: 15, check: false, peer: None };
        while let [first, rest @ ..] = arguments {
            arguments = match (*first, rest) {
                ("--check", rest) => {
                    options.check = true;
                    rest
                }
                ("--rounds", [number, rest @ ..]) => {
                    options.rounds = number.parse()?;
                    rest
                }
                ("--peer", [python, rest @ ..]) => {
                    options.peer = Some(PathBuf::from(python));
                    rest
                }
                _ => return Err("serving_cost [--rounds N] [--check] [--peer PYTHON]".into()),
            };
        }
        Ok(options)
    }
}

/// What is sent: so many rows, as a tensor a column or as one matrix.
struct Case {
    rows: usize,
    form: Form,
    requests: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Columns,
    Matrix,
}

const CASES: [Case; 4] = [
    Case { rows: 1, form: Form::Columns, requests: 4_000 },
    Case { rows: 1, form: Form::Matrix, requests: 4_000 },
    Case { rows: 100, form: Form::Columns, requests: 500 },
    Case { rows: 100, form: Form::Matrix, requests: 500 },
];

/// Processor time a request in microseconds, by round.
#[derive(Default)]
struct Costs {
    bare: Vec<f64>,
    plain: Vec<f64>,
    again: Vec<f64>,
    drift: Vec<f64>,
}

impl Costs {
    fn ratios(over: &[f64], under: &[f64]) -> Vec<f64> {
        over.iter().zip(under).map(|(over, under)| over / under).collect()
    }
}

#[tokio::main(flavor = "current_thread")]
async fn measure(options: &Options) -> Result<bool, BoxError> {
    let mut bare = Server::start(&["serve", "bare"])?;
    let mut plain = Server::start(&["serve", "plain"])?;
    let mut drift = Server::start(&["serve", "drift"])?;
    println!(
        "{COLUMNS} columns, {CLIENTS} kept connections, {} rounds; CPU us a request, medians",
        options.rounds
    );
    println!("| rows | form | bare | ours | ratio | ours twice | with drift | drift adds |");
    println!("|---|---|---|---|---|---|---|---|");
    let mut verdicts = Vec::new();
    for case in &CASES {
        let bodies = bodies(case);
        let mut costs = Costs::default();
        for round in 0..=options.rounds {
            let first = cost(&mut plain, &bodies, case.requests).await?;
            let floor = cost(&mut bare, &bodies, case.requests).await?;
            let watched = cost(&mut drift, &bodies, case.requests).await?;
            let second = cost(&mut plain, &bodies, case.requests).await?;
            // The first round warms up.
            if round > 0 {
                costs.bare.push(floor);
                costs.plain.push((first + second) / 2.0);
                costs.again.push(second / first);
                costs.drift.push(watched);
            }
        }
        let ratio = median(&Costs::ratios(&costs.plain, &costs.bare));
        let added = median(&Costs::ratios(&costs.drift, &costs.plain)) - 1.0;
        println!(
            "| {} | {:?} | {:.1} | {:.1} | {ratio:.2} | {:.3} | {:.1} | {:+.1} % |",
            case.rows,
            case.form,
            median(&costs.bare),
            median(&costs.plain),
            median(&costs.again),
            median(&costs.drift),
            added * 100.0
        );
        if case.rows == 1 {
            let what =
                format!("at 1 row ({:?}) at most {MOST_AT_ONE_ROW} x the bare handler", case.form);
            verdicts.push((what, ratio <= MOST_AT_ONE_ROW));
        }
        let what = format!(
            "at {} row(s) ({:?}) drift adds at most {:.0} %",
            case.rows,
            case.form,
            MOST_FOR_DRIFT * 100.0
        );
        verdicts.push((what, added <= MOST_FOR_DRIFT));
    }
    if let Some(python) = &options.peer {
        verdicts.extend(beside_fastapi(python, &mut plain, options.rounds).await?);
    }
    for (what, met) in &verdicts {
        println!("{}: {what}", if *met { "met" } else { "NOT MET" });
    }
    Ok(!options.check || verdicts.iter().all(|(_, met)| *met))
}

/// Processor time of the server a request, in microseconds.
async fn cost(
    server: &mut Server,
    bodies: &Arc<[Bytes]>,
    requests: usize,
) -> Result<f64, BoxError> {
    let before = server.cpu()?;
    post_all(&server.address, PATH, bodies, requests, CLIENTS).await?;
    Ok((server.cpu()? - before).as_secs_f64() * 1e6 / requests as f64)
}

#[derive(Serialize, Deserialize)]
struct Request {
    inputs: Vec<Input>,
}

#[derive(Serialize, Deserialize)]
struct Input {
    name: String,
    datatype: String,
    shape: Vec<usize>,
    data: Vec<f64>,
}

#[derive(Serialize)]
struct Answer {
    model_name: &'static str,
    model_version: &'static str,
    outputs: [Input; 1],
}

fn names() -> impl Iterator<Item = String> {
    (0..COLUMNS).map(|column| format!("feature_{column}"))
}

/// A value with six digits behind the point, from -4 to 4: as a scaled feature.
fn draw(random: &mut SmallRng) -> f64 {
    f64::from(random.random_range(-4_000_000..4_000_000)) / 1e6
}

fn bodies(case: &Case) -> Arc<[Bytes]> {
    let mut random = SmallRng::seed_from_u64(case.rows as u64);
    let mut values = |count: usize| (0..count).map(|_| draw(&mut random)).collect::<Vec<_>>();
    let input = |name: String, shape: Vec<usize>, data: Vec<f64>| Input {
        name,
        datatype: "FP64".to_owned(),
        shape,
        data,
    };
    let mut body = || {
        let inputs = match case.form {
            Form::Columns => {
                names().map(|name| input(name, vec![case.rows], values(case.rows))).collect()
            }
            Form::Matrix => vec![input(
                "rows".to_owned(),
                vec![case.rows, COLUMNS],
                values(case.rows * COLUMNS),
            )],
        };
        Bytes::from(serde_json::to_vec(&Request { inputs }).expect("numbers and texts are JSON"))
    };
    (0..BODIES).map(|_| body()).collect()
}

#[tokio::main(worker_threads = 2)]
async fn serve_until_told(kind: &str) -> Result<(), BoxError> {
    let limits = BodyLimits::default().with_max_bytes(MAX_BODY_BYTES);
    let options = ServerOptions::default().with_body(limits);
    let listener = bind(DEFAULT_HOST, 0, &Anyone)?;
    let server: ServerHandle = match kind {
        "bare" => serve(listener, Router::new().route(PATH, post(bare)), options)?,
        "plain" | "drift" => {
            let name = ModelName::new("sum")?;
            let mut model = LoadedModel::new(name, VersionNumber(1), Arc::new(Sum::new()?));
            if kind == "drift" {
                model = model.with_observer(Arc::new(watch()?));
            }
            let models = Arc::new(Repository::new(RepositoryOptions::default()));
            models.load(model);
            let state = ServingState::new(models, ServingMetrics::default());
            let service = routes(&state, MAX_BODY_BYTES).into_service(state, Arc::new(Anyone));
            serve(listener, service, options)?
        }
        _ => return Err("bare, plain or drift".into()),
    };
    attend(&server, |_| String::new());
    std::future::pending().await
}

/// The handler that somebody would write by hand.
async fn bare(Json(request): Json<Request>) -> Json<Answer> {
    let sums: Vec<f64> = match &request.inputs[..] {
        [matrix] => matrix.data.chunks(COLUMNS).map(|row| row.iter().sum()).collect(),
        columns => {
            let rows = columns.first().map_or(0, |column| column.data.len());
            (0..rows).map(|row| columns.iter().map(|column| column.data[row]).sum()).collect()
        }
    };
    let (name, datatype) = ("sum".to_owned(), "FP64".to_owned());
    let output = Input { name, datatype, shape: vec![sums.len()], data: sums };
    Json(Answer { model_name: "sum", model_version: "1", outputs: [output] })
}

/// Adds up each row.
#[derive(Debug)]
struct Sum {
    signature: Signature,
    answer: SchemaRef,
}

impl Sum {
    fn new() -> Result<Self, BoxError> {
        let inputs = names().map(|name| TensorSpec::new(name, Datatype::Fp64)).collect();
        let signature = Signature::new(inputs, vec![TensorSpec::new("sum", Datatype::Fp64)])?;
        Ok(Self { answer: signature.output_schema(), signature })
    }
}

impl Predictor for Sum {
    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn predict(&self, batch: &RecordBatch) -> Result<RecordBatch, ServeError> {
        let columns: Vec<&[f64]> = batch
            .columns()
            .iter()
            .map(|column| &column.as_primitive::<Float64Type>().values()[..])
            .collect();
        let row = |at: usize| columns.iter().map(|column| column[at]).sum::<f64>();
        let sums = Float64Array::from_iter_values((0..batch.num_rows()).map(row));
        RecordBatch::try_new(Arc::clone(&self.answer), vec![Arc::new(sums) as ArrayRef])
            .map_err(|error| ServeError::model_failed(error.to_string()))
    }

    fn cost(&self, _rows: usize) -> Cost {
        Cost::Inline
    }
}

/// Watches all inputs against 10,000 rows of the same kind.
fn watch() -> Result<Watch, BoxError> {
    let mut random = SmallRng::seed_from_u64(7);
    let columns = names().map(|name| {
        let values = Float64Array::from_iter_values((0..10_000).map(|_| draw(&mut random)));
        (name, Arc::new(values) as ArrayRef)
    });
    let columns: Vec<(String, ArrayRef)> = columns.collect();
    let reference =
        Reference::fit([&RecordBatch::try_from_iter(columns)?], &FitOptions::default())?;
    let monitor = DriftMonitor::new(Arc::new(reference), MonitorOptions::default())?;
    Ok(Watch::new(monitor, 4))
}

/// The same in FastAPI: pydantic parses, Python adds up.
const FASTAPI: &str = r#"
import sys
from fastapi import FastAPI
from pydantic import BaseModel
import uvicorn

class Input(BaseModel):
    name: str
    datatype: str
    shape: list[int]
    data: list[float]

class Request(BaseModel):
    inputs: list[Input]

class Answer(BaseModel):
    model_name: str
    model_version: str
    outputs: list[Input]

app = FastAPI()

@app.post("/v2/models/sum/infer")
async def infer(request: Request) -> Answer:
    inputs = request.inputs
    if len(inputs) == 1:
        data, width = inputs[0].data, inputs[0].shape[1]
        sums = [sum(data[at:at + width]) for at in range(0, len(data), width)]
    else:
        sums = [sum(row) for row in zip(*(column.data for column in inputs))]
    output = Input(name="sum", datatype="FP64", shape=[len(sums)], data=sums)
    return Answer(model_name="sum", model_version="1", outputs=[output])

uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=False, log_level="warning")
"#;

struct Peer {
    child: Child,
    address: String,
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Peer {
    async fn start(python: &Path) -> Result<Self, BoxError> {
        let free = std::net::TcpListener::bind((DEFAULT_HOST, 0))?.local_addr()?;
        let mut command = Command::new(python);
        command.args(["-c", FASTAPI, &free.port().to_string()]).stdin(Stdio::null());
        let mut peer = Self { child: command.spawn()?, address: free.to_string() };
        for _ in 0..600 {
            if let Some(ended) = peer.child.try_wait()? {
                return Err(format!("FastAPI does not start: {ended}").into());
            }
            if tokio::net::TcpStream::connect(&peer.address).await.is_ok() {
                return Ok(peer);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Err("FastAPI does not listen within a minute".into())
    }

    /// User and system time: fields 14 and 15 of `/proc/PID/stat`, in ticks.
    fn cpu(&self) -> Result<f64, BoxError> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let fields = stat.rsplit_once(')').ok_or("no fields")?.1.split_whitespace();
        let ticks = fields.skip(11).take(2).map(str::parse::<u64>).sum::<Result<u64, _>>()?;
        Ok(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
    }
}

async fn beside_fastapi(
    python: &Path,
    ours: &mut Server,
    rounds: usize,
) -> Result<Vec<(String, bool)>, BoxError> {
    let peer = Peer::start(python).await?;
    println!("| rows | form | FastAPI, one worker | ours | times less |");
    println!("|---|---|---|---|---|");
    let mut verdicts = Vec::new();
    for case in &CASES {
        let bodies = bodies(case);
        // A tick is 10 ms: a round of the peer takes many of them.
        let requests = case.requests / 2;
        let (mut theirs, mut our) = (Vec::new(), Vec::new());
        for round in 0..=rounds.div_ceil(3) {
            let before = peer.cpu()?;
            post_all(&peer.address, PATH, &bodies, requests, CLIENTS).await?;
            let spent = (peer.cpu()? - before) * 1e6 / requests as f64;
            let here = cost(ours, &bodies, case.requests).await?;
            if round > 0 {
                theirs.push(spent);
                our.push(here);
            }
        }
        let ratio = median(&Costs::ratios(&theirs, &our));
        println!(
            "| {} | {:?} | {:.0} | {:.1} | {ratio:.1} |",
            case.rows,
            case.form,
            median(&theirs),
            median(&our)
        );
        if case.rows == 1 {
            let what = format!(
                "at 1 row ({:?}) at least {LEAST_OF_FASTAPI} x less than FastAPI",
                case.form
            );
            verdicts.push((what, ratio >= LEAST_OF_FASTAPI));
        }
    }
    Ok(verdicts)
}
