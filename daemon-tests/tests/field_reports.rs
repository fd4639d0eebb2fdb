//! Failures that users of other daemons have reported. `docs/field-reports.md` lists the reports, and names the test that
//! keeps each of them away from this framework: these, and tests in other files.

#![cfg(unix)]

mod common;

use std::collections::BTreeSet;
use std::error::Error;
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use common::{
    ChildProcess, Fixture, ROOT, Signal, TEST_CLIENT, TEST_DAEMON, TIMEOUT, TestResult,
    as_user_nobody, chown, has_requirements, read_line, set_mode, signal_process, stderr, stdout,
    wait_until,
};
use nix::sys::signal::killpg;
use nix::unistd::Pid;

// What the starter of a client does

#[test]
fn signals_to_the_process_group_of_a_client_leave_its_daemon_running() -> TestResult {
    let fixture = Fixture::new()?;
    for signal in [
        Signal::SIGINT,
        Signal::SIGTSTP,
        Signal::SIGQUIT,
        Signal::SIGHUP,
        Signal::SIGTERM,
        Signal::SIGKILL,
    ] {
        // As with ^C, ^Z or `timeout`, the signal goes to the client's whole process group.
        let mut shell = in_shell("\"$@\"; sleep 60", &fixture.client_command("pid"));
        let mut group = ProcessGroup::start(&mut shell)?;
        let output = group.0.0.stdout.take().ok_or("no output")?;
        let daemon = read_line(&mut BufReader::new(output))?;
        group.signal(signal)?;
        // The shell may ignore the signal, if this test was started so.
        drop(group);
        assert_eq!(fixture.request("pid")?, daemon, "{signal}");
        stop(&fixture)?;
    }
    Ok(())
}

#[test]
fn an_unreaped_daemon_prevents_neither_stop_nor_the_next_start() -> TestResult {
    let fixture = Fixture::new()?;
    // This test is the parent of these daemons. As the first process of many containers, it does not reap them.
    let killed = fixture.start_daemon()?;
    killed.signal(Signal::SIGKILL);
    wait_until("the daemon is a zombie", || is_zombie(killed.pid()));
    let next = fixture.request("pid")?;
    assert_ne!(next, killed.pid().to_string());
    stop(&fixture)?;

    let stopped = fixture.start_daemon()?;
    stop(&fixture)?;
    wait_until("the daemon is a zombie", || is_zombie(stopped.pid()));
    assert_ne!(fixture.request("pid")?, stopped.pid().to_string());
    stop(&fixture)?;
    assert!(is_zombie(killed.pid()) && is_zombie(stopped.pid()));
    Ok(())
}

#[test]
fn a_daemon_that_is_the_first_process_of_a_container_ends_on_sigterm() -> TestResult {
    if !has_requirements(&[ROOT, "unshare"]) {
        return Ok(());
    }
    let fixture = Fixture::new()?;
    let mut container = Command::new("unshare");
    container.args(["--pid", "--fork", "--kill-child"]);
    let mut container = after(container, &fixture.command(TEST_DAEMON));
    let container = ChildProcess(container.stdout(Stdio::null()).spawn()?);
    wait_until("the daemon replies", || {
        fixture
            .whole_reply("pid")
            .is_ok_and(|reply| reply.trim_end() == "1")
    });
    // For the first process, signals without a handler have no effect.
    let outside = fixture.pids_of(TEST_DAEMON);
    assert_eq!(outside.len(), 1, "{outside:?}");
    signal_process(outside[0], Signal::SIGTERM);
    let ended = container.wait_with_output()?;
    assert_eq!(ended.status.code(), Some(0), "{}", stderr(&ended));
    assert!(!fixture.socket()?.exists());
    Ok(())
}

