//! The rules of [`TrackingStore::search_runs`].

use futures::TryStreamExt as _;
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

use super::tracking::{key, metric, new_experiment, new_run, param, tag};
use super::{fails, ok};
use crate::error::ErrorKind;
use crate::id::RunId;
use crate::time::Timestamp;
use crate::tracking::{
    Attribute, Comparison, Direction, Experiment, Field, Filter, LifecycleFilter, LogBatch,
    MetricPoint, Op, Run, RunChange, RunQuery, RunStatus, Scalar, Source, SourceKind,
    TrackingStore, order_runs,
};

/// One test for each rule of search.
#[macro_export]
macro_rules! search_suite {
    ($make:expr) => {
        $crate::suite_tests! { search, $make;
            without_a_filter_everything_is_found_newest_first
            each_operator_means_what_it_says
            what_a_run_does_not_have_compares_false
            nan_compares_false_and_infinities_compare
            search_stays_within_its_experiments_and_lives
            missing_and_nan_come_last_in_either_direction
            pages_cover_everything_once
            unknown_cursor_is_not_found
            oversized_filter_is_refused
            hostile_text_is_only_text
            random_queries_agree_with_their_definition
        }
    };
}

fn compare(field: Field, op: Op, value: Scalar) -> Filter {
    Filter::Is(ok(Comparison::new(field, op, value)))
}

fn text(value: &str) -> Scalar {
    Scalar::Text(value.into())
}

/// A dozen runs that differ in everything that can be asked for.
async fn dozen(store: &dyn TrackingStore) -> (Experiment, Vec<Run>) {
    let experiment = new_experiment(store, "e").await;
    let mut runs = Vec::new();
    for i in 0..12_i64 {
        let mut new = new_run(&experiment, &format!("r{i:02}"))
            .with_name(["Alpha", "beta", "Beta%", "ga_mma"][i as usize % 4]);
        new.start = Timestamp::from_millis(i / 3 * 100);
        if i % 2 == 0 {
            new = new.with_user(if i % 4 == 0 { "ada" } else { "Éva" });
            new = new.with_source(Source {
                kind: SourceKind::Local,
                name: format!("s{}", i % 3),
                version: None,
            });
        }
        let id = ok(store.create_run(new).await).id;
        let mut batch = LogBatch::new(key("1"));
        if i % 3 != 2 {
            batch = batch.param(param("lr"), ["0.1", "0.01", "0.10"][i as usize % 3]);
            let value = [0.5, f64::NAN, -0.0, f64::INFINITY, 0.7][i as usize % 5];
            batch = batch
                .metric(metric("auc"), MetricPoint { step: 0, at: Timestamp::default(), value });
        }
        if i % 4 < 2 {
            batch = batch.tag(tag("team"), if i < 6 { "Red" } else { "blue" });
        }
        ok(store.log_batch(&id, batch).await);
        if i % 5 == 4 {
            ok(store
                .update_run(
                    &id,
                    RunChange::ended(RunStatus::Finished, Timestamp::from_millis(i * 10)),
                )
                .await);
        }
        runs.push(ok(store.get_run(&id).await));
    }
    (experiment, runs)
}

async fn find(store: &dyn TrackingStore, query: RunQuery) -> Vec<String> {
    let runs: Vec<Run> = ok(store.search_runs(query).try_collect().await);
    runs.into_iter().map(|run| run.id.to_string()).collect()
}

/// What a query means, by its own definition.
fn expected(runs: &[Run], query: &RunQuery) -> Vec<String> {
    let wanted = |run: &&Run| query.filter.as_ref().is_none_or(|filter| filter.matches(run));
    let mut found: Vec<&Run> = runs.iter().filter(wanted).collect();
    found.sort_by(|a, b| order_runs(a, b, &query.order));
    found.iter().take(query.limit.unwrap_or(usize::MAX)).map(|run| run.id.to_string()).collect()
}

#[allow(missing_docs)]
pub async fn without_a_filter_everything_is_found_newest_first(store: &dyn TrackingStore) {
    let (_, runs) = dozen(store).await;
    let found: Vec<Run> = ok(store.search_runs(RunQuery::default()).try_collect().await);
    assert_eq!(
        found.iter().map(|r| r.id.as_str()).take(4).collect::<Vec<_>>(),
        ["r09", "r10", "r11", "r06"]
    );
    // With everything they logged.
    assert!(found.iter().all(|run| runs.contains(run)));
}

