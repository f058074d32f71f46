//! The command line.

mod drift;
mod models;
mod serving;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

pub(crate) use drift::{CorrectionArg, DriftArgs, DriftFormat, FailOn, Width};
pub(crate) use models::{ModelsAction, ModelsArgs, RegisterArgs};
pub(crate) use serving::{
    ApplyArgs, Control, DeployAction, DeployArgs, GatewayArgs, Listen, NoDataArg, OrderArgs,
    ServeArgs, StrategyArg,
};

const EXIT_CODES: &str = "Exit codes: 0 done, 1 drift found with --fail-on drift, 2 wrong usage, 3 bad input or data, \
    4 not found or conflict, 5 unavailable (a retry may help), 70 a defect.";

/// The life of a machine-learning model: track, check drift, retrain, promote.
#[derive(Debug, Parser)]
#[command(name = "mlops", version, after_help = EXIT_CODES, arg_required_else_help = true)]
pub(crate) struct Args {
    /// The folder of the store.
    #[arg(
        long,
        global = true,
        env = "MLOPS_STORE",
        default_value = "mlops-demo",
        value_name = "DIR"
    )]
    pub(crate) store: PathBuf,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Turn the whole loop on a year of flights: train, watch, detect drift, retrain, promote.
    Demo(DemoArgs),
    /// List experiments.
    Experiments(ListArgs),
    /// List, show and compare runs.
    Runs(RunsArgs),
    /// List models; show versions, lineage and audit trail.
    Models(ModelsArgs),
    /// Version data: add, list, compare, check out.
    Data(DataArgs),
    /// Run a pipeline of commands, say what would run and why, list and show runs.
    Pipeline(PipelineArgs),
    /// Serve models over open protocols, with drift checks inline.
    Serve(ServeArgs),
    /// Split an endpoint's requests between revisions, and roll new ones out.
    Gateway(GatewayArgs),
    /// Roll out revisions of an endpoint: apply, status, pause, resume, promote, abort, logs.
    Deploy(DeployArgs),
    /// Show what a lifecycle is worth: lead time, reproducibility, quality, time to fix.
    Kpi(KpiArgs),
    /// Compare two tables, column by column: Parquet, Arrow or CSV, files or folders.
    Drift(DriftArgs),
}

#[derive(Debug, Parser)]
#[command(
    after_help = "Examples:\n  mlops demo\n  mlops demo --fast --json\n  mlops demo --dir /tmp/flights"
)]
pub(crate) struct DemoArgs {
    /// The folder of the store (as --store); made when it is not there. An unfinished demo in it is resumed.
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Smaller models and fewer permutations: the same loop in a third of the time.
    #[arg(long)]
    pub(crate) fast: bool,
    /// Print one JSON object (mlops.demo/1).
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Parser)]
#[command(after_help = "Examples:\n  mlops experiments\n  mlops experiments --all --json")]
pub(crate) struct ListArgs {
    /// Deleted ones too.
    #[arg(long)]
    pub(crate) all: bool,
    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Parser)]
#[command(
    after_help = "Examples:\n  mlops runs --experiment flight-delay-demo-1 --limit 5\n  mlops runs show 0193f2\n  mlops runs diff boosting logistic"
)]
pub(crate) struct RunsArgs {
    #[command(subcommand)]
    pub(crate) action: Option<RunsAction>,
    /// Only runs of this experiment.
    #[arg(long, value_name = "NAME")]
    pub(crate) experiment: Option<String>,
    /// Order by this metric, largest first, instead of newest first.
    #[arg(long, value_name = "METRIC")]
    pub(crate) by: Option<String>,
    /// At most so many.
    #[arg(long, default_value_t = 50, value_name = "N")]
    pub(crate) limit: usize,
    /// Print one JSON object.
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RunsAction {
    /// Everything that one run logged.
    #[command(
        after_help = "Examples:\n  mlops runs show 0193f2\n  mlops runs show boosting --json"
    )]
    Show {
        /// The run's id, the beginning of it, or its name.
        run: String,
    },
    /// What differs between two runs: params, metrics, and the entries of the run key.
    #[command(after_help = "Examples:\n  mlops runs diff boosting logistic")]
    Diff {
        /// A run's id, the beginning of it, or its name.
        a: String,
        /// Another.
        b: String,
    },
}

