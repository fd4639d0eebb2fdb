//! The directory that a daemon is for: removed, replaced, renamed, unmounted, or on a file system that does not answer.

#![cfg(unix)]

mod common;

use std::error::Error;
use std::fs;
use std::io::BufReader;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use common::{
    ChildProcess, Fixture, ROOT, SINGLE_INSTANCE_DAEMON, Signal, TEST_DAEMON, TIMEOUT, TestResult,
    has_requirements, output_within, read_line, signal_process, stderr, stdout, wait_until,
    wait_within,
};

/// A command for the daemon of a directory, which looks at it often. Its working directory is another one.
fn daemon_at(fixture: &Fixture, directory: &Path) -> Command {
    let mut command = fixture.command(TEST_DAEMON);
    command
        .env("BROKERED_INSTANCE", directory)
        .env("BROKERED_TEST_CHECK_MS", "50")
        .env("BROKERED_TEST_CONFIRM_MS", "50")
        .current_dir("/");
    command
}

/// Starts the daemon, and waits until it knows its directory.
fn start(fixture: &Fixture, command: Command) -> Result<ChildProcess, Box<dyn Error>> {
    let daemon = fixture.start(command)?;
    wait_for_status(fixture, "AT_", |at| at.ends_with(" directory"));
    fixture.wait_for_phase("ready");
    Ok(daemon)
}

fn start_at(fixture: &Fixture, directory: &Path) -> Result<ChildProcess, Box<dyn Error>> {
    start(fixture, daemon_at(fixture, directory))
}

/// The reply to `status`. It is asked for on the control endpoint itself: a client cannot compute the instance of a
/// directory that is not there.
fn status(fixture: &Fixture) -> Result<String, Box<dyn Error>> {
    use std::io::{Read, Write};
    let mut stream = UnixStream::connect(fixture.instance_directory()?.join("control"))?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.write_all(b"status\n")?;
    let mut reply = String::new();
    stream.read_to_string(&mut reply)?;
    Ok(reply)
}

/// Waits until a line of the status that begins with this text satisfies a condition.
#[track_caller]
fn wait_for_status(fixture: &Fixture, begins: &str, condition: impl Fn(&str) -> bool) {
    wait_until(begins, || {
        status(fixture).is_ok_and(|status| {
            status
                .lines()
                .filter_map(|line| line.strip_prefix(begins))
                .any(&condition)
        })
    });
}

/// Asserts that a daemon has drained and ended with this message, and left nothing behind.
#[track_caller]
fn assert_ended(fixture: &Fixture, daemon: ChildProcess, message: &str) -> TestResult {
    let output = daemon.wait_with_output()?;
    let printed = stderr(&output);
    assert_eq!(output.status.code(), Some(0), "{printed}");
    let expected = format!("test-daemon: {message}: shutting down\n");
    assert!(printed.contains(&expected), "{expected}{printed}");
    assert!(fixture.record().is_err() && fixture.is_lock_free()?);
    Ok(())
}

/// Asserts that a daemon has printed a text, and no line twice in a row. Another line may be between: on a busy machine, a
/// look can take longer than the short interval of these tests.
#[track_caller]
fn assert_printed_once(printed: &str, text: &str) {
    assert!(printed.contains(text), "{text}: {printed}");
    let lines: Vec<&str> = printed.lines().collect();
    let repeats = lines.windows(2).any(|pair| pair[0] == pair[1]);
    assert!(!repeats, "{printed}");
}

#[test]
fn a_daemon_ends_when_its_project_directory_is_removed() -> TestResult {
    let fixture = Fixture::new()?;
    let project = fixture.project_directory();
    let daemon = start_at(&fixture, &project)?;
    let first = daemon.pid().to_string();
    let mut open = fixture.send("hold")?;
    assert_eq!(read_line(&mut open)?, "holding");
    fs::remove_dir(&project)?;
    assert_eq!(
        read_line(&mut open)?,
        "held",
        "the drain serves connections"
    );
    let message = format!("the directory {} was removed", project.display());
    assert_ended(&fixture, daemon, &message)?;
    // The next client of the path starts a new daemon.
    fs::create_dir(&project)?;
    assert_ne!(fixture.request("pid")?, first);
    Ok(())
}

