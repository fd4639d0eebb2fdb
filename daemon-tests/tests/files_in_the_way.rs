//! Something else in the place of each file of an instance: nothing is followed, nothing hangs on opening it, nothing is
//! read without bound, and no file outside of the instance directory changes.

#![cfg(target_os = "linux")]
#![forbid(unsafe_code)]

mod common;
#[path = "common/tool.rs"]
mod tool;

use std::error::Error;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread;
use std::time::Duration;

use common::{
    ChildProcess, Fixture, ROOT, TEST_DAEMON, TestResult, as_user_nobody, chown, has_requirements,
    make_fifo, open_fifo_for_writing, output_within, set_mode, spawn_piped, stderr, stdout,
    wait_until, wait_within,
};

/// The longest time for a process. A hang is longer, and a machine under load is faster.
const TIMEOUT: Duration = Duration::from_secs(60);

/// What the file outside contains. It is longer than a record, and it ends in a line.
const OUTSIDE: &str = "not for the daemon\n";

/// The size of a sparse file, which has no blocks.
const SPARSE_SIZE: u64 = 1 << 40;

/// The files of an instance, apart from the endpoint. The lock is the directory itself.
const FILES: [&str; 6] = ["record", "record.new", "starts", "log", "log.1", "control"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Link,
    LinkToNothing,
    LinkToFifo,
    HardLink,
    Fifo,
    Socket,
    Directory,
    Sparse,
}

const KINDS: [Kind; 8] = [
    Kind::Link,
    Kind::LinkToNothing,
    Kind::LinkToFifo,
    Kind::HardLink,
    Kind::Fifo,
    Kind::Socket,
    Kind::Directory,
    Kind::Sparse,
];

/// One case: a fixture whose instance directory exists, and the files outside of it.
struct Case {
    fixture: Fixture,
    name: String,
    directory: PathBuf,
}

impl Case {
    fn new(kind: Kind, file: &str) -> Result<Self, Box<dyn Error>> {
        let fixture = Fixture::new()?;
        let daemon = fixture.start_daemon()?;
        let directory = fixture.instance_directory()?;
        daemon.signal(common::Signal::SIGTERM);
        daemon.wait_with_output()?;
        fs::write(fixture.path().join("outside"), OUTSIDE)?;
        make_fifo(&fixture.path().join("fifo-outside"))?;
        Ok(Self {
            name: format!("{kind:?} as {file}"),
            fixture,
            directory,
        })
    }

    /// Puts something in the place of a file.
    fn put(&self, kind: Kind, file: &str) -> TestResult {
        let path = self.directory.join(file);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        let outside = self.fixture.path().join("outside");
        match kind {
            Kind::Link => symlink(outside, path)?,
            Kind::LinkToNothing => symlink(self.fixture.path().join("missing"), path)?,
            Kind::LinkToFifo => symlink(self.fixture.path().join("fifo-outside"), path)?,
            Kind::HardLink => fs::hard_link(outside, path)?,
            Kind::Fifo => make_fifo(&path)?,
            Kind::Socket => drop(UnixListener::bind(path)?),
            Kind::Directory => fs::create_dir(path)?,
            Kind::Sparse => File::create(path)?.set_len(SPARSE_SIZE)?,
        }
        Ok(())
    }

    /// Runs a command, which must not hang, and then checks what holds at any time.
    fn run(&self, what: &str, command: &mut Command) -> Output {
        eprintln!("{}: {what}", self.name);
        let output = output_within(TIMEOUT, command);
        self.check(what);
        output
    }

    fn check(&self, what: &str) {
        let outside = self.fixture.path().join("outside");
        let outside = fs::read_to_string(outside).expect("the file outside");
        assert_eq!(outside, OUTSIDE, "{}: {what}", self.name);
        let missing = self.fixture.path().join("missing");
        assert!(!missing.exists(), "{}: {what}", self.name);
        let fifo = fs::symlink_metadata(self.fixture.path().join("fifo-outside"));
        assert!(fifo.is_ok_and(|fifo| fifo.file_type().is_fifo()));
        let daemons = self.fixture.daemon_pids();
        assert!(daemons.len() <= 1, "{}: {what}: {daemons:?}", self.name);
    }

