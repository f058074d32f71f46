//! Reads `requirements.txt`, as pip describes its format
//! (<https://pip.pypa.io/en/stable/reference/requirements-file-format/>).

use super::lock::{Lock, LockKind, Requirement, Source, State};
use super::packages::normalised;
use crate::error::Result;

/// Options that say where packages come from and not which: addresses are no part of a key.
const PLACE_OPTIONS: [&str; 8] = [
    "-i",
    "--index-url",
    "--extra-index-url",
    "-f",
    "--find-links",
    "--no-index",
    "--trusted-host",
    "--use-feature",
];
/// Options that bring in packages this file does not pin.
const INCLUDING_OPTIONS: [&str; 6] =
    ["-r", "--requirement", "-c", "--constraint", "-e", "--editable"];
/// Operators of a version, longest first.
const OPERATORS: [&str; 8] = ["===", "==", "~=", "!=", "<=", ">=", "<", ">"];

pub(super) fn parse(source: Source<'_>, text: &str) -> Result<Lock> {
    let mut requirements = Vec::new();
    for (line, text) in logical_lines(text) {
        let found = requirement(line, &text).map_err(|problem| source.error(line, problem))?;
        requirements.extend(found);
    }
    Ok(Lock::of_requirements(LockKind::Requirements, requirements))
}

/// Lines with continuations joined and comments removed, each with the number of its first line.
/// A comment ends a continuation, as in pip.
fn logical_lines(text: &str) -> Vec<(u64, String)> {
    let mut lines = Vec::new();
    let mut pending: Option<(u64, String)> = None;
    for (number, line) in (1..).zip(text.lines()) {
        let is_comment = line.trim_start().starts_with('#');
        let (start, mut joined) = pending.take().unwrap_or((number, String::new()));
        match line.strip_suffix('\\') {
            Some(head) if !is_comment => {
                joined.push_str(head);
                pending = Some((start, joined));
            }
            _ => {
                // Keeps the `#` apart from what precedes it, so that it stays a comment.
                joined.push_str(if is_comment { " " } else { "" });
                joined.push_str(line);
                lines.push((start, joined));
            }
        }
    }
    lines.extend(pending);
    let stripped = lines.into_iter().map(|(number, line)| (number, without_comment(&line)));
    stripped.filter(|(_, line)| !line.is_empty()).collect()
}

/// `#` begins a comment at the start of a line or after white space; elsewhere it belongs to an
/// address.
fn without_comment(line: &str) -> String {
    let mut end = line.len();
    for (at, _) in line.match_indices('#') {
        if line[..at].chars().next_back().is_none_or(char::is_whitespace) {
            end = at;
            break;
        }
    }
    line[..end].trim().to_owned()
}

/// Reads one logical line; `None` for an option that says nothing about packages.
pub(super) fn requirement(line: u64, text: &str) -> Result<Option<Requirement>, String> {
    if text.starts_with('-') {
        return Ok(option(line, text));
    }
    let (name, rest) = split_name(text);
    let is_path = rest.starts_with('/') || name.is_empty() && text.starts_with('.');
    if is_path || is_address(text) {
        return Ok(Some(unlocked(line, None, text)));
    }
    // A message quotes the text, which may be an address that is mistyped.
    let package = package(line, &words(text)).map_err(|problem| without_credentials(&problem));
    package.map(Some)
}

fn option(line: u64, text: &str) -> Option<Requirement> {
    let end = text.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(text.len());
    // `-rother.txt` is an option with its value attached.
    let short = if text.starts_with("--") { &text[..end] } else { &text[..end.min(2)] };
    if PLACE_OPTIONS.contains(&short) {
        return None;
    }
    if INCLUDING_OPTIONS.contains(&short) {
        return Some(unlocked(line, None, text));
    }
    let text = without_credentials(&words(text));
    Some(Requirement { name: text.clone(), text, line, state: State::Option })
}

fn is_address(text: &str) -> bool {
    let scheme = text.split_once("://").map_or("", |(scheme, _)| scheme);
    !scheme.is_empty() && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
}

fn unlocked(line: u64, name: Option<&str>, text: &str) -> Requirement {
    let shown = text.split_whitespace().map(|word| without_folders(&without_credentials(word)));
    let text = shown.collect::<Vec<_>>().join(" ");
    let name = name.map_or_else(|| text.clone(), normalised);
    Requirement { name, text, line, state: State::Unlocked }
}

/// `text` with each run of white space as one space.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `scheme://user:password@host` without the user and password.
fn without_credentials(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (head, tail) = rest.split_at(at + 3);
        out.push_str(head);
        let host_end = tail.find(|c: char| "/?#".contains(c) || c.is_whitespace());
        let host = &tail[..host_end.unwrap_or(tail.len())];
        rest = &tail[host.rfind('@').map_or(0, |at| at + 1)..];
    }
    out + rest
}