#[test]
fn a_daemon_ends_when_its_project_directory_is_replaced() -> TestResult {
    let fixture = Fixture::new()?;
    let project = fixture.project_directory();
    let daemon = start_at(&fixture, &project)?;
    // This removes the old directory, which is empty.
    let new = fixture.path().join("new");
    fs::create_dir(&new)?;
    fs::rename(&new, &project)?;
    let message = format!(
        "the directory {} was replaced by another one",
        project.display()
    );
    assert_ended(&fixture, daemon, &message)?;
    Ok(())
}

/// ext4 gives the number of a removed directory to the next one.
#[test]
fn a_project_directory_that_is_created_again_with_the_same_number_is_another_one() -> TestResult {
    if !has_requirements(&[
        ROOT,
        "mkfs.ext4",
        "/dev/loop-control",
        "mount",
        "unshare",
        "nsenter",
    ]) {
        return Ok(());
    }
    let fixture = Fixture::new()?;
    let mount = fixture.path().join("mount");
    let image = fixture.path().join("image");
    fs::create_dir(&mount)?;
    fs::File::create(&image)?.set_len(16 << 20)?;
    let made = Command::new("mkfs.ext4").arg("-q").arg(&image).status()?;
    assert!(made.success());
    let namespace = Namespace::new(&fixture)?;
    namespace.run("mount -o loop \"$1\" \"$2\"", &[&image, &mount]);
    let project = mount.join("project");
    namespace.run("mkdir \"$1\"", &[&project]);
    let number = "stat -c %i \"$1\"";
    let before = namespace.run(number, &[&project]);
    let daemon = start(&fixture, namespace.enter(&daemon_at(&fixture, &project)))?;
    let after = namespace.run(
        &format!("rmdir \"$1\" && mkdir \"$1\" && {number}"),
        &[&project],
    );
    assert_eq!(before, after, "ext4 uses the number again");
    let message = format!(
        "the directory {} was replaced by another one",
        project.display()
    );
    assert_ended(&fixture, daemon, &message)
}

#[test]
fn the_message_names_the_new_place_of_a_renamed_project_directory() -> TestResult {
    // The directory itself, and one of its parents.
    for (renamed, below) in [("a/b", ""), ("a", "b")] {
        let fixture = Fixture::new()?;
        let project = fixture.path().join("a/b");
        fs::create_dir_all(&project)?;
        let daemon = start_at(&fixture, &project)?;
        let from = fixture.path().join(renamed);
        let to = from.with_file_name("c");
        fs::rename(&from, &to)?;
        let place: PathBuf = to
            .components()
            .chain(Path::new(below).components())
            .collect();
        let message = format!(
            "the directory {} is now {}",
            project.display(),
            place.display()
        );
        assert_ended(&fixture, daemon, &message)?;
    }
    Ok(())
}

#[test]
fn the_working_directory_tells_where_a_project_directory_was_moved() -> TestResult {
    let fixture = Fixture::new()?;
    let project = fixture.path().join("a/b");
    let to = fixture.path().join("elsewhere");
    fs::create_dir_all(&project)?;
    fs::create_dir(&to)?;
    let mut command = daemon_at(&fixture, &project);
    // As a launcher does.
    command.current_dir(&project);
    let daemon = start(&fixture, command)?;
    fs::rename(&project, to.join("moved"))?;
    let message = format!(
        "the directory {} is now {}",
        project.display(),
        to.join("moved").display()
    );
    assert_ended(&fixture, daemon, &message)
}

/// Clients follow the link, to the instance of the other path.
#[test]
fn a_symbolic_link_at_the_old_path_does_not_keep_a_daemon() -> TestResult {
    for renamed in ["a/b", "a"] {
        let fixture = Fixture::new()?;
        let project = fixture.path().join("a/b");
        fs::create_dir_all(&project)?;
        let daemon = start_at(&fixture, &project)?;
        let from = fixture.path().join(renamed);
        let to = fixture.path().join("moved");
        fs::rename(&from, &to)?;
        symlink(&to, &from)?;
        let place = fs::canonicalize(&project)?;
        let message = format!(
            "the directory {} is now {}",
            project.display(),
            place.display()
        );
        assert_ended(&fixture, daemon, &message)?;
    }
    Ok(())
}

