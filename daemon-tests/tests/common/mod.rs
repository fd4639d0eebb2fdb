//! The test support: the fixture of a test, with the daemons and clients that run in it.

#![allow(dead_code, reason = "each test file uses a part of it")]

mod portable;

use std::error::Error;
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

#[allow(unused_imports, reason = "each test file uses a part of it")]
pub(crate) use portable::{
    ChildProcess, TIMEOUT, TestResult, number_from_env, stderr, stdout, wait_until,
};

pub(crate) use nix::sys::signal::Signal;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use tempfile::TempDir;

/// The end of the backend's reply when its launcher may bind for it. Only Linux launchers do.
pub(crate) const LAUNCHED_BACKEND_REPLY: &str = if cfg!(brokered_portable) {
    " bound\n"
} else {
    " adopted\n"
};
pub(crate) const TEST_DAEMON: &str = env!("CARGO_BIN_EXE_test-daemon");
pub(crate) const SINGLE_INSTANCE_DAEMON: &str = env!("CARGO_BIN_EXE_single-instance-daemon");
pub(crate) const BACKEND: &str = env!("CARGO_BIN_EXE_backend");
pub(crate) const TEST_CLIENT: &str = env!("CARGO_BIN_EXE_test-client");
pub(crate) const REENTER_MAIN: &str = env!("CARGO_BIN_EXE_reenter-main");

/// The fixture of one test: a runtime directory, a project directory, and the daemons that run there. Daemons that still
/// run when it is dropped are killed.
pub(crate) struct Fixture {
    root: TempDir,
}

impl Fixture {
    pub(crate) fn new() -> Result<Self, Box<dyn Error>> {
        let root = tempfile::tempdir()?;
        let fixture = Self { root };
        fs::DirBuilder::new()
            .mode(0o700)
            .create(fixture.runtime_directory())?;
        fs::create_dir(fixture.project_directory())?;
        Ok(fixture)
    }

    pub(crate) fn runtime_directory(&self) -> PathBuf {
        self.path().join("runtime")
    }

    /// The directory whose instance the test daemon is.
    pub(crate) fn project_directory(&self) -> PathBuf {
        self.path().join("project")
    }

    pub(crate) fn path(&self) -> &Path {
        self.root.path()
    }

