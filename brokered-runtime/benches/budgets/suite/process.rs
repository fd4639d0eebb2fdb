//! Processes: starts daemons on the second core, waits until they accept connections, and kills and reaps them.

use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;

use super::machine::Pinned;
use super::{Result, nanoseconds};

pub(super) const TIMEOUT: Duration = Duration::from_secs(20);

/// A daemon that is a child of this process. It is killed and reaped when this is dropped.
#[derive(Debug)]
pub(super) struct Running(Child);

impl Running {
    pub(super) fn start(command: &mut Command) -> std::io::Result<Self> {
        command.spawn().map(Self)
    }

    pub(super) fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Connects the standard streams of a daemon started by hand to the null device.
pub(super) fn with_null_streams(command: &mut Command) -> &mut Command {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
}

/// Starts daemons on the second core, from a thread that is pinned to it. The caller's thread is pinned to the first.
#[derive(Debug)]
pub(super) struct Starter {
    commands: Sender<Command>,
    started: Receiver<Result<(Instant, Running), std::io::Error>>,
    _caller: Pinned,
}

impl Starter {
    pub(super) fn new() -> Result<Self> {
        let (commands, received) = channel::<Command>();
        let (report, started) = channel();
        thread::spawn(move || {
            // If the thread cannot be pinned, that affects both sides alike.
            let _starter = Pinned::to(1);
            for mut command in received {
                let before = Instant::now();
                let result = Running::start(&mut command).map(|running| (before, running));
                if report.send(result).is_err() {
                    break;
                }
            }
        });
        Ok(Self {
            commands,
            started,
            _caller: Pinned::to(0)?,
        })
    }

    /// The time from just before the spawn to the first successful connection. Tries to connect in a tight loop.
    pub(super) fn until_connectable(
        &self,
        command: Command,
        endpoint: &Path,
    ) -> Result<(f64, Running)> {
        self.commands.send(command)?;
        let deadline = Instant::now() + TIMEOUT;
        let connected = loop {
            match UnixStream::connect(endpoint) {
                Ok(_) => break Instant::now(),
                Err(error) if Instant::now() > deadline => {
                    drop(self.started.recv()?);
                    return Err(format!(
                        "{}: not connectable after {TIMEOUT:?}: {error}",
                        endpoint.display()
                    )
                    .into());
                }
                Err(_) => std::hint::spin_loop(),
            }
        };
        let (before, running) = self.started.recv()??;
        Ok((nanoseconds(connected.duration_since(before)), running))
    }
}

/// Makes this process the parent of daemons whose launcher has ended, so that it can reap them.
pub(super) fn adopt_orphans() {
    #[cfg(target_os = "linux")]
    let _ = nix::sys::prctl::set_child_subreaper(true);
}

/// Kills a daemon that another process has started, and returns once it has ended.
pub(super) fn kill_and_wait(id: u32) -> Result<()> {
    let pid = Pid::from_raw(i32::try_from(id)?);
    kill(pid, Signal::SIGKILL)?;
    let deadline = Instant::now() + TIMEOUT;
    // On Linux this process reaps the daemon. Elsewhere init does, and then it can no longer be signalled.
    while waitpid(pid, None).is_err() && kill(pid, None).is_ok() {
        if Instant::now() > deadline {
            return Err(format!("process {id} still runs, {TIMEOUT:?} after SIGKILL").into());
        }
        thread::yield_now();
    }
    Ok(())
}
