//! Revisions as child processes of this machine.
//!
//! [`ProcessDeployer`] starts any command that answers HTTP on a port, asks it whether it is ready,
//! starts it again when it ends, keeps its log, and ends it with everything it has started. What it
//! does is written down in a folder before it is done. Its processes outlive it: a deployer that is
//! opened on the folder after another one died adopts those that are still wanted and ends the rest.
//!
//! It needs `/proc`, to recognise processes that it has not started itself.

mod group;
mod launch;
mod log;
mod options;
mod probe;
mod replica;
mod revision;
mod state;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt as _};
use mlops_core::deploy::{
    Deployer, LogLine, LogQuery, Phase, Process, RevisionRef, RevisionSpec, RevisionStatus,
    Workload,
};
use mlops_core::id::{Address, EndpointName, RevisionName};
use mlops_core::{Error, ErrorKind, Result};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

pub use options::ProcessOptions;

use replica::{Condition, Replica, Seen};
use revision::Revision;
use state::{Folder, Record, RevisionFolder};

/// What the revisions of an endpoint have printed and is still kept, read from a deployer's folder, which
/// may be open elsewhere: the last `tail` lines of each replica, of one revision or of all.
///
/// # Errors
/// `NotFound` for a revision that is not there, and those of the disk.
pub fn kept_logs(
    folder: &Path,
    endpoint: &EndpointName,
    revision: Option<&RevisionName>,
    tail: usize,
) -> Result<Vec<(RevisionRef, LogLine)>> {
    let all = state::revisions(folder)?;
    let wanted = |it: &&RevisionRef| {
        it.endpoint == *endpoint && revision.is_none_or(|revision| it.revision == *revision)
    };
    let found: Vec<&RevisionRef> = all.iter().filter(wanted).collect();
    if let (Some(revision), true) = (revision, found.is_empty()) {
        return Err(Error::not_found("revision", format!("{endpoint}/{revision}")));
    }
    let mut lines = Vec::new();
    for name in found {
        let home = state::folder_of(folder, name);
        for replica in 0..home.spec()?.map_or(0, |spec| spec.replicas.get()) {
            let kept = log::lines(&home.log(replica), Some(tail))?.into_iter();
            lines.extend(kept.map(|text| (name.clone(), LogLine { replica, text })));
        }
    }
    Ok(lines)
}

/// Runs revisions as child processes. See the [module](self).
///
/// Dropping it leaves the processes running for a successor; [`ProcessDeployer::shutdown`] ends them.
#[derive(Debug, Clone)]
pub struct ProcessDeployer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    folder: Arc<Folder>,
    options: ProcessOptions,
    environment: Arc<BTreeMap<String, String>>,
    runtime: Handle,
    revisions: Mutex<BTreeMap<RevisionRef, Arc<Revision>>>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        for revision in self.lock().values() {
            revision.take_tasks().iter().for_each(JoinHandle::abort);
        }
    }
}