    /// A command with this fixture's runtime directory, for the instance of the project directory.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env("BROKERED_RUNTIME_DIR", self.runtime_directory())
            .env("BROKERED_INSTANCE", self.project_directory());
        command
    }

    /// The same without an instance, for clients and for daemons with a single instance.
    pub(crate) fn command_without_instance(&self, program: &str) -> Command {
        let mut command = self.command(program);
        command.env_remove("BROKERED_INSTANCE");
        command
    }

    /// A client that sends a line to the test daemon, launching it if it does not run.
    pub(crate) fn client_command(&self, line: &str) -> Command {
        self.client_command_for(TEST_DAEMON, line)
    }

    /// The same with another executable as the daemon.
    pub(crate) fn client_command_for(&self, program: impl AsRef<OsStr>, line: &str) -> Command {
        let mut command = self.command_without_instance(TEST_CLIENT);
        command.arg(self.project_directory()).arg(program).arg(line);
        command
    }

    /// A client of the backend. The mode is `launcher-binds` or `daemon-binds`.
    pub(crate) fn backend_client(&self, mode: &str) -> Command {
        let mut command = self.command_without_instance(env!("CARGO_BIN_EXE_backend-client"));
        command.args([mode, BACKEND]);
        command
    }

    /// The test daemon's reply to a client, which launches it if it does not run.
    pub(crate) fn request(&self, line: &str) -> Result<String, Box<dyn Error>> {
        let output = self.client_command(line).output()?;
        if !output.status.success() {
            return Err(stderr(&output).into());
        }
        Ok(String::from_utf8(output.stdout)?.trim_end().to_owned())
    }

    /// Starts the test daemon by hand, and waits until it accepts connections.
    pub(crate) fn start_daemon(&self) -> Result<ChildProcess, Box<dyn Error>> {
        self.start(self.command(TEST_DAEMON))
    }

    /// Starts the test daemon by hand, and returns the fifo at whose end its load ends.
    pub(crate) fn start_loading_daemon(&self) -> Result<(ChildProcess, PathBuf), Box<dyn Error>> {
        let fifo = self.path().join("fifo");
        make_fifo(&fifo)?;
        let mut command = self.command(TEST_DAEMON);
        command.env(daemon_tests::LOAD_FIFO, &fifo);
        Ok((self.start(command)?, fifo))
    }

    /// Starts a daemon, and waits until it accepts connections and has written its record.
    pub(crate) fn start(&self, mut command: Command) -> Result<ChildProcess, Box<dyn Error>> {
        let before = self.record_value("PID").ok();
        let child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut running = ChildProcess(child);
        wait_until("the daemon accepts connections", || {
            if let Ok(Some(status)) = running.0.try_wait() {
                let mut text = String::new();
                if let Some(stderr) = &mut running.0.stderr {
                    let _ = stderr.read_to_string(&mut text);
                }
                panic!("the daemon ended with {status}: {text}");
            }
            let is_new = |pid| before.as_ref() != Some(&pid);
            self.record_value("PID").is_ok_and(is_new)
                && self
                    .socket()
                    .is_ok_and(|socket| UnixStream::connect(socket).is_ok())
        });
        Ok(running)
    }

    /// The only instance directory in the runtime directory.
    pub(crate) fn instance_directory(&self) -> Result<PathBuf, Box<dyn Error>> {
        let mut entries = fs::read_dir(self.runtime_directory())?;
        let instance = entries.next().ok_or("no instance")??.path();
        assert!(entries.next().is_none(), "more than one instance");
        Ok(instance)
    }

    pub(crate) fn socket(&self) -> Result<PathBuf, Box<dyn Error>> {
        Ok(self.instance_directory()?.join("socket"))
    }

    pub(crate) fn record(&self) -> Result<String, Box<dyn Error>> {
        Ok(fs::read_to_string(
            self.instance_directory()?.join("record"),
        )?)
    }

    /// The value of a key in the record.
    pub(crate) fn record_value(&self, key: &str) -> Result<String, Box<dyn Error>> {
        portable::field_of(&self.record()?, key)
    }

    /// Waits until the record holds this phase.
    #[track_caller]
    pub(crate) fn wait_for_phase(&self, phase: &str) {
        wait_until(phase, || {
            self.record_value("PHASE")
                .is_ok_and(|recorded| recorded == phase)
        });
    }

    /// Connects to the endpoint and sends a line.
    pub(crate) fn send(&self, line: &str) -> Result<BufReader<UnixStream>, Box<dyn Error>> {
        let mut stream = UnixStream::connect(self.socket()?)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        writeln!(stream, "{line}")?;
        Ok(BufReader::new(stream))
    }

    /// The whole reply to a line that is sent to the endpoint.
    pub(crate) fn whole_reply(&self, line: &str) -> Result<String, Box<dyn Error>> {
        let mut reply = String::new();
        self.send(line)?.read_to_string(&mut reply)?;
        Ok(reply)
    }

    /// The test daemons of this fixture that run, launched or started by hand.
    pub(crate) fn daemon_pids(&self) -> Vec<u32> {
        self.pids_of(TEST_DAEMON)
    }

    /// The processes of this fixture that run an executable.
    pub(crate) fn pids_of(&self, executable: &str) -> Vec<u32> {
        let variable = format!(
            "BROKERED_RUNTIME_DIR={}",
            self.runtime_directory().display()
        );
        let belongs_here = |pid: &u32| {
            let process = PathBuf::from(format!("/proc/{pid}"));
            let runs = fs::read_link(process.join("exe"));
            let environment = fs::read(process.join("environ")).unwrap_or_default();
            runs.is_ok_and(|runs| runs == Path::new(executable))
                && environment
                    .split(|byte| *byte == 0)
                    .any(|entry| entry == variable.as_bytes())
        };
        fs::read_dir("/proc")
            .expect("/proc")
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .filter(belongs_here)
            .collect()
    }

    /// Whether no process holds the instance lock.
    pub(crate) fn is_lock_free(&self) -> Result<bool, Box<dyn Error>> {
        let directory = fs::File::open(self.instance_directory()?)?;
        Ok(directory.try_lock().is_ok())
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        // Launched daemons are not children of the test, so no guard has killed them.
        let Ok(instances) = fs::read_dir(self.runtime_directory()) else {
            return;
        };
        for instance in instances.flatten() {
            let record = fs::read_to_string(instance.path().join("record")).unwrap_or_default();
            let pid = record.lines().find_map(|line| line.strip_prefix("PID="));
            let held = fs::File::open(instance.path()).is_ok_and(|lock| lock.try_lock().is_err());
            if let (Some(pid), true) = (pid, held) {
                let _ = Command::new("kill").args(["-9", pid]).status();
            }
        }
    }
}

