//! Whatever an observation does, the answer is the service's.

use std::future::{Ready, pending, ready};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use ::tower::{Layer, Service, service_fn};

use super::*;
use crate::error::Error;

/// Gathers numbers, and publishes them into a list.
#[derive(Debug)]
struct Gather {
    own: Vec<u32>,
    published: Arc<Mutex<Vec<u32>>>,
}

impl Publish for Gather {
    fn publish(&mut self) {
        self.published.lock().unwrap().append(&mut self.own);
    }
}

type Published = Arc<Mutex<Vec<u32>>>;

fn observer(handles: usize) -> (Arc<Observer<Gather>>, Published) {
    let published = Published::default();
    let gather = || Gather { own: Vec::new(), published: Arc::clone(&published) };
    (Arc::new(Observer::new((0..handles).map(|_| gather()))), published)
}

fn poll<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// Doubles even numbers and refuses odd ones.
fn double(number: u32) -> Ready<Result<u32, String>> {
    ready(if number.is_multiple_of(2) { Ok(2 * number) } else { Err(format!("{number} is odd")) })
}

/// Adds request and answer; 4 is an error, 6 a panic.
fn note(handle: &mut Gather, request: u32, answer: Result<&u32, &String>) -> crate::Result<()> {
    match request {
        4 => Err(Error::invalid("four")),
        6 => panic!("six"),
        _ => {
            handle.own.push(request * 1000 + answer.copied().unwrap_or(999));
            Ok(())
        }
    }
}

fn look(request: &u32) -> u32 {
    assert_ne!(*request, 8, "eight");
    *request
}

#[test]
fn errors_and_panics_of_observation_are_counted_and_change_no_answer() {
    let (observer, published) = observer(2);
    let layer = ObserveLayer::new(Arc::clone(&observer), look, note);
    let mut service = layer.layer(service_fn(double));
    for number in [2, 3, 4, 6, 8, 10] {
        let expected = poll(double(number));
        assert!(service.poll_ready(&mut Context::from_waker(Waker::noop())).is_ready());
        assert_eq!(poll(service.clone().call(number)), expected, "{number}");
    }
    let counts = observer.counts();
    assert_eq!((counts.observed, counts.failed, counts.panicked), (3, 1, 2));
    assert_eq!((counts.busy, counts.abandoned), (0, 0));
    assert!(published.lock().unwrap().is_empty());
    observer.publish();
    let mut seen = std::mem::take(&mut *published.lock().unwrap());
    seen.sort_unstable();
    assert_eq!(seen, [2004, 3999, 10_020]);
}

#[test]
fn a_request_that_is_given_up_is_counted() {
    let (observer, _) = observer(1);
    let layer = ObserveLayer::new(Arc::clone(&observer), look, note);
    let mut service = layer.layer(service_fn(|_: u32| pending::<Result<u32, String>>()));
    assert!(poll(service.call(2)).is_pending());
    assert_eq!(observer.counts().abandoned, 1);
}

#[test]
fn nobody_waits_for_a_handle() {
    let (observer, published) = observer(3);
    let add = |handle: &mut Gather, number| {
        handle.own.push(number);
        Ok(())
    };
    // While one is in use the next one is taken, and with none left nothing is done.
    observer.observe(|first| {
        observer.observe(|second| {
            observer.observe(|third| {
                observer.observe(|_| panic!("there is no fourth handle"));
                add(third, 3)
            });
            add(second, 2)
        });
        add(first, 1)
    });
    assert_eq!((observer.counts().observed, observer.counts().busy), (3, 1));
    observer.publish();
    assert_eq!(published.lock().unwrap().len(), 3);
    let (none, _) = self::observer(0);
    none.observe(|_| Ok(()));
    assert_eq!(none.counts().busy, 1);
}

#[test]
fn what_many_threads_observe_is_published_or_counted() {
    let (observer, published) = observer(3);
    std::thread::scope(|scope| {
        for worker in 0..4 {
            let observer = &observer;
            scope.spawn(move || {
                for round in 0..500 {
                    observer.observe(|handle| {
                        handle.own.push(worker * 500 + round);
                        Ok(())
                    });
                }
            });
        }
        (0..20).for_each(|_| observer.publish());
    });
    observer.publish();
    let counts = observer.counts();
    assert_eq!(counts.observed + counts.busy, 2_000);
    let mut seen = published.lock().unwrap().clone();
    assert_eq!(seen.len() as u64, counts.observed);
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len() as u64, counts.observed, "nothing is published twice");
}
