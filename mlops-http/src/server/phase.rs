//! What a connection is doing right now, and when it has been doing that for too long.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Shared by the socket (which sees bytes), the service (which sees requests) and the task that
/// watches the deadlines.
#[derive(Debug)]
pub(super) struct Phase(Mutex<State>);

#[derive(Debug)]
struct State {
    /// Since when no request is under way; for one that is arriving, since its first byte.
    since: Instant,
    arriving: Arriving,
    /// Requests between the end of their head and the end of their answer.
    busy: usize,
    /// Some of an answer may still be in the buffers of the protocol.
    unflushed: bool,
    /// A request's body was left unread.
    unread: bool,
    multiplexed: bool,
    /// Answers of which a part is ready that their client has left no room for.
    owed: usize,
    /// When a part of an answer last went on its way.
    moved: Instant,
}

/// How long each phase may last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadlines {
    /// From the first byte of a head to its last.
    pub(super) header: Duration,
    /// Between two requests.
    pub(super) idle: Duration,
    /// Without a byte taken of an answer that is ready.
    pub(super) write: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Arriving {
    /// The first head of the connection, of which nothing has come.
    First,
    /// Nothing is.
    Nothing,
    /// A head, of which some has come.
    Head,
}

/// More bytes than this, written at once, hold a part of an answer.
const CONTROL_BYTES: usize = 64;

/// When a connection has to be looked at again, or that it is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    LookAgain(Instant),
    /// No request came in time.
    Idle,
    /// A part of a head came, but not all of it in time.
    HalfSent,
    /// Answers are ready, and the client takes nothing of them.
    Stuck,
}

