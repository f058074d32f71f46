//! A step that is a command: its line, the files it is made of, what it may see of the environment.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::context::StepContext;
use crate::error::{Error, ErrorKind, Result};
use crate::fingerprint::{Label, Value, digest};
use crate::id::Digest;

/// A command line, run without a shell.
///
/// `{input:NAME}`, `{output:NAME}` and `{param:NAME}` in an argument are replaced by the file or value.
/// The same is in the environment as `MLOPS_INPUT_NAME`, `MLOPS_OUTPUT_NAME` and `MLOPS_PARAM_NAME`
/// (upper case, `_` for what is no letter or digit). Apart from these and `PATH` the command sees only
/// the variables it declares.
///
/// Its code version is the digest of the line, of the declared files' contents and of the declared
/// variables' values; `PATH` is no part of it.
#[derive(Debug, Clone)]
pub struct Command {
    argv: Vec<String>,
    folder: PathBuf,
    files: BTreeSet<PathBuf>,
    variables: BTreeMap<String, String>,
    path: Option<String>,
}

impl Command {
    /// The command `argv`, run in `folder`; a relative one is below the folder that this process is in
    /// now.
    ///
    /// # Errors
    /// `InvalidInput` when `argv` is empty; those of finding this process's folder.
    pub fn new<S: Into<String>>(
        folder: impl Into<PathBuf>,
        argv: impl IntoIterator<Item = S>,
    ) -> Result<Self> {
        let argv: Vec<String> = argv.into_iter().map(Into::into).collect();
        if argv.first().is_none_or(String::is_empty) {
            return Err(Error::invalid("a command needs at least a program"));
        }
        let folder = absolute(&folder.into())?;
        let (files, variables) = Default::default();
        Ok(Self { argv, folder, files, variables, path: None })
    }

    /// Declares a file of the command's code, relative to its folder: a script, a module, a lock file.
    #[must_use]
    pub fn file(mut self, path: impl Into<PathBuf>) -> Self {
        self.files.insert(path.into());
        self
    }

    /// Lets the command see a variable with this value. Secrets do not belong here: the value is
    /// hashed into the key.
    #[must_use]
    pub fn variable(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }

    /// Copies the variables named in `allowed`, and `PATH`, from `environment` (such as
    /// `std::env::vars()`); those that are not set there are left out.
    #[must_use]
    pub fn allow(
        mut self,
        allowed: &[&str],
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        for (name, value) in environment {
            if name == "PATH" {
                self.path = Some(value);
            } else if allowed.contains(&name.as_str()) {
                self.variables.insert(name, value);
            }
        }
        self
    }

    /// The line as it was declared.
    #[must_use]
    pub fn line(&self) -> String {
        self.argv.join(" ")
    }

    /// The digest that stands for the command's code.
    pub(super) fn version(&self) -> Result<String> {
        let mut files = BTreeMap::new();
        for file in &self.files {
            let path = self.folder.join(file);
            let bytes = std::fs::read(&path)
                .map_err(|source| Error::io("read a declared file", &path, source))?;
            files.insert(
                file.to_string_lossy().into_owned(),
                Value::from(Digest::of(&bytes).to_string()),
            );
        }
        let variables =
            self.variables.iter().map(|(name, value)| (name.clone(), Value::from(value.clone())));
        let content = Value::map([
            ("argv", Value::from(self.argv.clone())),
            ("files", Value::Map(files)),
            ("variables", Value::Map(variables.collect())),
        ]);
        Ok(format!("command:{}", digest(Label::Step, &content.canonical())))
    }

    /// The process to start for one try.
    pub(super) fn prepare(&self, context: &StepContext) -> Result<tokio::process::Command> {
        let argv: Vec<String> =
            self.argv.iter().map(|arg| fill(arg, context)).collect::<Result<_>>()?;
        let program = self.find_program(&argv[0])?;
        let mut process = tokio::process::Command::new(program);
        process.args(&argv[1..]).current_dir(&self.folder).env_clear().envs(&self.variables);
        process.envs(self.path.iter().map(|path| ("PATH", path)));
        for name in &context.inputs {
            process
                .env(variable_name("MLOPS_INPUT_", name.as_str()), context.input(name.as_str())?);
        }
        for name in &context.outputs {
            process
                .env(variable_name("MLOPS_OUTPUT_", name.as_str()), context.output(name.as_str())?);
        }
        for (name, value) in &context.params {
            process.env(variable_name("MLOPS_PARAM_", name), plain(value));
        }
        Ok(process)
    }

    /// Looks the program up before anything is started, so that the error can say where it is not.
    fn find_program(&self, program: &str) -> Result<PathBuf> {
        let is_file = |path: &Path| path.is_file();
        let found = if program.contains('/') {
            Some(self.folder.join(program)).filter(|path| is_file(path))
        } else {
            let path = self.path.as_deref().unwrap_or("/usr/local/bin:/usr/bin:/bin");
            path.split(':').map(|folder| Path::new(folder).join(program)).find(|path| is_file(path))
        };
        found.ok_or_else(|| {
            Error::new(
                ErrorKind::NotFound,
                format!("the command is not there, install it or give its path: program={program}"),
            )
        })
    }
}

/// The path from the root, so that it means the same in a process that runs in another folder.
pub(super) fn absolute(folder: &Path) -> Result<PathBuf> {
    let named = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    std::path::absolute(named).map_err(|source| Error::io("find a folder", folder, source))
}

fn variable_name(prefix: &str, name: &str) -> String {
    let letter = |c: char| {
        if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }
    };
    name.chars().fold(prefix.to_owned(), |text, c| text + &letter(c).to_string())
}

/// A value as a program expects it on its command line: text bare, everything else as people write it.
fn plain(value: &Value) -> String {
    value.as_text().map_or_else(|| value.to_string(), str::to_owned)
}

fn fill(argument: &str, context: &StepContext) -> Result<String> {
    let mut text = String::new();
    let mut rest = argument;
    while let Some(start) = rest.find('{') {
        let (before, from) = rest.split_at(start);
        text.push_str(before);
        let end = from.find('}');
        let place = end.and_then(|end| from[1..end].split_once(':'));
        let filled = match place {
            Some(("input", name)) => Some(context.input(name)?.to_string_lossy().into_owned()),
            Some(("output", name)) => Some(context.output(name)?.to_string_lossy().into_owned()),
            Some(("param", name)) => Some(plain(context.param(name)?)),
            _ => None,
        };
        match (filled, end) {
            (Some(filled), Some(end)) => {
                text.push_str(&filled);
                rest = &from[end + 1..];
            }
            _ => {
                text.push('{');
                rest = &from[1..];
            }
        }
    }
    Ok(text + rest)
}
