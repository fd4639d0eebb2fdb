//! The control endpoint: the framework's own, which answers while every worker of the user's is busy.
//!
//! The keeper's thread serves it between its other duties, so nothing here waits for anybody: a request is
//! read as it comes, and a reply is sent at once or not at all.

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use super::lifecycle::Lifecycle;
use crate::control::{ERROR, FAILED, MAX_REQUEST_SIZE, PHASE, PROGRESS, Request};
use crate::diagnostics::print;
use crate::fields::Lines;
use crate::platform::{self, AcceptError, AcceptQueue, PollSource, SignalPipe, WakeReason};
use crate::{IpcStream, Phase};

/// How long a request may take to come.
const REQUEST: Duration = Duration::from_secs(1);

/// How many clients may be about to ask. For one more, the one that has taken longest has to go.
const MOST_ASKING: usize = 64;

/// How many clients may wait, for the daemon to be ready or to end.
const MOST_WAITING: usize = 256;

/// How many clients are let in before everybody else is looked after again.
const MOST_AT_ONCE: usize = 16;

/// How long to wait when descriptors or memory have run out.
const EXHAUSTED: Duration = Duration::from_millis(20);

/// How long progress waits to be told after other progress was: whoever tells of each of a million files
/// keeps nobody busy.
const UPDATE_INTERVAL: Duration = Duration::from_millis(20);

/// Where clients of the control endpoint are looked after.
#[derive(Debug)]
pub(super) struct ControlServer {
    listener: Option<AcceptQueue>,
    asking: VecDeque<PendingRequest>,
    waiting: Vec<Waiting>,
    /// Until when nobody is let in.
    full_until: Option<Instant>,
    /// From when on progress may be told.
    next_update: Instant,
    /// When to tell a service manager that the daemon is alive.
    next_watchdog: Option<Instant>,
}

/// A client that has not asked yet, or not to the end.
#[derive(Debug)]
struct PendingRequest {
    stream: IpcStream,
    line: Vec<u8>,
    deadline: Instant,
}

/// A client that has asked, and is told what comes.
#[derive(Debug)]
struct Waiting {
    stream: IpcStream,
    until: Until,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Until {
    Ready,
    Gone,
}

/// What came of hearing a client.
enum Heard {
    /// Not all of its request.
    Part,
    /// Its request, which was answered, and it is gone.
    Done,
    /// A request that takes until something happens.
    Waits(Until),
}

impl ControlServer {
    pub(super) fn new(lifecycle: &Lifecycle) -> Self {
        Self {
            next_watchdog: lifecycle.watchdog().map(|_| Instant::now()),
            listener: None,
            asking: VecDeque::new(),
            waiting: Vec::new(),
            full_until: None,
            next_update: Instant::now(),
        }
    }

    /// Step 5: binds the endpoint, if it is not bound. A daemon whose control endpoint can't be bound serves
    /// all the same: it can still be told to end by a signal.
    pub(super) fn open(&mut self, lifecycle: &Lifecycle) {
        if self.listener.is_some() {
            return;
        }
        match lifecycle.bind_control() {
            Ok(listener) => self.listener = listener,
            Err(error) => print(
                lifecycle.name(),
                format_args!("no control endpoint, so `status` and `stop` get no answer: {error}"),
            ),
        }
    }

    /// Waits for a signal, another thread, or the deadline, and serves clients meanwhile.
    pub(super) fn wait(
        &mut self,
        lifecycle: &Lifecycle,
        signals: &mut SignalPipe,
        deadline: Option<Instant>,
    ) -> io::Result<WakeReason> {
        loop {
            self.send_updates(lifecycle);
            self.notify_watchdog(lifecycle);
            let until = self.next_deadline(lifecycle, deadline);
            let ready = signals.poll(&self.watches(), until)?;
            self.serve(lifecycle, &ready.watched);
            match ready.reason {
                WakeReason::Time | WakeReason::Watched => {
                    if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                        return Ok(WakeReason::Time);
                    }
                }
                reason => return Ok(reason),
            }
        }
    }

    /// When something is to be done here, or there.
    fn next_deadline(&self, lifecycle: &Lifecycle, deadline: Option<Instant>) -> Option<Instant> {
        let overdue = self.asking.front().map(|asking| asking.deadline);
        let news = lifecycle.has_update().then_some(self.next_update);
        [deadline, overdue, self.full_until, news, self.next_watchdog]
            .into_iter()
            .flatten()
            .min()
    }

