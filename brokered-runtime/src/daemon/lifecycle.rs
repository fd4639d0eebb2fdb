//! What the parts of a running daemon share: its phase, its record, its connections, and its end.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use super::acquire::Acquired;
use super::activation::Manager;
use super::error::StartError;
use super::idle::Idle;
use super::report::Report;
use super::stopping::{StopState, Stopping};
use crate::control::Status;
use crate::diagnostics::print;
use crate::handoff::Event;
use crate::identity::paths::Paths;
use crate::instance_lock::InstanceLock;
use crate::platform::{self, AcceptQueue, AcceptWaker, Channel, FileIdentity, ForkGuard, Wake};
use crate::record::Record;
use crate::{Instance, IpcStream, Phase, endpoint, fault};

/// What the parts of a running daemon share.
#[derive(Debug)]
pub(crate) struct Lifecycle {
    instance: Instance,
    paths: Paths,
    phase: AtomicU8,
    stop_requested: AtomicBool,
    stop: Arc<StopState>,
    /// Set once new clients are refused.
    refusing: Arc<StopState>,
    connections: Connections,
    accept: AcceptWaker,
    /// Keeps the listener from children that are forked without an exec, wherever it goes.
    _seal: ForkGuard,
    /// Where the daemon listens.
    endpoint: PathBuf,
    /// What is at its path, if it is this daemon's own.
    own_endpoint: Option<FileIdentity>,
    /// Whether the endpoint is a service manager's, which goes on with it.
    is_shared: bool,
    manager: Option<Manager>,
    /// The number of the system's error behind a failure, or 0.
    errno: AtomicI32,
    supervisor: OnceLock<Wake>,
    channel: Mutex<Option<Channel>>,
    report: Report,
    idle: Idle,
    is_recorded: AtomicBool,
    /// What the daemon still waits for before it is ready: its loads in the background, whoever has deferred
    /// it, and `main`, which has not come to accept clients.
    readiness_blockers: AtomicUsize,
    /// Why the daemon cannot go on.
    failure: OnceLock<String>,
    waiting_clients: WaitingClients,
    /// `None` once the daemon has let go of everything.
    resources: Mutex<Option<Resources>>,
    /// When `main` was entered, as the time since the machine was started.
    entered: Option<Duration>,
    /// Of a test's daemon, which has no supervisor: whoever asks for something does it.
    #[cfg(feature = "testing")]
    is_unsupervised: bool,
}

/// What a daemon leaves when it ends.
#[derive(Debug)]
struct Resources {
    record: Record,
    endpoint_exists: bool,
    control_exists: bool,
    lock: InstanceLock,
    /// What goes with the last of it: a test's own directory, after the lock on it.
    #[cfg(feature = "testing")]
    _scratch: Option<Arc<crate::testing::Scratch>>,
}

/// How many connections somebody serves.
#[derive(Debug, Default)]
struct Connections {
    open: AtomicUsize,
    none: Condvar,
    waiting: Mutex<Waiting>,
}

/// How many clients of the control endpoint wait to hear something.
#[derive(Debug, Default)]
struct WaitingClients {
    number: Mutex<usize>,
    changed: Condvar,
}

/// How far the wait for them is.
#[derive(Debug, Default)]
struct Waiting {
    main_has_returned: bool,
    cut_short: bool,
}

impl Lifecycle {
    pub(crate) fn new(acquired: Acquired, listener: &AcceptQueue) -> Result<Self, StartError> {
        let is_shared = acquired.record.owner.is_manager();
        let accept = if is_shared {
            AcceptWaker::of_shared(listener, &acquired.record.endpoint)
        } else {
            AcceptWaker::new(listener, &acquired.paths.socket)
        };
        let accept = match accept {
            Ok(accept) => accept,
            Err(source) => {
                if !is_shared {
                    endpoint::unlink(&acquired.paths, &acquired.lock);
                }
                return Err(StartError::Signals { source });
            }
        };
        // Before anybody can know of it and replace it.
        let own_endpoint = if is_shared {
            None
        } else {
            platform::identity_of(&acquired.paths.socket).ok().flatten()
        };
        let idle = Idle::new(acquired.instance.daemon());
        Ok(Self {
            instance: acquired.instance,
            paths: acquired.paths,
            phase: AtomicU8::new(Phase::Bound as u8),
            stop_requested: AtomicBool::new(false),
            stop: Arc::default(),
            refusing: Arc::default(),
            connections: Connections::default(),
            accept,
            _seal: ForkGuard::of_listener(listener),
            endpoint: acquired.record.endpoint.clone(),
            own_endpoint,
            is_shared,
            manager: acquired.manager,
            errno: AtomicI32::new(0),
            supervisor: OnceLock::new(),
            channel: Mutex::new(acquired.channel),
            report: Report::new(),
            idle,
            is_recorded: AtomicBool::new(false),
            readiness_blockers: AtomicUsize::new(1),
            failure: OnceLock::new(),
            waiting_clients: WaitingClients::default(),
            resources: Mutex::new(Some(Resources {
                record: acquired.record,
                endpoint_exists: !is_shared,
                control_exists: false,
                lock: acquired.lock,
                #[cfg(feature = "testing")]
                _scratch: acquired.scratch.clone(),
            })),
            entered: acquired.entered,
            #[cfg(feature = "testing")]
            is_unsupervised: acquired.scratch.is_some(),
        })
    }

