//! A place for one test: a runtime directory, a directory to be the instance of, and what runs there.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::error::Error;
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

pub(crate) use nix::sys::signal::Signal;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use tempfile::TempDir;

pub(crate) type Outcome = Result<(), Box<dyn Error>>;

/// How long anything may take on a busy machine before a test gives up on it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// What the backend says whose endpoint its launcher has bound, where launchers can.
pub(crate) const FIRST_BACKEND: &str = if cfg!(brokered_portable) {
    " bound\n"
} else {
    " adopted\n"
};
pub(crate) const SUBJECT: &str = env!("CARGO_BIN_EXE_subject");
pub(crate) const SINGLE: &str = env!("CARGO_BIN_EXE_single");
pub(crate) const BACKEND: &str = env!("CARGO_BIN_EXE_backend");
pub(crate) const ASK: &str = env!("CARGO_BIN_EXE_ask");
pub(crate) const TWICE: &str = env!("CARGO_BIN_EXE_twice");

/// A place for one test. Whatever daemon is left in it when it is dropped is killed.
pub(crate) struct Place {
    whole: TempDir,
}

impl Place {
    pub(crate) fn new() -> Result<Self, Box<dyn Error>> {
        let whole = tempfile::tempdir()?;
        let place = Self { whole };
        fs::DirBuilder::new().mode(0o700).create(place.runtime())?;
        fs::create_dir(place.directory())?;
        Ok(place)
    }

    /// The runtime directory.
    pub(crate) fn runtime(&self) -> PathBuf {
        self.path().join("runtime")
    }

    /// The directory that `subject` is for.
    pub(crate) fn directory(&self) -> PathBuf {
        self.path().join("directory")
    }

    pub(crate) fn path(&self) -> &Path {
        self.whole.path()
    }