impl ProcessDeployer {
    /// Opens the deployer of a folder, made when it is not there; adopts or ends what an earlier one
    /// has left running. Runs its tasks on the current tokio runtime.
    ///
    /// What it has adopted was asked before this returns: a replica that answers is ready at once, and one is
    /// called unready only after as many failed probes as it takes for any other, which is how long this may
    /// last. Whoever goes on where an earlier controller died would otherwise take a healthy revision for one
    /// that is down.
    ///
    /// # Errors
    /// `Conflict` when another deployer has the folder open and keeps it for a second, `Corrupt` for a damaged record,
    /// `Unsupported` on a system without `/proc`, `Unavailable` when a process that an earlier one has left can't
    /// be ended, and those of the disk.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub async fn open(folder: impl Into<PathBuf>, options: ProcessOptions) -> Result<Self> {
        if !group::is_supported() {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "processes can't be told apart without /proc",
            ));
        }
        let folder = folder.into();
        let folder = std::path::absolute(&folder)
            .map_err(|error| Error::io("find a folder", &folder, error))?;
        let folder = Arc::new(locked(&folder).await?);
        let environment = Arc::new(options.environment.clone());
        let (runtime, revisions) = (Handle::current(), Mutex::default());
        let deployer = Self(Arc::new(Inner { folder, options, environment, runtime, revisions }));
        deployer.take_over().await?;
        Ok(deployer)
    }

    /// Ends every revision and everything it has started, and forgets them.
    ///
    /// # Errors
    /// Those of [`Deployer::delete`]; the other revisions are ended all the same.
    pub async fn shutdown(&self) -> Result<()> {
        let all: Vec<RevisionRef> = self.0.lock().keys().cloned().collect();
        let ended =
            futures::future::join_all(all.iter().map(|revision| self.delete(revision))).await;
        ended.into_iter().collect()
    }

    /// Ends every process, but keeps what is wanted written down: whoever opens the folder next starts it
    /// again.
    pub async fn stop(self) {
        let all: Vec<Arc<Revision>> = std::mem::take(&mut *self.0.lock()).into_values().collect();
        for revision in &all {
            revision.stop.send_replace(true);
        }
        let ended = futures::future::join_all(all.iter().map(|revision| revision.ended())).await;
        for error in ended.into_iter().filter_map(Result::err) {
            tracing::error!(error = error.chain(), "a revision is left behind");
        }
    }

    /// Lets go of every process without ending it, for a successor that is about to open the folder.
    pub async fn detach(self) {
        let all: Vec<Arc<Revision>> = std::mem::take(&mut *self.0.lock()).into_values().collect();
        for task in all.iter().flat_map(|revision| revision.take_tasks()) {
            task.abort();
            // A task that was aborted says so, which is no error here.
            task.await.ok();
        }
    }

    /// Adopts what is wanted and still runs; ends everything else that carries a mark of ours.
    async fn take_over(&self) -> Result<()> {
        let inner = &self.0;
        let mut adopted: BTreeMap<RevisionRef, (RevisionSpec, Vec<Option<Record>>)> =
            BTreeMap::new();
        let mut drains = Vec::new();
        for revision in inner.folder.revisions()? {
            let folder = inner.folder.of(&revision);
            let Some(spec) = folder.spec()? else { continue };
            drains.push((inner.folder.marks_of(&revision), spec.drain));
            if !folder.is_ending() {
                let records = (0..spec.replicas.get()).map(|index| adoptable(&folder, index));
                let records = records.collect::<Result<_>>()?;
                adopted.insert(revision, (spec, records));
            }
        }
        let kept: Vec<String> = adopted
            .values()
            .flat_map(|(_, records)| records.iter().flatten().map(|record| record.mark.clone()))
            .collect();
        let mut others: Vec<String> =
            group::marked(&inner.folder.marks()).into_iter().map(|(_, mark)| mark).collect();
        others.retain(|mark| !kept.contains(mark));
        others.sort_unstable();
        others.dedup();
        let ended = others.iter().map(|mark| {
            let own = drains.iter().find(|(marks, _)| mark.starts_with(marks));
            let drain = own.map_or(UNKNOWN_DRAIN, |(_, drain)| *drain);
            async move { (mark, group::end(mark, None, drain).await) }
        });
        let ended = futures::future::join_all(ended).await;
        if let Some((mark, _)) = ended.iter().find(|(_, gone)| !gone) {
            let message = format!("a process of an earlier deployer can't be ended: mark={mark}");
            return Err(Error::new(ErrorKind::Unavailable, message));
        }
        for revision in inner.folder.revisions()? {
            if !adopted.contains_key(&revision) {
                inner.folder.of(&revision).remove()?;
            }
        }
        for (name, (spec, records)) in adopted {
            let revision = inner.start(spec, records)?;
            inner.lock().insert(name, revision);
        }
        let all: Vec<Arc<Revision>> = inner.lock().values().cloned().collect();
        futures::future::join_all(all.iter().map(|revision| revision.known())).await;
        Ok(())
    }
}