#[test]
fn a_client_that_ignores_sigchld_starts_a_daemon_and_learns_of_its_death() -> TestResult {
    if !has_requirements(&["python3"]) {
        return Ok(());
    }
    let fixture = Fixture::new()?;
    let ignoring = |command: &Command| {
        let mut python = Command::new("python3");
        let script = "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); \
                      os.execv(sys.argv[1], sys.argv[1:])";
        python.args(["-c", script]);
        after(python, command)
    };
    // The client cannot wait for its child. It learns from the channel that the child has ended.
    let mut failing = ignoring(&fixture.client_command_for("/bin/false", "pid"));
    let started = Instant::now();
    let failed = failing.env("TEST_CLIENT_DEADLINE_MS", "60000").output()?;
    assert!(!failed.status.success());
    let message = stderr(&failed);
    assert!(message.contains("ended during its start-up"), "{message}");
    assert!(started.elapsed() < Duration::from_secs(30), "{message}");

    let served = ignoring(&fixture.client_command("pid")).output()?;
    assert_eq!(pid_in(&served), fixture.record_value("PID")?);
    Ok(())
}

#[test]
fn a_client_in_a_deleted_directory_is_served() -> TestResult {
    let fixture = Fixture::new()?;
    let deleted = fixture.path().join("deleted");
    // The first client starts the daemon, and the second one connects.
    let mut pids = BTreeSet::new();
    for _ in 0..2 {
        fs::create_dir(&deleted)?;
        let script = "cd \"$DELETED\" && rmdir \"$DELETED\" && exec \"$@\"";
        let mut client = in_shell(script, &fixture.client_command("pid"));
        pids.insert(pid_in(&client.env("DELETED", &deleted).output()?));
    }
    assert_eq!(pids.len(), 1, "{pids:?}");
    Ok(())
}

#[test]
fn closed_standard_streams_break_neither_client_nor_daemon() -> TestResult {
    let fixture = Fixture::new()?;
    let closing = "exec \"$@\" <&- >&- 2>&-";
    let silent = in_shell(closing, &fixture.client_command("pid")).status()?;
    // Only its output is lost.
    assert!(silent.success(), "{silent}");
    let report = fixture.whole_reply("self")?;
    assert!(report.contains("fd 0 /dev/null\n"), "{report}");
    for stream in [1, 2] {
        let is_log =
            |line: &str| line.starts_with(&format!("fd {stream} ")) && line.ends_with("/log");
        assert!(report.lines().any(is_log), "{report}");
    }
    stop(&fixture)?;

    // Started by hand, the daemon must not take 0, 1 or 2 for its lock or its listener.
    let by_hand = in_shell(closing, &fixture.command(TEST_DAEMON)).spawn()?;
    let by_hand = ChildProcess(by_hand);
    wait_until("the daemon replies", || {
        fixture
            .whole_reply("pid")
            .is_ok_and(|reply| reply.trim_end() == by_hand.pid().to_string())
    });
    let report = fixture.whole_reply("self")?;
    for stream in 0..=2 {
        let null = format!("fd {stream} /dev/null\n");
        assert!(report.contains(&null), "{report}");
    }
    Ok(())
}

#[test]
fn a_client_in_another_network_namespace_connects() -> TestResult {
    if !has_requirements(&[ROOT, "unshare"]) {
        return Ok(());
    }
    let fixture = Fixture::new()?;
    let daemon = fixture.request("pid")?;
    let mut inside = Command::new("unshare");
    inside.arg("--net");
    let output = after(inside, &fixture.client_command("pid")).output()?;
    assert_eq!(pid_in(&output), daemon);
    Ok(())
}

// What the environment of a client says

#[test]
fn other_variables_of_a_session_do_not_change_the_endpoint() -> TestResult {
    let fixture = Fixture::new()?;
    let session = Session::new(&fixture)?;
    let pid = session.request(&[])?;
    let _guard = KillOnDrop(pid.clone());
    // `nix-shell`, `pam_tmpdir` and batch systems set TMPDIR. Cron and `ssh host command` leave out the others.
    let elsewhere = fixture.project_directory();
    for variable in [
        "TMPDIR",
        "TMP",
        "HOME",
        "XDG_CACHE_HOME",
        "XDG_CONFIG_HOME",
        "USER",
        "LOGNAME",
        "TERM",
        "LANG",
        "LC_ALL",
        "PATH",
        "SSH_AUTH_SOCK",
        "GIT_DIR",
        "DISPLAY",
    ] {
        let reply = session.request(&[(variable, elsewhere.as_os_str())])?;
        assert_eq!(reply, pid, "{variable}");
    }
    assert_eq!(
        session.request(&[("TMPDIR", OsStr::new("/nonexistent"))])?,
        pid
    );
    Ok(())
}

