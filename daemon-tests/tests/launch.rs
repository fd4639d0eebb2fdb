//! Launches, as the client sees them: one daemon, errors with their reasons, deadlines, and foreign users.

#![cfg(unix)]

mod common;

use std::fs;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};

use common::{
    Fixture, ROOT, SINGLE_INSTANCE_DAEMON, Signal, TEST_CLIENT, TEST_DAEMON, TestResult,
    as_user_nobody, chown, delayed_daemon, has_requirements, make_fifo, open_fifo_for_writing,
    read_line, script, set_mode, stderr, stdout, wait_until,
};

// One daemon for all clients

#[test]
fn a_client_starts_the_daemon_and_the_next_client_connects_to_it() -> TestResult {
    let fixture = Fixture::new()?;
    let first = fixture.request("pid")?;
    assert_eq!(fixture.request("pid")?, first);
    assert_eq!(fixture.record_value("PID")?, first);
    assert_eq!(fixture.record_value("OWNER")?, "launcher");
    let directory = fixture.project_directory().canonicalize()?;
    assert_eq!(
        fixture.request("directory")?,
        directory.display().to_string()
    );
    common::signal_process(first.parse()?, Signal::SIGKILL);
    wait_until("the daemon has ended", || {
        fixture.is_lock_free().unwrap_or(false)
    });
    assert_ne!(
        fixture.request("pid")?,
        first,
        "stale files do not prevent the next launch"
    );
    Ok(())
}

#[test]
fn peer_credentials_are_the_daemons_and_not_the_launchers() -> TestResult {
    let fixture = Fixture::new()?;
    let pid = fixture.request("pid")?;
    let stream = UnixStream::connect(fixture.socket()?)?;
    let peer = getsockopt(&stream, PeerCredentials)?;
    assert_eq!(peer.pid().to_string(), pid);
    Ok(())
}

#[test]
fn all_paths_to_a_directory_reach_one_daemon() -> TestResult {
    let fixture = Fixture::new()?;
    let first = fixture.request("pid")?;
    let link = fixture.path().join("link");
    std::os::unix::fs::symlink(fixture.project_directory(), &link)?;
    let other = fixture.project_directory().join("../project/.");
    for path in [link, other] {
        let mut command = fixture.command_without_instance(TEST_CLIENT);
        let output = command.arg(path).args([TEST_DAEMON, "pid"]).output()?;
        assert_eq!(stdout(&output).trim_end(), first, "{}", stderr(&output));
    }
    Ok(())
}

#[test]
fn a_thundering_herd_starts_one_daemon() -> TestResult {
    for round in 0..10 {
        let fixture = Fixture::new()?;
        let mut clients = Vec::new();
        for _ in 0..20 {
            let mut command = fixture.client_command("pid");
            clients.push(
                command
                    .stdout(Stdio::piped())
                    .stderr(Stdio::piped())
                    .spawn()?,
            );
        }
        let mut pids = Vec::new();
        for client in clients {
            let output = client.wait_with_output()?;
            assert!(
                output.status.success(),
                "round {round}: {}",
                stderr(&output)
            );
            pids.push(stdout(&output));
        }
        pids.dedup();
        assert_eq!(pids.len(), 1, "round {round}: {pids:?}");
    }
    Ok(())
}

#[test]
fn a_launch_and_a_start_by_hand_at_once_yield_one_daemon() -> TestResult {
    for _ in 0..20 {
        let fixture = Fixture::new()?;
        let by_hand = fixture
            .command(TEST_DAEMON)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let _by_hand = common::ChildProcess(by_hand);
        let pid = fixture.request("pid")?;
        assert_eq!(fixture.record_value("PID")?, pid);
        assert_eq!(fixture.request("pid")?, pid);
    }
    Ok(())
}

#[test]
fn connect_never_starts_a_daemon() -> TestResult {
    let fixture = Fixture::new()?;
    let mut command = fixture.client_command("pid");
    let output = command.env("TEST_CLIENT_CONNECT_ONLY", "1").output()?;
    assert!(!output.status.success());
    assert!(
        stderr(&output).contains("no process listens on"),
        "{}",
        stderr(&output)
    );
    assert_eq!(fs::read_dir(fixture.runtime_directory())?.count(), 0);
    Ok(())
}

