//! The command line of what serves: `serve`, `gateway`, `deploy`.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

/// Where a server listens, and who may ask.
#[derive(Debug, Parser)]
pub(crate) struct Listen {
    /// The address; another than this machine's own needs --token-file.
    #[arg(long, default_value = "127.0.0.1")]
    pub(crate) host: String,
    /// A file with one bearer token of at least 16 characters, readable by its owner alone.
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// A name that clients may call the server by, beside the address (repeatable).
    #[arg(long, value_name = "NAME")]
    pub(crate) allow_host: Vec<String>,
}

#[derive(Debug, Parser)]
#[command(
    after_help = "Examples:\n  mlops serve flight-delay-demo-1\n  mlops serve flight-delay-demo-1@champion --follow --port 9000\n  mlops serve a/3 b@champion --json\n  curl localhost:8000/v2/models/flight-delay-demo-1\n\nProtocols: Open Inference Protocol v2 over REST (JSON, binary tensors) and gRPC on one port, /invocations,\n/metrics. SIGTERM answers what is under way and ends."
)]
pub(crate) struct ServeArgs {
    /// What to serve: MODEL (its alias champion, or else its newest version), MODEL@ALIAS or MODEL/VERSION.
    #[arg(required = true, value_name = "MODEL[@ALIAS|/VERSION]")]
    pub(crate) models: Vec<String>,
    /// The port; 0 for any that is free. A socket that is inherited (LISTEN_FDS) takes its place.
    #[arg(long, default_value_t = 8000)]
    pub(crate) port: u16,
    #[command(flatten)]
    pub(crate) listen: Listen,
    /// Look every second where the alias points, and change models without dropping a request.
    #[arg(long)]
    pub(crate) follow: bool,
    /// Watch inputs and predictions against this Parquet file; what is found is in /metrics.
    #[arg(long, value_name = "FILE")]
    pub(crate) reference: Option<PathBuf>,
    /// How many seconds of requests are compared at once.
    #[arg(long, default_value_t = 3600, value_name = "SECONDS", requires = "reference")]
    pub(crate) drift_window: u64,
    /// How many predictions may wait behind those that run; more are answered 503.
    #[arg(long, default_value_t = 64, value_name = "N")]
    pub(crate) max_waiting: usize,
    /// The largest request, in bytes.
    #[arg(long, default_value_t = 16 << 20, value_name = "BYTES")]
    pub(crate) max_bytes: u64,
    /// Print one JSON object (mlops.serve/1) once it answers.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Who rolls out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Control {
    /// This process: it runs the revisions, and carries out what `mlops deploy` asks.
    Here,
    /// Another one: `mlops deploy control --gateway`.
    Elsewhere,
}

#[derive(Debug, Parser)]
#[command(
    after_help = "Examples:\n  mlops gateway flights\n  mlops gateway flights --port 80 --host 0.0.0.0 --token-file token\n  mlops gateway flights --control elsewhere --admin-port 8081"
)]
pub(crate) struct GatewayArgs {
    /// The endpoint.
    pub(crate) endpoint: String,
    /// The port that clients ask; 0 for any that is free.
    #[arg(long, default_value_t = 8080)]
    pub(crate) port: u16,
    #[command(flatten)]
    pub(crate) listen: Listen,
    /// The port of the control interface, on this machine alone; none without it.
    #[arg(long, value_name = "PORT")]
    pub(crate) admin_port: Option<u16>,
    /// Who rolls out.
    #[arg(long, value_enum, default_value = "here")]
    pub(crate) control: Control,
    /// Requests that take longer, in seconds, count as slow.
    #[arg(long, default_value_t = 0.2, value_name = "SECONDS")]
    pub(crate) latency_bound: f64,
    /// Print one JSON object (mlops.gateway/1) once it answers.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Parser)]
#[command(
    after_help = "Examples:\n  mlops gateway flights &\n  mlops deploy apply flights --model flight-delay-demo-1@champion --wait\n  mlops deploy apply flights --model flight-delay-demo-1/3 --steps 5,25,100 --hold 60 --shadow 20\n  mlops deploy apply flights --name v2 -- python server.py --port {port}\n  mlops deploy status flights --json\n  mlops deploy abort flights --why 'wrong data'"
)]
pub(crate) struct DeployArgs {
    #[command(subcommand)]
    pub(crate) action: DeployAction,
    /// Print one JSON object.
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DeployAction {
    /// Ask for a new revision to be rolled out.
    Apply(Box<ApplyArgs>),
    /// What serves, and what is being changed.
    #[command(
        after_help = "Examples:\n  mlops deploy status flights\n  mlops deploy status flights --json"
    )]
    Status {
        /// The endpoint.
        endpoint: String,
    },
    /// Stay where it is.
    #[command(after_help = "Examples:\n  mlops deploy pause flights --why 'a holiday'")]
    Pause(OrderArgs),
    /// Go on after a pause.
    #[command(after_help = "Examples:\n  mlops deploy resume flights")]
    Resume(OrderArgs),
    /// Skip what remains to be judged.
    #[command(after_help = "Examples:\n  mlops deploy promote flights --why 'seen enough'")]
    Promote(OrderArgs),
    /// Back to the stable revision.
    #[command(after_help = "Examples:\n  mlops deploy abort flights --why 'wrong data'")]
    Abort(OrderArgs),
    /// What revisions have printed.
    #[command(
        after_help = "Examples:\n  mlops deploy logs flights\n  mlops deploy logs flights v3-1a2b3c4d --tail 200"
    )]
    Logs {
        /// The endpoint.
        endpoint: String,
        /// Only this revision.
        revision: Option<String>,
        /// Only the last lines of each replica.
        #[arg(long, default_value_t = 50, value_name = "N")]
        tail: usize,
    },
    /// Run the controller of an endpoint whose gateway is another process.
    #[command(
        after_help = "Examples:\n  mlops gateway flights --control elsewhere --admin-port 8081 &\n  mlops deploy control flights --gateway 127.0.0.1:8081"
    )]
    Control {
        /// The endpoint.
        endpoint: String,
        /// The gateway's control interface.
        #[arg(long, value_name = "HOST:PORT")]
        gateway: String,
    },
}

