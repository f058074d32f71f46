//! Search: a typed query becomes SQL with bound parameters, with the very meaning of the query types.

use std::collections::BTreeMap;

use futures::stream::{self, BoxStream, StreamExt as _};
use rusqlite::functions::FunctionFlags;
use rusqlite::types::Value;
use rusqlite::{Connection, Row, params_from_iter};

use mlops_core::error::{Error, Result};
use mlops_core::id::RunId;
use mlops_core::time::Timestamp;
use mlops_core::tracking::{
    Attribute, Case, Comparison, Direction, Field, Filter, Lifecycle, LifecycleFilter, Op, Run,
    RunQuery, Scalar, Source, like,
};

use super::error::Place;
use super::reader::Handle;
use super::{json, metrics};

/// Runs that are loaded at once.
const PAGE: usize = 200;

const RUN: &str = "SELECT r.row, r.id, e.id, r.name, r.status, r.deleted, r.parent, r.source_kind, r.source_name,
    r.source_version, r.user, r.start, r.\"end\" FROM runs r JOIN experiments e ON e.row = r.experiment";

/// `mlops_like(pattern, text, folded)`: SQLite's own LIKE folds ASCII only, and always.
pub(super) fn add_functions(connection: &Connection, place: &Place) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    place.of(connection.create_scalar_function("mlops_like", 3, flags, |context| {
        let case = if context.get::<bool>(2)? { Case::Folded } else { Case::Exact };
        let (pattern, text) = (context.get_raw(0).as_str()?, context.get_raw(1).as_str()?);
        Ok(like(pattern, text, case))
    }))
}

/// The runs of a query, page by page. Which runs and in which order is decided once, at the start.
pub(super) fn stream(readers: Handle, query: RunQuery) -> BoxStream<'static, Result<Run>> {
    let pager = readers.clone();
    let rows = readers.run(move |connection, place| find(connection, place, &query));
    stream::once(rows)
        .flat_map(move |rows| match rows {
            Err(error) => stream::once(async { Err(error) }).boxed(),
            Ok(rows) => pages(pager.clone(), rows),
        })
        .boxed()
}

fn pages(readers: Handle, rows: Vec<i64>) -> BoxStream<'static, Result<Run>> {
    let pages: Vec<Vec<i64>> = rows.chunks(PAGE).map(<[i64]>::to_vec).collect();
    let load =
        move |page: Vec<i64>| readers.run(move |connection, place| load(connection, place, &page));
    stream::iter(pages)
        .then(load)
        .flat_map(|page| match page {
            Ok(runs) => stream::iter(runs.into_iter().map(Ok)).boxed(),
            Err(error) => stream::once(async { Err(error) }).boxed(),
        })
        .boxed()
}

/// A piece of SQL and the values bound in it, in order.
#[derive(Default)]
struct Sql {
    text: String,
    values: Vec<Value>,
}

impl Sql {
    fn push(&mut self, text: &str, values: impl IntoIterator<Item = Value>) {
        self.text.push_str(text);
        self.values.extend(values);
    }
}

/// The rows of the runs that match, in order, cut to the page that is asked for.
fn find(connection: &Connection, place: &Place, query: &RunQuery) -> Result<Vec<i64>> {
    let mut sql = Sql::default();
    sql.push("SELECT r.row FROM runs r WHERE ((", []);
    conditions(query, &mut sql)?;
    sql.push(")", []);
    if let Some(after) = &query.after {
        // The cursor stands in the order even when it no longer matches.
        sql.push(" OR r.id = ?", [after.to_string().into()]);
    }
    sql.push(") ORDER BY ", []);
    for order in &query.order {
        order_by(&order.field, order.direction, &mut sql);
    }
    sql.push("r.start DESC, r.id", []);
    if let (Some(limit), None) = (query.limit, &query.after) {
        sql.push(" LIMIT ?", [Value::Integer(i64::try_from(limit).unwrap_or(i64::MAX))]);
    }
    let mut statement = place.of(connection.prepare_cached(&sql.text))?;
    let rows = place.of(statement.query_map(params_from_iter(sql.values), |row| row.get(0)))?;
    let mut rows: Vec<i64> = place.of(rows.collect())?;
    if let Some(after) = &query.after {
        let cursor = run_row(connection, place, after)?;
        let at = rows.iter().position(|row| *row == cursor).map_or(rows.len(), |at| at + 1);
        rows.drain(..at);
    }
    rows.truncate(query.limit.unwrap_or(usize::MAX));
    Ok(rows)
}

fn conditions(query: &RunQuery, sql: &mut Sql) -> Result<()> {
    sql.push(
        match query.lifecycle {
            LifecycleFilter::Active => "r.deleted = 0",
            LifecycleFilter::Deleted => "r.deleted <> 0",
            LifecycleFilter::Any => "1",
        },
        [],
    );
    if !query.experiments.is_empty() {
        let places = vec!["?"; query.experiments.len()].join(", ");
        let ids = query.experiments.iter().map(|id| id.to_string().into());
        sql.push(
            &format!(" AND r.experiment IN (SELECT row FROM experiments WHERE id IN ({places}))"),
            ids,
        );
    }
    if let Some(filter) = &query.filter {
        filter.check()?;
        sql.push(" AND ", []);
        condition(filter, sql);
    }
    Ok(())
}

