//! What is left after a failure, and that the next run can go on at once.

use super::*;
use crate::journal::dying::Dying;

fn one(step: Step) -> Plan {
    Plan::builder("p").unwrap().step(step).build().unwrap()
}

#[tokio::test]
async fn pipelines_of_one_program_do_not_take_each_others_results() {
    let bench = Bench::new();
    for version in [None, Some("1")] {
        for pipeline in ["first", "second"] {
            let step = Step::blocking("same", move |context| context.write("y", pipeline)).unwrap();
            let step = version.into_iter().fold(step.output("y").unwrap(), Step::code);
            let plan = Plan::builder(pipeline).unwrap().step(step).build().unwrap();
            let run = bench.run(&plan, version.unwrap_or("none")).await;
            assert_eq!(bench.text(&run, "y").await, pipeline, "version={version:?}");
        }
    }
}

#[tokio::test]
async fn a_run_that_ended_in_an_error_can_be_taken_up_at_once() {
    let bench = Bench::new();
    let script = bench.script("a.sh", "printf done > $MLOPS_OUTPUT_Y");
    let plan = || {
        let command = Command::new(bench.folder.path(), ["sh", "a.sh"]).unwrap().file("a.sh");
        one(Step::command("a", command).unwrap().output("y").unwrap())
    };
    bench.run(&plan(), "1").await.into_result().unwrap();
    std::fs::rename(&script, script.with_extension("away")).unwrap();
    let error = bench.executor().run(&plan(), &"1".parse().unwrap(), &Cancel::new()).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::NotFound);
    std::fs::rename(script.with_extension("away"), &script).unwrap();
    assert_eq!(bench.run(&plan(), "1").await.resumed, 1);
}

#[tokio::test]
async fn an_input_that_is_not_there_is_said_before_the_run_begins() {
    let bench = Bench::new();
    let missing = PlanInput::File(bench.folder.path().join("missing"));
    let plan = Plan::builder("p").unwrap().input("x", missing).unwrap();
    let plan = plan.step(join("a", &["x"], "y", &Arc::default())).build().unwrap();
    let error = bench.executor().run(&plan, &"1".parse().unwrap(), &Cancel::new()).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::NotFound);
    assert!(pipeline_runs(&*bench.journal).await.unwrap().is_empty());
}

#[tokio::test]
async fn killed_before_any_record_a_run_is_taken_up_without_orphans() {
    let records = 8;
    for left in 0..records {
        let (bench, count) = (Bench::new(), Arc::default());
        let pid = bench.folder.path().join("pid");
        // Waits until it is killed, or until it may go on.
        let go = bench.folder.path().join("go");
        let line = format!(
            "echo $$ > {}; while [ ! -e {} ]; do sleep 0.01; done; printf z > $MLOPS_OUTPUT_Z",
            pid.display(),
            go.display()
        );
        let command = Command::new(bench.folder.path(), ["sh", "-c", &line]).unwrap();
        let slow = Step::command("slow", command).unwrap().input("y").unwrap().output("z").unwrap();
        let quick = join("quick", &[], "y", &count);
        let plan = Plan::builder("p").unwrap().step(quick).step(slow).build().unwrap();
        let dying = Arc::new(Dying::after(left, bench.journal.clone()));
        // Started, then attempt and end of the first; attempt and group of the second, and then it may.
        if left > 4 {
            std::fs::write(&go, "").unwrap();
        }
        let executor = Executor::new(
            bench.content.clone(),
            dying,
            bench.options().with_cache(CachePolicy::Off),
        );
        let ended = executor.run(&plan, &"1".parse().unwrap(), &Cancel::new()).await;
        let executor = bench.executor().with_options(bench.options().with_cache(CachePolicy::Off));
        if left < 7 {
            assert_eq!(ended.unwrap_err().kind(), ErrorKind::Unavailable, "{left}");
        }
        if let Ok(started) = std::fs::read_to_string(&pid)
            && let Ok(started) = started.trim().parse()
        {
            gone(started).await;
        }
        std::fs::write(&go, "").unwrap();
        let run = executor.run(&plan, &"1".parse().unwrap(), &Cancel::new()).await.unwrap();
        assert_eq!((bench.text(&run, "z").await.as_str(), run.steps.len()), ("z", 2), "{left}");
        let work = bench.folder.path().join("work/p");
        assert_eq!(std::fs::read_dir(work).unwrap().count(), 0, "{left}: no folder is left");
    }
}