/// How long requests in flight may take at a process of a revision that nothing is known of.
const UNKNOWN_DRAIN: Duration = Duration::from_secs(5);

/// How long the lock of a deployer that has died may still be held: a child that it had forked, and that has
/// not yet become its own program, holds it as well. (So whoever has the lock finds the child by its mark.)
const FORKED: Duration = Duration::from_secs(1);

/// Opens the folder, and gives a predecessor's last child the time to become its own program.
async fn locked(path: &Path) -> Result<Folder> {
    let until = Instant::now() + FORKED;
    loop {
        match Folder::open(path) {
            Err(error) if error.kind() == ErrorKind::Conflict && Instant::now() < until => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            outcome => return outcome,
        }
    }
}

/// The record of a replica whose process still runs; its leader is looked up when it was started but
/// not written down: the first of those that lead a group. What is left of one whose leader was written
/// down and has died is no replica.
fn adoptable(folder: &RevisionFolder, index: u32) -> Result<Option<Record>> {
    let Some(mut record) = folder.record(index)? else { return Ok(None) };
    if let Some(leader) = record.leader {
        return Ok(leader.is_alive().then_some(record));
    }
    let found = group::marked(&record.mark).into_iter().map(|(pid, _)| pid);
    let leaders = found.filter(|pid| group::leads(*pid)).filter_map(group::Leader::find);
    record.leader = leaders.min_by_key(|leader| leader.started);
    folder.write_record(index, &record)?;
    Ok(record.leader.is_some().then_some(record))
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<RevisionRef, Arc<Revision>>> {
        // No code that can panic runs under the lock.
        self.revisions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, revision: &RevisionRef) -> Result<Arc<Revision>> {
        let found = self.lock().get(revision).cloned();
        found.ok_or_else(|| Error::not_found("revision", revision))
    }

    /// Begins the tasks of a revision, each with the process that it adopts.
    fn start(&self, spec: RevisionSpec, adopted: Vec<Option<Record>>) -> Result<Arc<Revision>> {
        let process = process_of(&spec)?.clone();
        let (digest, folder) = (spec.digest()?, self.folder.of(&spec.revision));
        let (spec, (stop, stopped)) = (Arc::new(spec), watch::channel(false));
        let (mut replicas, mut tasks) = (Vec::new(), Vec::new());
        for (index, adopted) in (0..spec.replicas.get()).zip(adopted) {
            let condition = match adopted {
                Some(_) => Condition::Adopted,
                None => Condition::Starting,
            };
            let seen = Seen { condition, message: None, port: None, restarts: 0 };
            let (seen, receiver) = watch::channel(seen);
            let replica = Replica {
                index,
                spec: Arc::clone(&spec),
                process: process.clone(),
                home: Arc::clone(&self.folder),
                folder: folder.clone(),
                environment: Arc::clone(&self.environment),
                log_bytes: self.options.log_bytes,
                seen,
                stop: stopped.clone(),
            };
            tasks.push(self.runtime.spawn(replica.run(adopted)));
            replicas.push(receiver);
        }
        let tasks = Mutex::new(tasks);
        let phase = Mutex::new((Phase::Starting, self.options.clock.now()));
        Ok(Arc::new(Revision { spec, digest, folder, replicas, stop, tasks, phase }))
    }

    fn status(&self, revision: &Revision) -> RevisionStatus {
        let seen: Vec<Seen> = revision.replicas.iter().map(|seen| seen.borrow().clone()).collect();
        let (phase, since) = revision.phase(&seen, self.options.clock.now());
        let address = |port: u16| Address::new(format!("127.0.0.1:{port}")).ok();
        let is_ready = |seen: &&Seen| seen.condition == Condition::Ready;
        let ready = seen.iter().filter(is_ready).count();
        // Requests go to those that answer; without any, to where they will.
        let answering = seen.iter().filter(|seen| ready == 0 || is_ready(seen));
        let addresses = answering.filter_map(|seen| seen.port.and_then(address)).collect();
        RevisionStatus {
            revision: revision.spec.revision.clone(),
            model: revision.spec.model.clone(),
            spec: revision.digest,
            phase,
            message: seen.iter().find_map(|seen| seen.message.clone()),
            ready: u32::try_from(ready).unwrap_or(u32::MAX),
            wanted: revision.spec.replicas.get(),
            restarts: seen.iter().map(|seen| seen.restarts).sum(),
            addresses,
            since,
        }
    }
}