/// Programs replace a directory by two renames, and people move it there and back.
#[test]
fn a_project_directory_that_is_back_at_once_keeps_its_daemon() -> TestResult {
    let fixture = Fixture::new()?;
    let project = fixture.project_directory();
    let mut command = daemon_at(&fixture, &project);
    // Longer than the rename back takes on a busy machine.
    command.env("BROKERED_TEST_CONFIRM_MS", "3000");
    let daemon = start(&fixture, command)?;
    let away = fixture.path().join("away");
    fs::rename(&project, &away)?;
    wait_for_status(&fixture, "DIRECTORY_NOTICE=", |notice| {
        notice.contains(" is now ")
    });
    fs::rename(&away, &project)?;
    wait_until("the second look", || {
        status(&fixture).is_ok_and(|status| !status.contains("DIRECTORY_NOTICE"))
    });
    assert_eq!(fixture.request("pid")?, daemon.pid().to_string());
    daemon.signal(Signal::SIGTERM);
    let output = daemon.wait_with_output()?;
    assert!(!stderr(&output).contains("is now"), "{}", stderr(&output));
    Ok(())
}

#[test]
fn a_daemon_that_is_for_no_directory_looks_at_none() -> TestResult {
    let fixture = Fixture::new()?;
    let project = fixture.project_directory();
    let mut command = fixture.command_without_instance(SINGLE_INSTANCE_DAEMON);
    command
        .env("BROKERED_TEST_CHECK_MS", "10")
        .env("BROKERED_TEST_CONFIRM_MS", "10")
        .current_dir(&project);
    let daemon = fixture.start(command)?;
    fixture.wait_for_phase("ready");
    fs::remove_dir(&project)?;
    // Thirty intervals.
    std::thread::sleep(Duration::from_millis(300));
    assert!(!status(&fixture)?.contains("DIRECTORY_NOTICE"));
    // This daemon replies without a request, and closes the connection.
    let mut client = BufReader::new(UnixStream::connect(fixture.socket()?)?);
    assert_eq!(read_line(&mut client)?, daemon.pid().to_string());
    Ok(())
}

/// A mount namespace, in which a test mounts and unmounts while a daemon runs.
struct Namespace(ChildProcess);