    fn notify_watchdog(&mut self, lifecycle: &Lifecycle) {
        let now = Instant::now();
        if self.next_watchdog.is_some_and(|at| now >= at) {
            lifecycle.notify_watchdog();
            self.next_watchdog = lifecycle.watchdog().map(|every| now + every);
        }
    }

    /// Those who ask, those who wait, and the listener, in this order.
    fn watches(&self) -> Vec<PollSource<'_>> {
        let asking = self
            .asking
            .iter()
            .map(|one| PollSource::Reading(&one.stream));
        let waiting = self
            .waiting
            .iter()
            .map(|one| PollSource::Ending(&one.stream));
        let listener = self
            .listener
            .as_ref()
            .filter(|_| self.full_until.is_none())
            .map(PollSource::Listener);
        asking.chain(waiting).chain(listener).collect()
    }

    fn serve(&mut self, lifecycle: &Lifecycle, watched: &[bool]) {
        let now = Instant::now();
        if self.full_until.is_some_and(|until| now >= until) {
            self.full_until = None;
        }
        let (asking, rest) = watched.split_at(self.asking.len().min(watched.len()));
        let (waiting, listener) = rest.split_at(self.waiting.len().min(rest.len()));
        let mut gone = waiting.iter();
        self.waiting
            .retain(|_| !gone.next().copied().unwrap_or_default());
        for has_sent in asking {
            let Some(one) = self.asking.pop_front() else {
                break;
            };
            if *has_sent {
                self.hear(lifecycle, one);
            } else if now >= one.deadline {
                refuse(&one.stream, "no request came within a second");
            } else {
                self.asking.push_back(one);
            }
        }
        if listener.first().copied().unwrap_or_default() {
            self.accept_clients(lifecycle);
        }
        lifecycle.set_waiting_clients(self.waiting.len());
    }

    fn accept_clients(&mut self, lifecycle: &Lifecycle) {
        for _ in 0..MOST_AT_ONCE {
            let Some(listener) = &self.listener else {
                return;
            };
            match platform::accept(listener) {
                Ok(stream) => self.welcome(lifecycle, stream),
                Err(error) => {
                    match platform::accept_error(&error) {
                        // Nobody else is there.
                        AcceptError::Over => {}
                        AcceptError::Again => continue,
                        AcceptError::Exhausted | AcceptError::Broken => {
                            if let Some(oldest) = self.asking.pop_front() {
                                refuse(&oldest.stream, BUSY);
                            }
                            self.full_until = Some(Instant::now() + EXHAUSTED);
                        }
                    }
                    return;
                }
            }
        }
    }

    fn welcome(&mut self, lifecycle: &Lifecycle, stream: IpcStream) {
        if platform::set_nonblocking(&stream).is_err() {
            return;
        }
        match platform::foreign_peer(&stream) {
            Ok(None) => {}
            Ok(Some(_)) => return refuse(&stream, "this daemon answers its own user alone"),
            Err(_) => return refuse(&stream, "the system does not say who asks"),
        }
        if self.asking.len() >= MOST_ASKING
            && let Some(oldest) = self.asking.pop_front()
        {
            refuse(&oldest.stream, BUSY);
        }
        let asking = PendingRequest {
            stream,
            line: Vec::new(),
            deadline: Instant::now() + REQUEST,
        };
        // Whoever connects to ask has mostly asked by now.
        self.hear(lifecycle, asking);
    }

    fn hear(&mut self, lifecycle: &Lifecycle, mut one: PendingRequest) {
        match one.hear(lifecycle) {
            Heard::Part => self.asking.push_back(one),
            Heard::Done => {}
            Heard::Waits(until) => self.add_waiter(one.stream, until),
        }
    }

    fn add_waiter(&mut self, stream: IpcStream, until: Until) {
        if self.waiting.len() >= MOST_WAITING {
            // The end comes for all of them; being ready can be asked for again.
            let other = self
                .waiting
                .iter()
                .position(|one| until == Until::Gone && one.until == Until::Ready);
            match other {
                Some(index) => refuse(&self.waiting.swap_remove(index).stream, BUSY),
                None => return refuse(&stream, BUSY),
            }
        }
        self.waiting.push(Waiting { stream, until });
    }

    /// Tells whoever waits what there is to tell, and the launcher, too.
    pub(super) fn send_updates(&mut self, lifecycle: &Lifecycle) {
        let now = Instant::now();
        if now >= self.next_update
            && let Some(progress) = lifecycle.take_update()
        {
            self.next_update = now + UPDATE_INTERVAL;
            lifecycle.send_progress(&progress);
            let mut lines = Lines::default();
            lines.push(PROGRESS, &progress);
            let text = lines.into_string();
            self.waiting
                .retain(|one| one.until == Until::Gone || send(&one.stream, &text));
        }
        let phase = lifecycle.phase();
        if phase >= Phase::Ready {
            let text = arrival(lifecycle, phase);
            self.waiting.retain(|one| {
                if one.until == Until::Ready {
                    send(&one.stream, &text);
                }
                one.until == Until::Gone
            });
        }
        lifecycle.set_waiting_clients(self.waiting.len());
    }
}