fn process_of(spec: &RevisionSpec) -> Result<&Process> {
    match &spec.workload {
        Workload::Process(process) => Ok(process),
        _ => Err(Error::new(ErrorKind::Unsupported, "this deployer runs processes only")),
    }
}

#[async_trait]
impl Deployer for ProcessDeployer {
    async fn apply(&self, spec: RevisionSpec) -> Result<RevisionStatus> {
        process_of(&spec)?;
        // Held while a few small files are written, so that two calls can't both start it.
        let mut revisions = self.0.lock();
        if let Some(there) = revisions.get(&spec.revision) {
            if *there.stop.borrow() {
                let message = format!("the revision is being ended: revision={}", spec.revision);
                return Err(Error::new(ErrorKind::Conflict, message));
            }
            return match there.digest == spec.digest()? {
                true => Ok(self.0.status(there)),
                false => Err(spec.taken()),
            };
        }
        self.0.folder.of(&spec.revision).write_spec(&spec)?;
        let fresh = vec![None; spec.replicas.get() as usize];
        let name = spec.revision.clone();
        let revision = self.0.start(spec, fresh)?;
        revisions.insert(name, Arc::clone(&revision));
        Ok(self.0.status(&revision))
    }

    async fn get(&self, revision: &RevisionRef) -> Result<RevisionStatus> {
        Ok(self.0.status(&*self.0.find(revision)?))
    }

    fn list(&self, endpoint: &EndpointName) -> BoxStream<'static, Result<RevisionStatus>> {
        let all: Vec<Arc<Revision>> = self.0.lock().values().cloned().collect();
        let fitting = all.iter().filter(|revision| revision.spec.revision.endpoint == *endpoint);
        let statuses: Vec<_> = fitting.map(|revision| Ok(self.0.status(revision))).collect();
        stream::iter(statuses).boxed()
    }

    async fn delete(&self, name: &RevisionRef) -> Result<()> {
        let revision = {
            // Held so that what is written is not of one that is applied under the same name meanwhile.
            let revisions = self.0.lock();
            let Some(revision) = revisions.get(name).cloned() else { return Ok(()) };
            revision.folder.write_ending()?;
            revision.stop.send_replace(true);
            revision
        };
        revision.ended().await?;
        let mut revisions = self.0.lock();
        // Not one that was applied anew while two callers waited for the same end.
        if revisions.get(name).is_some_and(|there| Arc::ptr_eq(there, &revision)) {
            revision.folder.remove()?;
            revisions.remove(name);
        }
        Ok(())
    }

    fn logs(&self, revision: &RevisionRef, query: LogQuery) -> BoxStream<'static, Result<LogLine>> {
        let found = self.0.find(revision);
        let read = async move {
            let revision = found?;
            let work = move || revision.log_lines(query.tail);
            tokio::task::spawn_blocking(work).await.map_err(|source| {
                Error::new(ErrorKind::Internal, "reading a log ended early").with_source(source)
            })?
        };
        stream::once(read)
            .flat_map(|lines| match lines {
                Ok(lines) => stream::iter(lines.into_iter().map(Ok).collect::<Vec<_>>()),
                Err(error) => stream::iter(vec![Err(error)]),
            })
            .boxed()
    }
}