#[derive(Debug, Parser)]
#[command(
    after_help = "Examples:\n  mlops data\n  mlops data add flights ./flights -m 'March is in'\n  mlops data diff b3:00.. b3:11..\n  mlops data checkout b3:00.. ./out"
)]
pub(crate) struct DataArgs {
    #[command(subcommand)]
    pub(crate) action: Option<DataAction>,
    /// Print one JSON object.
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DataAction {
    /// Store a file or folder as the next version of a data set.
    #[command(after_help = "Examples:\n  mlops data add flights ./flights -m 'March is in'")]
    Add {
        /// The data set.
        dataset: String,
        /// The file or folder.
        path: PathBuf,
        /// What changed.
        #[arg(short, long, default_value = "")]
        message: String,
    },
    /// The versions of a data set, newest first.
    #[command(after_help = "Examples:\n  mlops data list\n  mlops data list flights --json")]
    List {
        /// The data set; all of them without it.
        dataset: Option<String>,
    },
    /// The files that differ between two versions.
    #[command(after_help = "Examples:\n  mlops data diff b3:00.. b3:11..")]
    Diff {
        /// A version's id, or the beginning of it.
        a: String,
        /// Another.
        b: String,
    },
    /// Write a version's files into a new folder.
    #[command(after_help = "Examples:\n  mlops data checkout b3:00.. ./out")]
    Checkout {
        /// The version's id, or the beginning of it.
        version: String,
        /// The new folder.
        to: PathBuf,
    },
}

#[derive(Debug, Parser)]
#[command(
    after_help = "Examples:\n  mlops pipeline run churn.yaml\n  mlops pipeline run churn.yaml --run monday   (again: goes on where it stopped)\n  mlops pipeline plan churn.yaml\n  mlops pipeline show flight-delay demo-1-first --json\n\nA pipeline file:\n  pipeline: churn\n  inputs: { raw: data/raw.csv }\n  steps:\n    prepare:\n      command: [python, prepare.py, '{input:raw}', '{output:table}']\n      files: [prepare.py]\n      inputs: [raw]\n      outputs: [table]\n      params: { keep: 0.9 }\n      environment: [PYTHONPATH]\n      attempts: 3\n      timeout: 60"
)]
pub(crate) struct PipelineArgs {
    #[command(subcommand)]
    pub(crate) action: Option<PipelineAction>,
    /// Print one JSON object.
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PipelineAction {
    /// Run the pipeline in a file; steps that ran before with the same code, params and inputs come from the cache.
    Run(PipelineRunArgs),
    /// What a run would do with each step, and why.
    #[command(after_help = "Examples:\n  mlops pipeline plan churn.yaml --json")]
    Plan {
        /// The pipeline's file.
        file: PathBuf,
    },
    /// The steps of one run: what ran, what was cached, and why not.
    #[command(after_help = "Examples:\n  mlops pipeline show flight-delay demo-1-first --json")]
    Show {
        /// The pipeline.
        pipeline: String,
        /// The run.
        run: String,
    },
}

#[derive(Debug, Parser)]
#[command(
    after_help = "Examples:\n  mlops pipeline run churn.yaml\n  mlops pipeline run churn.yaml --run monday   (again: goes on where it stopped)\n  mlops pipeline run churn.yaml --jobs 4 --force"
)]
pub(crate) struct PipelineRunArgs {
    /// The pipeline's file (YAML).
    pub(crate) file: PathBuf,
    /// The run's id; one that stopped half-way goes on. A new one without it.
    #[arg(long, value_name = "ID")]
    pub(crate) run: Option<String>,
    /// How many steps may run at once.
    #[arg(long, default_value_t = 2, value_name = "N")]
    pub(crate) jobs: usize,
    /// Run every step, cached or not.
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Parser)]
#[command(after_help = "Examples:\n  mlops kpi\n  mlops kpi demo-1 --json")]
pub(crate) struct KpiArgs {
    /// The lifecycle; the newest one without it.
    pub(crate) lifecycle: Option<String>,
    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

/// How a result is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// For people: a table.
    Table,
    /// For programs: one JSON object.
    Json,
}

impl Format {
    /// What the flag `--json` asks for.
    pub(crate) const fn of(json: bool) -> Self {
        if json { Self::Json } else { Self::Table }
    }
}
