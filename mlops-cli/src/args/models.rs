//! The arguments of `mlops models`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(
    after_help = "Examples:\n  mlops models\n  mlops models show flight-delay-demo-1 --json\n  mlops models register iris iris.onnx --flavour onnx --alias champion"
)]
pub(crate) struct ModelsArgs {
    #[command(subcommand)]
    pub(crate) action: Option<ModelsAction>,
    /// Print one JSON object.
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ModelsAction {
    /// Versions, where each came from, and everything that happened.
    #[command(after_help = "Examples:\n  mlops models show flight-delay-demo-1")]
    Show {
        /// The model's name.
        model: String,
    },
    /// Register a file as the next version of a model; one that this program can load is tried first.
    #[command(
        after_help = "Examples:\n  mlops models register iris iris.onnx --flavour onnx\n  mlops models register iris iris.onnx --flavour onnx --alias champion -m 'better on March'"
    )]
    Register(RegisterArgs),
}

#[derive(Debug, Args)]
pub(crate) struct RegisterArgs {
    /// The model's name; a new one is created.
    pub(crate) model: String,
    /// The file.
    pub(crate) file: PathBuf,
    /// What can load it.
    #[arg(long)]
    pub(crate) flavour: String,
    /// An alias that names the new version from now on.
    #[arg(long)]
    pub(crate) alias: Option<String>,
    /// The run that trained it.
    #[arg(long, value_name = "ID")]
    pub(crate) run: Option<String>,
    /// Why, for the audit trail.
    #[arg(short, long, default_value = "registered by hand")]
    pub(crate) message: String,
}
