//! Plans that are refused, and plans that run: cached, retried, skipped, stopped, killed and resumed.

mod recovery;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::*;
use crate::artifact::ContentStore;
use crate::error::{Error, ErrorKind, Result};
use crate::memory::{MemoryArtifacts, MemoryJournal};
use crate::time::SystemClock;

struct Bench {
    folder: tempfile::TempDir,
    content: Arc<MemoryArtifacts>,
    journal: Arc<MemoryJournal>,
}

impl Bench {
    fn new() -> Self {
        let journal = Arc::new(MemoryJournal::new(Arc::new(SystemClock)));
        Self { folder: tempfile::tempdir().unwrap(), content: Arc::default(), journal }
    }

    fn options(&self) -> ExecutorOptions {
        ExecutorOptions::new(self.folder.path().join("work"))
    }

    fn executor(&self) -> Executor {
        Executor::new(self.content.clone(), self.journal.clone(), self.options())
    }

    async fn run(&self, plan: &Plan, id: &str) -> PipelineRun {
        self.executor().run(plan, &id.parse().unwrap(), &Cancel::new()).await.unwrap()
    }

    async fn text(&self, run: &PipelineRun, value: &str) -> String {
        let blob = run.output(value).unwrap_or_else(|| panic!("no {value} in {run:?}"));
        String::from_utf8(self.content.get_content(&blob.digest).await.unwrap()).unwrap()
    }