    /// A program in this place.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env("BROKERED_RUNTIME_DIR", self.runtime())
            .env("BROKERED_INSTANCE", self.directory());
        command
    }

    /// A client in this place that asks the subject for this.
    pub(crate) fn ask_command(&self, line: &str) -> Command {
        self.ask_program(SUBJECT, line)
    }

    /// The same with another executable in the subject's place.
    pub(crate) fn ask_program(&self, program: impl AsRef<OsStr>, line: &str) -> Command {
        let mut command = self.command(ASK);
        command
            .arg(self.directory())
            .arg(program)
            .arg(line)
            .env_remove("BROKERED_INSTANCE");
        command
    }

    /// What the subject answers to a client, which starts it if it is not there.
    pub(crate) fn ask(&self, line: &str) -> Result<String, Box<dyn Error>> {
        let output = self.ask_command(line).output()?;
        if !output.status.success() {
            return Err(stderr(&output).into());
        }
        Ok(String::from_utf8(output.stdout)?.trim_end().to_owned())
    }

    /// The subject, started by hand, once it can be connected to.
    pub(crate) fn subject(&self) -> Result<Running, Box<dyn Error>> {
        self.start(self.command(SUBJECT))
    }

    /// A daemon, once it can be connected to and has recorded itself.
    pub(crate) fn start(&self, mut command: Command) -> Result<Running, Box<dyn Error>> {
        let before = self.recorded("PID").ok();
        let child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut running = Running(child);
        eventually("the daemon can be connected to", || {
            if let Ok(Some(status)) = running.0.try_wait() {
                let mut text = String::new();
                if let Some(stderr) = &mut running.0.stderr {
                    let _ = stderr.read_to_string(&mut text);
                }
                panic!("the daemon has ended with {status}: {text}");
            }
            let is_new = |pid| before.as_ref() != Some(&pid);
            self.recorded("PID").is_ok_and(is_new)
                && self
                    .socket()
                    .is_ok_and(|socket| UnixStream::connect(socket).is_ok())
        });
        Ok(running)
    }

    /// The one instance directory in this place.
    pub(crate) fn instance(&self) -> Result<PathBuf, Box<dyn Error>> {
        let mut entries = fs::read_dir(self.runtime())?;
        let one = entries.next().ok_or("no instance")??.path();
        assert!(entries.next().is_none(), "more than one instance");
        Ok(one)
    }

    pub(crate) fn socket(&self) -> Result<PathBuf, Box<dyn Error>> {
        Ok(self.instance()?.join("socket"))
    }

    pub(crate) fn record(&self) -> Result<String, Box<dyn Error>> {
        Ok(fs::read_to_string(self.instance()?.join("record"))?)
    }

    /// A value of the record.
    pub(crate) fn recorded(&self, key: &str) -> Result<String, Box<dyn Error>> {
        let record = self.record()?;
        record
            .lines()
            .filter_map(|line| line.split_once('='))
            .find(|(name, _)| *name == key)
            .map(|(_, value)| value.to_owned())
            .ok_or_else(|| format!("no {key} in {record}").into())
    }

    /// Waits until the record tells of this phase.
    #[track_caller]
    pub(crate) fn until(&self, phase: &str) {
        eventually(phase, || {
            self.recorded("PHASE")
                .is_ok_and(|recorded| recorded == phase)
        });
    }

    /// A connection to the endpoint that has sent a line.
    pub(crate) fn say(&self, line: &str) -> Result<BufReader<UnixStream>, Box<dyn Error>> {
        let mut stream = UnixStream::connect(self.socket()?)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        writeln!(stream, "{line}")?;
        Ok(BufReader::new(stream))
    }

    /// The subjects of this place that live, whoever has started them.
    pub(crate) fn daemons(&self) -> Vec<u32> {
        self.processes(SUBJECT)
    }

    /// The processes of this place that run an executable.
    pub(crate) fn processes(&self, executable: &str) -> Vec<u32> {
        let place = format!("BROKERED_RUNTIME_DIR={}", self.runtime().display());
        let is_here = |pid: &u32| {
            let process = PathBuf::from(format!("/proc/{pid}"));
            let runs = fs::read_link(process.join("exe"));
            let environment = fs::read(process.join("environ")).unwrap_or_default();
            runs.is_ok_and(|runs| runs == Path::new(executable))
                && environment
                    .split(|byte| *byte == 0)
                    .any(|variable| variable == place.as_bytes())
        };
        fs::read_dir("/proc")
            .expect("/proc")
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .filter(is_here)
            .collect()
    }

    /// Whether the lock is free: whether a daemon could start.
    pub(crate) fn is_free(&self) -> Result<bool, Box<dyn Error>> {
        let directory = fs::File::open(self.instance()?)?;
        Ok(directory.try_lock().is_ok())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Daemons that clients have started are nobody's children here.
        let Ok(instances) = fs::read_dir(self.runtime()) else {
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

/// A daemon that is a child of the test, killed when it is dropped.
pub(crate) struct Running(pub(crate) Child);

impl Running {
    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        signal_process(self.pid(), signal);
    }

    /// Waits for its end, within reason.
    pub(crate) fn end(mut self) -> Result<Output, Box<dyn Error>> {
        eventually("the daemon ends", || {
            matches!(self.0.try_wait(), Ok(Some(_)))
        });
        let mut stdout = Vec::new();
        let mut stderr = Vec::new();
        if let Some(pipe) = &mut self.0.stdout {
            pipe.read_to_end(&mut stdout)?;
        }
        if let Some(pipe) = &mut self.0.stderr {
            pipe.read_to_end(&mut stderr)?;
        }
        let status = self.0.wait()?;
        Ok(Output {
            status,
            stdout,
            stderr,
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Sends a signal. A process that is to stop has stopped: until the last of its threads has, it might answer.
#[track_caller]
pub(crate) fn signal_process(pid: u32, signal: Signal) {
    let number = Pid::from_raw(pid.try_into().expect("a process ID"));
    kill(number, signal).expect("kill");
    if signal == Signal::SIGSTOP {
        eventually("it has stopped", || {
            let states = thread_states(pid);
            states.iter().all(|state| matches!(state, 'T' | 'Z' | 'X'))
        });
    }
}

/// What each thread of a process is doing.
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

/// Whether a process was sent a signal that it has not come to take.
pub(crate) fn is_pending(pid: u32, signal: Signal) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let pending = status
        .lines()
        .find_map(|line| line.strip_prefix("ShdPnd:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    pending.is_some_and(|mask| mask & (1 << (signal as i32 - 1)) != 0)
}

/// Looks again and again until it holds.
#[track_caller]
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// How many connections to a socket there are, accepted or not, from this side or the other.
pub(crate) fn connections(socket: &Path) -> usize {
    let sockets = fs::read_to_string("/proc/net/unix").unwrap_or_default();
    let ends_with = socket.display().to_string();
    sockets
        .lines()
        .filter(|line| line.ends_with(&ends_with))
        // One of these lines is the listener.
        .count()
        .saturating_sub(1)
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The next line of an answer.
pub(crate) fn line(from: &mut impl BufRead) -> Result<String, Box<dyn Error>> {
    let mut line = String::new();
    from.read_line(&mut line)?;
    Ok(line.trim_end().to_owned())
}

pub(crate) fn set_mode(path: &Path, mode: u32) -> Outcome {
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(mode))?)
}

pub(crate) fn make_fifo(path: &Path) -> Outcome {
    let made = Command::new("mkfifo").arg(path).status()?;
    assert!(made.success());
    Ok(())
}

/// Whether a test can have what it needs: these tools, and to be root. On a developer's machine a test goes
/// without; where `CI` is set, what is missing is an error.
#[track_caller]
pub(crate) fn has(tools: &[&str]) -> bool {
    let lacks: Vec<&&str> = tools.iter().filter(|tool| !is_there(tool)).collect();
    if lacks.is_empty() {
        return true;
    }
    assert!(std::env::var_os("CI").is_none(), "needs {lacks:?}");
    eprintln!("not run: needs {lacks:?}");
    false
}

/// Stands for being root among the tools that a test needs.
pub(crate) const ROOT: &str = "root";

fn is_there(tool: &str) -> bool {
    let asked = if tool == ROOT {
        "test \"$(id -u)\" = 0".to_owned()
    } else {
        format!("command -v {tool}")
    };
    Command::new("sh")
        .args(["-c", &asked])
        .stdout(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// A command as user `nobody`: root may do everything, so a test of permissions would prove nothing.
pub(crate) fn as_nobody(command: &Command) -> Command {
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