#[test]
fn a_session_directory_that_others_can_read_is_used() -> TestResult {
    let fixture = Fixture::new()?;
    let session = Session::new(&fixture)?;
    set_mode(&session.directory, 0o755)?;
    let _guard = KillOnDrop(session.request(&[])?);
    // The directory in it is private.
    assert_eq!(permissions(&session.directory.join("brokered"))?, 0o700);
    Ok(())
}

#[cfg(target_os = "linux")]
#[test]
fn a_client_without_xdg_runtime_dir_finds_the_daemon_of_the_session() -> TestResult {
    if !has_requirements(&[ROOT, "unshare", "mount"]) {
        return Ok(());
    }
    let fixture = Fixture::new()?;
    // In a mount namespace of its own, the test makes a session's directory. The first client has the variable, as in a
    // session; the second one does not, as in cron.
    let script = "mount -t tmpfs none /run && mkdir -p -m 700 /run/user/0 && unset BROKERED_RUNTIME_DIR && \
                  first=$(XDG_RUNTIME_DIR=/run/user/0 \"$@\") && \
                  second=$(env -u XDG_RUNTIME_DIR \"$@\"); \
                  for daemon in $first $second; do kill -9 \"$daemon\"; done 2>/dev/null; \
                  echo \"$first $second\"";
    let mut unshared = Command::new("unshare");
    unshared.args(["--mount", "sh", "-c", script, "sh"]);
    let output = after(unshared, &fixture.client_command("pid")).output()?;
    let replies = stdout(&output);
    let (first, second) = replies.trim().split_once(' ').ok_or(stderr(&output))?;
    assert!(first.parse::<u32>().is_ok() && first == second, "{replies}");
    Ok(())
}

#[test]
fn no_runtime_directory_is_created_in_another_users_session() -> TestResult {
    if !has_requirements(&[ROOT, "setpriv"]) {
        return Ok(());
    }
    let fixture = Fixture::new()?;
    set_mode(fixture.path(), 0o755)?;
    let session = Session::new(&fixture)?;
    chown(&session.directory, "65534")?;
    // Root with the variables of a user, as after `sudo -E`: it could create the directory, and the user could then
    // not use it.
    let by_hand = session.with(fixture.command(TEST_DAEMON), &[]).output()?;
    let client = session.client(&[]).output()?;
    for refused in [by_hand, client] {
        let message = stderr(&refused);
        assert!(!refused.status.success());
        for part in [
            session.directory.to_str().ok_or("a path")?,
            "belongs to user 65534",
            "runs as user 0",
        ] {
            assert!(message.contains(part), "{part}: {message}");
        }
        common::assert_advises_no_deletion(&message);
    }
    assert_eq!(fs::read_dir(&session.directory)?.count(), 0);

    // The user's own clients are served.
    let pid = pid_in(&as_user_nobody(&session.client(&[])).output()?);
    let _guard = KillOnDrop(pid);
    let owner = fs::metadata(session.directory.join("brokered"))?.uid();
    assert_eq!(owner, 65534);
    Ok(())
}

#[test]
fn a_daemon_does_not_inherit_the_repository_of_a_git_hook() -> TestResult {
    let fixture = Fixture::new()?;
    let variables = [
        "GIT_DIR",
        "GIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_PREFIX",
        "GIT_COMMON_DIR",
        "GIT_OBJECT_DIRECTORY",
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_QUARANTINE_PATH",
    ];
    let mut hook = fixture.client_command("children");
    for variable in variables {
        hook.env(variable, "the repository of one client");
    }
    // A user's settings are not of one repository.
    hook.env("GIT_AUTHOR_NAME", "the user");
    let children = stdout(&hook.output()?);
    for variable in variables {
        assert!(!children.contains(variable), "{variable}: {children}");
    }
    assert!(children.contains("GIT_AUTHOR_NAME=the user"), "{children}");
    Ok(())
}

