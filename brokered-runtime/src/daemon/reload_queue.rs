//! [`ReloadQueue`]: which reload is requested, which one is under way, and who works on it.
//!
//! The supervisor thread alone begins and ends reloads, so that what it reports about them has their order. The threads
//! of the daemon take part in them through a [`Reloads`](super::Reloads) each.

use std::mem;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use super::latch::wake_tasks;

/// The reloads of a daemon. One is under way at a time, and at most one is requested meanwhile.
#[derive(Debug, Default)]
pub(super) struct ReloadQueue {
    state: Mutex<State>,
    /// Wakes the threads in [`wait`](Self::wait).
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Who has requested the reload that is to begin next.
    request: Option<RequestedBy>,
    /// The number of the reload that has begun last.
    number: u64,
    /// The reload that is under way.
    current: Option<Current>,
    receivers: Vec<Option<Receiver>>,
    /// No reload is given to a receiver any more.
    is_stopped: bool,
    ended: u64,
    /// The reason, if the reload that has ended last was refused.
    refusal: Option<String>,
}

/// Who has requested a reload. A signal has no reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum RequestedBy {
    /// A client of the control endpoint.
    Client,
    /// A signal. Perhaps a client, too.
    Signal,
}

#[derive(Debug)]
struct Current {
    requested_by: RequestedBy,
    began: Instant,
    /// The receivers that have not ended their part.
    remaining: usize,
    /// Whether one of them has begun its part.
    is_taken: bool,
    refusal: Option<String>,
}

/// A part of the daemon that takes part in reloads.
#[derive(Debug, Default)]
struct Receiver {
    /// Whether the reload that is under way is still to be taken.
    has_reload: bool,
    task: Option<Waker>,
}

/// The slot of a receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ReceiverSlot(usize);

/// What the supervisor thread has to report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ReloadEvent {
    /// A reload has begun.
    Began,
    /// A reload has ended.
    Ended {
        number: u64,
        requested_by: RequestedBy,
        took: Duration,
        result: ReloadResult,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ReloadResult {
    Done,
    Refused(String),
    /// There is no receiver, or none has begun its part.
    NotTaken,
}

/// What `status` shows.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ReloadReport {
    pub(super) is_reloading: bool,
    pub(super) ended: u64,
    pub(super) refusal: Option<String>,
}

/// For the supervisor thread.
impl ReloadQueue {
    /// Requests a reload, and returns its number. One that is under way may have read what has changed, so it does not
    /// count: the next one does.
    pub(super) fn request(&self, by: RequestedBy) -> u64 {
        let mut state = self.state();
        state.request = state.request.max(Some(by));
        state.number + 1
    }

    /// Ends the reload that is under way if all receivers have ended their parts. Then begins the requested one, if it
    /// may. To be called until there is no event.
    pub(super) fn advance(&self, may_begin: bool) -> Option<ReloadEvent> {
        let mut state = self.state();
        if let Some(current) = state.current.take_if(|current| current.remaining == 0) {
            return Some(state.end(current));
        }
        if !may_begin || state.is_stopped || state.current.is_some() {
            return None;
        }
        let requested_by = state.request.take()?;
        state.number += 1;
        let mut tasks = Vec::new();
        let mut remaining = 0;
        for receiver in state.receivers.iter_mut().flatten() {
            receiver.has_reload = true;
            tasks.extend(receiver.task.take());
            remaining += 1;
        }
        state.current = Some(Current {
            requested_by,
            began: Instant::now(),
            remaining,
            is_taken: false,
            refusal: None,
        });
        drop(state);
        self.changed.notify_all();
        wake_tasks(tasks);
        Some(ReloadEvent::Began)
    }

    /// The drain begins: all waits end.
    pub(super) fn stop(&self) {
        let mut state = self.state();
        state.is_stopped = true;
        let receivers = state.receivers.iter_mut().flatten();
        let tasks: Vec<Waker> = receivers
            .filter_map(|receiver| receiver.task.take())
            .collect();
        drop(state);
        self.changed.notify_all();
        wake_tasks(tasks);
    }

    pub(super) fn report(&self) -> ReloadReport {
        let state = self.state();
        ReloadReport {
            is_reloading: state.current.is_some(),
            ended: state.ended,
            refusal: state.refusal.clone(),
        }
    }
}

