//! [`Lifecycle`]: what the threads of a running daemon share, and the steps that concern several of its parts.
//!
//! Each part has its own type and file: [`Readiness`], [`FailureReason`], [`Starter`],
//! [`OwnedFiles`], [`OpenConnections`], [`WaitingClients`], [`Idle`], [`ReloadQueue`] and [`Report`].

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
#[cfg(feature = "testing")]
use std::thread;
use std::time::{Duration, Instant};

use super::acquire::Acquired;
use super::bounded_print::print_with_timeout;
use super::connections::OpenConnections;
use super::descriptor_reserve::DescriptorReserve;
use super::drained::Drained;
use super::error::StartError;
use super::failure::FailureReason;
use super::idle::Idle;
use super::latch::Latch;
#[cfg(feature = "tokio")]
use super::latch::LatchWaiter;
use super::owned_files::OwnedFiles;
use super::readiness::Readiness;
use super::reload_queue::{ReloadEvent, ReloadQueue, ReloadResult, RequestedBy};
use super::report::{self, Report, shortened};
use super::settling::{SAMPLE_INTERVAL, Settling};
use super::starter::Starter;
use super::stopping::Stopping;
use super::waiting_clients::WaitingClients;
use crate::control::Status;
use crate::handoff::Event;
use crate::platform::{self, AcceptQueue, AcceptWaker, ForkGuard, PollWaker};
use crate::{Instance, IpcStream, Phase, endpoint, fault, own_daemon};

/// How long a failed daemon waits until the clients of its control endpoint have received the reason.
pub(super) const FAILURE_REPORT_TIMEOUT: Duration = Duration::from_millis(500);

/// How long the clients of a unit test's daemon can delay [`Drained`].
#[cfg(feature = "testing")]
const UNSUPERVISED_LIMIT: Duration = Duration::from_secs(5);

/// What the threads of a running daemon share.
#[derive(Debug)]
pub(super) struct Lifecycle {
    instance: Instance,
    /// When `main` began, as the time since boot.
    main_began: Option<Duration>,
    readiness: Readiness,
    failure: FailureReason,
    starter: Starter,
    report: Report,
    idle: Idle,
    reloads: ReloadQueue,
    connections: OpenConnections,
    descriptors: Arc<DescriptorReserve>,
    waiting_clients: WaitingClients,
    accept: AcceptWaker,
    /// Closes the listener in children that are forked without `exec`, wherever the listener is.
    _fork_guard: ForkGuard,
    stop_requested: AtomicBool,
    /// Set when the drain begins.
    stop: Arc<Latch>,
    /// Set when new clients are refused.
    refuses_new_clients: Arc<Latch>,
    settling: Settling,
    /// Wakes the supervisor thread.
    supervisor_waker: OnceLock<PollWaker>,
    /// Whether this is the daemon of a unit test. It has no supervisor thread: each caller does its work.
    #[cfg(feature = "testing")]
    is_unsupervised: bool,
    /// The last field: dropping it releases the lock.
    files: OwnedFiles,
}

impl Lifecycle {
    pub(super) fn new(acquired: Acquired, listener: &AcceptQueue) -> Result<Self, StartError> {
        let is_shared = acquired.record.owner.is_service_manager();
        let accept = if is_shared {
            AcceptWaker::for_shared(listener, &acquired.record.endpoint)
        } else {
            AcceptWaker::new(listener, &acquired.paths.socket)
        };
        let accept = match accept {
            Ok(accept) => accept,
            Err(source) => {
                if !is_shared {
                    endpoint::unlink(&acquired.paths, &acquired.lock);
                }
                return Err(StartError::Thread { source });
            }
        };
        let daemon = acquired.instance.daemon();
        let descriptors = Arc::<DescriptorReserve>::default();
        Ok(Self {
            main_began: acquired.main_began,
            readiness: Readiness::new(),
            failure: FailureReason::default(),
            starter: Starter::new(acquired.channel, acquired.service_manager),
            #[cfg(feature = "testing")]
            is_unsupervised: acquired.test_directory.is_some(),
            files: OwnedFiles::new(
                daemon.name(),
                acquired.paths,
                acquired.record,
                acquired.lock,
                Arc::clone(&descriptors),
                #[cfg(feature = "testing")]
                acquired.test_directory,
            ),
            instance: acquired.instance,
            report: Report::new(),
            idle: Idle::new(daemon),
            reloads: ReloadQueue::default(),
            connections: OpenConnections::default(),
            descriptors,
            waiting_clients: WaitingClients::default(),
            accept,
            _fork_guard: ForkGuard::of_listener(listener),
            stop_requested: AtomicBool::new(false),
            stop: Arc::default(),
            refuses_new_clients: Arc::default(),
            settling: Settling::default(),
            supervisor_waker: OnceLock::new(),
        })
    }