#[test]
fn a_client_behind_a_symbolic_link_finds_the_daemon_beside_its_executable() -> TestResult {
    let fixture = Fixture::new()?;
    // As packages do: both executables are in one directory, and a link to the client is in another.
    let script = "mkdir \"$TOP/libexec\" \"$TOP/bin\" && cp \"$DAEMON\" \"$TOP/libexec/single\" && \
                  cp \"$CLIENT\" \"$TOP/libexec/client\" && ln -s ../libexec/client \"$TOP/bin/greet\"";
    let installed = Command::new("sh")
        .args(["-c", script])
        .env("TOP", fixture.path())
        .env("DAEMON", common::SINGLE_INSTANCE_DAEMON)
        .env("CLIENT", env!("CARGO_BIN_EXE_single-instance-client"))
        .status()?;
    assert!(installed.success());
    let output = in_shell(
        "PATH=\"$TOP/bin:$PATH\"; exec \"$@\"",
        &fixture.command_without_instance("greet"),
    )
    .env("TOP", fixture.path())
    .output()?;
    assert!(output.status.success(), "{}", stderr(&output));
    let pid = fixture.record_value("PID")?;
    let running = fs::read_link(format!("/proc/{pid}/exe"))?;
    let expected = fs::canonicalize(fixture.path())?.join("libexec/single");
    assert_eq!(running, expected);
    Ok(())
}

// Files

#[test]
fn a_umask_that_takes_the_owners_permissions_is_named_and_leaves_no_directory() -> TestResult {
    for umask in ["0777", "0177"] {
        let fixture = Fixture::new()?;
        let script = format!("umask {umask}; exec \"$@\"");
        for command in [fixture.client_command("pid"), fixture.command(TEST_DAEMON)] {
            let refused = in_shell(&script, &command).output()?;
            let message = stderr(&refused);
            assert!(!refused.status.success());
            assert!(message.contains("the umask of this process"), "{message}");
            common::assert_advises_no_deletion(&message);
            assert_eq!(fs::read_dir(fixture.runtime_directory())?.count(), 0);
        }
        // The next client has a usual umask, and is served.
        assert_eq!(fixture.request("pid")?, fixture.record_value("PID")?);
    }
    Ok(())
}

