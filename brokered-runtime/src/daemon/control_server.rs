//! Step 5: the control server, which answers on the control endpoint even while all threads of the daemon are busy.
//!
//! The supervisor thread runs it beside its other tasks, so nothing here blocks: a request is read as it arrives, and a
//! reply is sent at once or not at all.

use std::collections::VecDeque;
use std::io;
use std::mem;
use std::time::{Duration, Instant};

use super::bounded_print::print_with_timeout;
use super::lifecycle::Lifecycle;
use super::reload_queue::{ReloadResult, RequestedBy};
use crate::control::{
    ERROR, FAILED, MAX_REQUEST_SIZE, PHASE, PROGRESS, RELOAD, RELOAD_DONE, RELOAD_NOT_TAKEN,
    RELOAD_REASON, RELOAD_REFUSED, RELOAD_TOOK, Request, UNKNOWN_REQUEST,
};
use crate::fields::Lines;
use crate::platform::{self, AcceptError, AcceptQueue, PollSource, SignalPoller, WakeReason};
use crate::{IpcStream, Phase};

/// How long a client may take to send its request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(1);

/// How many clients may be sending a request. One more replaces the one that has taken longest.
const MAX_PENDING_REQUESTS: usize = 64;

/// How many clients may wait for readiness or for the end.
const MAX_WAITERS: usize = 256;

/// How many clients are accepted at once, before other tasks have their turn.
const MAX_ACCEPTS_AT_ONCE: usize = 16;

/// How long to accept no client after descriptors or memory have run out.
const EXHAUSTED_TIMEOUT: Duration = Duration::from_millis(20);

/// The shortest time between two progress updates. A daemon can set its progress far more often, at no cost to clients.
const UPDATE_INTERVAL: Duration = Duration::from_millis(20);

/// The control endpoint and its clients.
#[derive(Debug)]
pub(super) struct ControlServer {
    listener: Option<AcceptQueue>,
    /// Whether the last attempt to bind it has failed. The reason is printed once.
    bind_failed: bool,
    /// The clients that are sending a request, oldest first.
    pending: VecDeque<PendingRequest>,
    waiters: Vec<Waiter>,
    /// Until when no client is accepted.
    exhausted_until: Option<Instant>,
    /// Whether a client has requested a reload that the supervisor thread does not know of yet.
    has_reload_request: bool,
    /// When the next progress update may be sent.
    next_update: Instant,
    /// When to notify the watchdog of the service manager.
    next_watchdog: Option<Instant>,
}

/// A client whose request is not complete yet.
#[derive(Debug)]
struct PendingRequest {
    stream: IpcStream,
    line: Vec<u8>,
    deadline: Instant,
}

/// A client whose connection stays open until an event.
#[derive(Debug)]
struct Waiter {
    stream: IpcStream,
    until: Until,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Until {
    /// The daemon is ready, or never will be.
    Ready,
    /// The process has ended. The kernel closes the connection then.
    End,
    /// The reload of this number has ended, or never will.
    Reload(u64),
}

/// What remains to be done for a client.
enum Next {
    /// Read the rest of its request.
    Read,
    /// Nothing: close the connection.
    Close,
    /// Keep the connection open.
    Wait(Until),
}

impl ControlServer {
    pub(super) fn new(lifecycle: &Lifecycle) -> Self {
        Self {
            next_watchdog: lifecycle.watchdog_interval().map(|_| Instant::now()),
            listener: None,
            bind_failed: false,
            pending: VecDeque::new(),
            waiters: Vec::new(),
            exhausted_until: None,
            has_reload_request: false,
            next_update: Instant::now(),
        }
    }

    /// Binds the control endpoint, unless it is bound. A daemon without one serves all the same: a signal can end it.
    pub(super) fn open(&mut self, lifecycle: &Lifecycle) {
        if self.listener.is_some() {
            return;
        }
        match lifecycle.bind_control() {
            Ok(listener) => {
                self.listener = listener;
                if self.listener.is_some() {
                    lifecycle.descriptors().open();
                }
            }
            Err(_) if self.bind_failed => {}
            Err(error) => {
                self.bind_failed = true;
                print_with_timeout(
                    lifecycle.name(),
                    format_args!(
                        "no control endpoint, so `status` and `stop` cannot reach this daemon: {error}"
                    ),
                );
            }
        }
    }

