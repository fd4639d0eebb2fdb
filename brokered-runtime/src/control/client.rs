//! The client's side: asking a daemon how it is, waiting until it is ready, and asking it to end.

use std::io::{self, Write};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::{ControlError, FAILED, PHASE, PROGRESS, Request, Status};
use crate::deadline::Deadline;
use crate::fields::Fields;
use crate::identity::paths::Paths;
use crate::instance_lock::InstanceLock;
use crate::record::Record;
use crate::{Daemon, Instance, IpcStream, Phase, diagnostics, platform};

/// The longest reply, or line of one, that is read.
const LONGEST_REPLY: usize = 256 * 1024;

/// How long a daemon that has recorded itself may take to answer whether it will end, before it is sent a
/// signal instead. It answers from a thread of its own, so this is for processes that are stopped or stuck.
const PATIENCE_TO_STOP: Duration = Duration::from_secs(2);

/// What [`Instance::stop`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StopOutcome {
    /// The daemon was asked to end, and has ended.
    Ended,
    /// The daemon did not answer, was sent `SIGTERM`, and has ended.
    Signalled,
    /// There was none.
    WasNotRunning,
}

/// The operator's verbs. They start nothing, and take no longer than [`Instance::deadline`] says.
impl Instance {
    /// Asks the daemon how it is. It answers from a thread of its own, whatever its workers are doing.
    ///
    /// ```no_run
    /// # use brokered_runtime::Daemon;
    /// # const INDEXD: Daemon = Daemon::new("indexd");
    /// # fn main() -> Result<(), brokered_runtime::ControlError> {
    /// let status = INDEXD.instance().status()?;
    /// println!("process {} is {} and serves {} clients", status.pid, status.phase, status.connections_open);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ControlError::NotRunning`] if there is no daemon; see [`ControlError`] for what else can be.
    pub fn status(&self) -> Result<Status, ControlError> {
        status(self.paths()?, &Deadline::after(self.launch.deadline))
    }

    /// Waits until the daemon is ready. Starts nothing; `heard` gets what the daemon says of its progress.
    ///
    /// # Errors
    ///
    /// [`ControlError::NotRunning`] if there is no daemon; [`ControlError::Ending`] if it ends before it is
    /// ready; [`ControlError::TimedOut`] at the deadline.
    pub fn wait_ready(&self, heard: impl FnMut(&str)) -> Result<(), ControlError> {
        wait_ready(self.paths()?, &Deadline::after(self.launch.deadline), heard)
    }

    /// Asks the daemon to end, and waits until it has.
    ///
    /// It serves what it has accepted and whoever has queued, for at most ten seconds. Asking twice, or from
    /// two sides at once, cuts nothing short. A daemon that does not answer is sent `SIGTERM`, if the process
    /// that is recorded is certainly the one that holds the lock.
    ///
    /// # Errors
    ///
    /// [`ControlError::TimedOut`] if it has not ended at the deadline; [`ControlError::ProcessNotVerified`] if it does
    /// not answer and cannot be told from another process. See [`ControlError`] for what else can be.
    pub fn stop(&self) -> Result<StopOutcome, ControlError> {
        stop(self.paths()?, &Deadline::after(self.launch.deadline))
    }
}

/// The same for the daemon's default instance.
impl Daemon {
    /// Asks the default instance how it is. See [`Instance::status`].
    ///
    /// # Errors
    ///
    /// See [`ControlError`].
    pub fn status(self) -> Result<Status, ControlError> {
        self.instance().status()
    }

    /// Asks the default instance to end. See [`Instance::stop`].
    ///
    /// # Errors
    ///
    /// See [`ControlError`].
    pub fn stop(self) -> Result<StopOutcome, ControlError> {
        self.instance().stop()
    }
}

/// Asks for the status.
pub(crate) fn status(paths: &Paths, deadline: &Deadline) -> Result<Status, ControlError> {
    let mut replies = ask(paths, Request::Status, deadline)?;
    let mut reply = String::new();
    loop {
        match replies.line()? {
            Heard::Line(line) if line.is_empty() => break,
            Heard::Line(line) => {
                unless_refused(&line)?;
                reply.push_str(&line);
                reply.push('\n');
            }
            Heard::End | Heard::Nothing => return Err(no_answer(paths, deadline)),
        }
    }
    Status::from_text(&reply).ok_or_else(|| ControlError::Refused {
        why: format!("with something that is no status: {reply:?}"),
    })
}