    pub(super) fn instance(&self) -> &Instance {
        &self.instance
    }

    pub(super) fn name(&self) -> &'static str {
        self.instance.daemon().name()
    }

    /// Where the daemon listens.
    pub(super) fn endpoint(&self) -> &Path {
        self.files.endpoint()
    }

    pub(super) fn instance_directory(&self) -> &Path {
        self.files.instance_directory()
    }

    pub(super) fn report(&self) -> &Report {
        &self.report
    }

    pub(super) fn descriptors(&self) -> &DescriptorReserve {
        &self.descriptors
    }

    pub(super) fn idle(&self) -> &Idle {
        &self.idle
    }

    /// Installs what wakes the supervisor thread.
    pub(super) fn set_supervisor_waker(&self, wake: PollWaker) {
        let _ = self.supervisor_waker.set(wake);
    }

    pub(super) fn wake_supervisor(&self) {
        if let Some(supervisor) = self.supervisor_waker.get() {
            supervisor.wake();
        } else if !self.is_supervised() {
            self.update_record();
        }
    }

    /// Whether there is a supervisor thread, or one is about to start.
    #[cfg(feature = "testing")]
    fn is_supervised(&self) -> bool {
        !self.is_unsupervised
    }

    #[cfg(not(feature = "testing"))]
    #[allow(
        clippy::unused_self,
        reason = "only the daemon of a unit test has no supervisor thread"
    )]
    fn is_supervised(&self) -> bool {
        true
    }
}

/// The record, the phase and readiness.
impl Lifecycle {
    /// Step 4: writes the record, and reports `BOUND`. From now on clients and operators can find the daemon.
    pub(super) fn write_record(&self) -> Result<(), StartError> {
        self.files.write_record(|| self.phase())?;
        fault::reach("daemon:recorded");
        self.report.add_milestone("recorded");
        self.files.set_recorded();
        self.notify_starter(&Event::Bound);
        fault::reach("daemon:launcher-notified");
        Ok(())
    }

    /// The log that a launcher has opened for this daemon, and the size beyond which it is rotated. `None` if it never
    /// is.
    pub(super) fn rotated_log(&self) -> Option<(PathBuf, u64)> {
        let record = self.files.record()?;
        let max_size = record.max_log_size.filter(|size| *size > 0)?;
        Some((record.log?, max_size))
    }

    /// Brings the record up to the current phase.
    pub(super) fn update_record(&self) {
        self.files
            .update_record(self.phase(), self.failure(), || self.premain());
    }

    pub(super) fn phase(&self) -> Phase {
        self.readiness.phase()
    }

    /// Advances to a phase. The supervisor thread updates the record.
    pub(super) fn enter(&self, phase: Phase) {
        if self.readiness.advance(phase) {
            self.wake_supervisor();
        }
    }

    /// The daemon is not ready before [`remove_readiness_blocker`](Self::remove_readiness_blocker).
    pub(super) fn add_readiness_blocker(&self) {
        self.readiness.add_blocker();
    }

    /// Removes a blocker. Without the last one the daemon is ready, unless it is ending.
    pub(super) fn remove_readiness_blocker(&self) {
        if self.readiness.remove_blocker()
            && self.phase() < Phase::Ready
            && self.failure().is_none()
        {
            self.report.add_milestone("ready");
            self.idle.touch();
            self.notify_starter(&Event::Ready);
            fault::reach("daemon:ready");
            self.starter.close_channel();
            self.enter(Phase::Ready);
        }
    }

    /// How long the process ran before its `main`.
    fn premain(&self) -> Option<Duration> {
        self.main_began.and_then(platform::process_age_at)
    }
}