impl ChildProcess {
    pub(crate) fn signal(&self, signal: Signal) {
        signal_process(self.pid(), signal);
    }
}

/// Sends a signal. After SIGSTOP it waits until all threads have stopped: until then, one of them could still reply.
#[track_caller]
pub(crate) fn signal_process(pid: u32, signal: Signal) {
    let number = Pid::from_raw(pid.try_into().expect("a process ID"));
    kill(number, signal).expect("kill");
    if signal == Signal::SIGSTOP {
        wait_until("the process has stopped", || {
            let states = thread_states(pid);
            states.iter().all(|state| matches!(state, 'T' | 'Z' | 'X'))
        });
    }
}

/// The state of each thread of a process, such as `S`.
fn thread_states(pid: u32) -> Vec<char> {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    let state = |thread: PathBuf| {
        let stat = fs::read_to_string(thread.join("stat")).ok()?;
        stat.rsplit_once(") ")?.1.chars().next()
    };
    threads
        .filter_map(|thread| state(thread.ok()?.path()))
        .collect()
}

/// A number in `/proc/<pid>/status`, such as that of `VmRSS:`.
pub(crate) fn status_number(pid: u32, key: &str) -> Result<u64, Box<dyn Error>> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find(|line| line.starts_with(key));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    Ok(number
        .ok_or_else(|| format!("no {key} in {status}"))?
        .parse()?)
}

/// Whether a signal is pending for a process.
pub(crate) fn is_signal_pending(pid: u32, signal: Signal) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let pending = status
        .lines()
        .find_map(|line| line.strip_prefix("ShdPnd:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    pending.is_some_and(|mask| mask & (1 << (signal as i32 - 1)) != 0)
}

/// The number of connections to a Unix socket, accepted or not.
pub(crate) fn connection_count(socket: &Path) -> usize {
    let sockets = fs::read_to_string("/proc/net/unix").unwrap_or_default();
    let ends_with = socket.display().to_string();
    sockets
        .lines()
        .filter(|line| line.ends_with(&ends_with))
        // One of these lines is the listener itself.
        .count()
        .saturating_sub(1)
}

/// Whether a process listens on a Unix socket, by the flag `SO_ACCEPTCON` in `/proc/net/unix`.
pub(crate) fn is_listening(socket: &Path) -> bool {
    const ACCEPTS_CONNECTIONS: &str = "00010000";
    let sockets = fs::read_to_string("/proc/net/unix").unwrap_or_default();
    let path = socket.display().to_string();
    sockets.lines().any(|line| {
        line.ends_with(&path) && line.split_whitespace().nth(3) == Some(ACCEPTS_CONNECTIONS)
    })
}

/// Reads a line, without its end.
pub(crate) fn read_line(from: &mut impl BufRead) -> Result<String, Box<dyn Error>> {
    let mut line = String::new();
    from.read_line(&mut line)?;
    Ok(line.trim_end().to_owned())
}

pub(crate) fn set_mode(path: &Path, mode: u32) -> TestResult {
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(mode))?)
}

pub(crate) fn make_fifo(path: &Path) -> TestResult {
    let status = Command::new("mkfifo").arg(path).status()?;
    assert!(status.success());
    Ok(())
}

/// Opens a fifo for writing, which waits until another process has opened it for reading.
pub(crate) fn open_fifo_for_writing(fifo: &Path) -> Result<fs::File, Box<dyn Error>> {
    Ok(fs::OpenOptions::new().write(true).open(fifo)?)
}

/// Changes the owner of a file, or of a directory and all that is in it.
pub(crate) fn chown(path: &Path, user: &str) -> TestResult {
    let status = Command::new("chown")
        .args(["-R", user])
        .arg(path)
        .status()?;
    assert!(status.success());
    Ok(())
}