#[test]
fn a_daemon_with_another_environment_uses_its_clients_endpoint() -> TestResult {
    let fixture = Fixture::new()?;
    let mut command = fixture.client_command("pid");
    let output = command.env("TEST_CLIENT_CLEAR_ENV", "").output()?;
    assert!(output.status.success(), "{}", stderr(&output));
    let pid = stdout(&output);
    let environment = fs::read(format!("/proc/{}/environ", pid.trim_end()))?;
    let environment = String::from_utf8_lossy(&environment);
    assert!(!environment.contains("RUNTIME_DIR"), "{environment}");
    assert_eq!(fixture.record_value("PID")?, pid.trim_end());
    let endpoint = std::path::PathBuf::from(fixture.record_value("ENDPOINT")?);
    assert_eq!(endpoint, fixture.socket()?);
    assert_eq!(
        fixture.request("pid")?,
        pid.trim_end(),
        "the next client connects to it"
    );
    Ok(())
}

#[test]
fn exec_keeps_the_instance_when_the_environment_is_cleared() -> TestResult {
    let fixture = Fixture::new()?;
    let mut command = fixture.command_without_instance(env!("CARGO_BIN_EXE_exec-daemon"));
    command
        .env("BROKERED_LAUNCH", "another-daemon:0")
        .arg(fixture.project_directory())
        .arg(TEST_DAEMON);
    let daemon = fixture.start(command)?;
    assert_eq!(
        read_line(&mut fixture.send("pid")?)?,
        daemon.pid().to_string()
    );
    assert_eq!(fixture.record_value("OWNER")?, "hand");
    Ok(())
}

#[test]
fn a_client_that_waits_for_nothing_is_served() -> TestResult {
    let fixture = Fixture::new()?;
    let mut command = fixture.client_command("pid");
    let output = command.env("TEST_CLIENT_WAIT", "nothing").output()?;
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(stdout(&output).trim_end(), fixture.record_value("PID")?);
    Ok(())
}

// Errors and their reasons

#[test]
fn a_missing_executable_is_named_with_its_path() -> TestResult {
    let fixture = Fixture::new()?;
    let missing = fixture.path().join("no-such-daemon");
    let output = fixture.client_command_for(&missing, "pid").output()?;
    let message = stderr(&output);
    assert!(
        message.contains(&format!("tried {}", missing.display())),
        "{message}"
    );
    assert!(fixture.is_lock_free()?);
    assert!(!fixture.socket()?.exists());
    Ok(())
}

#[test]
fn a_file_without_execute_permission_is_named() -> TestResult {
    let fixture = Fixture::new()?;
    let file = fixture.path().join("text");
    fs::write(&file, "not a program")?;
    let output = fixture.client_command_for(&file, "pid").output()?;
    let message = stderr(&output);
    assert!(
        message.contains(&format!("cannot start {}", file.display())),
        "{message}"
    );
    assert!(message.contains("Permission denied"), "{message}");
    Ok(())
}

#[test]
fn a_missing_working_directory_is_named() -> TestResult {
    let fixture = Fixture::new()?;
    let missing = fixture.path().join("missing");
    let mut command = fixture.client_command("pid");
    let message = stderr(&command.env("TEST_CLIENT_CURRENT_DIR", &missing).output()?);
    let expected = format!(
        "cannot start a daemon in {}: No such file",
        missing.display()
    );
    assert!(message.contains(&expected), "{message}");
    assert!(message.contains("`Instance::current_dir`"), "{message}");
    // The failed launches do not count as starts.
    for _ in 0..8 {
        let mut command = fixture.client_command("pid");
        command.env("TEST_CLIENT_CURRENT_DIR", &missing).output()?;
    }
    fixture.request("pid")?;
    Ok(())
}

#[test]
fn a_failed_start_is_reported_with_its_reason() -> TestResult {
    let fixture = Fixture::new()?;
    let mut command = fixture.client_command("pid");
    let output = command
        .env(daemon_tests::LOAD_ERROR, "no such shard")
        .env("TEST_CLIENT_WAIT", "ready")
        .output()?;
    let message = stderr(&output);
    for part in [
        "ended during its start-up (exit status: 70)",
        "Loaded failed: no such shard",
        "/log and ends with:",
    ] {
        assert!(message.contains(part), "{part:?} is not in {message:?}");
    }
    Ok(())
}