/// What others learn of the daemon.
impl Lifecycle {
    /// Reports an event to the launcher and to the service manager.
    pub(super) fn notify_starter(&self, event: &Event) {
        self.starter.notify(event, self.failure.errno());
    }

    /// Sets the progress text. The supervisor thread passes it on.
    pub(super) fn set_progress(&self, text: &str) {
        if self.report.set_progress(text) {
            self.wake_supervisor();
        }
    }

    /// Reports progress to the launcher and to the service manager.
    pub(super) fn send_progress(&self, progress: &str) {
        self.starter.notify_progress(progress, self.failure.errno());
    }

    /// How often the service manager's watchdog expects a notification.
    pub(super) fn watchdog_interval(&self) -> Option<Duration> {
        self.starter.watchdog_interval()
    }

    pub(super) fn notify_watchdog(&self) {
        self.starter.notify_watchdog();
    }

    /// The reply to `status`. `None` once the daemon has released everything.
    pub(super) fn status(&self) -> Option<Status> {
        let mut status = report::status_of(self.files.record()?);
        if status.premain.is_none() {
            status.premain = self.premain();
        }
        status.phase = self.phase();
        status.connections_open = self.connections.number() as u64;
        status.idle_exit = self.idle.timeout();
        status.descriptors_open = platform::open_descriptors();
        status.descriptors_limit = platform::open_files_limit();
        status.descriptor_shortages = self.descriptors.shortages();
        status.clients_refused = self.descriptors.refused();
        let reloads = self.reloads.report();
        status.reloads = reloads.ended;
        status.is_reloading = reloads.is_reloading;
        status.reload_refusal = reloads.refusal;
        self.report.fill(&mut status);
        if self.is_supervised() {
            status.waits_for = own_daemon::awaited();
            status.connected_to = own_daemon::connected();
        }
        Some(status)
    }

    /// Step 5: binds the control endpoint. `None` before the daemon is recorded, and after it has released everything.
    pub(super) fn bind_control(&self) -> io::Result<Option<AcceptQueue>> {
        let listener = self.files.bind_control()?;
        if listener.is_some() {
            self.report.add_milestone("control");
        }
        Ok(listener)
    }

    /// Sets how many clients of the control endpoint wait.
    pub(super) fn set_waiting_clients(&self, number: usize) {
        self.waiting_clients.set(number);
    }
}

/// Reloads.
impl Lifecycle {
    pub(super) fn reloads(&self) -> &ReloadQueue {
        &self.reloads
    }

    /// Wakes the supervisor thread, because a reload may have ended.
    pub(super) fn wake_for_reload(&self) {
        if let Some(supervisor) = self.supervisor_waker.get() {
            supervisor.wake();
        }
    }

    /// A part of the daemon has ended its part of a reload, with the reason if it refused.
    pub(super) fn end_part_of_reload(&self, refusal: Option<&str>) {
        self.reloads.end_part(refusal.map(shortened));
        self.wake_for_reload();
    }

    /// Requests a reload, and returns its number. The supervisor thread then calls
    /// [`advance_reload`](Self::advance_reload).
    pub(super) fn request_reload(&self, by: RequestedBy) -> u64 {
        self.reloads.request(by)
    }

    /// Ends and begins reloads, and reports to the service manager. To be called until there is no event.
    ///
    /// `systemctl reload` waits for both reports, even if the daemon does not take reloads.
    pub(super) fn advance_reload(&self) -> Option<ReloadEvent> {
        // Before it is ready, the report of an end would say that it is.
        let is_ready = self.phase() == Phase::Ready && !self.is_stop_requested();
        let event = self.reloads.advance(is_ready)?;
        match &event {
            ReloadEvent::Began => self.starter.notify_reloading(),
            ReloadEvent::Ended { .. } if !is_ready => {}
            ReloadEvent::Ended { result, .. } => self.starter.notify_reloaded(&match result {
                ReloadResult::Done => Phase::Ready.to_string(),
                ReloadResult::Refused(reason) => format!("reload refused: {reason}"),
                ReloadResult::NotTaken => "ready; this daemon does not take reloads".to_owned(),
            }),
        }
        Some(event)
    }
}