impl Namespace {
    fn new(fixture: &Fixture) -> Result<Self, Box<dyn Error>> {
        use std::process::Stdio;
        let mut first = Command::new("unshare")
            .args(["--mount", "--propagation", "private", "sh", "-c"])
            .arg("echo; read -r _")
            .current_dir(fixture.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut output = BufReader::new(first.stdout.take().ok_or("no output")?);
        let first = ChildProcess(first);
        read_line(&mut output)?;
        Ok(Self(first))
    }

    /// A command in the namespace.
    fn enter(&self, command: &Command) -> Command {
        let mut inside = Command::new("nsenter");
        inside
            .arg("--mount")
            .arg(format!("--target={}", self.0.pid()))
            .args(["--wd=/", "--"])
            .arg(command.get_program())
            .args(command.get_args());
        for (name, value) in command.get_envs() {
            if let Some(value) = value {
                inside.env(name, value);
            }
        }
        inside
    }

    /// Runs shell commands in the namespace, and returns their output.
    #[track_caller]
    fn run(&self, commands: &str, arguments: &[&Path]) -> String {
        let mut shell = Command::new("sh");
        shell.args(["-c", commands, "sh"]).args(arguments);
        let output = output_within(TIMEOUT, &mut self.enter(&shell));
        assert!(output.status.success(), "{commands}: {}", stderr(&output));
        stdout(&output)
    }
}

/// A file system of its own, and one that is a part of the same file system.
#[test]
fn a_project_directory_can_be_unmounted_and_its_daemon_goes_on() -> TestResult {
    if !has_requirements(&[ROOT, "mount", "unshare", "nsenter"]) {
        return Ok(());
    }
    for (mount, umount, project) in [
        (
            "mount -t tmpfs none \"$1\" && mkdir \"$1/project\"",
            "umount \"$1\"",
            "project",
        ),
        ("mount -t tmpfs none \"$1\"", "umount \"$1\"", ""),
        // As for a removable medium: the mount point is removed, too.
        (
            "mount -t tmpfs none \"$1\" && mkdir \"$1/project\"",
            "umount \"$1\" && rmdir \"$1\"",
            "project",
        ),
        (
            "mkdir \"$2\" && mount --bind \"$2\" \"$1\" && mkdir \"$1/project\"",
            "umount \"$1\"",
            "project",
        ),
        (
            "mkdir \"$2\" && mount --bind \"$2\" \"$1\"",
            "umount \"$1\"",
            "",
        ),
        // Mounted over.
        (
            "mkdir \"$1/project\"",
            "mount -t tmpfs none \"$1\"",
            "project",
        ),
    ] {
        #[cfg(brokered_portable)]
        if mount.contains("--bind") {
            // Only Linux reports the mount.
            continue;
        }
        let fixture = Fixture::new()?;
        let (point, other) = (fixture.path().join("mount"), fixture.path().join("other"));
        fs::create_dir(&point)?;
        let namespace = Namespace::new(&fixture)?;
        namespace.run(mount, &[&point, &other]);
        let project: PathBuf = point
            .components()
            .chain(Path::new(project).components())
            .collect();
        let daemon = start(&fixture, namespace.enter(&daemon_at(&fixture, &project)))?;
        let pid = fixture.record_value("PID")?;

        namespace.run(umount, &[&point]);
        wait_for_status(&fixture, "DIRECTORY_NOTICE=", |notice| {
            notice.contains("was unmounted, or another one was mounted over it")
        });
        assert_eq!(fixture.whole_reply("pid")?.trim_end(), pid);

        // A remount, which brings the directory back where it was not lost with a tmpfs.
        if mount.contains("--bind") || !umount.starts_with("umount") {
            let back = if mount.contains("--bind") {
                "mount --bind \"$2\" \"$1\""
            } else {
                "umount \"$1\""
            };
            namespace.run(back, &[&point, &other]);
            wait_until("the directory is in place again", || {
                status(&fixture).is_ok_and(|status| !status.contains("DIRECTORY_NOTICE"))
            });
        }
        assert_eq!(fixture.whole_reply("pid")?.trim_end(), pid);
        signal_process(pid.parse()?, Signal::SIGTERM);
        let printed = stderr(&daemon.wait_with_output()?);
        assert_printed_once(
            &printed,
            "was unmounted, or another one was mounted over it",
        );
        assert!(!printed.contains(": shutting down\n"), "{printed}");
    }
    Ok(())
}

/// The first write into a directory of an overlay copies it: the number stays, and the time of creation changes.
#[test]
#[cfg_attr(brokered_portable, ignore = "only Linux has overlays")]
fn a_write_into_a_project_directory_on_an_overlay_does_not_end_the_daemon() -> TestResult {
    if !has_requirements(&[ROOT, "mount", "unshare", "nsenter"]) {
        return Ok(());
    }
    let fixture = Fixture::new()?;
    let point = fixture.path().join("mount");
    fs::create_dir(&point)?;
    let namespace = Namespace::new(&fixture)?;
    namespace.run(
        "mount -t tmpfs none \"$1\" && cd \"$1\" && mkdir -p lower/project upper work merged \
         && mount -t overlay none -o lowerdir=lower,upperdir=upper,workdir=work merged",
        &[&point],
    );
    let project = point.join("merged/project");
    let daemon = start(&fixture, namespace.enter(&daemon_at(&fixture, &project)))?;
    let created = "stat -c %W.%w \"$1\"";
    let before = namespace.run(created, &[&project]);
    let after = namespace.run(&format!("touch \"$1/file\" && {created}"), &[&project]);
    assert_ne!(before, after, "the directory was copied");
    // Ten intervals.
    std::thread::sleep(Duration::from_millis(500));
    assert!(!status(&fixture)?.contains("was replaced"));
    let pid = fixture.record_value("PID")?;
    assert_eq!(fixture.whole_reply("pid")?.trim_end(), pid);
    signal_process(pid.parse()?, Signal::SIGTERM);
    daemon.wait_with_output()?;
    Ok(())
}

/// A daemon whose looks at its directory block or fail, as a file says.
struct Faulty {
    fixture: Fixture,
    daemon: ChildProcess,
    fault: PathBuf,
}

impl Faulty {
    fn start() -> Result<Self, Box<dyn Error>> {
        let fixture = Fixture::new()?;
        let library = fixture.path().join("fault.so");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/statx_fault.c");
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-o"])
            .args([&library, Path::new(source)])
            .output()?;
        assert!(compiled.status.success(), "{}", stderr(&compiled));
        let fault = fixture.path().join("fault");
        let mut command = daemon_at(&fixture, &fixture.project_directory());
        command
            .env("LD_PRELOAD", &library)
            .env("STATX_FAULT_PATH", fixture.project_directory())
            .env("STATX_FAULT_FILE", &fault);
        let daemon = start(&fixture, command)?;
        Ok(Self {
            fixture,
            daemon,
            fault,
        })
    }

