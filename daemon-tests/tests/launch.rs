//! Launching: from the client's side, and what the daemon keeps of whoever started it.

#![cfg(unix)]

mod common;

use std::fs;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};

use common::{
    ASK, BACKEND, Outcome, Place, ROOT, SINGLE, SUBJECT, Signal, as_nobody, eventually, has, line,
    make_fifo, set_mode, stderr, stdout,
};

#[test]
fn a_client_starts_the_daemon_and_the_next_one_finds_it() -> Outcome {
    let place = Place::new()?;
    let first = place.ask("pid")?;
    assert_eq!(place.ask("pid")?, first);
    assert_eq!(place.recorded("PID")?, first);
    assert_eq!(place.recorded("OWNER")?, "launcher");
    let directory = place.directory().canonicalize()?;
    assert_eq!(place.ask("directory")?, directory.display().to_string());
    common::signal_process(first.parse()?, Signal::SIGKILL);
    eventually("it is dead", || place.is_free().unwrap_or(false));
    assert_ne!(
        place.ask("pid")?,
        first,
        "a new one, and no file was in the way"
    );
    Ok(())
}

#[test]
fn a_client_sees_the_daemons_credentials_and_not_its_launchers() -> Outcome {
    let place = Place::new()?;
    let pid = place.ask("pid")?;
    let stream = UnixStream::connect(place.socket()?)?;
    let peer = getsockopt(&stream, PeerCredentials)?;
    assert_eq!(peer.pid().to_string(), pid);
    Ok(())
}

#[test]
fn all_paths_to_a_directory_mean_one_daemon() -> Outcome {
    let place = Place::new()?;
    let first = place.ask("pid")?;
    let link = place.path().join("link");
    std::os::unix::fs::symlink(place.directory(), &link)?;
    let other = place.directory().join("../directory/.");
    for path in [link, other] {
        let mut command = place.command(ASK);
        command.env_remove("BROKERED_INSTANCE");
        let output = command.arg(path).args([SUBJECT, "pid"]).output()?;
        assert_eq!(stdout(&output).trim_end(), first, "{}", stderr(&output));
    }
    Ok(())
}

