//! `mlops`: the reference binary of the mlops crates.

mod args;
mod cmd;
mod context;
mod demo;
mod exit;
mod output;

use std::process::ExitCode;

use clap::Parser as _;

use args::{Args, Command};

fn main() -> ExitCode {
    let args = Args::parse();
    // A decoder that panics on a damaged file is caught, and the file is named in an error.
    let printed = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !mlops_drift::files::is_fenced() {
            printed(panic);
        }
    }));
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(args)));
    match outcome {
        Ok(Ok(code)) => code,
        Ok(Err(error)) => exit::report(&error),
        // The panic has been printed by the hook.
        Err(_) => ExitCode::from(exit::DEFECT),
    }
}

fn run(args: Args) -> anyhow::Result<ExitCode> {
    context::init_logging()?;
    if let Command::Drift(drift) = args.command {
        return cmd::drift::run(&drift);
    }
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let store = args.store;
    runtime.block_on(async {
        match args.command {
            Command::Demo(demo) => demo::run(&store, &demo).await,
            Command::Experiments(experiments) => cmd::experiments::run(&store, &experiments).await,
            Command::Runs(runs) => cmd::runs::run(&store, runs).await,
            Command::Models(models) => cmd::models::run(&store, models).await,
            Command::Data(data) => cmd::data::run(&store, data).await,
            Command::Pipeline(pipeline) => cmd::pipeline::run(&store, pipeline).await,
            Command::Serve(serve) => cmd::serve::run(&store, serve).await,
            Command::Gateway(gateway) => cmd::gateway::run(&store, gateway).await,
            Command::Deploy(deploy) => cmd::deploy::run(&store, deploy).await,
            Command::Kpi(kpi) => cmd::kpi::run(&store, &kpi).await,
            Command::Drift(drift) => cmd::drift::run(&drift),
        }
    })
}
