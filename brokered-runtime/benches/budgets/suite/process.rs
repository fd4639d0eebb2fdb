//! Processes: started on a core of their own, watched until they can be connected to, ended and reaped.

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

pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// A daemon that this process started itself. Killed and reaped when dropped.
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

/// Nothing to read, nowhere to write: what a daemon started by hand gets.
pub(super) fn quiet(command: &mut Command) -> &mut Command {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
}

/// Starts daemons from a thread of its own on the second core, which they inherit, while the caller keeps to the
/// first.
#[derive(Debug)]
pub(super) struct Starter {
    commands: Sender<Command>,
    started: Receiver<Result<(Instant, Running), std::io::Error>>,
    _here: Pinned,
}

impl Starter {
    pub(super) fn new() -> Result<Self> {
        let (commands, received) = channel::<Command>();
        let (report, started) = channel();
        thread::spawn(move || {
            // Where a core can't be had for its own, both sides do without.
            let _there = Pinned::to(1);
            for mut command in received {
                let before = Instant::now();
                let outcome = Running::start(&mut command).map(|running| (before, running));
                if report.send(outcome).is_err() {
                    break;
                }
            }
        });
        Ok(Self {
            commands,
            started,
            _here: Pinned::to(0)?,
        })
    }

    /// From just before the spawn to the first connection that succeeds, tried in a tight loop.
    pub(super) fn until_connectable(
        &self,
        command: Command,
        endpoint: &Path,
    ) -> Result<(f64, Running)> {
        self.commands.send(command)?;
        let patience = Instant::now() + PATIENCE;
        let connected = loop {
            match UnixStream::connect(endpoint) {
                Ok(_) => break Instant::now(),
                Err(error) if Instant::now() > patience => {
                    drop(self.started.recv()?);
                    return Err(format!(
                        "{}: not connectable after {PATIENCE:?}: {error}",
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

/// Makes daemons whose launcher has ended children of this process, so that it can reap them.
pub(super) fn adopt_orphans() {
    #[cfg(target_os = "linux")]
    let _ = nix::sys::prctl::set_child_subreaper(true);
}

/// Ends a daemon that somebody else started, and returns once it is gone.
pub(super) fn end(id: u32) -> Result<()> {
    let pid = Pid::from_raw(i32::try_from(id)?);
    kill(pid, Signal::SIGKILL)?;
    let patience = Instant::now() + PATIENCE;
    // Ours to reap on Linux; elsewhere init's, and gone when it can't be signalled any more.
    while waitpid(pid, None).is_err() && kill(pid, None).is_ok() {
        if Instant::now() > patience {
            return Err(format!("process {id} is still there, {PATIENCE:?} after SIGKILL").into());
        }
        thread::yield_now();
    }
    Ok(())
}