const BUSY: &str = "too many clients ask at once; try again";

impl PendingRequest {
    fn hear(&mut self, lifecycle: &Lifecycle) -> Heard {
        let mut bytes = [0_u8; MAX_REQUEST_SIZE];
        let room = MAX_REQUEST_SIZE - self.line.len();
        match platform::receive_nonblocking(&self.stream, &mut bytes[..room]) {
            Ok(0) => {
                if !self.line.is_empty() {
                    refuse(&self.stream, "the request has no end: it is one line");
                }
                Heard::Done
            }
            Ok(length) => {
                self.line.extend_from_slice(&bytes[..length]);
                self.answer(lifecycle)
            }
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                ) =>
            {
                Heard::Part
            }
            Err(_) => Heard::Done,
        }
    }

    fn answer(&self, lifecycle: &Lifecycle) -> Heard {
        let Some(end) = self.line.iter().position(|byte| *byte == b'\n') else {
            if self.line.len() < MAX_REQUEST_SIZE {
                return Heard::Part;
            }
            refuse(&self.stream, "a request has at most 4096 bytes");
            return Heard::Done;
        };
        let line = &self.line[..end];
        match Request::from_line(line) {
            Some(Request::Status) => match lifecycle.status() {
                Some(status) => {
                    send(&self.stream, &(status.to_text() + "\n"));
                }
                None => refuse(&self.stream, "the daemon is gone"),
            },
            Some(Request::WaitReady) => return self.await_ready(lifecycle),
            Some(Request::Stop) => {
                lifecycle.request_stop();
                let mut lines = Lines::default();
                lines.push(PHASE, Phase::Draining.as_str());
                if send(&self.stream, &(lines.into_string() + "\n")) {
                    return Heard::Waits(Until::Gone);
                }
            }
            None => {
                let known = Request::ALL.map(|request| format!("`{}`", request.as_line()));
                let shown = String::from_utf8_lossy(&line[..line.len().min(80)]);
                refuse(
                    &self.stream,
                    &format!("unknown request {shown:?}; known are {}", known.join(", ")),
                );
            }
        }
        Heard::Done
    }

    fn await_ready(&self, lifecycle: &Lifecycle) -> Heard {
        let phase = lifecycle.phase();
        if phase >= Phase::Ready {
            send(&self.stream, &arrival(lifecycle, phase));
            return Heard::Done;
        }
        let mut lines = Lines::default();
        lines.push(PHASE, phase.as_str());
        if let Some(progress) = lifecycle.latest_progress() {
            lines.push(PROGRESS, progress);
        }
        if send(&self.stream, &lines.into_string()) {
            Heard::Waits(Until::Ready)
        } else {
            Heard::Done
        }
    }
}

/// The end of waiting to be ready: it is, or never will be.
fn arrival(lifecycle: &Lifecycle, phase: Phase) -> String {
    let mut lines = Lines::default();
    let why = lifecycle.failure();
    let phase = if why.is_some() { Phase::Failed } else { phase };
    if let Some(why) = why {
        lines.push(FAILED, why);
    }
    lines.push(PHASE, phase.as_str());
    lines.into_string() + "\n"
}

fn refuse(stream: &IpcStream, why: &str) {
    let mut lines = Lines::default();
    lines.push(ERROR, why);
    send(stream, &(lines.into_string() + "\n"));
}

/// Sends all of a text at once. Whoever does not read what it is sent goes without, and without its connection.
fn send(stream: &IpcStream, text: &str) -> bool {
    matches!(platform::send_nonblocking(stream, text.as_bytes()), Ok(length) if length == text.len())
}