    /// Waits for a signal, another thread or the deadline, and serves clients meanwhile.
    pub(super) fn wait(
        &mut self,
        lifecycle: &Lifecycle,
        signals: &mut SignalPoller,
        deadline: Option<Instant>,
    ) -> io::Result<WakeReason> {
        loop {
            self.send_updates(lifecycle);
            self.notify_watchdog(lifecycle);
            // A client may have left a descriptor.
            lifecycle.descriptors().fill();
            let until = self.next_deadline(lifecycle, deadline);
            let polled = signals.poll(&self.poll_sources(), until)?;
            self.serve(lifecycle, &polled.ready);
            match polled.reason {
                WakeReason::Deadline | WakeReason::Source => {
                    if mem::take(&mut self.has_reload_request) {
                        return Ok(WakeReason::Thread);
                    }
                    if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                        return Ok(WakeReason::Deadline);
                    }
                }
                reason => return Ok(reason),
            }
        }
    }

    /// When there is something to do without an event: the earliest of all deadlines.
    fn next_deadline(&self, lifecycle: &Lifecycle, deadline: Option<Instant>) -> Option<Instant> {
        let request = self.pending.front().map(|request| request.deadline);
        let has_update = lifecycle.report().has_update();
        [
            deadline,
            request,
            self.exhausted_until,
            has_update.then_some(self.next_update),
            self.next_watchdog,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn notify_watchdog(&mut self, lifecycle: &Lifecycle) {
        let now = Instant::now();
        if self.next_watchdog.is_some_and(|at| now >= at) {
            lifecycle.notify_watchdog();
            self.next_watchdog = lifecycle.watchdog_interval().map(|interval| now + interval);
        }
    }

    /// The pending requests, the waiters and the listener, in this order.
    fn poll_sources(&self) -> Vec<PollSource<'_>> {
        let pending = self
            .pending
            .iter()
            .map(|request| PollSource::Readable(&request.stream));
        let waiters = self
            .waiters
            .iter()
            .map(|waiter| PollSource::HangUp(&waiter.stream));
        let listener = self
            .listener
            .as_ref()
            .filter(|_| self.exhausted_until.is_none())
            .map(PollSource::Listener);
        pending.chain(waiters).chain(listener).collect()
    }

    /// Serves the clients that have an event, in the order of [`poll_sources`](Self::poll_sources).
    fn serve(&mut self, lifecycle: &Lifecycle, has_event: &[bool]) {
        let now = Instant::now();
        if self.exhausted_until.is_some_and(|until| now >= until) {
            self.exhausted_until = None;
        }
        let (pending, rest) = has_event.split_at(self.pending.len().min(has_event.len()));
        let (waiters, listener) = rest.split_at(self.waiters.len().min(rest.len()));
        let mut has_ended = waiters.iter();
        self.waiters
            .retain(|_| !has_ended.next().copied().unwrap_or_default());
        for has_sent in pending {
            let Some(request) = self.pending.pop_front() else {
                break;
            };
            if *has_sent {
                self.read(lifecycle, request);
            } else if now >= request.deadline {
                send_error(&request.stream, "no request came within a second");
            } else {
                self.pending.push_back(request);
            }
        }
        if listener.first().copied().unwrap_or_default() {
            self.accept_clients(lifecycle);
        }
        lifecycle.set_waiting_clients(self.waiters.len());
    }

    fn accept_clients(&mut self, lifecycle: &Lifecycle) {
        for _ in 0..MAX_ACCEPTS_AT_ONCE {
            let Some(listener) = &self.listener else {
                return;
            };
            let accept = || platform::accept(listener);
            match lifecycle.descriptors().retry(|error| error, accept) {
                Ok(stream) => self.add_client(lifecycle, stream),
                Err(error) => {
                    match platform::accept_error(&error) {
                        // No further client waits.
                        AcceptError::ShutDown => {}
                        AcceptError::Retry => continue,
                        AcceptError::Exhausted | AcceptError::Broken => {
                            self.make_room();
                            self.exhausted_until = Some(Instant::now() + EXHAUSTED_TIMEOUT);
                        }
                    }
                    return;
                }
            }
        }
    }

    /// Disconnects the client that loses least. One that waits for the end comes last: it has sent `stop` already, but
    /// does not learn of the end.
    fn make_room(&mut self) {
        if let Some(oldest) = self.pending.pop_front() {
            return send_error(&oldest.stream, BUSY);
        }
        let replaceable = self
            .waiters
            .iter()
            .position(|waiter| waiter.until != Until::End);
        if !self.waiters.is_empty() {
            let oldest = self.waiters.swap_remove(replaceable.unwrap_or_default());
            send_error(&oldest.stream, BUSY);
        }
    }

    /// Admits a client of the daemon's own user.
    fn add_client(&mut self, lifecycle: &Lifecycle, stream: IpcStream) {
        if platform::set_nonblocking(&stream).is_err() {
            return;
        }
        match platform::foreign_peer(&stream, None) {
            Ok(None) => {}
            Ok(Some(_)) => return send_error(&stream, "this daemon answers only its own user"),
            Err(_) => {
                return send_error(&stream, "the system does not report the user of the client");
            }
        }
        if self.pending.len() >= MAX_PENDING_REQUESTS
            && let Some(oldest) = self.pending.pop_front()
        {
            send_error(&oldest.stream, BUSY);
        }
        let request = PendingRequest {
            stream,
            line: Vec::new(),
            deadline: Instant::now() + REQUEST_TIMEOUT,
        };
        // Most clients have sent their request by now.
        self.read(lifecycle, request);
    }

    fn read(&mut self, lifecycle: &Lifecycle, mut request: PendingRequest) {
        match request.read(lifecycle) {
            Next::Read => self.pending.push_back(request),
            Next::Close => {}
            Next::Wait(until) => {
                self.has_reload_request |= matches!(until, Until::Reload(_));
                self.add_waiter(request.stream, until);
            }
        }
    }

    fn add_waiter(&mut self, stream: IpcStream, until: Until) {
        if self.waiters.len() >= MAX_WAITERS {
            // A client that waits for readiness or a reload can ask again; one that waits for the end has sent `stop`
            // already.
            let replaceable = self
                .waiters
                .iter()
                .position(|waiter| until == Until::End && waiter.until != Until::End);
            match replaceable {
                Some(index) => send_error(&self.waiters.swap_remove(index).stream, BUSY),
                None => return send_error(&stream, BUSY),
            }
        }
        self.waiters.push(Waiter { stream, until });
    }

    /// Sends progress to the waiters and to the starter, and a reply to the waiters for readiness once it is decided.
    pub(super) fn send_updates(&mut self, lifecycle: &Lifecycle) {
        let now = Instant::now();
        if now >= self.next_update
            && let Some(progress) = lifecycle.report().take_update()
        {
            self.next_update = now + UPDATE_INTERVAL;
            lifecycle.send_progress(&progress);
            let mut lines = Lines::default();
            lines.push(PROGRESS, &progress);
            let text = lines.into_string();
            self.waiters
                .retain(|waiter| waiter.until != Until::Ready || send(&waiter.stream, &text));
        }
        let phase = lifecycle.phase();
        if phase >= Phase::Ready {
            let text = ready_reply(lifecycle, phase);
            self.waiters.retain(|waiter| {
                let is_decided = match waiter.until {
                    Until::Ready => true,
                    // No reload begins any more.
                    Until::Reload(_) => phase > Phase::Ready,
                    Until::End => false,
                };
                if is_decided {
                    send(&waiter.stream, &text);
                }
                !is_decided
            });
        }
        lifecycle.set_waiting_clients(self.waiters.len());
    }

    /// Sends the result of a reload to the clients that wait for it.
    pub(super) fn reply_to_reload(
        &mut self,
        lifecycle: &Lifecycle,
        number: u64,
        took: Duration,
        result: &ReloadResult,
    ) {
        let mut lines = Lines::default();
        match result {
            ReloadResult::Done => lines.push(RELOAD, RELOAD_DONE),
            ReloadResult::Refused(reason) => lines
                .push(RELOAD, RELOAD_REFUSED)
                .push(RELOAD_REASON, reason),
            ReloadResult::NotTaken => lines.push(RELOAD, RELOAD_NOT_TAKEN),
        };
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        lines.push_number(RELOAD_TOOK, took);
        let text = lines.into_string() + "\n";
        self.waiters.retain(|waiter| {
            let waits = waiter.until == Until::Reload(number);
            if waits {
                send(&waiter.stream, &text);
            }
            !waits
        });
        lifecycle.set_waiting_clients(self.waiters.len());
    }
}

const BUSY: &str = "too many requests at once; try again";

impl PendingRequest {
    /// Reads what has arrived, and answers a complete request.
    fn read(&mut self, lifecycle: &Lifecycle) -> Next {
        let mut bytes = [0_u8; MAX_REQUEST_SIZE];
        let room = MAX_REQUEST_SIZE - self.line.len();
        match platform::receive_nonblocking(&self.stream, &mut bytes[..room]) {
            Ok(0) => {
                if !self.line.is_empty() {
                    send_error(&self.stream, "the request does not end with a newline");
                }
                Next::Close
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
                Next::Read
            }
            Err(_) => Next::Close,
        }
    }