    fn script(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

/// A step that writes its inputs, joined, and its name, and counts how often it runs.
fn join(name: &str, inputs: &[&str], output: &str, count: &Arc<AtomicU32>) -> Step {
    let (count, names, to) = (
        Arc::clone(count),
        inputs.iter().map(ToString::to_string).collect::<Vec<_>>(),
        output.to_owned(),
    );
    let step = Step::blocking(name, move |context| {
        count.fetch_add(1, Ordering::SeqCst);
        let mut text = String::new();
        for name in &names {
            text += &String::from_utf8_lossy(&context.read(name)?);
        }
        context.write(&to, text + context.step().as_str())
    });
    let step = step.unwrap().code("1").output(output).unwrap();
    inputs.iter().fold(step, |step, name| step.input(name).unwrap())
}

fn diamond(source: &str, count: &Arc<AtomicU32>) -> Plan {
    Plan::builder("diamond")
        .unwrap()
        .step(join("d", &["left", "right"], "end", count))
        .step(join("b", &["start"], "left", count))
        .step(join("c", &["start"], "right", count))
        .step(join("a", &["source"], "start", count))
        .input("source", PlanInput::Bytes(source.as_bytes().to_vec()))
        .unwrap()
        .build()
        .unwrap()
}

#[test]
fn a_plan_that_cannot_run_is_refused_with_the_names() {
    let count = Arc::default();
    let build = |steps: Vec<Step>| {
        let builder = Plan::builder("p").unwrap().input("x", PlanInput::Bytes(vec![])).unwrap();
        steps.into_iter().fold(builder, PlanBuilder::step).build()
    };
    let cases: [(Vec<Step>, &[&str]); 6] = [
        (vec![], &["no steps"]),
        (vec![join("a", &["z"], "y", &count)], &["a", "z", "nobody provides"]),
        (vec![join("a", &[], "y", &count), join("b", &[], "y", &count)], &["y", "steps=a, b"]),
        (vec![join("a", &[], "y", &count), join("a", &[], "z", &count)], &["two steps", "a"]),
        (vec![join("a", &[], "x", &count)], &["outside", "a", "x"]),
        (
            vec![
                join("a", &["3"], "1", &count),
                join("b", &["1"], "2", &count),
                join("c", &["2"], "3", &count),
            ],
            &["cycle=a -> b -> c -> a"],
        ),
    ];
    for (steps, words) in cases {
        let error = build(steps).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(words.iter().all(|word| error.to_string().contains(word)), "{error}");
    }
}

#[tokio::test]
async fn the_same_content_runs_once_and_a_change_runs_what_it_reaches() {
    let (bench, count) = (Bench::new(), Arc::default());
    let first = bench.run(&diamond("x", &count), "1").await;
    assert_eq!(bench.text(&first, "end").await, "xabxacd");
    assert_eq!((first.ran(), first.cached(), first.is_ok()), (4, 0, true));
    let again = bench.run(&diamond("x", &count), "2").await;
    assert_eq!((again.ran(), again.cached(), count.load(Ordering::SeqCst)), (0, 4, 4));
    let other = bench.run(&diamond("y", &count), "3").await;
    assert_eq!((other.ran(), bench.text(&other, "end").await), (4, "yabyacd".to_owned()));

    let off = bench.options().with_cache(CachePolicy::Off);
    let id = "4".parse().unwrap();
    let plan = diamond("x", &count);
    let fresh = bench.executor().with_options(off).run(&plan, &id, &Cancel::new()).await.unwrap();
    assert_eq!((fresh.ran(), fresh.output("end")), (4, first.output("end")));
}

#[tokio::test]
async fn a_preview_says_what_would_run_and_why() {
    let (bench, count) = (Bench::new(), Arc::default());
    let decisions = async |plan: &Plan| {
        let planned = bench.executor().preview(plan).await.unwrap();
        planned.into_iter().map(|p| (p.step.to_string(), p.decision)).collect::<Vec<_>>()
    };
    let run = |reason| Decision::Run { reasons: vec![reason] };
    let before = decisions(&diamond("x", &count)).await;
    assert_eq!(before[0], ("a".to_owned(), run(Reason::NeverRan)));
    assert_eq!(
        before[3].1,
        Decision::Unknown { after: vec!["b".parse().unwrap(), "c".parse().unwrap()] }
    );
    bench.run(&diamond("x", &count), "1").await;
    assert!(
        decisions(&diamond("x", &count))
            .await
            .iter()
            .all(|(_, decision)| *decision == Decision::Cached)
    );
    let source = vec!["source".parse().unwrap()];
    assert_eq!(
        decisions(&diamond("y", &count)).await[0].1,
        run(Reason::InputsChanged { names: source })
    );

    let one = |step: Step| {
        let source = PlanInput::Bytes(b"x".to_vec());
        Plan::builder("diamond")
            .unwrap()
            .input("source", source)
            .unwrap()
            .step(step)
            .build()
            .unwrap()
    };
    let changed = join("a", &["source"], "start", &count).code("2");
    assert_eq!(decisions(&one(changed)).await[0].1, run(Reason::CodeChanged));
    let changed = join("a", &["source"], "start", &count).param("rounds", 3);
    let names = vec!["rounds".to_owned()];
    assert_eq!(decisions(&one(changed)).await[0].1, run(Reason::ParamsChanged { names }));
}

#[tokio::test]
async fn a_failure_blocks_what_needs_it_and_nothing_else() {
    let (bench, count) = (Bench::new(), Arc::default());
    let broken = Step::blocking("bad", |_| Err(Error::new(ErrorKind::Failed, "no luck"))).unwrap();
    let panics = Step::blocking("panics", |_| panic!("boom")).unwrap();
    let waits = Step::asynchronous("waits", |_| async { panic!("after all") }).unwrap();
    let silent = Step::blocking("silent", |_| Ok(())).unwrap().output("never").unwrap();
    let plan = Plan::builder("p").unwrap();
    let plan = plan.step(broken.output("y").unwrap()).step(panics).step(waits).step(silent);
    let plan = plan
        .step(join("after", &["y"], "z", &count))
        .step(join("free", &[], "w", &count))
        .build()
        .unwrap();
    let run = bench.run(&plan, "1").await;
    let state = |name: &str| run.step(name).unwrap().state.clone();
    assert!(matches!(state("bad"), StepState::Failed { error, .. } if error == "no luck"));
    assert!(
        matches!(state("panics"), StepState::Failed { error, .. } if error.contains("panicked"))
    );
    assert!(
        matches!(state("waits"), StepState::Failed { error, .. } if error.contains("after all"))
    );
    assert!(matches!(state("silent"), StepState::Failed { error, .. } if error.contains("never")));
    assert_eq!(state("after"), StepState::Blocked { by: "bad".to_owned() });
    assert_eq!(state("free"), StepState::Ran);
    assert!(!run.is_ok());
    assert!(run.into_result().unwrap_err().to_string().contains("step=bad error=no luck"));
}

#[tokio::test]
async fn a_step_is_retried_as_often_as_it_says_with_one_key() {
    let bench = Bench::new();
    let keys: Arc<std::sync::Mutex<Vec<String>>> = Arc::default();
    let seen = Arc::clone(&keys);
    let flaky = Step::blocking("flaky", move |context| {
        seen.lock().unwrap().push(context.key().to_hex());
        if context.attempt() < 3 {
            Err(Error::new(ErrorKind::Failed, "not yet"))
        } else {
            context.write("y", "ok")
        }
    });
    let quick =
        RetryPolicy { attempts: 3, first: Duration::from_millis(1), cap: Duration::from_millis(2) };
    let plan = Plan::builder("p")
        .unwrap()
        .step(flaky.unwrap().output("y").unwrap().retry(quick))
        .build()
        .unwrap();
    let run = bench.run(&plan, "1").await;
    assert_eq!(run.step("flaky").unwrap().attempts, 3);
    let keys = keys.lock().unwrap();
    assert!(keys.len() == 3 && keys.iter().all(|key| *key == keys[0]));
}

#[tokio::test]
async fn a_condition_skips_a_step_and_what_needs_it() {
    let (bench, count) = (Bench::new(), Arc::default());
    let is_big = |context: &StepContext| Ok(context.read("source")?.len() > 3);
    let plan = |source: &str| {
        let input = PlanInput::Bytes(source.as_bytes().to_vec());
        let guarded = join("guarded", &["source"], "y", &count).when("the source is big", is_big);
        let plan = Plan::builder("p").unwrap().input("source", input).unwrap();
        plan.step(guarded).step(join("after", &["y"], "z", &count)).build().unwrap()
    };
    let small = bench.run(&plan("abc"), "1").await;
    let skipped = StepState::Skipped { reason: "the source is big".to_owned() };
    assert_eq!(
        (&small.step("guarded").unwrap().state, &small.step("after").unwrap().state),
        (&skipped, &skipped)
    );
    assert!(small.is_ok());
    assert_eq!(bench.run(&plan("abcd"), "2").await.ran(), 2);
}

#[tokio::test]
async fn a_command_reads_and_writes_its_files_and_its_declared_files_are_its_code() {
    let bench = Bench::new();
    let script = |greeting: &str| {
        bench.script(
            "greet.sh",
            &format!("printf '%s %s' {greeting} \"$(cat $1)\" > $2\nenv > $3\n"),
        )
    };
    let plan = || {
        let argv = ["sh", "greet.sh", "{input:name}", "{output:greeting}", "{output:env}"];
        let command = Command::new(bench.folder.path(), argv).unwrap().file("greet.sh");
        let command = command.allow(
            &["SEEN"],
            [("PATH", "/usr/bin:/bin"), ("SEEN", "1"), ("SECRET", "2")]
                .map(|(a, b)| (a.to_owned(), b.to_owned())),
        );
        let step = Step::command("greet", command).unwrap().input("name").unwrap();
        let step = step.output("greeting").unwrap().output("env").unwrap().param("level", 3);
        let plan =
            Plan::builder("p").unwrap().input("name", PlanInput::Bytes(b"Ada".to_vec())).unwrap();
        plan.step(step).build().unwrap()
    };
    script("hello");
    let first = bench.run(&plan(), "1").await;
    assert_eq!(bench.text(&first, "greeting").await, "hello Ada");
    let env = bench.text(&first, "env").await;
    assert!(
        env.contains("SEEN=1") && env.contains("MLOPS_PARAM_LEVEL=3") && !env.contains("SECRET"),
        "{env}"
    );
    assert_eq!(bench.run(&plan(), "2").await.cached(), 1);
    script("hi");
    assert_eq!(bench.text(&bench.run(&plan(), "3").await, "greeting").await, "hi Ada");
}

#[tokio::test]
async fn a_command_that_fails_says_how_and_one_that_is_not_there_says_so() {
    let bench = Bench::new();
    let run = async |argv: &[&str], id: &str| {
        let step = Step::command("c", Command::new("/", argv.iter().copied()).unwrap()).unwrap();
        let plan = Plan::builder("p").unwrap().step(step).build().unwrap();
        bench.run(&plan, id).await.into_result().unwrap_err()
    };
    let failed = run(&["sh", "-c", "echo the reason >&2; exit 3"], "1").await;
    assert!(
        failed.to_string().contains("exit=3 output=\"the reason\"".replace('"', "\\\"").as_str())
            || failed.to_string().contains("exit=3 output=\"the reason\""),
        "{failed}"
    );
    let missing = run(&["no-such-program", "x"], "2").await;
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    assert!(missing.to_string().contains("program=no-such-program"), "{missing}");
}

/// Waits until the file holds a process id, and returns it.
async fn pid_in(path: &Path) -> i32 {
    loop {
        if let Ok(text) = std::fs::read_to_string(path)
            && let Ok(pid) = text.trim().parse()
        {
            return pid;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Waits until no process has this id, or only a zombie that nobody has reaped yet.
async fn gone(pid: i32) {
    loop {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        if stat.is_empty() || stat.contains(") Z ") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn sleeper(bench: &Bench, pid: &Path) -> Plan {
    // A grandchild, so that ending the leader alone would not be enough.
    let line = format!("sleep 1000 & echo $! > {}; wait", pid.display());
    let step =
        Step::command("sleep", Command::new(bench.folder.path(), ["sh", "-c", &line]).unwrap())
            .unwrap();
    Plan::builder("p").unwrap().step(step.timeout(Duration::from_secs(500))).build().unwrap()
}

#[tokio::test]
async fn cancelling_ends_the_whole_process_group() {
    let bench = Bench::new();
    let pid = bench.folder.path().join("pid");
    let (plan, cancel) = (sleeper(&bench, &pid), Cancel::new());
    let (executor, id) = (bench.executor(), "1".parse().unwrap());
    let (run, child) = tokio::join!(executor.run(&plan, &id, &cancel), async {
        let child = pid_in(&pid).await;
        cancel.cancel();
        child
    });
    let run = run.unwrap();
    assert!(matches!(run.step("sleep").unwrap().state, StepState::Blocked { .. }), "{run:?}");
    gone(child).await;
}

#[tokio::test]
async fn a_timeout_fails_the_try_and_ends_the_group() {
    let bench = Bench::new();
    let pid = bench.folder.path().join("pid");
    let line = format!("sleep 1000 & echo $! > {}; wait", pid.display());
    let command = Command::new(bench.folder.path(), ["sh", "-c", &line]).unwrap();
    let step = Step::command("sleep", command).unwrap().timeout(Duration::from_millis(200));
    let plan = Plan::builder("p").unwrap().step(step).build().unwrap();
    let run = bench.run(&plan, "1").await;
    assert!(run.into_result().unwrap_err().to_string().contains("took too long"));
    gone(pid_in(&pid).await).await;
}

#[tokio::test]
async fn a_run_whose_process_died_is_taken_up_without_repeating_and_without_orphans() {
    let (bench, count) = (Bench::new(), Arc::new(AtomicU32::new(0)));
    let pid = bench.folder.path().join("pid");
    let flag = bench.folder.path().join("go");
    let plan = {
        let line = format!(
            "echo $$ > {}; [ -e {} ] || exec sleep 1000; printf done > $MLOPS_OUTPUT_Z",
            pid.display(),
            flag.display()
        );
        let command = Command::new(bench.folder.path(), ["sh", "-c", &line]).unwrap();
        let slow = Step::command("slow", command).unwrap().input("y").unwrap().output("z").unwrap();
        Plan::builder("p")
            .unwrap()
            .step(join("quick", &[], "y", &count))
            .step(slow)
            .build()
            .unwrap()
    };
    let id = "1".parse().unwrap();
    // The first executor dies: its future is forgotten on a runtime that is shut down without drops.
    let options = bench.options().with_cache(CachePolicy::Off);
    let executor = bench.executor().with_options(options.with_owner("same".parse().unwrap()));
    let (first, doomed, dying_id): (_, Plan, crate::id::PipelineRunId) =
        (executor.clone(), plan.clone(), "1".parse().unwrap());
    let dying = tokio::spawn(async move {
        std::mem::ManuallyDrop::new(Box::pin(async move {
            first.run(&doomed, &dying_id, &Cancel::new()).await
        }))
        .as_mut()
        .await
    });
    let child = pid_in(&pid).await;
    dying.abort();
    std::fs::write(&flag, "").unwrap();
    std::fs::remove_file(&pid).unwrap();
    let run = executor.run(&plan, &id, &Cancel::new()).await.unwrap();
    assert_eq!(bench.text(&run, "z").await, "done");
    assert_eq!((count.load(Ordering::SeqCst), run.resumed), (1, 1));
    gone(child).await;
}

#[tokio::test]
async fn one_run_goes_on_once_at_a_time_whoever_starts_it() {
    let bench = Bench::new();
    let executor = bench.executor();
    for (id, second) in [("1", bench.executor()), ("2", executor.clone())] {
        let pid = bench.folder.path().join(id);
        let (plan, cancel, id) = (sleeper(&bench, &pid), Cancel::new(), id.parse().unwrap());
        let (first, refused) = tokio::join!(executor.run(&plan, &id, &cancel), async {
            pid_in(&pid).await;
            let refused = second.run(&plan, &id, &Cancel::new()).await;
            cancel.cancel();
            refused
        });
        assert!(first.is_ok());
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Conflict);
    }
}

#[tokio::test]
async fn steps_run_side_by_side_up_to_the_bound() {
    let bench = Bench::new();
    let (now, most) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let builder = (0..6).fold(Plan::builder("p").unwrap(), |builder, i| {
        let (now, most) = (Arc::clone(&now), Arc::clone(&most));
        let step = Step::asynchronous(&format!("s{i}"), move |_| {
            let (now, most) = (Arc::clone(&now), Arc::clone(&most));
            async move {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(20)).await;
                now.fetch_sub(1, Ordering::SeqCst);
                Ok::<_, Error>(())
            }
        });
        builder.step(step.unwrap())
    });
    let executor = bench.executor().with_options(bench.options().with_max_parallel(3));
    let run = executor
        .run(&builder.build().unwrap(), &"1".parse().unwrap(), &Cancel::new())
        .await
        .unwrap();
    assert_eq!((run.ran(), most.load(Ordering::SeqCst)), (6, 3));
}

#[tokio::test]
async fn a_step_cannot_touch_values_it_does_not_declare() -> Result<()> {
    let bench = Bench::new();
    let step =
        Step::blocking("nosy", |context| context.read("other").map(|_| ()))?.input("mine")?;
    let plan = Plan::builder("p")?.input("mine", PlanInput::Bytes(vec![]))?;
    let plan = plan.input("other", PlanInput::Bytes(vec![]))?.step(step).build()?;
    let error = bench.run(&plan, "1").await.into_result().unwrap_err();
    assert!(error.to_string().contains("name=other declared=mine"), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_run_that_is_taken_up_with_another_plan_does_what_changed() {
    let (bench, count) = (Bench::new(), Arc::default());
    let off = bench.executor().with_options(bench.options().with_cache(CachePolicy::Off));
    let id = "1".parse().unwrap();
    let run = async |plan: &Plan| off.run(plan, &id, &Cancel::new()).await.unwrap();
    assert_eq!(run(&diamond("x", &count)).await.resumed, 0);
    assert_eq!(run(&diamond("x", &count)).await.resumed, 4);
    let other = run(&diamond("y", &count)).await;
    assert_eq!((other.resumed, bench.text(&other, "end").await), (0, "yabyacd".to_owned()));
    assert_eq!(count.load(Ordering::SeqCst), 8);
}

#[tokio::test]
async fn what_a_command_leaves_running_ends_with_it() {
    let bench = Bench::new();
    let pid = bench.folder.path().join("pid");
    for (number, code) in [0, 3].into_iter().enumerate() {
        let line = format!("sleep 1000 & echo $! > {}; exit {code}", pid.display());
        let command = Command::new(bench.folder.path(), ["sh", "-c", &line]).unwrap();
        let plan =
            Plan::builder("p").unwrap().step(Step::command("c", command).unwrap()).build().unwrap();
        let run = bench.run(&plan, &number.to_string()).await;
        assert_eq!(run.is_ok(), code == 0);
        gone(pid_in(&pid).await).await;
        std::fs::remove_file(&pid).unwrap();
    }
}