#[tokio::test]
async fn a_run_that_is_taken_up_has_the_steps_of_its_new_plan_alone() {
    let (bench, count) = (Bench::new(), Arc::default());
    let broken = Step::blocking("bad", |_| Err(Error::new(ErrorKind::Failed, "no luck"))).unwrap();
    let plan = Plan::builder("p").unwrap().step(join("good", &[], "y", &count)).step(broken);
    assert!(!bench.run(&plan.build().unwrap(), "1").await.is_ok());
    let run = bench.run(&one(join("good", &[], "y", &count)), "1").await;
    assert_eq!((run.steps.len(), run.resumed, run.is_ok()), (1, 1, true));
}

#[tokio::test]
async fn commands_work_in_relative_folders() {
    let bench = Bench::new();
    bench.script("a.sh", "#!/bin/sh\nprintf done > $MLOPS_OUTPUT_Y");
    let from_root = bench.folder.path().strip_prefix("/").unwrap();
    let up = std::env::current_dir().unwrap();
    let up: PathBuf = up.components().skip(1).map(|_| "..").collect();
    let folder = up.join(from_root);
    assert!(folder.is_relative());
    let command = Command::new(&folder, ["sh", "a.sh"]).unwrap();
    let plan = one(Step::command("a", command).unwrap().output("y").unwrap());
    let executor = bench.executor().with_options(ExecutorOptions::new(folder.join("work")));
    let run = executor.run(&plan, &"1".parse().unwrap(), &Cancel::new()).await.unwrap();
    assert_eq!(bench.text(&run, "y").await, "done");
}

#[tokio::test]
async fn options_that_make_no_sense_do_no_harm() {
    let (bench, count) = (Bench::new(), Arc::default());
    let mut options = bench.options();
    (options.lease, options.max_parallel) = (Duration::ZERO, 0);
    let executor = bench.executor().with_options(options);
    let plan = diamond("x", &count);
    let run = executor.run(&plan, &"1".parse().unwrap(), &Cancel::new()).await.unwrap();
    assert!(run.is_ok());
}

#[tokio::test]
async fn a_command_that_is_stopped_may_say_its_last_words() {
    let bench = Bench::new();
    let pid = bench.folder.path().join("pid");
    let tidy = bench.folder.path().join("tidy");
    let line = format!(
        "trap 'echo going; : > {}; exit 0' TERM; echo $$ > {}; sleep 1000 & wait",
        tidy.display(),
        pid.display()
    );
    let context = StepContext {
        run: "1".parse().unwrap(),
        step: "a".parse().unwrap(),
        key: crate::fingerprint::step_key("", &crate::fingerprint::Value::from(1), &[]),
        attempt: 1,
        folder: bench.folder.path().to_owned(),
        inputs: Default::default(),
        outputs: Default::default(),
        params: Default::default(),
        cancel: Cancel::new(),
    };
    let command = Command::new(bench.folder.path(), ["sh", "-c", &line]).unwrap();
    let stop = async {
        pid_in(&pid).await;
        Error::new(ErrorKind::Failed, "a step took too long: step=a")
    };
    let process = command.prepare(&context).unwrap();
    let stopped = super::super::process::run(process, &context, |_| async { Ok(()) }, stop).await;
    let error = stopped.unwrap_err().to_string();
    assert!(error.contains("took too long") && error.contains("going"), "{error}");
    assert!(tidy.exists());
}