/// Clients and connections.
impl Lifecycle {
    /// Accepts the next client.
    pub(super) fn accept(&self, listener: &AcceptQueue) -> io::Result<IpcStream> {
        self.accept.accept(listener)
    }

    /// From now on `main` accepts on the listener itself.
    pub(super) fn set_user_accepts(&self) {
        self.accept.set_user_accepts();
    }

    /// Whether a service manager owns the endpoint.
    #[cfg(feature = "tokio")]
    pub(super) fn is_shared(&self) -> bool {
        self.files.is_shared()
    }

    pub(super) fn open_connection(&self) {
        self.connections.open();
    }

    pub(super) fn close_connection(&self) {
        self.report.add_served();
        self.idle.touch();
        self.connections.close();
    }

    /// Waits until no connection is open, or the supervisor thread cuts the drain short.
    pub(super) fn wait_for_connections(&self) {
        self.connections.wait();
    }

    /// Cuts the drain short, and returns whether `main` has returned and now ends the process itself.
    pub(super) fn cut_short(&self) -> bool {
        self.connections.cut_short()
    }

    /// When to check whether the daemon is idle.
    pub(super) fn next_idle_check(&self) -> Option<Instant> {
        if self.phase() == Phase::Ready {
            self.idle.next_check(self.connections.number())
        } else {
            None
        }
    }

    /// The idle timeout, if the daemon had no open connection for that long.
    pub(super) fn is_idle(&self) -> Option<Duration> {
        let open = self.connections.number();
        let is_over = self
            .next_idle_check()
            .is_some_and(|end| Instant::now() >= end);
        self.idle.timeout().filter(|_| open == 0 && is_over)
    }
}

/// The end.
impl Lifecycle {
    /// Requests a graceful shutdown. The supervisor thread does the rest.
    pub(super) fn request_stop(&self) {
        let was_requested = self.stop_requested.swap(true, Ordering::AcqRel);
        if self.is_supervised() {
            self.wake_supervisor();
        } else if !was_requested {
            self.begin_drain();
        }
    }

    pub(super) fn is_stop_requested(&self) -> bool {
        self.stop_requested.load(Ordering::Acquire)
    }

    /// Becomes set when the drain begins.
    pub(super) fn stopping(&self) -> Stopping {
        Stopping::new(&self.stop)
    }

    /// Becomes set when a server may close its connections without losing a client.
    pub(super) fn drained(self: &Arc<Self>) -> Drained {
        let drained = self.settling.drained();
        if !self.is_supervised() {
            #[cfg(feature = "testing")]
            take_samples_of(self);
        } else if self.is_stopping() {
            // The supervisor thread takes samples only while something waits.
            self.wake_supervisor();
        }
        drained
    }

    pub(super) fn settling(&self) -> &Settling {
        &self.settling
    }

    /// Takes a sample of the drain. Returns when to take the next one, if something waits for it.
    pub(super) fn take_drain_sample(&self, limit: Instant) -> Option<Instant> {
        let now = Instant::now();
        let again = self.refuses_new_clients.is_set() && self.settling.take_sample(now, limit);
        again.then(|| now + SAMPLE_INTERVAL)
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stop.is_set()
    }

    /// Becomes set when new clients are refused. Clients that are not in the backlog by then are not this daemon's.
    #[cfg(feature = "tokio")]
    pub(super) fn refuses_new_clients(&self) -> LatchWaiter {
        LatchWaiter::new(&self.refuses_new_clients)
    }

    /// Begins the drain: new clients are refused, and the waiters of [`stopping`](Self::stopping) are woken.
    pub(super) fn begin_drain(&self) {
        fault::reach("daemon:stop-requested");
        self.notify_starter(&Event::Stopping);
        self.report.add_milestone("draining");
        self.stop.set();
        // Clients that connected before this point are in the backlog and are accepted. Later ones find no endpoint.
        if !AcceptWaker::REFUSES_NEW_CLIENTS && !self.accept.connects_to_wake() {
            self.unlink_endpoint();
        }
        // Some platforms need a descriptor for this, or two.
        if let Err(error) = self.descriptors.lend(2, || self.accept.stop_accepting()) {
            print_with_timeout(
                self.name(),
                format_args!("cannot shut the listener down: {error}"),
            );
        }
        if !AcceptWaker::REFUSES_NEW_CLIENTS {
            self.unlink_endpoint();
        }
        fault::reach("daemon:accept-stopped");
        self.refuses_new_clients.set();
        self.refuses_new_clients.wake();
        self.stop.wake();
        self.reloads.stop();
        self.enter(Phase::Draining);
        self.update_record();
    }