    /// Whether a client or a daemon succeeded. If not, its error names a path in the instance directory.
    fn succeeded(&self, what: &str, output: &Output) -> bool {
        let message = stderr(output);
        let directory = self.directory.display().to_string();
        assert!(
            output.status.success() || message.contains(&directory),
            "{}: {what}: {message}",
            self.name
        );
        output.status.success()
    }

    /// Runs what an operator can run while a daemon may serve. A tool may fail, and then names a path.
    fn inspect(&self) {
        for arguments in [
            &["list"][..],
            &["doctor"],
            &["status", "test-daemon"],
            &["log", "test-daemon"],
            &["log", "test-daemon", "-n", "3"],
        ] {
            // Only these files concern a log.
            if arguments.contains(&"-n") && !self.name.contains("log") {
                continue;
            }
            let output = self.run_tool(arguments);
            let said = stdout(&output) + &stderr(&output);
            let directory = self.directory.display().to_string();
            let is_named = output.status.success() || said.contains(&directory);
            assert!(is_named, "{}: {arguments:?}: {said}", self.name);
            assert!(!said.contains("panicked"), "{}: {said}", self.name);
        }
    }

    /// Stops the daemon, if one serves.
    fn stop(&self) {
        let output = self.run_tool(&["stop", "test-daemon"]);
        // Without an answer, only Linux knows for certain which process to signal.
        if cfg!(brokered_portable) && !output.status.success() {
            for pid in self.fixture.daemon_pids() {
                common::signal_process(pid, common::Signal::SIGTERM);
            }
        }
        wait_until(&format!("{}: the daemon has ended", self.name), || {
            self.fixture.daemon_pids().is_empty()
        });
    }

    /// Runs the tool. The log can be long, and a full pipe would block the tool, so it is not kept.
    fn run_tool(&self, arguments: &[&str]) -> Output {
        let tool = self.fixture.tool(arguments);
        let mut quiet = self.fixture.command_without_instance("sh");
        let to = if arguments[0] == "log" {
            ">/dev/null"
        } else {
            ""
        };
        quiet
            .args(["-c", &format!("exec \"$0\" \"$@\" {to}")])
            .arg(tool.get_program())
            .args(tool.get_args());
        self.run(&arguments.join(" "), &mut quiet)
    }
}

/// Runs a scenario for each kind and each file, the kinds at the same time.
fn for_each_case(scenario: impl Fn(&Case, Kind, &str) -> TestResult + Sync) {
    thread::scope(|scope| {
        for kind in KINDS {
            let scenario = &scenario;
            scope.spawn(move || {
                for file in FILES {
                    Case::new(kind, file)
                        .and_then(|case| scenario(&case, kind, file))
                        .unwrap_or_else(|error| panic!("{kind:?} as {file}: {error}"));
                }
            });
        }
    });
}

#[test]
fn a_daemon_by_hand_starts_or_names_the_path() {
    for_each_case(|case, kind, file| {
        case.put(kind, file)?;
        let mut daemon = spawn_piped(&mut case.fixture.command(TEST_DAEMON));
        let mut served = false;
        wait_until(&case.name, || {
            served = connect_only(case).is_some_and(|output| output.status.success());
            served || daemon.0.try_wait().is_ok_and(|ended| ended.is_some())
        });
        case.check("start by hand");
        case.inspect();
        if served {
            case.stop();
        }
        let output = wait_within(TIMEOUT, daemon);
        case.check("the end of the daemon by hand");
        // Only what cannot be replaced by a rename stops the start.
        let is_in_the_way = kind == Kind::Directory && file.starts_with("record");
        assert_eq!(served, !is_in_the_way, "{}: {}", case.name, stderr(&output));
        case.succeeded("by hand", &output);
        Ok(())
    });
}