impl Phase {
    pub(super) fn new(now: Instant) -> Self {
        Self(Mutex::new(State {
            since: now,
            arriving: Arriving::First,
            busy: 0,
            unflushed: false,
            unread: false,
            multiplexed: false,
            owed: 0,
            moved: now,
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change is a plain assignment: a panic can't leave half of one.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// HTTP/2: bytes arrive at any time, and say nothing about requests.
    pub(super) fn multiplex(&self) {
        let mut state = self.state();
        (state.multiplexed, state.arriving) = (true, Arriving::Nothing);
    }

    /// Bytes came in.
    pub(super) fn read(&self, now: Instant) {
        let mut state = self.state();
        if state.busy > 0 || state.multiplexed {
            return;
        }
        match state.arriving {
            Arriving::Head => {}
            Arriving::First => state.arriving = Arriving::Head,
            Arriving::Nothing => (state.arriving, state.since) = (Arriving::Head, now),
        }
    }

    /// A request's head is complete.
    pub(super) fn begin(&self) {
        let mut state = self.state();
        state.busy += 1;
        state.arriving = Arriving::Nothing;
    }

    /// A request's answer is complete, or will never be.
    pub(super) fn end(&self, now: Instant) {
        let mut state = self.state();
        state.busy = state.busy.saturating_sub(1);
        (state.unflushed, state.since) = (true, now);
    }

    /// So many bytes went out. Where answers share a connection, some of them may still be on their
    /// way after the service is done with them; a few bytes are pings and the like.
    pub(super) fn wrote(&self, bytes: usize, now: Instant) {
        let mut state = self.state();
        if state.multiplexed && bytes > CONTROL_BYTES {
            (state.since, state.moved) = (now, now);
        }
    }

    /// A part of an answer was handed to the protocol, which asks for the next once this one is on its way: on
    /// HTTP/2 not before the client has left room for it, which the socket sees nothing of.
    pub(super) fn owe(&self, now: Instant) {
        let mut state = self.state();
        state.owed += 1;
        state.moved = now;
    }

    /// That part is on its way, or never will be.
    pub(super) fn settle(&self) {
        let mut state = self.state();
        state.owed = state.owed.saturating_sub(1);
    }

    /// All that was written is with the kernel.
    pub(super) fn flushed(&self) {
        self.state().unflushed = false;
    }

    pub(super) fn leave_unread(&self) {
        self.state().unread = true;
    }

    pub(super) fn unread(&self) -> bool {
        self.state().unread
    }

    /// Whether a head is arriving.
    pub(super) fn half_sent(&self) -> bool {
        let state = self.state();
        state.busy == 0 && state.arriving == Arriving::Head
    }

    /// Whether nothing that a service has answered can be on its way out.
    pub(super) fn silent(&self) -> bool {
        let state = self.state();
        state.busy == 0 && !state.unflushed && !state.multiplexed
    }

    pub(super) fn judge(&self, now: Instant, deadlines: Deadlines) -> Verdict {
        let state = self.state();
        if state.multiplexed && state.owed > 0 {
            // A deadline beyond what the clock can hold is none.
            let end = state.moved.checked_add(deadlines.write);
            if end.is_some_and(|end| end <= now) {
                return Verdict::Stuck;
            }
        }
        if state.busy > 0 || state.unflushed {
            // Looking again from time to time is cheaper than a wake-up at each end of a request,
            // and late by a quarter of the shortest deadline at most.
            let shortest = deadlines.header.min(deadlines.idle).min(deadlines.write);
            return Verdict::LookAgain(now + (shortest / 4).max(Duration::from_millis(1)));
        }
        let (allowed, over) = match state.arriving {
            Arriving::First => (deadlines.header, Verdict::Idle),
            Arriving::Head => (deadlines.header, Verdict::HalfSent),
            Arriving::Nothing => (deadlines.idle, Verdict::Idle),
        };
        match state.since.checked_add(allowed) {
            Some(end) if end <= now => over,
            Some(end) => Verdict::LookAgain(end),
            None => Verdict::LookAgain(now + Duration::from_secs(3600)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Duration = Duration::from_secs(60);
    const DEADLINES: Deadlines =
        Deadlines { header: Duration::from_secs(10), idle: IDLE, write: Duration::from_secs(30) };

    fn at(phase: &Phase, now: Instant) -> Verdict {
        phase.judge(now, DEADLINES)
    }

    #[test]
    fn each_phase_has_its_deadline() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let phase = Phase::new(start);
        assert_eq!(at(&phase, start), Verdict::LookAgain(after(10)));
        assert_eq!(at(&phase, after(10)), Verdict::Idle);
        phase.read(after(4));
        assert_eq!(at(&phase, after(10)), Verdict::HalfSent, "counted from the accept");
        phase.begin();
        assert!(matches!(at(&phase, after(500)), Verdict::LookAgain(_)));
        phase.end(after(500));
        assert!(matches!(at(&phase, after(900)), Verdict::LookAgain(_)), "not flushed");
        phase.flushed();
        assert_eq!(at(&phase, after(500)), Verdict::LookAgain(after(560)));
        assert_eq!(at(&phase, after(560)), Verdict::Idle);
        phase.read(after(520));
        phase.read(after(529));
        assert_eq!(
            at(&phase, after(529)),
            Verdict::LookAgain(after(530)),
            "counted from its first byte"
        );
        assert_eq!(at(&phase, after(530)), Verdict::HalfSent);
    }

    #[test]
    fn bytes_of_http2_are_no_heads() {
        let start = Instant::now();
        let phase = Phase::new(start);
        phase.multiplex();
        phase.read(start);
        assert!(!phase.half_sent());
        assert_eq!(at(&phase, start), Verdict::LookAgain(start + IDLE));
    }

    #[test]
    fn a_client_of_http2_that_takes_nothing_of_what_is_ready_is_given_up() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let waits = |phase: &Phase, now| matches!(at(phase, now), Verdict::LookAgain(_));
        let phase = Phase::new(start);
        phase.multiplex();
        phase.begin();
        assert!(waits(&phase, after(500)), "the handler takes its time");
        phase.owe(after(500));
        assert!(waits(&phase, after(529)));
        phase.wrote(17, after(529));
        assert_eq!(at(&phase, after(530)), Verdict::Stuck, "a ping is no answer");
        phase.wrote(1000, after(529));
        assert!(waits(&phase, after(558)));
        phase.settle();
        assert!(waits(&phase, after(900)), "the next part is the handler's to make");
        phase.owe(after(900));
        phase.owe(after(910));
        phase.settle();
        assert_eq!(at(&phase, after(940)), Verdict::Stuck, "another is still owed");
    }

    #[test]
    fn a_client_of_http1_is_watched_by_its_socket() {
        let start = Instant::now();
        let phase = Phase::new(start);
        phase.begin();
        phase.owe(start);
        let late = start + Duration::from_secs(500);
        assert!(matches!(at(&phase, late), Verdict::LookAgain(_)));
    }

    #[test]
    fn a_connection_is_silent_only_when_all_answers_are_flushed() {
        let start = Instant::now();
        let phase = Phase::new(start);
        assert!(phase.silent());
        phase.begin();
        assert!(!phase.silent());
        phase.end(start);
        assert!(!phase.silent());
        phase.flushed();
        assert!(phase.silent());
    }
}
