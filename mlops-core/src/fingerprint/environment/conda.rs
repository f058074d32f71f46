//! Reads `conda.yaml`: dependencies as text, and a nested list for pip.
//!
//! The text is capped, and tags are refused: a YAML tag asks the reader to build something, and a
//! list of packages has no use for it.

use std::fmt;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_saphyr::{Spanned, Tagged};

use super::lock::{Lock, LockKind, Requirement, Source, State};
use super::requirements;
use crate::error::Result;

/// Largest text that is read.
const MAX_BYTES: usize = 1 << 20;
/// What a requirement of pip begins with in the digest: conda's packages have names of their own.
const PIP: &str = "pip::";

pub(super) fn parse(source: Source<'_>, text: &str) -> Result<Lock> {
    if text.len() > MAX_BYTES {
        return Err(source.error(1, "text is larger than 1 MiB"));
    }
    let document = read(source, text)?;
    let mut found = Vec::new();
    for item in dependencies(source, &document)? {
        match &item.yaml {
            Yaml::Text(text) => {
                let requirement = conda_requirement(item.line, text);
                found.push(requirement.map_err(|problem| source.error(item.line, problem))?);
            }
            Yaml::Map(entries) => pip_requirements(source, entries, &mut found)?,
            Yaml::Other | Yaml::List(_) => {
                return Err(source.error(item.line, "dependency is neither text nor a pip list"));
            }
        }
    }
    Ok(Lock::of_requirements(LockKind::Conda, found))
}

fn read(source: Source<'_>, text: &str) -> Result<Node> {
    let options = serde_saphyr::options! {
        with_snippet: false,
        merge_keys: serde_saphyr::options::MergeKeyPolicy::Error,
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: 10_000 },
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let line = error.location().map_or(1, |location| location.line());
        source.error(line, error.to_string().replace('\n', " "))
    })
}

fn dependencies<'n>(source: Source<'_>, document: &'n Node) -> Result<&'n [Node]> {
    let Yaml::Map(entries) = &document.yaml else {
        return Err(source.error(document.line, "document is not a map"));
    };
    let found = entries.iter().find(|(key, _)| key == "dependencies");
    let (_, list) = found.ok_or_else(|| source.error(document.line, "no dependencies"))?;
    match &list.yaml {
        Yaml::List(items) => Ok(items),
        _ => Err(source.error(list.line, "dependencies are not a list")),
    }
}

/// Reads `pip: [requirement, …]`.
fn pip_requirements(
    source: Source<'_>,
    entries: &[(String, Node)],
    found: &mut Vec<Requirement>,
) -> Result<()> {
    for (key, list) in entries {
        let items = match &list.yaml {
            Yaml::List(items) if key == "pip" => items,
            _ => return Err(source.error(list.line, "nested dependencies are not a pip list")),
        };
        for item in items {
            let Yaml::Text(text) = &item.yaml else {
                return Err(source.error(item.line, "requirement of pip is not text"));
            };
            let requirement = requirements::requirement(item.line, text.trim())
                .map_err(|problem| source.error(item.line, problem))?;
            let marked = |it: Requirement| Requirement { text: format!("{PIP}{}", it.text), ..it };
            found.extend(requirement.map(marked));
        }
    }
    Ok(())
}

/// Reads `channel::name=version=build`, `name==version`, `name>=1,<2`, `name 1.2.*`.
///
/// One `=` without a build is a prefix match in conda (`=1.2` takes 1.2.7), and so not locked.
fn conda_requirement(line: u64, text: &str) -> Result<Requirement, String> {
    let spec = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let spec = spec.rsplit_once("::").map_or(spec.as_str(), |(_, spec)| spec);
    let (name, rest) = spec.split_at(spec.find(|c| !in_name(c)).unwrap_or(spec.len()));
    let begins_well = rest.is_empty() || rest.starts_with([' ', '=', '<', '>', '!', '~', '[']);
    if name.is_empty() || !begins_well {
        return Err(format!("not a conda requirement: text={text:?}"));
    }
    let name = name.to_ascii_lowercase();
    let exact =
        |part: &str| !part.is_empty() && part.chars().all(|c| in_name(c) || c == '+' || c == '!');
    let parts: Vec<&str> = rest.split('=').map(str::trim).collect();
    let (text, state) = match parts.as_slice() {
        ["", "", version] if exact(version) => {
            (format!("{name}=={version}"), State::Locked((*version).to_owned()))
        }
        ["", version, build] | ["", "", version, build] if exact(version) && exact(build) => {
            (format!("{name}=={version}={build}"), State::Locked((*version).to_owned()))
        }
        _ => (format!("{name} {}", rest.trim()).trim_end().to_owned(), State::Unlocked),
    };
    Ok(Requirement { name, text, line, state })
}

fn in_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-_.".contains(c)
}

/// A node of the document and its line.
struct Node {
    line: u64,
    yaml: Yaml,
}

/// As much of YAML as a list of packages needs.
enum Yaml {
    Text(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
    /// A number, a boolean or nothing.
    Other,
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Spanned { value: Tagged(yaml, tag), referenced, .. } =
            Spanned::<Tagged<Yaml>>::deserialize(deserializer)?;
        refuse_tag(tag)?;
        Ok(Self { line: referenced.line(), yaml })
    }
}

fn refuse_tag<E: serde::de::Error>(tag: Option<String>) -> Result<(), E> {
    tag.map_or(Ok(()), |tag| Err(E::custom(format!("tags are refused: tag={tag:?}"))))
}

impl<'de> Deserialize<'de> for Yaml {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(YamlVisitor)
    }
}

struct YamlVisitor;

impl<'de> Visitor<'de> for YamlVisitor {
    type Value = Yaml;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text, a list or a map")
    }

    fn visit_str<E>(self, text: &str) -> Result<Yaml, E> {
        Ok(Yaml::Text(text.to_owned()))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Yaml, E> {
        Ok(Yaml::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Yaml, E> {
        Ok(Yaml::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Yaml, E> {
        Ok(Yaml::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Yaml, E> {
        Ok(Yaml::Other)
    }

    fn visit_unit<E>(self) -> Result<Yaml, E> {
        Ok(Yaml::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Yaml, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Yaml::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Yaml, A::Error> {
        let mut entries = Vec::new();
        while let Some((Tagged(key, tag), value)) = access.next_entry::<Tagged<String>, Node>()? {
            refuse_tag(tag)?;
            entries.push((key, value));
        }
        Ok(Yaml::Map(entries))
    }
}