    /// Unlinks the endpoint, once.
    pub(super) fn unlink_endpoint(&self) {
        self.files.unlink_endpoint();
    }

    /// Whether the directory and the endpoint at their paths are still those of this daemon.
    pub(super) fn owns_its_paths(&self) -> bool {
        self.files.are_in_place()
    }

    /// After a clean end, earlier starts do not count towards the start limit.
    pub(super) fn remove_start_history(&self) {
        self.files.remove_start_history();
    }

    /// Removes everything that the daemon has created, and releases the lock last.
    pub(super) fn shut_down(&self) {
        fault::reach("daemon:drained");
        self.files.unlink_endpoint();
        self.files.unlink_control();
        fault::reach("daemon:unlinked");
        self.files.release(|| {
            self.readiness.advance(Phase::Stopped);
        });
    }

    /// The reason why the daemon fails, if it does.
    pub(super) fn failure(&self) -> Option<&str> {
        self.failure.text()
    }

    /// Sets the error number of the system call behind a failure.
    pub(super) fn set_errno(&self, errno: Option<i32>) {
        self.failure.set_errno(errno);
    }

    /// The daemon fails on another thread than that of `main`. It drains for a short time.
    pub(super) fn fail(&self, reason: &str) {
        self.failure.set(reason);
        self.request_stop();
    }

    /// `main` has failed. Waits until the clients of the control endpoint have received the reason.
    pub(super) fn report_failure(&self, reason: &str) {
        self.failure.set(reason);
        self.readiness.advance(Phase::Failed);
        self.wake_supervisor();
        self.waiting_clients.wait_for_none(FAILURE_REPORT_TIMEOUT);
    }

    /// Records and reports the failure, and releases the lock last.
    pub(super) fn shut_down_after_failure(&self, reason: &str) {
        self.readiness.advance(Phase::Failed);
        self.files.unlink_endpoint();
        self.files.unlink_control();
        self.files.release_after_failure(reason, || {
            self.notify_starter(&Event::Failed(reason.to_owned()));
        });
    }

    /// A panic is about to end the process, on whichever thread. Records and reports the reason in bounded time, even if
    /// that thread holds one of the mutexes here. The lock and the endpoints stay: the kernel releases them in a moment.
    ///
    /// The supervisor thread answers the waiting clients, so it does not wait for them itself.
    pub(super) fn record_last_panic(&self, reason: &str, waits_for_clients: bool) {
        let deadline = Instant::now() + FAILURE_REPORT_TIMEOUT;
        self.failure.set(reason);
        self.readiness.advance(Phase::Failed);
        self.files.record_last_panic(reason, deadline);
        let event = Event::Failed(reason.to_owned());
        self.starter.notify_until(&event, None, deadline);
        self.wake_supervisor();
        if waits_for_clients {
            let deadline = Instant::now() + FAILURE_REPORT_TIMEOUT;
            self.waiting_clients.wait_for_none_until(deadline);
        }
    }
}

/// Takes the samples of the drain of a unit test's daemon, which has no supervisor thread. The thread ends when nothing
/// waits for the samples any more, or with the daemon.
#[cfg(feature = "testing")]
fn take_samples_of(lifecycle: &Arc<Lifecycle>) {
    let lifecycle = Arc::downgrade(lifecycle);
    thread::spawn(move || {
        let mut began = None;
        while let Some(lifecycle) = lifecycle.upgrade() {
            if lifecycle.refuses_new_clients.is_set() {
                let limit = *began.get_or_insert_with(Instant::now) + UNSUPERVISED_LIMIT;
                if lifecycle.take_drain_sample(limit).is_none() {
                    return;
                }
            }
            drop(lifecycle);
            thread::sleep(SAMPLE_INTERVAL);
        }
    });
}