fn condition(filter: &Filter, sql: &mut Sql) {
    let (parts, word, empty) = match filter {
        Filter::Is(comparison) => return compare(comparison, sql),
        Filter::All(parts) => (parts, " AND ", "1"),
        Filter::Any(parts) => (parts, " OR ", "0"),
    };
    sql.push("(", []);
    for (place, part) in parts.iter().enumerate() {
        sql.push(if place == 0 { "" } else { word }, []);
        condition(part, sql);
    }
    sql.push(if parts.is_empty() { empty } else { "" }, []);
    sql.push(")", []);
}

fn compare(comparison: &Comparison, sql: &mut Sql) {
    let (field, op, value) = comparison.parts();
    let (before, key, column, after) = match field {
        Field::Attribute(attribute) => ("(", None, attribute_column(*attribute), ")"),
        Field::Param(key) => (
            "EXISTS (SELECT 1 FROM params p WHERE p.run = r.row AND p.key = ? AND ",
            Some(key.to_string()),
            "p.value",
            ")",
        ),
        Field::Tag(key) => (
            "EXISTS (SELECT 1 FROM tags t WHERE t.run = r.row AND t.key = ? AND ",
            Some(key.to_string()),
            "t.value",
            ")",
        ),
        Field::Metric(key) => (
            "EXISTS (SELECT 1 FROM metric_latest m WHERE m.run = r.row
                AND m.key = (SELECT row FROM metric_keys WHERE key = ?) AND ",
            Some(key.to_string()),
            "m.value",
            ")",
        ),
    };
    sql.push(before, key.map(Value::from));
    match (op, value) {
        (Op::In, Scalar::List(list)) => {
            let places = vec!["?"; list.len()].join(", ");
            sql.push(&format!("{column} IN ({places})"), list.iter().cloned().map(Value::from));
        }
        (Op::Like | Op::ILike, Scalar::Text(pattern)) => {
            let folded = i64::from(op == Op::ILike);
            let call = format!("{column} IS NOT NULL AND mlops_like(?, {column}, {folded})");
            sql.push(&call, [pattern.clone().into()]);
        }
        (_, Scalar::Number(number)) => {
            sql.push(&format!("{column} {} ?", symbol(op)), [Value::Real(*number)])
        }
        (_, Scalar::Text(text)) => {
            sql.push(&format!("{column} {} ?", symbol(op)), [text.clone().into()])
        }
        // `Comparison::new` lets no other pair through.
        (_, Scalar::List(_)) => sql.push("0", []),
    }
    sql.push(after, []);
}

const fn symbol(op: Op) -> &'static str {
    match op {
        Op::Eq | Op::Like | Op::ILike | Op::In => "=",
        Op::Ne => "<>",
        Op::Lt => "<",
        Op::Le => "<=",
        Op::Gt => ">",
        Op::Ge => ">=",
    }
}

const fn attribute_column(attribute: Attribute) -> &'static str {
    match attribute {
        Attribute::Id => "r.id",
        Attribute::Name => "r.name",
        Attribute::Status => "r.status",
        Attribute::User => "r.user",
        Attribute::Source => "r.source_name",
        Attribute::Parent => "r.parent",
        Attribute::Start => "r.start",
        Attribute::End => "r.\"end\"",
        // An attribute that this store does not know is one that no run has.
        _ => "NULL",
    }
}

fn order_by(field: &Field, direction: Direction, sql: &mut Sql) {
    let (column, key) = match field {
        Field::Attribute(attribute) => (attribute_column(*attribute).to_owned(), None),
        Field::Param(key) => (
            "(SELECT value FROM params WHERE run = r.row AND key = ?)".to_owned(),
            Some(key.to_string()),
        ),
        Field::Tag(key) => (
            "(SELECT value FROM tags WHERE run = r.row AND key = ?)".to_owned(),
            Some(key.to_string()),
        ),
        Field::Metric(key) => {
            let of = |column: &str| {
                format!(
                    "(SELECT {column} FROM metric_latest WHERE run = r.row
                        AND key = (SELECT row FROM metric_keys WHERE key = ?))"
                )
            };
            // Numbers, then NaN (a row whose value is NULL), then runs without the metric.
            sql.push(
                &format!("CASE {} WHEN 0 THEN 0 WHEN 1 THEN 1 ELSE 2 END, ", of("value IS NULL")),
                [key.to_string().into()],
            );
            (of("value"), Some(key.to_string()))
        }
    };
    let way = if direction == Direction::Ascending { "ASC" } else { "DESC" };
    sql.push(&format!("{column} {way} NULLS LAST, "), key.map(Value::from));
}