#[test]
fn a_umask_of_zero_opens_no_file_to_others() -> TestResult {
    let fixture = Fixture::new()?;
    let open = in_shell("umask 0; exec \"$@\"", &fixture.client_command("pid")).output()?;
    assert_eq!(pid_in(&open), fixture.record_value("PID")?);
    let directory = fixture.instance_directory()?;
    assert_eq!(permissions(&directory)?, 0o700);
    let mut files = 0;
    for entry in fs::read_dir(&directory)? {
        let path = entry?.path();
        // Sockets get their permissions from the umask alone; the directory protects them.
        if path.is_file() {
            files += 1;
            assert_eq!(permissions(&path)?, 0o600, "{}", path.display());
        }
    }
    assert!(files >= 3, "record, log and start history: {files}");
    Ok(())
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_system_with_modes_of_its_own_is_named() -> TestResult {
    if !has_requirements(&["cc"]) {
        return Ok(());
    }
    let fixture = Fixture::new()?;
    let library = fixture.path().join("mkdir.so");
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .arg(&library)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/mkdir_0777.c"))
        .output()?;
    assert!(compiled.status.success(), "{}", stderr(&compiled));
    for mut command in [fixture.client_command("pid"), fixture.command(TEST_DAEMON)] {
        let refused = command.env("LD_PRELOAD", &library).output()?;
        let message = stderr(&refused);
        assert!(!refused.status.success());
        // `chmod` would have no effect.
        let parts = ["mode 0777 instead of 0700", "on another file system"];
        assert!(parts.iter().all(|part| message.contains(part)), "{message}");
        assert!(!message.contains("chmod"), "{message}");
        assert_eq!(fs::read_dir(fixture.runtime_directory())?.count(), 0);
    }
    Ok(())
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_system_without_locks_is_named() -> TestResult {
    // NFS reports EBADF for a directory, and ENOLCK without its lock service.
    for error in ["EBADF", "ENOLCK", "EOPNOTSUPP"] {
        assert_refused_with(
            &format!("flock:error={error}"),
            "cannot lock",
            "set BROKERED_RUNTIME_DIR to a directory on a local file system",
        )?;
    }
    Ok(())
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_system_without_sockets_is_named() -> TestResult {
    // Folders that a virtual machine shares with its host, and Windows drives in WSL.
    // FAT says `EPERM`.
    for error in ["EOPNOTSUPP", "EINVAL", "EPERM"] {
        assert_refused_with(
            &format!("bind:error={error}"),
            "cannot bind",
            "set BROKERED_RUNTIME_DIR to ",
        )?;
    }
    Ok(())
}

/// Asserts what a client and a daemon that is started by hand say when a system call fails.
#[cfg(target_os = "linux")]
fn assert_refused_with(injected: &str, operation: &str, advice: &str) -> TestResult {
    if !has_requirements(&["strace"]) {
        return Ok(());
    }
    let fixture = Fixture::new()?;
    for command in [fixture.client_command("pid"), fixture.command(TEST_DAEMON)] {
        let mut strace = Command::new("strace");
        strace
            .args(["-f", "-o", "/dev/null", "-e"])
            .arg(format!("inject={injected}"));
        let refused = after(strace, &command).output()?;
        let message = stderr(&refused);
        assert!(!refused.status.success(), "{injected}");
        for part in [operation, advice] {
            assert!(message.contains(part), "{injected}: {message}");
        }
        common::assert_advises_no_deletion(&message);
    }
    Ok(())
}

#[test]
fn a_damaged_record_prevents_no_start() -> TestResult {
    let damaged: [&[u8]; 6] = [
        b"",
        b"\0\0\0\0\0\0\0\0",
        b"PID=",
        b"PID=1\nPHASE=ready\n",
        b"PHASE=failed\n",
        b"\xff\xfe garbage",
    ];
    let fixture = Fixture::new()?;
    for contents in damaged {
        let pid: u32 = fixture.request("pid")?.parse()?;
        let record = fixture.instance_directory()?.join("record");
        signal_process(pid, Signal::SIGKILL);
        wait_until("the daemon has ended", || {
            fixture.is_lock_free().unwrap_or(false)
        });
        // The start limit is not the subject of this test.
        fs::write(fixture.instance_directory()?.join("starts"), "")?;
        fs::write(&record, contents)?;
        let next = fixture.request("pid")?;
        assert_eq!(fixture.record_value("PID")?, next, "{contents:?}");
        assert_ne!(next, pid.to_string());
    }
    Ok(())
}

#[test]
fn a_directory_whose_name_is_any_bytes_has_one_daemon() -> TestResult {
    let fixture = Fixture::new()?;
    let names: [&[u8]; 7] = [
        b"two words",
        b"line\nfeed",
        b"-dash",
        b"\x1b[31mescape\t%41=PID",
        b"not \xff\xfe unicode",
        // The same letter in two normal forms: two directories on Linux, and one on macOS.
        "\u{e9}".as_bytes(),
        "e\u{301}".as_bytes(),
    ];
    let mut pids = BTreeSet::new();
    let mut directories = BTreeSet::new();
    for name in names {
        let name = OsStr::from_bytes(name);
        let directory = fixture.project_directory().join(name);
        if fs::create_dir(&directory).is_err() {
            continue;
        }
        let canonical = fs::canonicalize(&directory)?;
        let request = |directory: &Path, line: &str| -> Result<Output, Box<dyn Error>> {
            let mut client = fixture.command_without_instance(TEST_CLIENT);
            Ok(client.arg(directory).arg(TEST_DAEMON).arg(line).output()?)
        };
        let first = pid_in(&request(&directory, "pid")?);
        let other_spelling = directory.join("..").join(name);
        assert_eq!(pid_in(&request(&other_spelling, "pid")?), first);
        // The daemon has received the whole name from its launcher.
        let received = stdout(&request(&directory, "directory")?);
        assert_eq!(received, format!("{}\n", canonical.display()));
        pids.insert(first);
        directories.insert(canonical);
    }
    assert_eq!(pids.len(), directories.len());
    Ok(())
}

#[test]
fn a_path_that_is_too_long_for_the_system_is_named_as_such() -> TestResult {
    let fixture = Fixture::new()?;
    // Deeper than any call accepts as a path; a shell can still go there step by step.
    let script = "cd \"$TOP\" && for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22; do \
                  mkdir \"$NAME\" && cd -P \"$NAME\" 2>/dev/null || exit 9; done; exec \"$@\"";
    let mut client = fixture.command_without_instance(TEST_CLIENT);
    client.arg(".").arg(TEST_DAEMON).arg("pid");
    let mut client = in_shell(script, &client);
    client
        .env("TOP", fixture.project_directory())
        .env("NAME", "d".repeat(200));
    let output = client.output()?;
    if output.status.code() == Some(9) {
        eprintln!("skipped: this shell cannot go so deep");
        return Ok(());
    }
    let message = stderr(&output);
    assert!(message.contains("cannot reach the directory"), "{message}");
    assert!(!message.contains("not a directory"), "{message}");
    Ok(())
}

// Stopping

#[test]
fn a_stop_during_the_load_ends_the_daemon() -> TestResult {
    let fixture = Fixture::new()?;
    let (daemon, fifo) = fixture.start_loading_daemon()?;
    let load = common::open_fifo_for_writing(&fifo)?;
    let stop = ChildProcess(operator_stop(&fixture).stdout(Stdio::piped()).spawn()?);
    // The request is taken while the state loads, and is carried out after that.
    fixture.wait_for_phase("draining");
    drop(load);
    let stopped = stop.wait_with_output()?;
    assert_eq!(stdout(&stopped), "Ended\n");
    let ended = daemon.wait_with_output()?;
    assert_eq!(ended.status.code(), Some(0), "{}", stderr(&ended));
    Ok(())
}

// Clients that behave badly

#[test]
fn stalled_clients_delay_no_other_client_and_leave_nothing_behind() -> TestResult {
    let fixture = Fixture::new()?;
    let pid = fixture.request("pid")?;
    let long = "x".repeat(4 << 20);
    let mut stalled = Vec::new();
    for _ in 0..4 {
        // One client sends a part of a request, and one reads no reply, which is too long for the socket's buffers.
        let mut half = UnixStream::connect(fixture.socket()?)?;
        half.write_all(b"half a requ")?;
        stalled.push(half);
        let mut deaf = UnixStream::connect(fixture.socket()?)?;
        deaf.set_write_timeout(Some(TIMEOUT))?;
        writeln!(deaf, "{long}")?;
        stalled.push(deaf);
    }
    wait_until("all of them are served", || {
        open_connections(&fixture).is_ok_and(|open| open >= 8)
    });
    assert_eq!(fixture.request("pid")?, pid);
    assert_eq!(fixture.whole_reply("phase")?, "ready\n");

    // The end of a client ends its handler, and frees its thread and its connection.
    drop(stalled);
    wait_until("none is open", || {
        open_connections(&fixture).is_ok_and(|open| open == 0)
    });
    stop(&fixture)
}

#[test]
fn a_client_that_closes_its_writing_side_still_gets_its_reply() -> TestResult {
    let fixture = Fixture::new()?;
    let pid = fixture.request("pid")?;
    for line in ["pid", "pid\n"] {
        // As `printf pid | nc -N -U socket` does.
        let mut stream = UnixStream::connect(fixture.socket()?)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.write_all(line.as_bytes())?;
        stream.shutdown(std::net::Shutdown::Write)?;
        let mut reply = String::new();
        stream.read_to_string(&mut reply)?;
        assert_eq!(reply.trim_end(), pid);
    }
    Ok(())
}

// Support

/// The session of a user: a directory that `XDG_RUNTIME_DIR` names, without `BROKERED_RUNTIME_DIR`.
struct Session<'a> {
    fixture: &'a Fixture,
    directory: PathBuf,
}

impl<'a> Session<'a> {
    fn new(fixture: &'a Fixture) -> Result<Self, Box<dyn Error>> {
        let directory = fixture.path().join("session");
        fs::create_dir(&directory)?;
        set_mode(&directory, 0o700)?;
        Ok(Self { fixture, directory })
    }

    fn with(&self, mut command: Command, variables: &[(&str, &OsStr)]) -> Command {
        command
            .env_remove("BROKERED_RUNTIME_DIR")
            .env("XDG_RUNTIME_DIR", &self.directory)
            .envs(variables.iter().copied());
        command
    }

    fn client(&self, variables: &[(&str, &OsStr)]) -> Command {
        self.with(self.fixture.client_command("pid"), variables)
    }

    fn request(&self, variables: &[(&str, &OsStr)]) -> Result<String, Box<dyn Error>> {
        Ok(pid_in(&self.client(variables).output()?))
    }
}

/// A command in a process group of its own, which is killed when this is dropped.
struct ProcessGroup(ChildProcess);

impl ProcessGroup {
    fn start(command: &mut Command) -> Result<Self, Box<dyn Error>> {
        let command = command.process_group(0).stdout(Stdio::piped());
        Ok(Self(ChildProcess(command.spawn()?)))
    }

    fn signal(&self, signal: Signal) -> TestResult {
        let id = Pid::from_raw(i32::try_from(self.0.pid())?);
        Ok(killpg(id, signal)?)
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        let _ = self.signal(Signal::SIGKILL);
    }
}

/// Kills a launched daemon that is not in the fixture's runtime directory.
struct KillOnDrop(String);

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-9", &self.0]).status();
    }
}