#[test]
fn a_daemon_killed_during_its_start_is_reported_with_the_signal() -> TestResult {
    let fixture = Fixture::new()?;
    let script = script(&fixture, "echo about to die; kill -9 $$")?;
    let output = fixture.client_command_for(&script, "pid").output()?;
    let message = stderr(&output);
    assert!(message.contains("signal: 9"), "{message}");
    assert!(message.contains("about to die"), "{message}");
    assert!(fixture.is_lock_free()?);
    Ok(())
}

#[test]
fn a_daemon_that_ends_before_readiness_is_an_error() -> TestResult {
    let fixture = Fixture::new()?;
    let fifo = fixture.path().join("fifo");
    make_fifo(&fifo)?;
    let mut command = fixture.client_command("phase");
    let client = command
        .env(daemon_tests::LOAD_FIFO, &fifo)
        .env("TEST_CLIENT_WAIT", "ready")
        .stderr(Stdio::piped())
        .spawn()?;
    let load = open_fifo_for_writing(&fifo)?;
    common::signal_process(fixture.record_value("PID")?.parse()?, Signal::SIGTERM);
    fixture.wait_for_phase("draining");
    // The second signal cuts the drain short, so the daemon does not wait for its load.
    common::signal_process(fixture.record_value("PID")?.parse()?, Signal::SIGTERM);
    let output = client.wait_with_output()?;
    drop(load);
    assert!(!output.status.success());
    let message = stderr(&output);
    assert!(message.contains("it was asked to stop"), "{message}");
    Ok(())
}

#[test]
fn a_failure_reaches_the_client_when_the_log_is_full() -> TestResult {
    let fixture = Fixture::new()?;
    let mut command = fixture.client_command("pid");
    // A directory at the record's path makes the daemon fail, and the log is a full device.
    let daemon = fixture.start_daemon()?;
    daemon.signal(Signal::SIGTERM);
    daemon.wait_with_output()?;
    fs::create_dir(fixture.instance_directory()?.join("record"))?;
    let output = command.env("TEST_CLIENT_LOG", "/dev/full").output()?;
    let message = stderr(&output);
    assert!(message.contains("exit status: 73"), "{message}");
    assert!(message.contains("cannot write the record"), "{message}");
    assert!(!fixture.instance_directory()?.join("record.new").exists());
    assert!(fixture.is_lock_free()?);
    Ok(())
}

// The hand-off

#[test]
fn the_launch_message_holds_the_lock_without_its_launcher() -> TestResult {
    let fixture = Fixture::new()?;
    let (delayed, fifo) = delayed_daemon(&fixture)?;
    let launch = |program: &std::path::Path| {
        let mut command = fixture.client_command_for(program, "pid");
        command
            .env("TEST_CLIENT_WAIT", "nothing")
            .stdout(Stdio::piped());
        command.spawn()
    };
    let mut first = launch(&delayed)?;
    let mut start = open_fifo_for_writing(&fifo)?;
    // The launcher is killed before the daemon has received the message.
    first.kill()?;
    first.wait()?;
    assert!(!fixture.is_lock_free()?, "the message holds the lock");
    let second = launch(&delayed)?;
    writeln!(start, "start")?;
    assert_eq!(
        stdout(&second.wait_with_output()?).trim_end(),
        fixture.record_value("PID")?
    );
    Ok(())
}

#[test]
fn a_daemon_that_dies_before_the_hand_off_blocks_no_later_launch() -> TestResult {
    let fixture = Fixture::new()?;
    let failing = script(&fixture, "exit 3")?;
    let mut command = fixture.client_command_for(failing, "pid");
    let output = command.env("TEST_CLIENT_WAIT", "nothing").output()?;
    // The client waits for nothing, so it sees only the end of its stream.
    assert_eq!(stdout(&output), "");
    wait_until("the lock is free", || {
        fixture.is_lock_free().unwrap_or(false)
    });
    assert_eq!(fixture.request("pid")?, fixture.record_value("PID")?);
    Ok(())
}