fn run_row(connection: &Connection, place: &Place, id: &RunId) -> Result<i64> {
    let mut find = place.of(connection.prepare_cached("SELECT row FROM runs WHERE id = ?1"))?;
    let found = place.optional(find.query_row([id.as_str()], |row| row.get(0)))?;
    found.ok_or_else(|| Error::not_found("run", id))
}

/// One run with everything it logged.
pub(super) fn load_one(connection: &Connection, place: &Place, id: &RunId) -> Result<Run> {
    let row = run_row(connection, place, id)?;
    load(connection, place, &[row])?.pop().ok_or_else(|| Error::not_found("run", id))
}

/// These runs with everything they logged, in this order.
fn load(connection: &Connection, place: &Place, rows: &[i64]) -> Result<Vec<Run>> {
    let list = rows.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let mut runs: BTreeMap<i64, Run> = BTreeMap::new();
    each(connection, place, &format!("{RUN} WHERE r.row IN ({list})"), |row| {
        runs.insert(place.of(row.get(0))?, run_from(row, place)?);
        Ok(())
    })?;
    let mut fill = |sql: &str, add: fn(&mut Run, &Row<'_>, &Place) -> Result<()>| {
        each(connection, place, &sql.replace("{rows}", &list), |row| {
            let run: i64 = place.of(row.get(0))?;
            runs.get_mut(&run).map_or(Ok(()), |run| add(run, row, place))
        })
    };
    fill("SELECT run, key, value FROM params WHERE run IN ({rows})", |run, row, place| {
        run.params.insert(
            json::parse(place, "param key", text(row, place, 1)?)?,
            text(row, place, 2)?.to_owned(),
        );
        Ok(())
    })?;
    fill("SELECT run, key, value FROM tags WHERE run IN ({rows})", |run, row, place| {
        run.tags.insert(
            json::parse(place, "tag key", text(row, place, 1)?)?,
            text(row, place, 2)?.to_owned(),
        );
        Ok(())
    })?;
    fill(
        "SELECT m.run, k.key, m.step, m.at, m.value FROM metric_latest m JOIN metric_keys k ON k.row = m.key
            WHERE m.run IN ({rows})",
        |run, row, place| {
            let key = json::parse(place, "metric key", text(row, place, 1)?)?;
            run.metrics.insert(key, place.of(metrics::point_from(row, 2))?);
            Ok(())
        },
    )?;
    fill("SELECT run, body FROM inputs WHERE run IN ({rows}) ORDER BY row", |run, row, place| {
        run.inputs.push(json::read(place, "dataset input", text(row, place, 1)?)?);
        Ok(())
    })?;
    fill("SELECT run, body FROM outputs WHERE run IN ({rows}) ORDER BY row", |run, row, place| {
        run.outputs.push(json::read(place, "model output", text(row, place, 1)?)?);
        Ok(())
    })?;
    Ok(rows.iter().filter_map(|row| runs.remove(row)).collect())
}

fn each(
    connection: &Connection,
    place: &Place,
    sql: &str,
    mut visit: impl FnMut(&Row<'_>) -> Result<()>,
) -> Result<()> {
    let mut statement = place.of(connection.prepare(sql))?;
    let mut rows = place.of(statement.query([]))?;
    while let Some(row) = place.of(rows.next())? {
        visit(row)?;
    }
    Ok(())
}

fn text<'a>(row: &'a Row<'_>, place: &Place, column: usize) -> Result<&'a str> {
    place.of(row.get_ref(column).and_then(|value| Ok(value.as_str()?)))
}

fn run_from(row: &Row<'_>, place: &Place) -> Result<Run> {
    let maybe = |column: usize| place.of(row.get::<_, Option<String>>(column));
    let deleted: i64 = place.of(row.get(5))?;
    let source = match (maybe(7)?, maybe(8)?) {
        (Some(kind), Some(name)) => Some(Source {
            kind: json::read(place, "source kind", &kind)?,
            name,
            version: maybe(9)?,
        }),
        _ => None,
    };
    Ok(Run {
        id: json::parse(place, "run id", text(row, place, 1)?)?,
        experiment: json::parse(place, "experiment id", text(row, place, 2)?)?,
        name: text(row, place, 3)?.to_owned(),
        status: json::parse(place, "run status", text(row, place, 4)?)?,
        lifecycle: if deleted == 0 { Lifecycle::Active } else { Lifecycle::Deleted },
        parent: maybe(6)?.map(|id| json::parse(place, "run id", &id)).transpose()?,
        source,
        user: maybe(10)?,
        start: Timestamp::from_millis(place.of(row.get(11))?),
        end: place.of(row.get::<_, Option<i64>>(12))?.map(Timestamp::from_millis),
        params: BTreeMap::new(),
        metrics: BTreeMap::new(),
        tags: BTreeMap::new(),
        inputs: Vec::new(),
        outputs: Vec::new(),
    })
}