#[derive(Debug, Parser)]
pub(crate) struct OrderArgs {
    /// The endpoint.
    pub(crate) endpoint: String,
    /// Why, for the record.
    #[arg(long, default_value = "")]
    pub(crate) why: String,
}

/// How a new revision takes over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StrategyArg {
    /// By growing shares (--steps).
    Canary,
    /// All at once, the old one held ready for the way back.
    BlueGreen,
}

/// What happens when a step has too little data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum NoDataArg {
    /// Wait for somebody to decide.
    Pause,
    /// Back to the stable revision.
    Abort,
    /// Go on without evidence.
    Advance,
}

#[derive(Debug, Parser)]
#[command(
    after_help = "Examples:\n  mlops deploy apply flights --model flight-delay-demo-1@champion --wait\n  mlops deploy apply flights --model flight-delay-demo-1/3 --steps 5,25,100 --hold 60 --shadow 20\n  mlops deploy apply flights --name v2 --ready /health -- python server.py --port {port}"
)]
pub(crate) struct ApplyArgs {
    /// The endpoint.
    pub(crate) endpoint: String,
    /// The model to serve: MODEL, MODEL@ALIAS or MODEL/VERSION.
    #[arg(
        long,
        value_name = "MODEL",
        required_unless_present = "command",
        conflicts_with = "command"
    )]
    pub(crate) model: Option<String>,
    /// The revision's name; made from the model's version without it.
    #[arg(long, required_unless_present = "model")]
    pub(crate) name: Option<String>,
    /// How many processes.
    #[arg(long, default_value = "1", value_name = "N")]
    pub(crate) replicas: std::num::NonZeroU32,
    /// How it takes over.
    #[arg(long, value_enum, default_value = "canary")]
    pub(crate) strategy: StrategyArg,
    /// The shares of a canary, in percent.
    #[arg(long, value_delimiter = ',', default_value = "10,50,100", value_name = "PERCENT")]
    pub(crate) steps: Vec<u8>,
    /// How many seconds each step is watched at least.
    #[arg(long, default_value_t = 60.0, value_name = "SECONDS")]
    pub(crate) hold: f64,
    /// How many requests each revision must have answered in a step.
    #[arg(long, default_value_t = 100, value_name = "N")]
    pub(crate) samples: u64,
    /// Send copies of so many percent of requests first; their answers go nowhere.
    #[arg(long, value_name = "PERCENT")]
    pub(crate) shadow: Option<u8>,
    /// What happens when a step has too little data.
    #[arg(long, value_enum, default_value = "pause")]
    pub(crate) on_no_data: NoDataArg,
    /// The path whose answer of 200 means ready.
    #[arg(long, default_value = "/v2/health/ready", value_name = "PATH")]
    pub(crate) ready: String,
    /// How many seconds the old revision is held after the change.
    #[arg(long, default_value_t = 30.0, value_name = "SECONDS")]
    pub(crate) drain_delay: f64,
    /// Requests with the same value of this header stay with one revision.
    #[arg(long, value_name = "HEADER")]
    pub(crate) sticky: Option<String>,
    /// Why, for the record.
    #[arg(long, default_value = "")]
    pub(crate) why: String,
    /// Wait until it has ended; exits with 3 when it was rolled back, with 4 when it is paused or another order
    /// has taken its place.
    #[arg(long)]
    pub(crate) wait: bool,
    /// For how many seconds --wait waits; exits with 5 then. The rollout goes on.
    #[arg(long, default_value_t = 86_400.0, value_name = "SECONDS", requires = "wait")]
    pub(crate) wait_for: f64,
    /// A command to run in place of a model; {port} is replaced.
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<String>,
}