/// Waits until the daemon is ready, and passes on what it says of its progress.
pub(crate) fn wait_ready(
    paths: &Paths,
    deadline: &Deadline,
    mut heard: impl FnMut(&str),
) -> Result<(), ControlError> {
    let mut replies = ask(paths, Request::WaitReady, deadline)?;
    let mut phase = None;
    let mut progress = None;
    let mut why = None;
    loop {
        match replies.line()? {
            Heard::Line(line) => {
                unless_refused(&line)?;
                let fields = Fields::of(&line);
                if let Some(now) = fields.text(PHASE).and_then(|phase| phase.parse().ok()) {
                    phase = Some(now);
                }
                if let Some(said) = fields.text(PROGRESS) {
                    heard(&said);
                    progress = Some(said);
                }
                why = fields.text(FAILED).or(why);
                match phase {
                    Some(Phase::Ready) => return Ok(()),
                    Some(phase) if phase > Phase::Ready && line.is_empty() => {
                        return Err(ControlError::Ending { phase, why });
                    }
                    _ => {}
                }
            }
            // It has died: its lock is free, and nobody will ever be ready.
            Heard::End => {
                let phase = if why.is_some() {
                    Phase::Failed
                } else {
                    Phase::Stopped
                };
                return Err(ControlError::Ending { phase, why });
            }
            Heard::Nothing => {
                return Err(ControlError::TimedOut {
                    phase,
                    progress,
                    waited: deadline.waited(),
                });
            }
        }
    }
}

/// Asks the daemon to end, waits until it has, and sends it a signal if it does not answer.
pub(crate) fn stop(paths: &Paths, deadline: &Deadline) -> Result<StopOutcome, ControlError> {
    match request_stop(paths, deadline) {
        Err(ControlError::NotRunning { .. }) => Ok(StopOutcome::WasNotRunning),
        Err(ControlError::NoAnswer { .. } | ControlError::NoControl { .. }) => {
            signal(paths, deadline)
        }
        done => done,
    }
}

fn request_stop(paths: &Paths, deadline: &Deadline) -> Result<StopOutcome, ControlError> {
    let mut replies = ask(paths, Request::Stop, &deadline.at_most(PATIENCE_TO_STOP))?;
    match replies.line()? {
        Heard::Line(line) => unless_refused(&line)?,
        Heard::End => {}
        Heard::Nothing => return Err(no_answer(paths, deadline)),
    }
    // The rest is silence: the connection stays until the process has gone, unless too many wait for that.
    replies.deadline = deadline.end();
    loop {
        match replies.line()? {
            Heard::Line(line) => unless_refused(&line)?,
            Heard::End => return Ok(StopOutcome::Ended),
            Heard::Nothing => return Err(still_there(paths, deadline)),
        }
    }
}

/// Sends `SIGTERM` to the process that is recorded, if it is certainly the daemon.
fn signal(paths: &Paths, deadline: &Deadline) -> Result<StopOutcome, ControlError> {
    let Some(record) = Record::read(paths) else {
        return Err(no_answer(paths, deadline));
    };
    let not_certain = |why| ControlError::ProcessNotVerified {
        pid: record.pid,
        why,
    };
    let process = platform::OtherProcess::open(record.pid)
        .map_err(|error| not_certain(format!("it cannot be reached ({error})")))?;
    if let Some(why) = process.identity_mismatch(record.since_boot, paths.directory()) {
        return match InstanceLock::is_held(paths) {
            Ok(false) => Ok(StopOutcome::WasNotRunning),
            _ => Err(not_certain(why)),
        };
    }
    process
        .terminate()
        .map_err(|error| not_certain(format!("it cannot be signalled ({error})")))?;
    match process.wait(deadline.end()) {
        Ok(true) => Ok(StopOutcome::Signalled),
        _ => Err(still_there(paths, deadline)),
    }
}

/// Connects to the control endpoint, and asks.
fn ask(paths: &Paths, request: Request, deadline: &Deadline) -> Result<Replies, ControlError> {
    let mut stream = reach(paths, deadline)?;
    let failed = |error| io_error("ask on", &paths.control(), error);
    let line = format!("{}\n", request.as_line());
    match stream.write_all(line.as_bytes()) {
        // Whoever closes before it is asked has its reason to say, or is just ending.
        Err(error) if !is_over(&error) => return Err(failed(error)),
        _ => {}
    }
    Ok(Replies {
        stream,
        buffer: Vec::new(),
        path: paths.control(),
        deadline: deadline.end(),
    })
}