#[test]
fn a_herd_of_cold_clients_starts_one_daemon() -> Outcome {
    for round in 0..10 {
        let place = Place::new()?;
        let mut herd = Vec::new();
        for _ in 0..20 {
            let mut command = place.ask_command("pid");
            herd.push(
                command
                    .stdout(Stdio::piped())
                    .stderr(Stdio::piped())
                    .spawn()?,
            );
        }
        let mut pids = Vec::new();
        for client in herd {
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
fn a_client_and_a_daemon_by_hand_start_together_and_one_serves() -> Outcome {
    for _ in 0..20 {
        let place = Place::new()?;
        let by_hand = place
            .command(SUBJECT)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let _by_hand = common::Running(by_hand);
        let pid = place.ask("pid")?;
        assert_eq!(place.recorded("PID")?, pid);
        assert_eq!(place.ask("pid")?, pid);
    }
    Ok(())
}

#[test]
fn connect_alone_starts_nothing() -> Outcome {
    let place = Place::new()?;
    let mut command = place.ask_command("pid");
    let output = command.env("ASK_ONLY_CONNECT", "1").output()?;
    assert!(!output.status.success());
    assert!(
        stderr(&output).contains("no process listens on"),
        "{}",
        stderr(&output)
    );
    assert_eq!(fs::read_dir(place.runtime())?.count(), 0);
    Ok(())
}

#[test]
fn a_missing_executable_is_named_with_its_path() -> Outcome {
    let place = Place::new()?;
    let missing = place.path().join("no-such-daemon");
    let output = place.ask_program(&missing, "pid").output()?;
    let said = stderr(&output);
    assert!(
        said.contains(&format!("tried {}", missing.display())),
        "{said}"
    );
    assert!(place.is_free()?);
    assert!(!place.socket()?.exists());
    Ok(())
}

#[test]
fn a_file_that_is_no_executable_is_named() -> Outcome {
    let place = Place::new()?;
    let file = place.path().join("text");
    fs::write(&file, "no program")?;
    let output = place.ask_program(&file, "pid").output()?;
    let said = stderr(&output);
    assert!(
        said.contains(&format!("cannot start {}", file.display())),
        "{said}"
    );
    assert!(said.contains("Permission denied"), "{said}");
    Ok(())
}

#[test]
fn a_daemon_with_another_environment_is_where_its_client_looks() -> Outcome {
    let place = Place::new()?;
    let mut command = place.ask_command("pid");
    let output = command.env("ASK_CLEARS", "").output()?;
    assert!(output.status.success(), "{}", stderr(&output));
    let pid = stdout(&output);
    let environment = fs::read(format!("/proc/{}/environ", pid.trim_end()))?;
    let environment = String::from_utf8_lossy(&environment);
    assert!(!environment.contains("RUNTIME_DIR"), "{environment}");
    assert_eq!(place.recorded("PID")?, pid.trim_end());
    let endpoint = std::path::PathBuf::from(place.recorded("ENDPOINT")?);
    assert_eq!(endpoint, place.socket()?);
    assert_eq!(place.ask("pid")?, pid.trim_end(), "the next one finds it");
    Ok(())
}

#[test]
fn a_working_directory_that_is_not_there_is_named() -> Outcome {
    let place = Place::new()?;
    let missing = place.path().join("missing");
    let mut command = place.ask_command("pid");
    let said = stderr(&command.env("ASK_DIRECTORY", &missing).output()?);
    let expected = format!(
        "cannot start a daemon in {}: No such file",
        missing.display()
    );
    assert!(said.contains(&expected), "{said}");
    assert!(said.contains("`Instance::current_dir`"), "{said}");
    // It has spent no start, and nothing is in the way.
    for _ in 0..8 {
        let mut command = place.ask_command("pid");
        command.env("ASK_DIRECTORY", &missing).output()?;
    }
    place.ask("pid")?;
    Ok(())
}

#[test]
fn a_daemon_that_dies_at_its_start_tells_why() -> Outcome {
    let place = Place::new()?;
    let mut command = place.ask_command("pid");
    let output = command
        .env(daemon_tests::LOAD_FAILS, "no such shard")
        .env("ASK_WAIT", "ready")
        .output()?;
    let said = stderr(&output);
    for part in [
        "ended during its start-up (exit status: 70)",
        "Loaded failed: no such shard",
        "/log and ends with:",
    ] {
        assert!(said.contains(part), "{part:?} is not in {said:?}");
    }
    Ok(())
}

#[test]
fn a_daemon_that_is_killed_at_its_start_tells_by_which_signal() -> Outcome {
    let place = Place::new()?;
    let script = script(&place, "echo about to die; kill -9 $$")?;
    let output = place.ask_program(&script, "pid").output()?;
    let said = stderr(&output);
    assert!(said.contains("signal: 9"), "{said}");
    assert!(said.contains("about to die"), "{said}");
    assert!(place.is_free()?);
    Ok(())
}

#[test]
fn a_slow_load_fails_no_launch_and_a_deadline_ends_the_wait() -> Outcome {
    let place = Place::new()?;
    let fifo = place.path().join("fifo");
    make_fifo(&fifo)?;
    // Whoever wants it ready waits in vain.
    let mut impatient = place.ask_command("phase");
    let output = impatient
        .env(daemon_tests::LOAD_FROM, &fifo)
        .env("ASK_WAIT", "ready")
        .env("ASK_DEADLINE_MS", "200")
        .output()?;
    let said = stderr(&output);
    assert!(
        said.contains("did not finish its start-up within"),
        "{said}"
    );
    assert!(said.contains("(it is bound and is loading)"), "{said}");
    // It was not killed for it, and serves whoever waits.
    let mut patient = place.ask_command("phase");
    let patient = patient.stdout(Stdio::piped()).spawn()?;
    drop(fs::File::create(&fifo)?);
    assert_eq!(stdout(&patient.wait_with_output()?), "ready\n");
    Ok(())
}

#[test]
fn a_client_that_waits_for_nothing_is_answered_all_the_same() -> Outcome {
    let place = Place::new()?;
    let mut command = place.ask_command("pid");
    let output = command.env("ASK_WAIT", "nothing").output()?;
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(stdout(&output).trim_end(), place.recorded("PID")?);
    Ok(())
}

#[test]
fn what_was_handed_over_is_held_by_the_message_alone() -> Outcome {
    let place = Place::new()?;
    let fifo = place.path().join("fifo");
    make_fifo(&fifo)?;
    // A daemon whose executable takes its time to begin.
    let slow = script(
        &place,
        &format!("read go < {}; exec {SUBJECT}", fifo.display()),
    )?;
    let ask = |program: &std::path::Path| {
        let mut command = place.ask_program(program, "pid");
        command.env("ASK_WAIT", "nothing").stdout(Stdio::piped());
        command.spawn()
    };
    let mut first = ask(&slow)?;
    // Opening it for writing waits until the executable has opened it for reading: it runs.
    let mut go = fs::OpenOptions::new().write(true).open(&fifo)?;
    // Whoever started it goes away before it has taken anything over.
    first.kill()?;
    first.wait()?;
    assert!(!place.is_free()?, "the message holds the lock");
    let second = ask(&slow)?;
    writeln!(go, "go")?;
    assert_eq!(
        stdout(&second.wait_with_output()?).trim_end(),
        place.recorded("PID")?
    );
    Ok(())
}

#[test]
fn a_daemon_that_dies_with_the_message_unread_leaves_nothing_in_the_way() -> Outcome {
    let place = Place::new()?;
    let dies = script(&place, "exit 3")?;
    let mut command = place.ask_program(dies, "pid");
    let output = command.env("ASK_WAIT", "nothing").output()?;
    // Its client waited for nothing, so it has nothing but the end of its stream.
    assert_eq!(stdout(&output), "");
    eventually("the lock is free", || place.is_free().unwrap_or(false));
    assert_eq!(place.ask("pid")?, place.recorded("PID")?);
    Ok(())
}

#[test]
fn an_executable_of_another_daemon_is_told_from_the_one_that_was_meant() -> Outcome {
    let place = Place::new()?;
    for _ in 0..2 {
        let output = place.ask_program(SINGLE, "pid").output()?;
        let said = stderr(&output);
        assert!(said.contains("exit status: 64"), "{said}");
        assert!(
            said.contains("started as subject, contract 1, but this executable is single"),
            "{said}"
        );
        assert!(place.is_free()?);
        assert!(!place.socket()?.exists());
    }
    assert_eq!(place.ask("pid")?, place.recorded("PID")?);
    Ok(())
}

#[test]
fn a_daemon_that_ends_while_a_client_waits_for_it_to_be_ready_is_an_error() -> Outcome {
    let place = Place::new()?;
    let fifo = place.path().join("fifo");
    make_fifo(&fifo)?;
    let mut command = place.ask_command("phase");
    let client = command
        .env(daemon_tests::LOAD_FROM, &fifo)
        .env("ASK_WAIT", "ready")
        .stderr(Stdio::piped())
        .spawn()?;
    let loading = fs::OpenOptions::new().write(true).open(&fifo)?;
    common::signal_process(place.recorded("PID")?.parse()?, Signal::SIGTERM);
    place.until("draining");
    // Once more: it does not wait for its load.
    common::signal_process(place.recorded("PID")?.parse()?, Signal::SIGTERM);
    let output = client.wait_with_output()?;
    drop(loading);
    assert!(!output.status.success());
    let said = stderr(&output);
    assert!(said.contains("it was asked to stop"), "{said}");
    Ok(())
}

#[test]
fn the_record_of_a_dead_daemon_is_not_taken_for_the_next_ones() -> Outcome {
    let place = Place::new()?;
    let dead = place.subject()?;
    place.until("ready");
    let pid = dead.pid();
    dead.signal(Signal::SIGKILL);
    dead.end()?;
    let fifo = place.path().join("fifo");
    make_fifo(&fifo)?;
    let slow = script(
        &place,
        &format!("read go < {}; exec {SUBJECT}", fifo.display()),
    )?;
    let mut command = place.ask_program(slow, "pid");
    let mut client = command.stdout(Stdio::null()).spawn()?;
    let mut go = fs::OpenOptions::new().write(true).open(&fifo)?;
    let by_hand = place.command(SUBJECT).output()?;
    assert_eq!(by_hand.status.code(), Some(69));
    let said = stderr(&by_hand);
    assert!(!said.contains(&pid.to_string()), "{said}");
    assert!(said.contains("has not written its record yet"), "{said}");
    writeln!(go, "go")?;
    client.wait()?;
    Ok(())
}

#[test]
fn exec_becomes_the_daemon_of_the_same_place_whatever_becomes_of_the_environment() -> Outcome {
    let place = Place::new()?;
    let mut command = place.command(env!("CARGO_BIN_EXE_become"));
    command
        .env_remove("BROKERED_INSTANCE")
        .env("BROKERED_LAUNCH", "left over:0")
        .arg(place.directory())
        .arg(SUBJECT);
    let daemon = place.start(command)?;
    assert_eq!(line(&mut place.say("pid")?)?, daemon.pid().to_string());
    assert_eq!(place.recorded("OWNER")?, "hand");
    Ok(())
}

#[test]
fn a_reason_reaches_the_client_also_where_the_log_has_no_room() -> Outcome {
    let place = Place::new()?;
    let mut command = place.ask_command("pid");
    // What is in the way of the record is no file, so the record cannot be written; and the log takes nothing.
    let daemon = place.subject()?;
    daemon.signal(Signal::SIGTERM);
    daemon.end()?;
    fs::create_dir(place.instance()?.join("record"))?;
    let output = command.env("ASK_LOG", "/dev/full").output()?;
    let said = stderr(&output);
    assert!(said.contains("exit status: 73"), "{said}");
    assert!(said.contains("cannot write the record"), "{said}");
    assert!(!place.instance()?.join("record.new").exists());
    assert!(place.is_free()?);
    Ok(())
}

#[test]
fn a_lock_that_is_held_by_nobody_who_listens_is_an_error_by_the_deadline() -> Outcome {
    let place = Place::new()?;
    let daemon = place.subject()?;
    daemon.signal(Signal::SIGKILL);
    daemon.end()?;
    let holder = fs::File::open(place.instance()?)?;
    holder.lock()?;
    let mut command = place.ask_command("pid");
    let output = command.env("ASK_DEADLINE_MS", "100").output()?;
    let said = stderr(&output);
    assert!(said.contains("cannot reach subject"), "{said}");
    assert!(
        said.contains(&place.instance()?.display().to_string()),
        "{said}"
    );
    Ok(())
}

#[test]
#[cfg_attr(brokered_portable, ignore = "a full backlog is a refusal")]
fn a_full_backlog_is_waited_for_and_then_told() -> Outcome {
    if !has(&["python3"]) {
        return Ok(());
    }
    let place = Place::new()?;
    let fifo = place.path().join("fifo");
    make_fifo(&fifo)?;
    let mut command = place.command(SUBJECT);
    command.env(daemon_tests::LOAD_FROM, &fifo);
    let _daemon = place.start(command)?;
    let socket = place.socket()?;
    let mut waiting = Vec::new();
    fill_backlog(&socket, &mut waiting)?;
    let mut command = place.ask_command("pid");
    let output = command.env("ASK_DEADLINE_MS", "200").output()?;
    let said = stderr(&output);
    assert!(said.contains("backlog was full"), "{said}");
    // And whoever has the patience is served.
    let patient = place.ask_command("pid").stdout(Stdio::piped()).spawn()?;
    drop(waiting);
    drop(fs::File::create(&fifo)?);
    assert_eq!(
        stdout(&patient.wait_with_output()?).trim_end(),
        place.recorded("PID")?
    );
    Ok(())
}

/// Connects until nobody else can: `connect` without blocking says when that is.
fn fill_backlog(socket: &std::path::Path, waiting: &mut Vec<UnixStream>) -> Outcome {
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
    let (ours, theirs) = UnixStream::pair()?;
    let mut python = Command::new("sh")
        .args([
            "-c",
            "ulimit -n 8192; exec python3 -c \"$1\" \"$2\"",
            "sh",
            script,
        ])
        .arg(socket)
        .stdin(std::os::fd::OwnedFd::from(theirs))
        .stdout(Stdio::piped())
        .spawn()?;
    let stdout = python.stdout.take().ok_or("no stdout")?;
    let held: u32 = line(&mut std::io::BufReader::new(stdout))?.parse()?;
    assert!(held > 100, "{held}");
    // It lets go of them when its input ends.
    waiting.push(ours);
    std::thread::spawn(move || python.wait());
    Ok(())
}

#[test]
fn a_process_that_was_started_as_a_daemon_starts_no_other() -> Outcome {
    let place = Place::new()?;
    let mut command = place.ask_command("pid");
    let output = command.env("BROKERED_LAUNCH", "other:0").output()?;
    let said = stderr(&output);
    assert!(said.contains("does not start a daemon"), "{said}");
    Ok(())
}

#[test]
fn an_announcement_that_is_not_true_is_not_believed() -> Outcome {
    let place = Place::new()?;
    let mut command = place.command(SUBJECT);
    command
        .env(
            "BROKERED_LAUNCH",
            "subject:0123456789abcdef0123456789abcdef",
        )
        .stdin(Stdio::null());
    let daemon = place.start(command)?;
    assert_eq!(place.recorded("OWNER")?, "hand");
    let children = rest(&place, "children")?;
    assert!(!children.contains("BROKERED_LAUNCH"), "{children}");
    drop(daemon);
    Ok(())
}

#[test]
fn a_daemon_of_another_user_is_an_error_and_gets_nothing() -> Outcome {
    if !has(&[ROOT, "setpriv", "socat"]) {
        return Ok(());
    }
    let place = Place::new()?;
    set_mode(place.path(), 0o755)?;
    // Works out where the endpoint is, and leaves the directories.
    let daemon = place.subject()?;
    daemon.signal(Signal::SIGTERM);
    daemon.end()?;
    let socket = place.socket()?;
    let chown = |user: &str| {
        Command::new("chown")
            .args(["-R", user])
            .arg(place.runtime())
            .status()
    };
    assert!(chown("65534")?.success());
    let mut socat = Command::new("socat");
    socat.args([
        &format!("UNIX-LISTEN:{}", socket.display()),
        "SYSTEM:head -n 1",
    ]);
    let theirs = as_nobody(&socat).stdout(Stdio::piped()).spawn()?;
    let _theirs = common::Running(theirs);
    eventually("they listen", || socket.exists());
    assert!(chown("0")?.success());
    let output = place.ask_command("secret").output()?;
    let said = stderr(&output);
    assert!(said.contains("user 65534 listens on"), "{said}");
    assert!(!stdout(&output).contains("secret"));
    Ok(())
}

#[test]
fn no_permission_is_told_and_nothing_is_started() -> Outcome {
    if !has(&[ROOT, "setpriv"]) {
        return Ok(());
    }
    let place = Place::new()?;
    set_mode(place.path(), 0o755)?;
    let _daemon = place.subject()?;
    // The directories are root's, and their paths are the same for nobody.
    let command = place.ask_command("pid");
    let output = as_nobody(&command).output()?;
    let said = stderr(&output);
    assert!(said.contains("no permission to connect to"), "{said}");
    Ok(())
}

#[test]
fn a_launched_daemon_keeps_nothing_of_whoever_started_it() -> Outcome {
    if !has(&["flock"]) {
        return Ok(());
    }
    let place = Place::new()?;
    let lock = place.path().join("flock");
    // As a shell script would: a lock on 9, make's job server, a pipe that somebody reads to its end, and
    // ignored signals.
    let script = "trap '' TERM INT HUP USR1; exec 9>\"$1\"; flock 9; shift; \
                  mkfifo \"$1\"; exec 8<>\"$1\"; shift; \
                  export MAKEFLAGS='--jobserver-auth=8,8' NOTIFY_SOCKET=/nowhere \
                  WATCHDOG_USEC=1000000 LISTEN_PIDFDID=1; exec \"$@\"";
    let ask = place.ask_command("self");
    let mut command = place.command("sh");
    command
        .args(["-c", script, "sh"])
        .arg(&lock)
        .arg(place.path().join("jobserver"))
        .arg(ask.get_program())
        .args(ask.get_args())
        .env_remove("BROKERED_INSTANCE");
    // To its end: the daemon does not hold our pipes.
    let output = command.output()?;
    assert!(output.status.success(), "{}", stderr(&output));
    let report = stdout(&output);

    assert!(report.contains("fd 0 /dev/null\n"), "{report}");
    assert!(report.contains("/log\n"), "{report}");
    assert!(!report.contains("flock"), "{report}");
    assert!(!report.contains("jobserver"), "{report}");
    let directory = place.directory().canonicalize()?;
    assert!(
        report.contains(&format!("cwd {}\n", directory.display())),
        "{report}"
    );
    assert_eq!(
        ignored_signals(&report)?,
        [13],
        "SIGPIPE, as in every Rust program: {report}"
    );
    assert!(report.contains("SigBlk:\t0000000000000000\n"), "{report}");
    // The lock is free once the script has ended.
    assert!(fs::File::open(&lock)?.try_lock().is_ok());

    let children = rest(&place, "children")?;
    for variable in [
        "BROKERED_LAUNCH",
        "BROKERED_INSTANCE",
        "MAKEFLAGS",
        "NOTIFY_SOCKET",
        "WATCHDOG_USEC",
        "LISTEN_PIDFDID",
    ] {
        assert!(!children.contains(variable), "{variable}: {children}");
    }
    assert!(!children.contains("socket:"), "{children}");
    Ok(())
}

#[test]
fn a_launched_daemon_has_no_terminal() -> Outcome {
    if !has(&["script"]) {
        return Ok(());
    }
    let place = Place::new()?;
    // Asked while the terminal is still there: when its session ends, nobody has it any more.
    let ask = format!("{ASK} {} {SUBJECT} self", place.directory().display());
    let mut command = place.command("script");
    let output = command
        .args(["--quiet", "--return", "--command", &ask, "/dev/null"])
        .env_remove("BROKERED_INSTANCE")
        .output()?;
    assert!(output.status.success(), "{}", stdout(&output));
    let report = stdout(&output);
    // The last line is `/proc/self/stat`, whose seventh field is the controlling terminal.
    let stat = report.trim_end().lines().last().ok_or("no report")?;
    let terminal = stat
        .rsplit(") ")
        .next()
        .and_then(|fields| fields.split(' ').nth(4));
    assert_eq!(terminal, Some("0"), "{stat}");
    Ok(())
}

#[test]
fn a_backend_by_hand_adopts_the_launchers_endpoint() -> Outcome {
    let place = Place::new()?;
    let answer = ask_backend(&place, "launch")?;
    assert!(answer.ends_with(common::FIRST_BACKEND), "{answer}");
    assert_eq!(ask_backend(&place, "launch")?, answer);
    assert_eq!(
        place.recorded("PID")?,
        answer.split(' ').next().ok_or("no pid")?
    );
    Ok(())
}

#[test]
fn a_backend_that_binds_itself_is_handed_the_lock_alone() -> Outcome {
    let place = Place::new()?;
    let answer = ask_backend(&place, "launch-itself")?;
    assert!(answer.ends_with(" bound\n"), "{answer}");
    assert_eq!(ask_backend(&place, "launch-itself")?, answer);
    assert!(!place.is_free()?);
    Ok(())
}

#[test]
fn a_second_backend_by_hand_is_told_that_it_is_already_bound() -> Outcome {
    let place = Place::new()?;
    let mut command = place.command(BACKEND);
    command.env_remove("BROKERED_INSTANCE");
    let first = place.start(command)?;
    let mut command = place.command(BACKEND);
    let second = command.env_remove("BROKERED_INSTANCE").output()?;
    assert_eq!(second.status.code(), Some(69));
    let said = stderr(&second);
    assert!(said.contains("endpoint already bound"), "{said}");
    assert!(said.contains(&first.pid().to_string()), "{said}");
    Ok(())
}

fn ask_backend(place: &Place, how: &str) -> Result<String, Box<dyn std::error::Error>> {
    let output = place
        .command(env!("CARGO_BIN_EXE_ask-backend"))
        .args([how, BACKEND])
        .output()?;
    if !output.status.success() {
        return Err(stderr(&output).into());
    }
    Ok(stdout(&output))
}

/// The signals that a process ignores, by the mask in its status. The C library keeps 32 and 33 to itself:
/// nobody else can send them or say what they do.
fn ignored_signals(status: &str) -> Result<Vec<u32>, Box<dyn std::error::Error>> {
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .ok_or("no mask")?;
    let mask = u64::from_str_radix(mask.trim(), 16)?;
    Ok((1..=64)
        .filter(|signal| mask & (1 << (signal - 1)) != 0 && !matches!(signal, 32 | 33))
        .collect())
}

/// An executable that is a shell script.
fn script(place: &Place, commands: &str) -> Result<std::path::PathBuf, Box<dyn std::error::Error>> {
    let path = place.path().join("script");
    fs::write(&path, format!("#!/bin/sh\n{commands}\n"))?;
    set_mode(&path, 0o755)?;
    Ok(path)
}

/// All that the subject answers.
fn rest(place: &Place, to: &str) -> Result<String, Box<dyn std::error::Error>> {
    let mut answer = String::new();
    std::io::Read::read_to_string(&mut place.say(to)?, &mut answer)?;
    Ok(answer)
}