    /// From now on, looks block (`block`), or fail with the number of an error.
    fn set(&self, fault: &str) -> TestResult {
        // In one step, because the daemon reads the file at any time.
        let new = self.fault.with_extension("new");
        fs::write(&new, fault)?;
        Ok(fs::rename(new, &self.fault)?)
    }

    fn clear(&self) -> TestResult {
        fs::remove_file(&self.fault)?;
        wait_until("the directory is in place again", || {
            status(&self.fixture).is_ok_and(|status| !status.contains("DIRECTORY_NOTICE"))
        });
        Ok(())
    }

    fn operate(&self, command: &str) -> Output {
        let mut operator = self
            .fixture
            .command_without_instance(env!("CARGO_BIN_EXE_test-operator"));
        operator
            .args([command, "20000"])
            .arg(self.fixture.project_directory());
        output_within(TIMEOUT, &mut operator)
    }
}

#[test]
fn a_file_system_that_does_not_answer_blocks_nothing_else() -> TestResult {
    if !has_requirements(&["cc"]) {
        return Ok(());
    }
    let faulty = Faulty::start()?;
    let fixture = &faulty.fixture;
    faulty.set("block")?;
    let late = "does not answer";
    wait_for_status(fixture, "DIRECTORY_NOTICE=", |notice| notice.contains(late));
    let looks = || -> Result<usize, Box<dyn Error>> {
        let tasks = fs::read_dir(format!("/proc/{}/task", faulty.daemon.pid()))?;
        let names =
            tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok());
        Ok(names
            .filter(|name| name.trim_end() == "brokered-look")
            .count())
    };
    // Several intervals later there is still one thread.
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(looks()?, 1);
    assert_eq!(fixture.request("pid")?, faulty.daemon.pid().to_string());
    faulty.clear()?;
    faulty.set("block")?;
    wait_for_status(fixture, "DIRECTORY_NOTICE=", |notice| notice.contains(late));
    let began = Instant::now();
    let stopped = faulty.operate("stop");
    assert!(stopped.status.success(), "{}", stderr(&stopped));
    let printed = stderr(&wait_within(TIMEOUT, faulty.daemon));
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "no drain waits for the look"
    );
    assert_printed_once(&printed, "is in place again");
    assert_printed_once(&printed, "does not answer; the daemon keeps running");
    Ok(())
}

#[test]
fn a_failed_look_at_a_project_directory_proves_nothing() -> TestResult {
    // EACCES, EIO and ESTALE.
    const ERRORS: [&str; 3] = ["13", "5", "116"];
    if !has_requirements(&["cc"]) {
        return Ok(());
    }
    let faulty = Faulty::start()?;
    for error in ERRORS {
        faulty.set(error)?;
        wait_for_status(&faulty.fixture, "DIRECTORY_NOTICE=", |notice| {
            notice.starts_with("cannot look at ")
                && notice.ends_with(&format!("(os error {error})"))
        });
        // Several intervals.
        std::thread::sleep(Duration::from_millis(300));
        faulty.clear()?;
    }
    let status = faulty.operate("status");
    assert!(
        stdout(&status).contains("directory_notice: None"),
        "{}",
        stdout(&status)
    );
    faulty.daemon.signal(Signal::SIGTERM);
    let printed = stderr(&faulty.daemon.wait_with_output()?);
    assert_printed_once(&printed, "cannot look at");
    Ok(())
}