    pub(crate) fn instance(&self) -> &Instance {
        &self.instance
    }

    pub(crate) fn name(&self) -> &'static str {
        self.instance.daemon().name()
    }

    pub(crate) fn phase(&self) -> Phase {
        let phase = self.phase.load(Ordering::Acquire);
        Phase::ALL[usize::from(phase)]
    }

    /// Goes on to a later phase; an earlier one is news of yesterday. The record follows, written by
    /// the supervisor.
    pub(crate) fn enter(&self, phase: Phase) {
        if self.phase.fetch_max(phase as u8, Ordering::AcqRel) < phase as u8 {
            self.wake_supervisor();
        }
    }

    /// The daemon is not ready before this was taken back by [`remove_readiness_blocker`](Self::remove_readiness_blocker).
    pub(super) fn add_readiness_blocker(&self) {
        self.readiness_blockers.fetch_add(1, Ordering::AcqRel);
    }

    /// One thing fewer to wait for. The last one makes the daemon ready, unless it is ending.
    pub(super) fn remove_readiness_blocker(&self) {
        if self.readiness_blockers.fetch_sub(1, Ordering::AcqRel) == 1
            && self.phase() < Phase::Ready
            && self.failure.get().is_none()
        {
            self.report.pass("ready");
            self.idle.touch();
            self.tell(&Event::Ready);
            fault::pass("daemon:ready");
            // The launcher has nothing more to wait for.
            self.channel().take();
            self.enter(Phase::Ready);
        }
    }

    pub(super) fn report(&self) -> &Report {
        &self.report
    }

    pub(super) fn idle(&self) -> &Idle {
        &self.idle
    }

    /// Says how far the daemon is, to whoever waits for it. The supervisor passes it on.
    pub(super) fn progress(&self, text: &str) {
        if self.report.progress(text) {
            self.wake_supervisor();
        }
    }

    pub(super) fn has_update(&self) -> bool {
        self.report.has_update()
    }

    pub(super) fn take_update(&self) -> Option<String> {
        self.report.news()
    }

    pub(super) fn latest_progress(&self) -> Option<String> {
        self.report.latest()
    }

    /// Tells the launcher of progress, if it listens: it may not read, and then what comes later counts more.
    pub(super) fn send_progress(&self, progress: &str) {
        let event = Event::Status(progress.to_owned());
        self.notify_manager(&event);
        if let Some(channel) = self.channel().as_ref() {
            channel.try_send_line(&event.to_line());
        }
    }

    fn notify_manager(&self, event: &Event) {
        if let Some(manager) = &self.manager {
            let errno = self.errno.load(Ordering::Acquire);
            manager.tell(event, (errno != 0).then_some(errno));
        }
    }

    /// How often a service manager wants to hear that the daemon is alive.
    pub(super) fn watchdog(&self) -> Option<Duration> {
        self.manager.as_ref().and_then(Manager::watchdog)
    }

    /// Tells the service manager that the daemon is alive.
    pub(super) fn notify_watchdog(&self) {
        if let Some(manager) = &self.manager {
            manager.is_alive();
        }
    }

    /// The number of the system's error behind a failure.
    pub(super) fn set_errno(&self, errno: Option<i32>) {
        self.errno.store(errno.unwrap_or(0), Ordering::Release);
    }

    /// Whether the endpoint is a service manager's.
    #[cfg(feature = "tokio")]
    pub(super) fn is_shared(&self) -> bool {
        self.is_shared
    }

    /// The next client.
    pub(super) fn accept(&self, listener: &AcceptQueue) -> io::Result<IpcStream> {
        self.accept.accept(listener)
    }

    /// Somebody else accepts from now on.
    pub(super) fn hand_off_listener(&self) {
        self.accept.hand_off();
    }

    /// What the daemon says of itself. `None` once it has let go of everything.
    pub(super) fn status(&self) -> Option<Status> {
        let mut status = {
            let resources = self.resources();
            let record = &resources.as_ref()?.record;
            status_of(record)
        };
        if status.premain.is_none() {
            status.premain = self.premain();
        }
        status.phase = self.phase();
        status.connections_open = self.connections.open.load(Ordering::Acquire) as u64;
        status.idle_exit = self.idle.after();
        self.report.fill(&mut status);
        Some(status)
    }

    /// Binds the control endpoint, once the daemon is recorded. `None` before that, and after the end.
    pub(super) fn bind_control(&self) -> io::Result<Option<AcceptQueue>> {
        if !self.is_recorded.load(Ordering::Acquire) {
            return Ok(None);
        }
        let mut resources = self.resources();
        let Some(resources) = resources.as_mut() else {
            return Ok(None);
        };
        let listener =
            endpoint::bind_control(&self.paths, &resources.lock).map_err(io::Error::other)?;
        resources.control_exists = true;
        self.report.pass("control");
        platform::start_polled_queue(listener, &self.paths.control()).map(Some)
    }

    /// Whether the directory, or the endpoint in it, is still the one that this daemon has.
    pub(super) fn owns_its_paths(&self) -> bool {
        let resources = self.resources();
        let Some(resources) = resources.as_ref() else {
            return true;
        };
        if !resources.lock.is_on(&self.paths) {
            return false;
        }
        match (self.own_endpoint, platform::identity_of(&self.paths.socket)) {
            (Some(ours), Ok(at_path)) => at_path == Some(ours),
            // Whoever can't look can't tell.
            (None, _) | (_, Err(_)) => true,
        }
    }

    /// Why the daemon cannot go on, if it can't.
    pub(super) fn failure(&self) -> Option<&str> {
        self.failure.get().map(String::as_str)
    }

    /// The daemon cannot go on, and a thread that is not `main` has found that out: it drains, but not for
    /// long.
    pub(super) fn fail(&self, why: &str) {
        let _ = self.failure.set(why.to_owned());
        self.request_stop();
    }

    /// How many clients of the control endpoint wait.
    pub(super) fn set_waiting_clients(&self, number: usize) {
        let mut waiting = lock(&self.waiting_clients.number);
        if *waiting != number {
            *waiting = number;
            self.waiting_clients.changed.notify_all();
        }
    }

    /// `main` has failed: whoever waits on the control endpoint is told why before the process is gone.
    pub(crate) fn report_failure(&self, why: &str) {
        let _ = self.failure.set(why.to_owned());
        self.phase.fetch_max(Phase::Failed as u8, Ordering::AcqRel);
        self.wake_supervisor();
        let told = self.waiting_clients.changed.wait_timeout_while(
            lock(&self.waiting_clients.number),
            FAILURE_REPORT_TIMEOUT,
            |waiting| *waiting > 0,
        );
        drop(told);
    }

    /// Tells the launcher, if there is one that still listens.
    pub(crate) fn tell(&self, event: &Event) {
        self.notify_manager(event);
        let mut channel = self.channel();
        if channel
            .as_ref()
            .is_some_and(|channel| channel.tell(&event.to_line()).is_err())
        {
            *channel = None;
        }
    }

    /// Whoever waits for signals can be woken with this from now on.
    pub(crate) fn set_supervisor(&self, wake: Wake) {
        let _ = self.supervisor.set(wake);
    }

    /// Asks the daemon to end. The supervisor does the rest.
    pub(crate) fn request_stop(&self) {
        let asked_before = self.stop_requested.swap(true, Ordering::AcqRel);
        if self.is_supervised() {
            self.wake_supervisor();
        } else if !asked_before {
            self.begin_drain();
        }
    }

    pub(crate) fn is_stop_requested(&self) -> bool {
        self.stop_requested.load(Ordering::Acquire)
    }

    pub(crate) fn stopping(&self) -> Stopping {
        Stopping::of(&self.stop)
    }

    /// To wait until new clients are refused: whoever has not queued by then is somebody else's.
    #[cfg(feature = "tokio")]
    pub(super) fn refusing(&self) -> Stopping {
        Stopping::of(&self.refusing)
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stop.is_set()
    }

    /// Step 4: writes the record, and tells the launcher. From now on the daemon can be found.
    pub(crate) fn record(&self) -> Result<(), StartError> {
        if let Some(resources) = self.resources().as_mut() {
            // It may have been asked to end by now.
            resources.record.phase = self.phase();
            resources.record.write(&self.paths)?;
        }
        fault::pass("daemon:recorded");
        self.report.pass("recorded");
        self.is_recorded.store(true, Ordering::Release);
        self.tell(&Event::Bound);
        fault::pass("daemon:launcher-notified");
        Ok(())
    }

    /// The drain begins: nobody new is let in, and whoever waits for the end hears of it.
    pub(crate) fn begin_drain(&self) {
        fault::pass("daemon:stop-requested");
        self.tell(&Event::Stopping);
        self.report.pass("draining");
        self.stop.set();
        // Whoever comes after this finds nobody, and whoever came before has queued, and is accepted.
        if !AcceptWaker::REFUSES_NEW_CLIENTS && !self.accept.connects_to_wake() {
            self.unlink_endpoint();
        }
        if let Err(error) = self.accept.wake() {
            print(
                self.name(),
                format_args!("cannot shut the listener down: {error}"),
            );
        }
        if !AcceptWaker::REFUSES_NEW_CLIENTS {
            self.unlink_endpoint();
        }
        fault::pass("daemon:accept-stopped");
        self.refusing.set();
        self.refusing.wake();
        self.stop.wake();
        self.enter(Phase::Draining);
        self.update_record();
    }

    /// How long the process lived before its `main`.
    fn premain(&self) -> Option<Duration> {
        self.entered.and_then(platform::age_at)
    }

    /// Brings the record up to the present phase. One that is not written is tried again with the next.
    pub(crate) fn update_record(&self) {
        let phase = self.phase();
        if let Some(resources) = self.resources().as_mut()
            && resources.record.phase != phase
            && resources.lock.is_on(&self.paths)
        {
            let mut record = resources.record.clone();
            record.phase = phase;
            record.note_program();
            if record.premain.is_none() {
                record.premain = self.premain();
            }
            match record.write(&self.paths) {
                Ok(()) => resources.record = record,
                Err(error) => print(self.name(), error),
            }
        }
    }

    /// Gives the endpoint up, once.
    pub(crate) fn unlink_endpoint(&self) {
        if let Some(resources) = self.resources().as_mut()
            && std::mem::take(&mut resources.endpoint_exists)
        {
            endpoint::unlink(&self.paths, &resources.lock);
        }
    }

    /// The daemon ends as it should: how often it was started before counts no more.
    pub(crate) fn clear_start_count(&self) {
        if let Some(resources) = self.resources().as_ref()
            && resources.lock.is_on(&self.paths)
        {
            let _ = std::fs::remove_file(self.paths.starts());
        }
    }

    fn unlink_control(&self) {
        if let Some(resources) = self.resources().as_mut()
            && std::mem::take(&mut resources.control_exists)
        {
            endpoint::unlink_control(&self.paths, &resources.lock);
        }
    }

    /// Leaves nothing behind, and releases the lock last.
    pub(crate) fn shut_down(&self) {
        fault::pass("daemon:drained");
        self.unlink_endpoint();
        self.unlink_control();
        fault::pass("daemon:unlinked");
        if let Some(resources) = self.resources().take() {
            if resources.lock.is_on(&self.paths) {
                self.finish_record(resources.record);
            }
            self.phase.fetch_max(Phase::Stopped as u8, Ordering::AcqRel);
        }
    }

    /// The record of a daemon that has ended is removed, unless it has to tell the next one that the endpoint is
    /// not its own.
    fn finish_record(&self, mut record: Record) {
        if self.is_shared {
            record.phase = Phase::Stopped;
            if let Err(error) = record.write(&self.paths) {
                print(self.name(), error);
            }
        } else {
            let _ = std::fs::remove_file(self.paths.record());
        }
    }

    /// Leaves the reason behind, for the launcher and in the record, and releases the lock last.
    pub(crate) fn shut_down_failed(&self, why: &str) {
        self.phase.fetch_max(Phase::Failed as u8, Ordering::AcqRel);
        self.unlink_endpoint();
        self.unlink_control();
        let mut resources = self.resources();
        if let Some(resources) = resources.as_mut()
            && resources.lock.is_on(&self.paths)
        {
            resources.record.phase = Phase::Failed;
            resources.record.note_program();
            resources.record.failure = Some(why.to_owned());
            if let Err(error) = resources.record.write(&self.paths) {
                print(self.name(), error);
            }
        }
        self.tell(&Event::Failed(why.to_owned()));
        *resources = None;
    }

    /// One more connection is served.
    pub(crate) fn open_connection(&self) {
        self.connections.open.fetch_add(1, Ordering::AcqRel);
    }

    /// One connection fewer is served.
    pub(crate) fn close_connection(&self) {
        self.report.served();
        self.idle.touch();
        if self.connections.open.fetch_sub(1, Ordering::AcqRel) == 1 {
            drop(lock(&self.connections.waiting));
            self.connections.none.notify_all();
        }
    }

    /// Waits until nobody serves a connection any more, or the supervisor has lost its patience.
    pub(crate) fn wait_for_connections(&self) {
        let mut waiting = lock(&self.connections.waiting);
        waiting.main_has_returned = true;
        while self.connections.open.load(Ordering::Acquire) > 0 && !waiting.cut_short {
            waiting = self
                .connections
                .none
                .wait(waiting)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Nobody waits for connections any more. Whether `main` has returned, and ends the process itself.
    pub(crate) fn cut_short(&self) -> bool {
        let mut waiting = lock(&self.connections.waiting);
        waiting.cut_short = true;
        self.connections.none.notify_all();
        waiting.main_has_returned
    }

    /// Where the daemon listens.
    pub(crate) fn socket(&self) -> &PathBuf {
        &self.endpoint
    }

    /// When to look whether the daemon is idle.
    pub(super) fn idle_at(&self) -> Option<Instant> {
        if self.phase() == Phase::Ready {
            self.idle
                .end_at(self.connections.open.load(Ordering::Acquire))
        } else {
            None
        }
    }

    /// For how long nobody was served, if that is long enough to end.
    pub(super) fn is_idle(&self) -> Option<Duration> {
        let open = self.connections.open.load(Ordering::Acquire);
        let is_over = self.idle_at().is_some_and(|end| Instant::now() >= end);
        self.idle.after().filter(|_| open == 0 && is_over)
    }

    fn wake_supervisor(&self) {
        if let Some(supervisor) = self.supervisor.get() {
            supervisor.wake();
        } else if !self.is_supervised() {
            self.update_record();
        }
    }

    /// Whether there is a supervisor, or one is about to come.
    #[cfg(feature = "testing")]
    fn is_supervised(&self) -> bool {
        !self.is_unsupervised
    }

    #[cfg(not(feature = "testing"))]
    #[allow(
        clippy::unused_self,
        reason = "a test's daemon is the only one without"
    )]
    fn is_supervised(&self) -> bool {
        true
    }

    fn channel(&self) -> MutexGuard<'_, Option<Channel>> {
        lock(&self.channel)
    }

    fn resources(&self) -> MutexGuard<'_, Option<Resources>> {
        lock(&self.resources)
    }
}

/// How long the clients of the control endpoint are given to hear why a daemon fails.
const FAILURE_REPORT_TIMEOUT: Duration = Duration::from_millis(500);

/// What the record tells of a daemon's status.
fn status_of(record: &Record) -> Status {
    Status {
        name: record.name.clone(),
        contract: record.contract,
        directory: record.directory.clone(),
        instance: record.instance.clone(),
        endpoint: record.endpoint.clone(),
        pid: record.pid,
        phase: record.phase,
        owner: record.owner.as_str().to_owned(),
        package: record.package.clone(),
        version: record.version.clone(),
        log: record.log.clone(),
        started: record.started,
        uptime: Duration::ZERO,
        connections_open: 0,
        connections_served: 0,
        panics: 0,
        errors: 0,
        idle_exit: None,
        progress: None,
        loads: Vec::new(),
        last_error: None,
        premain: record.premain,
        premain_threads: record.premain_threads,
        milestones: Vec::new(),
    }
}

/// A panic elsewhere is no reason not to clean up.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