    fn answer(&self, lifecycle: &Lifecycle) -> Next {
        let Some(end) = self.line.iter().position(|byte| *byte == b'\n') else {
            if self.line.len() < MAX_REQUEST_SIZE {
                return Next::Read;
            }
            send_error(&self.stream, "a request has at most 4096 bytes");
            return Next::Close;
        };
        let line = &self.line[..end];
        match Request::from_line(line) {
            Some(Request::Status) => match lifecycle.status() {
                Some(status) => {
                    send(&self.stream, &(status.to_text() + "\n"));
                }
                None => send_error(&self.stream, "the daemon has ended"),
            },
            Some(Request::WaitReady) => return self.await_ready(lifecycle),
            Some(Request::Stop) => {
                lifecycle.request_stop();
                let mut lines = Lines::default();
                lines.push(PHASE, Phase::Draining.as_str());
                if send(&self.stream, &(lines.into_string() + "\n")) {
                    return Next::Wait(Until::End);
                }
            }
            Some(Request::Reload) => return self.request_reload(lifecycle),
            None => {
                let known = Request::ALL.map(|request| format!("`{}`", request.as_line()));
                let shown = String::from_utf8_lossy(&line[..line.len().min(80)]);
                send_error(
                    &self.stream,
                    &format!(
                        "{UNKNOWN_REQUEST}{shown:?}; the requests are {}",
                        known.join(", ")
                    ),
                );
            }
        }
        Next::Close
    }