/// The output of a client that starts nothing. `None` while the endpoint does not exist.
fn connect_only(case: &Case) -> Option<Output> {
    case.fixture
        .socket()
        .ok()
        .filter(|socket| socket.exists())?;
    let mut client = case.fixture.client_command("pid");
    client.env("TEST_CLIENT_CONNECT_ONLY", "1");
    Some(output_within(TIMEOUT, &mut client))
}

#[test]
fn a_client_is_served_or_its_error_names_the_path() {
    for_each_case(|case, kind, file| {
        case.put(kind, file)?;
        let launched = case.run("launch", &mut case.fixture.client_command("pid"));
        let served = case.succeeded("launch", &launched);
        case.inspect();
        if served {
            let again = case.run("connect", &mut case.fixture.client_command("pid"));
            assert_eq!(stdout(&again), stdout(&launched), "{}", case.name);
            case.stop();
        } else {
            let project = case.fixture.project_directory().display().to_string();
            let trace = ["trace", "test-daemon", "-C", &project, "-p", TEST_DAEMON];
            let traced = case.run_tool(&trace);
            assert!(!case.succeeded("trace", &traced), "{}", case.name);
        }
        let is_in_the_way = match file {
            "record" | "record.new" => kind == Kind::Directory,
            "log" => !matches!(kind, Kind::HardLink | Kind::Sparse),
            _ => false,
        };
        assert_eq!(
            served,
            !is_in_the_way,
            "{}: {}",
            case.name,
            stderr(&launched)
        );
        Ok(())
    });
}

#[test]
fn a_daemon_that_runs_is_inspected_and_stopped() {
    for_each_case(|case, kind, file| {
        let first = case.run("launch", &mut case.fixture.client_command("pid"));
        assert!(case.succeeded("launch", &first));
        case.fixture.wait_for_phase("ready");
        let control = case.directory.join("control");
        wait_until("the control endpoint", || control.exists());
        case.put(kind, file)?;
        case.inspect();
        let again = case.run("connect", &mut case.fixture.client_command("pid"));
        assert_eq!(stdout(&again), stdout(&first), "{}", case.name);
        let hidden = matches!(file, "record" | "control");
        if hidden {
            // Neither an answer nor a record says which process it is. A signal ends it.
            let [pid] = case.fixture.daemon_pids()[..] else {
                return Err("not one daemon".into());
            };
            common::signal_process(pid, common::Signal::SIGTERM);
        }
        case.stop();
        Ok(())
    });
}

#[test]
fn a_link_in_the_place_of_the_instance_directory_is_refused() -> TestResult {
    let case = Case::new(Kind::Link, "the directory")?;
    let elsewhere = case.fixture.path().join("elsewhere");
    fs::rename(&case.directory, &elsewhere)?;
    symlink(&elsewhere, &case.directory)?;
    let before = entries(&elsewhere)?;
    let by_hand = case.run("by hand", &mut case.fixture.command(TEST_DAEMON));
    assert!(!case.succeeded("by hand", &by_hand));
    let launched = case.run("launch", &mut case.fixture.client_command("pid"));
    assert!(!case.succeeded("launch", &launched));
    for arguments in [
        &["list"][..],
        &["status", "test-daemon"],
        &["log", "test-daemon"],
    ] {
        case.run_tool(arguments);
    }
    let doctor = stdout(&case.run_tool(&["doctor"]));
    let directory = case.directory.display().to_string();
    assert!(doctor.contains(&directory), "{doctor}");
    assert_eq!(entries(&elsewhere)?, before);
    Ok(())
}

fn entries(directory: &Path) -> Result<Vec<String>, Box<dyn Error>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

#[test]
fn a_link_to_another_control_endpoint_is_not_followed() -> TestResult {
    let case = Case::new(Kind::Link, "control")?;
    let elsewhere = case.fixture.path().join("other-control");
    let other = UnixListener::bind(&elsewhere)?;
    other.set_nonblocking(true)?;
    symlink(&elsewhere, case.directory.join("control"))?;
    let launched = case.run("launch", &mut case.fixture.client_command("pid"));
    assert!(case.succeeded("launch", &launched));
    case.inspect();
    case.stop();
    let asked = other.accept().map(drop).map_err(|error| error.kind());
    assert_eq!(asked, Err(ErrorKind::WouldBlock));
    Ok(())
}