#[test]
fn an_executable_of_another_daemon_is_refused() -> TestResult {
    let fixture = Fixture::new()?;
    for _ in 0..2 {
        let output = fixture
            .client_command_for(SINGLE_INSTANCE_DAEMON, "pid")
            .output()?;
        let message = stderr(&output);
        assert!(message.contains("exit status: 64"), "{message}");
        assert!(
            message.contains("started as test-daemon, contract 1, but this executable is single"),
            "{message}"
        );
        assert!(fixture.is_lock_free()?);
        assert!(!fixture.socket()?.exists());
    }
    assert_eq!(fixture.request("pid")?, fixture.record_value("PID")?);
    Ok(())
}

#[test]
fn a_stale_record_is_not_taken_for_the_next_daemons() -> TestResult {
    let fixture = Fixture::new()?;
    let killed = fixture.start_daemon()?;
    fixture.wait_for_phase("ready");
    let pid = killed.pid();
    killed.signal(Signal::SIGKILL);
    killed.wait_with_output()?;
    let (delayed, fifo) = delayed_daemon(&fixture)?;
    let mut command = fixture.client_command_for(delayed, "pid");
    let mut client = command.stdout(Stdio::null()).spawn()?;
    let mut start = open_fifo_for_writing(&fifo)?;
    let by_hand = fixture.command(TEST_DAEMON).output()?;
    assert_eq!(by_hand.status.code(), Some(69));
    let message = stderr(&by_hand);
    assert!(!message.contains(&pid.to_string()), "{message}");
    assert!(
        message.contains("has not written its record yet"),
        "{message}"
    );
    writeln!(start, "start")?;
    client.wait()?;
    Ok(())
}

#[test]
fn a_process_started_as_a_daemon_launches_no_other() -> TestResult {
    let fixture = Fixture::new()?;
    let mut command = fixture.client_command("pid");
    let output = command
        .env("BROKERED_LAUNCH", "another-daemon:0")
        .output()?;
    let message = stderr(&output);
    assert!(message.contains("does not start a daemon"), "{message}");
    Ok(())
}

#[test]
fn a_forged_launch_variable_is_ignored() -> TestResult {
    let fixture = Fixture::new()?;
    let mut command = fixture.command(TEST_DAEMON);
    command
        .env(
            "BROKERED_LAUNCH",
            "test-daemon:0123456789abcdef0123456789abcdef",
        )
        .stdin(Stdio::null());
    let daemon = fixture.start(command)?;
    assert_eq!(fixture.record_value("OWNER")?, "hand");
    let children = fixture.whole_reply("children")?;
    assert!(!children.contains("BROKERED_LAUNCH"), "{children}");
    drop(daemon);
    Ok(())
}

// Deadlines

#[test]
fn a_deadline_during_a_slow_load_fails_only_its_own_client() -> TestResult {
    let fixture = Fixture::new()?;
    let fifo = fixture.path().join("fifo");
    make_fifo(&fifo)?;
    // A client that waits for readiness reaches its deadline.
    let mut waiting = fixture.client_command("phase");
    let output = waiting
        .env(daemon_tests::LOAD_FIFO, &fifo)
        .env("TEST_CLIENT_WAIT", "ready")
        .env("TEST_CLIENT_DEADLINE_MS", "200")
        .output()?;
    let message = stderr(&output);
    assert!(
        message.contains("did not finish its start-up within"),
        "{message}"
    );
    assert!(
        message.contains("(it is bound and is loading)"),
        "{message}"
    );
    // The daemon was not killed, and serves a client that waits longer.
    let mut next = fixture.client_command("phase");
    let next = next.stdout(Stdio::piped()).spawn()?;
    drop(fs::File::create(&fifo)?);
    assert_eq!(stdout(&next.wait_with_output()?), "ready\n");
    Ok(())
}

#[test]
fn a_holder_that_does_not_listen_is_an_error_at_the_deadline() -> TestResult {
    let fixture = Fixture::new()?;
    let daemon = fixture.start_daemon()?;
    daemon.signal(Signal::SIGKILL);
    daemon.wait_with_output()?;
    let holder = fs::File::open(fixture.instance_directory()?)?;
    holder.lock()?;
    let mut command = fixture.client_command("pid");
    let output = command.env("TEST_CLIENT_DEADLINE_MS", "100").output()?;
    let message = stderr(&output);
    assert!(message.contains("cannot reach test-daemon"), "{message}");
    assert!(
        message.contains(&fixture.instance_directory()?.display().to_string()),
        "{message}"
    );
    Ok(())
}

