//! What a controller outlasts, and what its lease costs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;

use super::harness::{TTL, World, canary, endpoint};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{LeaseOwner, StreamName};
use crate::journal::{Append, JournalStore, Lease, Recorded};
use crate::memory::MemoryJournal;
use crate::pipeline::Cancel;
use crate::rollout::machine::Event;
use crate::rollout::{Controller, OrderNumber, Progress, answer, order_stream};

/// A journal on a disk that may be full; it counts how often its lease is renewed.
#[derive(Debug)]
struct Disk {
    journal: Arc<MemoryJournal>,
    full: AtomicBool,
    renewals: AtomicUsize,
}

impl Disk {
    fn has_room(&self) -> Result<()> {
        match self.full.load(Ordering::SeqCst) {
            true => Err(Error::new(ErrorKind::Full, "the disk is full")),
            false => Ok(()),
        }
    }
}

#[async_trait]
impl JournalStore for Disk {
    async fn append(&self, append: Append) -> Result<()> {
        self.has_room()?;
        self.journal.append(append).await
    }

    fn read(&self, stream: &StreamName, from: u64) -> BoxStream<'static, Result<Recorded>> {
        self.journal.read(stream, from)
    }

    async fn last(&self, stream: &StreamName) -> Result<Option<Recorded>> {
        self.journal.last(stream).await
    }

    fn streams(&self, prefix: Option<&StreamName>) -> BoxStream<'static, Result<StreamName>> {
        self.journal.streams(prefix)
    }

    async fn acquire(&self, stream: &StreamName, by: &LeaseOwner, ttl: Duration) -> Result<Lease> {
        self.journal.acquire(stream, by, ttl).await
    }

    async fn renew(&self, lease: &Lease, ttl: Duration) -> Result<Lease> {
        self.renewals.fetch_add(1, Ordering::SeqCst);
        self.has_room()?;
        self.journal.renew(lease, ttl).await
    }

    async fn release(&self, lease: &Lease) -> Result<()> {
        self.journal.release(lease).await
    }
}

async fn on_a_disk(world: &World) -> (Controller, Arc<Disk>) {
    let (full, renewals) = (AtomicBool::new(false), AtomicUsize::new(0));
    let disk = Arc::new(Disk { journal: world.journal.clone(), full, renewals });
    let mut parts = world.parts();
    parts.journal = disk.clone();
    let owner = LeaseOwner::new("test").unwrap();
    (Controller::open(parts, endpoint(), &owner, TTL).await.unwrap(), disk)
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_is_full_for_a_while_is_waited_for() {
    let world = World::with_old().await;
    let (controller, disk) = on_a_disk(&world).await;
    world.roll(canary(Some("old"), "new")).await;
    disk.full.store(true, Ordering::SeqCst);
    let cancel = Cancel::new();
    let running = tokio::spawn({
        let cancel = cancel.clone();
        async move { controller.run(&cancel, Duration::from_millis(10)).await }
    });
    // Longer than a beat, so that the lease can't be renewed either.
    tokio::time::sleep(TTL).await;
    assert_eq!(world.entries().await, []);
    disk.full.store(false, Ordering::SeqCst);
    tokio::time::sleep(TTL).await;
    cancel.cancel();
    running.await.unwrap().unwrap();
    assert_eq!(world.share("new").await.get(), 10);
}

#[tokio::test]
async fn an_idle_controller_renews_its_lease_each_third_of_it() {
    let world = World::with_old().await;
    let (mut controller, disk) = on_a_disk(&world).await;
    for _ in 0..90 {
        world.wait(1);
        assert!(matches!(controller.tick().await.unwrap(), Progress::Waiting(_)));
    }
    assert_eq!(disk.renewals.load(Ordering::SeqCst), 9);
}

#[tokio::test]
async fn one_that_was_fenced_off_does_nothing_and_learns_it_within_a_beat() {
    let world = World::with_old().await;
    let mut first = world.controller().await;
    world.roll(canary(Some("old"), "new")).await;
    first.tick().await.unwrap();
    let _second = world.controller().await;
    // What is next is to start the new revision.
    assert_eq!(first.tick().await.unwrap_err().kind(), ErrorKind::Fenced);
    assert_eq!(world.revisions().await, ["old"]);
    let world = World::with_old().await;
    let mut idle = world.controller().await;
    let _second = world.controller().await;
    assert!(matches!(idle.tick().await.unwrap(), Progress::Waiting(_)));
    world.wait(10);
    assert_eq!(idle.tick().await.unwrap_err().kind(), ErrorKind::Fenced);
}

#[tokio::test]
async fn an_order_that_can_not_be_read_is_refused_and_the_next_is_heard() {
    let world = World::with_old().await;
    let entry = serde_json::json!({ "command": "fly" });
    let stream = order_stream(&endpoint()).unwrap();
    world.journal.append(Append { stream, sequence: 1, epoch: None, entry }).await.unwrap();
    let next = world.roll(canary(Some("old"), "new")).await;
    assert_eq!(next, OrderNumber(2));
    let mut controller = world.controller().await;
    controller.settle().await.unwrap();
    let given = answer(&*world.journal, &endpoint(), OrderNumber(1)).await.unwrap();
    let Some(Event::Refused { reason }) = given else { panic!("{given:?}") };
    assert!(reason.contains("cannot read an order"), "{reason}");
    let given = answer(&*world.journal, &endpoint(), next).await.unwrap();
    assert!(matches!(given, Some(Event::Started { .. })), "{given:?}");
}
