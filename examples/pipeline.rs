//! A pipeline of two Rust steps around a command; run twice, the second time from the cache.

#![allow(clippy::print_stdout)]

use mlops_core::pipeline::{
    Cancel, Command, Executor, ExecutorOptions, Notice, Plan, PlanInput, Step,
};
use mlops_core::{Error, Result};
use mlops_store::LocalStore;

/// A stand-in for `python train.py`: any program that reads files and writes files.
const SCRIPT: &str = "sort -n \"$MLOPS_INPUT_NUMBERS\" | head -n \"$MLOPS_PARAM_KEEP\" > \"$MLOPS_OUTPUT_SMALLEST\"\n";

fn plan(folder: &std::path::Path, keep: i64) -> Result<Plan> {
    let parse = Step::blocking("parse", |context| {
        let text = String::from_utf8_lossy(&context.read("text")?).replace(',', "\n");
        context.write("numbers", text + "\n")
    })?;
    let environment = std::env::var("PATH").ok().map(|path| ("PATH".to_owned(), path));
    let command =
        Command::new(folder, ["sh", "smallest.sh"])?.file("smallest.sh").allow(&[], environment);
    let smallest = Step::command("smallest", command)?
        .input("numbers")?
        .output("smallest")?
        .param("keep", keep);
    let sum = Step::blocking("sum", |context| {
        let text = String::from_utf8_lossy(&context.read("smallest")?).into_owned();
        context.write(
            "sum",
            text.lines().filter_map(|line| line.parse::<i64>().ok()).sum::<i64>().to_string(),
        )
    })?;
    Plan::builder("smallest")?
        .input("text", PlanInput::Bytes(b"5,3,9,1,7".to_vec()))?
        .step(sum.input("smallest")?.output("sum")?)
        .step(smallest)
        .step(parse.input("text")?.output("numbers")?)
        .build()
}

#[tokio::main]
async fn main() -> Result<()> {
    let folder = std::env::temp_dir().join(format!("mlops-pipeline-{}", std::process::id()));
    let store = LocalStore::open(&folder)?;
    let script = folder.join("smallest.sh");
    std::fs::write(&script, SCRIPT)
        .map_err(|source| Error::io("write a script", &script, source))?;
    let options = ExecutorOptions::new(folder.join("work")).with_observer(|notice| {
        if let Notice::Ended(step, report) = notice {
            println!("  {step}: {:?}", report.state);
        }
    });
    let executor = Executor::new(store.content(), store.meta(), options);
    for (run, keep) in [("first", 2), ("again", 2), ("other", 3)] {
        let plan = plan(&folder, keep)?;
        println!("{run}: {:?}", executor.preview(&plan).await?);
        let done = executor.run(&plan, &run.parse()?, &Cancel::new()).await?.into_result()?;
        println!("{run}: {} ran, {} cached", done.ran(), done.cached());
        assert_eq!(
            (done.ran(), done.cached()),
            [("first", (3, 0)), ("again", (0, 3)), ("other", (2, 1))]
                .iter()
                .find(|(name, _)| *name == run)
                .map_or((0, 0), |(_, counts)| *counts)
        );
    }
    std::fs::remove_dir_all(&folder)
        .map_err(|source| Error::io("remove the folder", &folder, source))
}