#[test]
#[cfg_attr(brokered_portable, ignore = "a full backlog is a refusal")]
fn a_client_waits_for_a_full_backlog_until_its_deadline() -> TestResult {
    if !has_requirements(&["python3"]) {
        return Ok(());
    }
    let fixture = Fixture::new()?;
    let (_daemon, fifo) = fixture.start_loading_daemon()?;
    let socket = fixture.socket()?;
    let mut waiting = Vec::new();
    fill_backlog(&socket, &mut waiting)?;
    let mut command = fixture.client_command("pid");
    let output = command.env("TEST_CLIENT_DEADLINE_MS", "200").output()?;
    let message = stderr(&output);
    assert!(message.contains("backlog was full"), "{message}");
    // A client with a later deadline is served.
    let next = fixture
        .client_command("pid")
        .stdout(Stdio::piped())
        .spawn()?;
    drop(waiting);
    drop(fs::File::create(&fifo)?);
    assert_eq!(
        stdout(&next.wait_with_output()?).trim_end(),
        fixture.record_value("PID")?
    );
    Ok(())
}

/// Fills the backlog with connections. A Python program makes them, because a non-blocking `connect` reports a full backlog.
fn fill_backlog(socket: &std::path::Path, waiting: &mut Vec<UnixStream>) -> TestResult {
    let script = "import socket, sys, time\n\
        held = []\n\
        while True:\n\
        \x20   one = socket.socket(socket.AF_UNIX)\n\
        \x20   one.setblocking(False)\n\
        \x20   try:\n\
        \x20       one.connect(sys.argv[1])\n\
        \x20   except BlockingIOError:\n\
        \x20       break\n\
        \x20   held.append(one)\n\
        print(len(held), flush=True)\n\
        sys.stdin.read()\n";
    let (input, python_input) = UnixStream::pair()?;
    let mut python = Command::new("sh")
        .args([
            "-c",
            "ulimit -n 8192; exec python3 -c \"$1\" \"$2\"",
            "sh",
            script,
        ])
        .arg(socket)
        .stdin(std::os::fd::OwnedFd::from(python_input))
        .stdout(Stdio::piped())
        .spawn()?;
    let stdout = python.stdout.take().ok_or("no stdout")?;
    let held: u32 = read_line(&mut std::io::BufReader::new(stdout))?.parse()?;
    assert!(held > 100, "{held}");
    // The program closes its connections when its input ends.
    waiting.push(input);
    std::thread::spawn(move || python.wait());
    Ok(())
}

// Other users

#[test]
fn a_foreign_users_daemon_is_refused_and_receives_nothing() -> TestResult {
    if !has_requirements(&[ROOT, "setpriv", "socat"]) {
        return Ok(());
    }
    let fixture = Fixture::new()?;
    set_mode(fixture.path(), 0o755)?;
    // This run creates the directories, and shows where the endpoint is.
    let daemon = fixture.start_daemon()?;
    daemon.signal(Signal::SIGTERM);
    daemon.wait_with_output()?;
    let socket = fixture.socket()?;
    chown(&fixture.runtime_directory(), "65534")?;
    let mut socat = Command::new("socat");
    socat.args([
        &format!("UNIX-LISTEN:{}", socket.display()),
        "SYSTEM:head -n 1",
    ]);
    let foreign = as_user_nobody(&socat).stdout(Stdio::piped()).spawn()?;
    let _foreign = common::ChildProcess(foreign);
    wait_until("socat listens", || socket.exists());
    chown(&fixture.runtime_directory(), "0")?;
    let output = fixture.client_command("secret").output()?;
    let message = stderr(&output);
    assert!(message.contains("user 65534 listens on"), "{message}");
    assert!(!stdout(&output).contains("secret"));
    Ok(())
}

#[test]
fn a_client_without_permission_gets_an_error_and_starts_nothing() -> TestResult {
    if !has_requirements(&[ROOT, "setpriv"]) {
        return Ok(());
    }
    let fixture = Fixture::new()?;
    set_mode(fixture.path(), 0o755)?;
    let _daemon = fixture.start_daemon()?;
    // Root owns the directories; user `nobody` resolves the same paths.
    let command = fixture.client_command("pid");
    let output = as_user_nobody(&command).output()?;
    let message = stderr(&output);
    assert!(message.contains("no permission to connect to"), "{message}");
    Ok(())
}