    fn request_reload(&self, lifecycle: &Lifecycle) -> Next {
        let phase = lifecycle.phase();
        if phase > Phase::Ready {
            send(&self.stream, &ready_reply(lifecycle, phase));
            return Next::Close;
        }
        let number = lifecycle.request_reload(RequestedBy::Client);
        let mut lines = Lines::default();
        lines.push(PHASE, phase.as_str());
        // The request counts even if its sender has gone.
        send(&self.stream, &lines.into_string());
        Next::Wait(Until::Reload(number))
    }

    fn await_ready(&self, lifecycle: &Lifecycle) -> Next {
        let phase = lifecycle.phase();
        if phase >= Phase::Ready {
            send(&self.stream, &ready_reply(lifecycle, phase));
            return Next::Close;
        }
        let mut lines = Lines::default();
        lines.push(PHASE, phase.as_str());
        if let Some(progress) = lifecycle.report().progress() {
            lines.push(PROGRESS, progress);
        }
        if send(&self.stream, &lines.into_string()) {
            Next::Wait(Until::Ready)
        } else {
            Next::Close
        }
    }
}

/// The reply to a client that waits for readiness: the daemon is ready, or never will be.
fn ready_reply(lifecycle: &Lifecycle, phase: Phase) -> String {
    let mut lines = Lines::default();
    let failure = lifecycle.failure();
    let phase = if failure.is_some() {
        Phase::Failed
    } else {
        phase
    };
    if let Some(reason) = failure {
        lines.push(FAILED, reason);
    }
    lines.push(PHASE, phase.as_str());
    lines.into_string() + "\n"
}

fn send_error(stream: &IpcStream, error: &str) {
    let mut lines = Lines::default();
    lines.push(ERROR, error);
    send(stream, &(lines.into_string() + "\n"));
}

/// Sends a text at once, and returns whether all of it was sent. A client that does not read loses its connection.
fn send(stream: &IpcStream, text: &str) -> bool {
    matches!(platform::send_nonblocking(stream, text.as_bytes()), Ok(length) if length == text.len())
}