/// Connects to the control endpoint. Where nobody answers and somebody holds the lock, it is about to.
fn reach(paths: &Paths, deadline: &Deadline) -> Result<IpcStream, ControlError> {
    let control = paths.control();
    let mut pause = Duration::from_micros(200);
    loop {
        let error = match platform::connect(&control, deadline.end()) {
            Ok(stream) => return checked(stream, &control),
            Err(error) => error,
        };
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {}
            io::ErrorKind::PermissionDenied => {
                return Err(ControlError::NoPermission {
                    control,
                    source: error,
                });
            }
            io::ErrorKind::WouldBlock => return Err(no_answer(paths, deadline)),
            _ => return Err(io_error("connect to", &control, error)),
        }
        match InstanceLock::is_held(paths) {
            Ok(true) => {}
            Ok(false) => return Err(ControlError::NotRunning { control }),
            Err(error) => return Err(io_error("look at the lock", paths.directory(), error)),
        }
        if let Some(record) = Record::read(paths)
            && !record.has_control
        {
            return Err(ControlError::NoControl {
                control,
                holder: describe(&record),
            });
        }
        if deadline.remaining().is_zero() {
            return Err(no_answer(paths, deadline));
        }
        thread::sleep(pause.min(deadline.remaining()));
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

fn checked(stream: IpcStream, control: &Path) -> Result<IpcStream, ControlError> {
    match platform::foreign_peer(&stream) {
        Ok(None) => Ok(stream),
        Ok(Some(user)) => Err(ControlError::ForeignPeer {
            control: control.to_owned(),
            user,
        }),
        Err(error) => Err(io_error("ask who answers on", control, error)),
    }
}

/// What came of waiting for a line.
enum Heard {
    Line(String),
    End,
    /// The deadline is over.
    Nothing,
}

/// What the daemon says.
struct Replies {
    stream: IpcStream,
    buffer: Vec<u8>,
    path: std::path::PathBuf,
    deadline: Instant,
}

impl Replies {
    fn line(&mut self) -> Result<Heard, ControlError> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                let line = String::from_utf8_lossy(&line[..end]).into_owned();
                return Ok(Heard::Line(line));
            }
            if self.buffer.len() > LONGEST_REPLY {
                return Err(ControlError::Refused {
                    why: format!("with a line of more than {LONGEST_REPLY} bytes"),
                });
            }
            if Instant::now() >= self.deadline {
                return Ok(Heard::Nothing);
            }
            let mut bytes = [0_u8; 4096];
            match platform::receive_until(&self.stream, &mut bytes, self.deadline) {
                Ok(0) => return Ok(Heard::End),
                Ok(length) => self.buffer.extend_from_slice(&bytes[..length]),
                Err(error) if is_over(&error) => return Ok(Heard::End),
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::WouldBlock
                            | io::ErrorKind::TimedOut
                            | io::ErrorKind::Interrupted
                    ) => {}
                Err(error) => return Err(io_error("hear from", &self.path, error)),
            }
        }
    }
}

/// What the daemon says may be that it can't.
fn unless_refused(line: &str) -> Result<(), ControlError> {
    match Fields::of(line).text(super::ERROR) {
        Some(why) => Err(ControlError::Refused { why }),
        None => Ok(()),
    }
}

/// Whether an error says no more than that the other side is gone.
fn is_over(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
    )
}

fn io_error(doing: &'static str, path: &Path, source: io::Error) -> ControlError {
    ControlError::Io {
        doing,
        path: path.to_owned(),
        source,
    }
}

/// Nobody answers: there may be nobody by now.
fn no_answer(paths: &Paths, deadline: &Deadline) -> ControlError {
    let control = paths.control();
    if let Ok(false) = InstanceLock::is_held(paths) {
        return ControlError::NotRunning { control };
    }
    ControlError::NoAnswer {
        control,
        holder: Record::read(paths).as_ref().map(describe),
        waited: deadline.waited(),
    }
}

fn still_there(paths: &Paths, deadline: &Deadline) -> ControlError {
    ControlError::TimedOut {
        phase: Record::read(paths).map(|record| record.phase),
        progress: None,
        waited: deadline.waited(),
    }
}

fn describe(record: &Record) -> String {
    format!(
        "process {} ({}, started {} ago)",
        record.pid,
        record.phase,
        diagnostics::format_duration(record.age())
    )
}