/// For the threads and tasks of the daemon.
impl ReloadQueue {
    /// Adds a receiver. It takes part in the reloads that begin from now on.
    pub(super) fn add_receiver(&self) -> ReceiverSlot {
        let mut state = self.state();
        let free = state.receivers.iter().position(Option::is_none);
        let slot = free.unwrap_or_else(|| {
            state.receivers.push(None);
            state.receivers.len() - 1
        });
        state.receivers[slot] = Some(Receiver::default());
        ReceiverSlot(slot)
    }

    /// Removes a receiver. A reload that it has not taken does not wait for it.
    pub(super) fn remove_receiver(&self, slot: ReceiverSlot) {
        let mut state = self.state();
        let receiver = state.receivers.get_mut(slot.0).and_then(Option::take);
        if let Some(receiver) = &receiver
            && receiver.has_reload
            && let Some(current) = &mut state.current
        {
            current.remaining -= 1;
        }
        drop(state);
        // Last, because a waker is code of the executor.
        drop(receiver);
    }

    /// Takes the reload that is under way. `Ready(false)` once the daemon shuts down.
    pub(super) fn try_take(&self, slot: ReceiverSlot) -> Poll<bool> {
        self.state().take(slot)
    }

    /// The same, and blocks until there is a reload. Returns false once the daemon shuts down.
    pub(super) fn wait(&self, slot: ReceiverSlot) -> bool {
        let mut state = self.state();
        loop {
            if let Poll::Ready(taken) = state.take(slot) {
                return taken;
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The same for a task, which is woken later.
    pub(super) fn poll_take(&self, slot: ReceiverSlot, context: &mut Context<'_>) -> Poll<bool> {
        // Cloned without the lock held, because a waker is code of the executor.
        let waker = context.waker().clone();
        let mut state = self.state();
        let polled = state.take(slot);
        let unused = match (polled, state.receiver(slot)) {
            (Poll::Pending, Some(receiver)) => receiver.task.replace(waker),
            _ => Some(waker),
        };
        drop(state);
        drop(unused);
        polled
    }

    /// Ends the part of one receiver, with the reason if it refuses what has changed.
    pub(super) fn end_part(&self, refusal: Option<String>) {
        if let Some(current) = &mut self.state().current {
            current.remaining -= 1;
            if current.refusal.is_none() {
                current.refusal = refusal;
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn receiver(&mut self, slot: ReceiverSlot) -> Option<&mut Receiver> {
        self.receivers.get_mut(slot.0)?.as_mut()
    }

    fn take(&mut self, slot: ReceiverSlot) -> Poll<bool> {
        if self.is_stopped {
            return Poll::Ready(false);
        }
        let receiver = self.receiver(slot);
        if !receiver.is_some_and(|receiver| mem::take(&mut receiver.has_reload)) {
            return Poll::Pending;
        }
        if let Some(current) = &mut self.current {
            current.is_taken = true;
        }
        Poll::Ready(true)
    }

    fn end(&mut self, current: Current) -> ReloadEvent {
        let result = match current.refusal {
            Some(reason) => ReloadResult::Refused(reason),
            None if current.is_taken => ReloadResult::Done,
            None => ReloadResult::NotTaken,
        };
        if result != ReloadResult::NotTaken {
            self.ended += 1;
            self.refusal = match &result {
                ReloadResult::Refused(reason) => Some(reason.clone()),
                _ => None,
            };
        }
        ReloadEvent::Ended {
            number: self.number,
            requested_by: current.requested_by,
            took: current.began.elapsed(),
            result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;
    use std::thread;

    /// The events, each as its number and result. `None` stands for a beginning.
    fn advance(queue: &ReloadQueue) -> Vec<Option<(u64, ReloadResult)>> {
        let mut events = Vec::new();
        while let Some(event) = queue.advance(true) {
            events.push(match event {
                ReloadEvent::Began => None,
                ReloadEvent::Ended { number, result, .. } => Some((number, result)),
            });
        }
        events
    }

    const TAKEN: Poll<bool> = Poll::Ready(true);

    #[test]
    fn a_request_during_a_reload_leads_to_exactly_one_more() {
        let queue = ReloadQueue::default();
        let slot = queue.add_receiver();
        assert_eq!(queue.request(RequestedBy::Client), 1);
        assert_eq!(advance(&queue), [None]);
        assert_eq!(queue.try_take(slot), TAKEN);
        assert_eq!(queue.try_take(slot), Poll::Pending, "taken once");
        assert_eq!(queue.request(RequestedBy::Signal), 2);
        assert_eq!(queue.request(RequestedBy::Client), 2);
        assert_eq!(advance(&queue), [], "the first one is under way");
        assert_eq!(queue.try_take(slot), Poll::Pending);
        queue.end_part(None);
        assert_eq!(advance(&queue), [Some((1, ReloadResult::Done)), None]);
        assert_eq!(queue.try_take(slot), TAKEN);
        queue.end_part(None);
        assert_eq!(advance(&queue), [Some((2, ReloadResult::Done))]);
        assert_eq!(advance(&queue), []);
    }

    #[test]
    fn a_reload_ends_when_all_receivers_have_ended_their_parts() {
        let queue = ReloadQueue::default();
        let slots = [queue.add_receiver(), queue.add_receiver()];
        queue.request(RequestedBy::Client);
        assert_eq!(advance(&queue), [None]);
        let late = queue.add_receiver();
        assert_eq!(queue.try_take(late), Poll::Pending, "it has begun before");
        assert_eq!(queue.try_take(slots[0]), TAKEN);
        queue.end_part(Some("first".to_owned()));
        assert_eq!(advance(&queue), []);
        assert_eq!(queue.try_take(slots[1]), TAKEN);
        queue.end_part(Some("second".to_owned()));
        let refused = ReloadResult::Refused("first".to_owned());
        assert_eq!(advance(&queue), [Some((1, refused))]);
        let report = queue.report();
        assert_eq!(
            (report.ended, report.refusal.as_deref()),
            (1, Some("first"))
        );
    }

    #[test]
    fn a_reload_does_not_wait_for_a_removed_receiver() {
        let queue = ReloadQueue::default();
        let slots = [queue.add_receiver(), queue.add_receiver()];
        queue.request(RequestedBy::Signal);
        assert_eq!(advance(&queue), [None]);
        assert_eq!(queue.try_take(slots[0]), TAKEN);
        // Its part continues.
        queue.remove_receiver(slots[0]);
        assert_eq!(advance(&queue), []);
        queue.remove_receiver(slots[1]);
        assert_eq!(advance(&queue), []);
        queue.end_part(None);
        assert_eq!(advance(&queue), [Some((1, ReloadResult::Done))]);
        queue.request(RequestedBy::Signal);
        assert_eq!(advance(&queue), [None, Some((2, ReloadResult::NotTaken))]);
        let slot = queue.add_receiver();
        queue.request(RequestedBy::Signal);
        assert_eq!(advance(&queue), [None]);
        queue.remove_receiver(slot);
        assert_eq!(advance(&queue), [Some((3, ReloadResult::NotTaken))]);
        assert_eq!(queue.report().ended, 1);
    }

    #[test]
    fn a_request_is_kept_until_a_reload_may_begin() {
        let queue = ReloadQueue::default();
        let slot = queue.add_receiver();
        queue.request(RequestedBy::Signal);
        assert_eq!(queue.advance(false), None);
        assert_eq!(queue.try_take(slot), Poll::Pending);
        assert_eq!(advance(&queue), [None]);
        assert_eq!(queue.try_take(slot), TAKEN);
    }

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn threads_and_tasks_are_woken_by_a_reload_and_by_the_end() {
        let queue = Arc::new(ReloadQueue::default());
        let (task, thread) = (queue.add_receiver(), queue.add_receiver());
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        let mut context = Context::from_waker(&waker);
        let waiting = thread::spawn({
            let queue = Arc::clone(&queue);
            move || {
                let mut taken = 0;
                while queue.wait(thread) {
                    taken += 1;
                    queue.end_part(None);
                }
                taken
            }
        });
        assert_eq!(queue.poll_take(task, &mut context), Poll::Pending);
        assert_eq!(queue.poll_take(task, &mut context), Poll::Pending);
        queue.request(RequestedBy::Client);
        assert_eq!(advance(&queue), [None]);
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
        assert_eq!(queue.poll_take(task, &mut context), TAKEN);
        queue.end_part(None);
        while advance(&queue).is_empty() {
            thread::yield_now();
        }
        assert_eq!(queue.poll_take(task, &mut context), Poll::Pending);
        queue.stop();
        assert_eq!(count.0.load(Ordering::SeqCst), 2);
        assert_eq!(queue.poll_take(task, &mut context), Poll::Ready(false));
        assert_eq!(waiting.join().expect("the thread ends"), 1);
    }
}