#[allow(missing_docs)]
pub async fn each_operator_means_what_it_says(store: &dyn TrackingStore) {
    let (_, runs) = dozen(store).await;
    let name = || Field::Attribute(Attribute::Name);
    let auc = || Field::Metric(metric("auc"));
    let start = || Field::Attribute(Attribute::Start);
    let filters = [
        compare(name(), Op::Eq, text("beta")),
        compare(name(), Op::Ne, text("beta")),
        compare(name(), Op::Like, text("Beta_")),
        compare(name(), Op::Like, text("%a")),
        compare(name(), Op::ILike, text("BETA%")),
        compare(Field::Attribute(Attribute::User), Op::ILike, text("é%")),
        compare(name(), Op::In, Scalar::List(vec!["Alpha".into(), "ga_mma".into()])),
        compare(name(), Op::In, Scalar::List(vec![])),
        compare(Field::Attribute(Attribute::Status), Op::Eq, text("finished")),
        compare(Field::Attribute(Attribute::Id), Op::Eq, text("r07")),
        compare(Field::Attribute(Attribute::Source), Op::Eq, text("s0")),
        compare(Field::Param(param("lr")), Op::Eq, text("0.1")),
        compare(Field::Tag(tag("team")), Op::ILike, text("red")),
        compare(start(), Op::Gt, Scalar::Number(100.0)),
        compare(start(), Op::Le, Scalar::Number(100.0)),
        compare(Field::Attribute(Attribute::End), Op::Ge, Scalar::Number(90.0)),
        compare(auc(), Op::Lt, Scalar::Number(0.7)),
        compare(auc(), Op::Eq, Scalar::Number(0.0)),
        compare(auc(), Op::Ne, Scalar::Number(0.5)),
        Filter::All(vec![]),
        Filter::Any(vec![]),
        Filter::Any(vec![
            compare(name(), Op::Eq, text("beta")),
            Filter::All(vec![
                compare(auc(), Op::Ge, Scalar::Number(0.5)),
                compare(name(), Op::Eq, text("Alpha")),
            ]),
        ]),
    ];
    for filter in filters {
        let query = RunQuery::default().with_filter(filter);
        assert_eq!(find(store, query.clone()).await, expected(&runs, &query), "{query:?}");
    }
}

#[allow(missing_docs)]
pub async fn what_a_run_does_not_have_compares_false(store: &dyn TrackingStore) {
    dozen(store).await;
    let field = || Field::Param(param("nowhere"));
    for filter in [
        compare(field(), Op::Eq, text("x")),
        compare(field(), Op::Ne, text("x")),
        compare(field(), Op::Like, text("%")),
        compare(Field::Metric(metric("nowhere")), Op::Ne, Scalar::Number(0.0)),
    ] {
        assert!(find(store, RunQuery::default().with_filter(filter)).await.is_empty());
    }
}

#[allow(missing_docs)]
pub async fn nan_compares_false_and_infinities_compare(store: &dyn TrackingStore) {
    let (_, runs) = dozen(store).await;
    let auc = || Field::Metric(metric("auc"));
    for op in [Op::Eq, Op::Ne, Op::Lt, Op::Le, Op::Gt, Op::Ge] {
        let nan = RunQuery::default().with_filter(compare(auc(), op, Scalar::Number(f64::NAN)));
        assert!(find(store, nan).await.is_empty(), "{op:?}");
        for bound in [f64::INFINITY, f64::NEG_INFINITY, f64::MAX] {
            let query = RunQuery::default().with_filter(compare(auc(), op, Scalar::Number(bound)));
            assert_eq!(find(store, query.clone()).await, expected(&runs, &query), "{op:?} {bound}");
        }
    }
}

#[allow(missing_docs)]
pub async fn search_stays_within_its_experiments_and_lives(store: &dyn TrackingStore) {
    let (first, _) = dozen(store).await;
    let (second, third) = (new_experiment(store, "f").await, new_experiment(store, "g").await);
    ok(store.create_run(new_run(&second, "other")).await);
    ok(store.create_run(new_run(&third, "third")).await);
    assert_eq!(find(store, RunQuery::default().in_experiment(second.id.clone())).await, ["other"]);
    let both = RunQuery::default().in_experiment(second.id).in_experiment(third.id);
    assert_eq!(find(store, both).await.len(), 2);
    let gone = ok(RunId::new("r03"));
    ok(store.update_run(&gone, RunChange::Delete).await);
    let with = |lives| RunQuery::default().in_experiment(first.id.clone()).with_lifecycle(lives);
    assert_eq!(find(store, with(LifecycleFilter::Active)).await.len(), 11);
    assert_eq!(find(store, with(LifecycleFilter::Deleted)).await, ["r03"]);
    assert_eq!(find(store, with(LifecycleFilter::Any)).await.len(), 12);
}

#[allow(missing_docs)]
pub async fn missing_and_nan_come_last_in_either_direction(store: &dyn TrackingStore) {
    let (_, runs) = dozen(store).await;
    for direction in [Direction::Ascending, Direction::Descending] {
        for field in [
            Field::Metric(metric("auc")),
            Field::Param(param("lr")),
            Field::Tag(tag("team")),
            Field::Attribute(Attribute::User),
            Field::Attribute(Attribute::End),
        ] {
            let query = RunQuery::default().order_by(field, direction);
            assert_eq!(find(store, query.clone()).await, expected(&runs, &query), "{query:?}");
        }
    }
    let query = RunQuery::default()
        .order_by(Field::Attribute(Attribute::Name), Direction::Ascending)
        .order_by(Field::Metric(metric("auc")), Direction::Descending);
    assert_eq!(find(store, query.clone()).await, expected(&runs, &query));
}