/// Whether a test's requirements are met: these tools, and the root user. A test is skipped on a developer's machine that
/// lacks one. With `CI` set, a missing one is an error.
#[track_caller]
pub(crate) fn has_requirements(tools: &[&str]) -> bool {
    let missing: Vec<&&str> = tools.iter().filter(|tool| !is_available(tool)).collect();
    if missing.is_empty() {
        return true;
    }
    assert!(std::env::var_os("CI").is_none(), "needs {missing:?}");
    eprintln!("skipped: needs {missing:?}");
    false
}

/// The requirement that the test runs as root.
pub(crate) const ROOT: &str = "root";

fn is_available(tool: &str) -> bool {
    let condition = if tool == ROOT {
        "test \"$(id -u)\" = 0".to_owned()
    } else {
        format!("command -v {tool}")
    };
    Command::new("sh")
        .args(["-c", &condition])
        .stdout(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// The same command run as user `nobody`, for tests of permissions, which root ignores.
pub(crate) fn as_user_nobody(command: &Command) -> Command {
    let mut nobody = Command::new("setpriv");
    nobody
        .args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"])
        .arg(command.get_program())
        .args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => nobody.env(name, value),
            None => nobody.env_remove(name),
        };
    }
    nobody
}

// Processes that tests run to their end

/// Starts a command with piped output.
#[track_caller]
pub(crate) fn spawn_piped(command: &mut Command) -> ChildProcess {
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    ChildProcess(child.expect("the command starts"))
}

/// Runs a command, and panics if it does not end within a time.
#[track_caller]
pub(crate) fn output_within(timeout: Duration, command: &mut Command) -> Output {
    let child = spawn_piped(command);
    wait_within(timeout, child)
}

/// Waits for a process, and panics with its output if it does not end within a time.
#[track_caller]
pub(crate) fn wait_within(timeout: Duration, mut process: ChildProcess) -> Output {
    let deadline = Instant::now() + timeout;
    while process.0.try_wait().expect("a child").is_none() {
        if Instant::now() > deadline {
            let _ = process.0.kill();
            let output = process.wait_with_output().expect("its output");
            panic!(
                "the process hangs, after {timeout:?}: {}{}",
                stdout(&output),
                stderr(&output)
            );
        }
        thread::sleep(Duration::from_millis(1));
    }
    process.wait_with_output().expect("its output")
}

/// Asserts that the recorded daemon replied to a client's `pid`, and returns the process ID.
#[track_caller]
pub(crate) fn replied_pid(fixture: &Fixture, output: &Output) -> Result<String, Box<dyn Error>> {
    assert!(output.status.success(), "{}", stderr(output));
    let pid = stdout(output).trim_end().to_owned();
    assert_eq!(fixture.record_value("PID")?, pid);
    Ok(pid)
}

/// Asserts that a message does not advise deleting anything.
#[track_caller]
pub(crate) fn assert_advises_no_deletion(message: &str) {
    for advice in ["delete", "remove", "rm "] {
        assert!(!message.contains(advice), "{message}");
    }
}

/// An executable shell script.
pub(crate) fn script(fixture: &Fixture, commands: &str) -> Result<PathBuf, Box<dyn Error>> {
    let path = fixture.path().join("script");
    write_executable(&path, &format!("#!/bin/sh\n{commands}\n"))?;
    Ok(path)
}

/// Writes an executable, in another process.
///
/// If this process wrote it, a child that another test forks at that moment would inherit the open file, and executing it
/// would fail with `ETXTBSY`.
fn write_executable(path: &Path, contents: &str) -> TestResult {
    let write = "printf %s \"$1\" > \"$0\" && chmod 755 \"$0\"";
    let status = Command::new("sh")
        .args(["-c", write])
        .arg(path)
        .arg(contents)
        .status()?;
    assert!(status.success(), "cannot write {}", path.display());
    Ok(())
}

/// Copies an executable, in another process for the same reason.
pub(crate) fn copy_executable(from: &str, to: &Path) -> TestResult {
    let status = Command::new("cp").arg(from).arg(to).status()?;
    assert!(status.success(), "cannot copy {from}");
    Ok(())
}

/// An executable that runs the test daemon once a line is written to the fifo, which is returned, too.
pub(crate) fn delayed_daemon(fixture: &Fixture) -> Result<(PathBuf, PathBuf), Box<dyn Error>> {
    let fifo = fixture.path().join("start");
    make_fifo(&fifo)?;
    let commands = format!("read line < {}; exec {TEST_DAEMON}", fifo.display());
    Ok((script(fixture, &commands)?, fifo))
}