/// The log that a client names is the user's choice: a link is followed, and a pipe is waited for by nobody.
#[test]
fn a_named_log_may_be_a_link_or_a_device_and_a_pipe_does_not_hang() -> TestResult {
    let case = Case::new(Kind::Link, "a named log")?;
    let path = |name: &str| case.fixture.path().join(name);
    symlink(path("target"), path("link"))?;
    for (log, is_served) in [
        (path("link"), true),
        (PathBuf::from("/dev/null"), true),
        (path("fifo-outside"), false),
        (case.directory.clone(), false),
    ] {
        let mut client = case.fixture.client_command("panic");
        let output = case.run("launch", client.env("TEST_CLIENT_LOG", &log));
        let message = stderr(&output);
        // The daemon ends the connection, and serves the next one.
        let served = message.contains("no reply");
        assert_eq!(served, is_served, "{}: {message}", log.display());
        assert!(
            served || message.contains(&log.display().to_string()),
            "{message}"
        );
        case.stop();
    }
    let written = fs::read_to_string(path("target"))?;
    assert!(
        written.contains("a client requested this panic"),
        "{written}"
    );
    Ok(())
}

/// The advice is about the log: another runtime directory would not help.
#[test]
fn a_named_log_that_this_user_cannot_write_to_is_named_with_advice_for_it() -> TestResult {
    if !has_requirements(&[ROOT, "setpriv"]) {
        return Ok(());
    }
    let fixture = Fixture::new()?;
    let directory = fixture.path().join("of-root");
    fs::create_dir(&directory)?;
    set_mode(&directory, 0o755)?;
    for own in [fixture.path(), &fixture.runtime_directory()] {
        chown(own, "65534:65534")?;
    }
    chown(&directory, "root")?;
    let log = directory.join("named.log");
    let mut client = fixture.client_command("pid");
    client.env("TEST_CLIENT_LOG", &log);
    let output = output_within(TIMEOUT, &mut as_user_nobody(&client));
    let message = stderr(&output);
    assert!(!output.status.success(), "{}", stdout(&output));
    for part in [
        format!("cannot open the log {}: ", log.display()),
        format!("{} belongs to user 0, ", directory.display()),
        "choose another file with `Instance::log`".to_owned(),
    ] {
        assert!(message.contains(&part), "no {part}: {message}");
    }
    assert!(!message.contains("BROKERED_RUNTIME_DIR"), "{message}");
    // With the permission, the daemon is started.
    chown(&directory, "65534:65534")?;
    let output = output_within(TIMEOUT, &mut as_user_nobody(&client));
    assert!(output.status.success(), "{}", stderr(&output));
    Ok(())
}

/// A pipe with a reader is a log as well. Its end of the daemon's output is a pipe like any other.
#[test]
fn a_named_log_may_be_a_pipe_with_a_reader() -> TestResult {
    let case = Case::new(Kind::Fifo, "a named log")?;
    let fifo = case.fixture.path().join("fifo-outside");
    let mut cat = Command::new("cat");
    let reader = spawn_piped(cat.arg(&fifo));
    // Until the reader has opened it, nobody can.
    let writer = open_fifo_for_writing(&fifo)?;
    let mut client = case.fixture.client_command("panic");
    let output = case.run("launch", client.env("TEST_CLIENT_LOG", &fifo));
    assert!(stderr(&output).contains("no reply"), "{}", stderr(&output));
    case.stop();
    drop(writer);
    let read = reader_output(reader);
    assert!(read.contains("a client requested this panic"), "{read}");
    Ok(())
}

fn reader_output(reader: ChildProcess) -> String {
    stdout(&wait_within(TIMEOUT, reader))
}