/// The command, run by a shell script as `"$@"`.
fn in_shell(script: &str, command: &Command) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", script, "sh"]);
    after(shell, command)
}

/// The command, as the last arguments of another one, and with its environment.
fn after(mut outer: Command, command: &Command) -> Command {
    outer.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => outer.env(name, value),
            None => outer.env_remove(name),
        };
    }
    outer
}

/// The process ID that a daemon replied.
#[track_caller]
fn pid_in(output: &Output) -> String {
    assert!(output.status.success(), "{}", stderr(output));
    let pid = stdout(output).trim_end().to_owned();
    assert!(pid.parse::<u32>().is_ok(), "{pid}: {}", stderr(output));
    pid
}

/// Stops the daemon of the fixture, and waits for its end.
#[track_caller]
fn stop(fixture: &Fixture) -> TestResult {
    let output = operator_stop(fixture).output()?;
    assert_eq!(stdout(&output), "Ended\n", "{}", stderr(&output));
    Ok(())
}

fn operator_stop(fixture: &Fixture) -> Command {
    let mut operator = fixture.command_without_instance(env!("CARGO_BIN_EXE_test-operator"));
    operator.args(["stop", "30000"]);
    operator.arg(fixture.project_directory());
    operator
}

/// The number of connections that the daemon serves, from its control endpoint.
fn open_connections(fixture: &Fixture) -> Result<usize, Box<dyn Error>> {
    let mut control = UnixStream::connect(fixture.instance_directory()?.join("control"))?;
    control.set_read_timeout(Some(TIMEOUT))?;
    writeln!(control, "status")?;
    let open = BufReader::new(control)
        .lines()
        .map_while(Result::ok)
        .take_while(|line| !line.is_empty())
        .find_map(|line| line.strip_prefix("OPEN=").map(str::to_owned));
    Ok(open.ok_or("no OPEN")?.parse()?)
}

fn is_zombie(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
        stat.rsplit_once(") ")
            .is_some_and(|(_, state)| state.starts_with('Z'))
    })
}

fn permissions(path: &Path) -> Result<u32, Box<dyn Error>> {
    Ok(fs::metadata(path)?.permissions().mode() & 0o777)
}