#[allow(missing_docs)]
pub async fn pages_cover_everything_once(store: &dyn TrackingStore) {
    dozen(store).await;
    let query = RunQuery::default()
        .with_filter(compare(Field::Attribute(Attribute::Name), Op::Ne, text("beta")))
        .order_by(Field::Metric(metric("auc")), Direction::Descending);
    let whole = find(store, query.clone()).await;
    for size in [1, 2, 5, 100] {
        let mut seen: Vec<String> = Vec::new();
        loop {
            let mut page = query.clone().with_limit(size);
            page.after = seen.last().map(|id| ok(RunId::new(id)));
            let found = find(store, page).await;
            assert!(found.len() <= size);
            if found.is_empty() {
                break;
            }
            seen.extend(found);
        }
        assert_eq!(seen, whole, "pages of {size}");
    }
    // A cursor that no longer matches still has its place.
    let beyond = query.clone().with_after(ok(RunId::new("r01")));
    assert!(find(store, beyond).await.len() < whole.len());
}

#[allow(missing_docs)]
pub async fn unknown_cursor_is_not_found(store: &dyn TrackingStore) {
    dozen(store).await;
    let query = RunQuery::default().with_after(ok(RunId::new("nobody")));
    fails(store.search_runs(query).try_collect::<Vec<_>>().await, ErrorKind::NotFound);
}

#[allow(missing_docs)]
pub async fn oversized_filter_is_refused(store: &dyn TrackingStore) {
    let clause = compare(Field::Attribute(Attribute::Name), Op::Eq, text("x"));
    let query = RunQuery::default().with_filter(Filter::Any(vec![clause; 101]));
    fails(store.search_runs(query).try_collect::<Vec<_>>().await, ErrorKind::InvalidInput);
}

#[allow(missing_docs)]
pub async fn hostile_text_is_only_text(store: &dyn TrackingStore) {
    let (_, runs) = dozen(store).await;
    for hostile in ["' OR 1=1 --", "\"; DROP TABLE runs; --", "%' OR '1'='1", "\\", "*", "[a-z]"] {
        for op in [Op::Eq, Op::Like, Op::ILike] {
            let filter = compare(Field::Param(param("lr")), op, text(hostile));
            assert!(
                find(store, RunQuery::default().with_filter(filter)).await.is_empty(),
                "{hostile}"
            );
        }
    }
    assert_eq!(find(store, RunQuery::default()).await.len(), runs.len());
}

#[allow(missing_docs)]
pub async fn random_queries_agree_with_their_definition(store: &dyn TrackingStore) {
    let (_, runs) = dozen(store).await;
    let mut random = SmallRng::seed_from_u64(20_130_101);
    for _ in 0..200 {
        let mut query = RunQuery::default().with_filter(random_filter(&mut random, 3));
        for _ in 0..random.random_range(0..3) {
            let up = random.random_bool(0.5);
            query = query.order_by(
                random_field(&mut random),
                if up { Direction::Ascending } else { Direction::Descending },
            );
        }
        if random.random_bool(0.3) {
            query = query.with_limit(random.random_range(0..6));
        }
        assert_eq!(find(store, query.clone()).await, expected(&runs, &query), "{query:?}");
    }
}

fn random_field(random: &mut SmallRng) -> Field {
    use Attribute::{End, Id, Name, Parent, Source, Start, Status, User};
    match random.random_range(0..4) {
        0 => Field::Param(param(["lr", "none"][random.random_range(0..2)])),
        1 => Field::Tag(tag("team")),
        2 => Field::Metric(metric(["auc", "none"][random.random_range(0..2)])),
        _ => Field::Attribute(
            [Id, Name, Status, User, Source, Parent, Start, End][random.random_range(0..8)],
        ),
    }
}

fn random_filter(random: &mut SmallRng, depth: u32) -> Filter {
    if depth > 0 && random.random_bool(0.5) {
        let parts =
            (0..random.random_range(0..4)).map(|_| random_filter(random, depth - 1)).collect();
        return if random.random_bool(0.5) { Filter::All(parts) } else { Filter::Any(parts) };
    }
    loop {
        let op = [Op::Eq, Op::Ne, Op::Lt, Op::Le, Op::Gt, Op::Ge, Op::Like, Op::ILike, Op::In]
            [random.random_range(0..9)];
        let words = ["beta", "%a", "RED", "0.1", "finished", "r0_", "s1", ""];
        let mut word = || words[random.random_range(0..words.len())].to_owned();
        let value = match op {
            Op::In => Scalar::List(vec![word(), word()]),
            Op::Like | Op::ILike => Scalar::Text(word()),
            _ if random.random_bool(0.5) => {
                Scalar::Number([0.5, 0.0, 100.0, 90.0][random.random_range(0..4)])
            }
            _ => Scalar::Text(words[random.random_range(0..words.len())].to_owned()),
        };
        if let Ok(comparison) = Comparison::new(random_field(random), op, value) {
            return Filter::Is(comparison);
        }
    }
}