/// An absolute path without its folders, which are another on every machine.
fn without_folders(word: &str) -> String {
    let name = word.strip_prefix('/').map(|path| path.trim_end_matches('/').rsplit('/').next());
    name.flatten().unwrap_or(word).to_owned()
}

/// The leading name and what follows it.
fn split_name(text: &str) -> (&str, &str) {
    let inside = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let end = text.find(|c| !inside(c)).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    if edge(name.chars().next()) && edge(name.chars().next_back()) {
        (name, rest)
    } else {
        ("", text)
    }
}

/// Reads `name[extras] specifiers ; marker --hash=…`.
fn package(line: u64, text: &str) -> Result<Requirement, String> {
    let (name, rest) = split_name(text);
    if name.is_empty() {
        return Err(format!("requirement does not begin with a name: text={text:?}"));
    }
    let (extras, rest) = split_extras(rest.trim_start())?;
    if rest.starts_with('@') {
        return Ok(unlocked(line, Some(name), text));
    }
    let (rest, hashes) = split_hashes(rest)?;
    let (clauses, marker) = match rest.split_once(';') {
        Some((clauses, marker)) => (clauses.trim(), marker.trim()),
        None => (rest.trim(), ""),
    };
    let clauses = clauses.strip_prefix('(').and_then(|it| it.strip_suffix(')')).unwrap_or(clauses);
    let clauses = clauses.split(',').map(str::trim).filter(|clause| !clause.is_empty());
    let clauses: Vec<Clause<'_>> = clauses.map(clause).collect::<Result<_, _>>()?;
    let name = normalised(name);
    let text = canonical(&name, &extras, &clauses, marker, &hashes);
    let state = match clauses.as_slice() {
        [("==" | "===", version)] if !version.contains('*') => State::Locked((*version).to_owned()),
        _ => State::Unlocked,
    };
    Ok(Requirement { name, text, line, state })
}

fn split_extras(text: &str) -> Result<(Vec<String>, &str), String> {
    let Some(inner) = text.strip_prefix('[') else {
        return Ok((Vec::new(), text));
    };
    let (extras, rest) =
        inner.split_once(']').ok_or_else(|| format!("extras are not closed: text={text:?}"))?;
    let mut extras: Vec<String> = extras
        .split(',')
        .map(|extra| normalised(extra.trim()))
        .filter(|it| !it.is_empty())
        .collect();
    extras.sort();
    extras.dedup();
    Ok((extras, rest.trim_start()))
}

/// Takes `--hash=…` (and other options of one requirement) off the end.
fn split_hashes(text: &str) -> Result<(&str, Vec<String>), String> {
    let Some(at) = text.find(" --") else {
        return Ok((text, Vec::new()));
    };
    let mut hashes: Vec<String> = text[at..].split_whitespace().map(str::to_owned).collect();
    if let Some(odd) = hashes.iter().find(|hash| !hash.starts_with("--") || !hash.contains('=')) {
        return Err(format!("expected --hash=<algorithm>:<hex>: text={odd:?}"));
    }
    hashes.sort();
    Ok((&text[..at], hashes))
}

/// An operator and its version.
type Clause<'a> = (&'static str, &'a str);

fn clause(text: &str) -> Result<Clause<'_>, String> {
    let operator = OPERATORS.into_iter().find(|operator| text.starts_with(operator));
    let operator =
        operator.ok_or_else(|| format!("expected a version specifier: text={text:?}"))?;
    let version = text[operator.len()..].trim();
    let inside = |c: char| c.is_ascii_alphanumeric() || ".*+!_-".contains(c);
    if version.is_empty() || !version.chars().all(inside) {
        return Err(format!("not a version: text={version:?}"));
    }
    Ok((operator, version))
}

/// One spelling for requirements that mean the same.
fn canonical(
    name: &str,
    extras: &[String],
    clauses: &[Clause<'_>],
    marker: &str,
    hashes: &[String],
) -> String {
    let mut clauses: Vec<String> =
        clauses.iter().map(|(op, version)| format!("{op}{version}")).collect();
    clauses.sort();
    let mut text = name.to_owned();
    if !extras.is_empty() {
        text.push_str(&format!("[{}]", extras.join(",")));
    }
    text.push_str(&clauses.join(","));
    if !marker.is_empty() {
        text.push_str(&format!(" ; {marker}"));
    }
    hashes.iter().for_each(|hash| text.push_str(&format!(" {hash}")));
    text
}
