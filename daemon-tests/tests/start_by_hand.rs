//! Starting: one owner, whatever is lying about, and a clear refusal where something is wrong.

#![cfg(unix)]

mod common;

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use common::{
    ASK, Outcome, Place, ROOT, Running, SINGLE, SUBJECT, Signal, TWICE, as_nobody, eventually, has,
    line, set_mode, stderr, stdout,
};

#[test]
fn a_daemon_that_is_killed_starts_again_at_once() -> Outcome {
    let place = Place::new()?;
    let first = place.subject()?;
    let pid = first.pid();
    first.signal(Signal::SIGKILL);
    first.end()?;
    assert!(
        place.socket()?.exists(),
        "a stale socket is what this is about"
    );
    let second = place.subject()?;
    assert_ne!(second.pid(), pid);
    assert_eq!(line(&mut place.say("pid")?)?, second.pid().to_string());
    Ok(())
}

#[test]
fn a_second_daemon_leaves_with_69_and_touches_nothing() -> Outcome {
    let place = Place::new()?;
    let first = place.subject()?;
    place.until("ready");
    let record = place.record()?;
    let second = place.command(SUBJECT).output()?;
    assert_eq!(second.status.code(), Some(69));
    let said = stderr(&second);
    assert!(said.contains("already bound"), "{said}");
    assert!(said.contains(&format!("process {}", first.pid())), "{said}");
    assert_eq!(place.record()?, record);
    assert_eq!(line(&mut place.say("pid")?)?, first.pid().to_string());
    Ok(())
}

/// The rounds can be had by the thousand: `ROUNDS=10000 cargo test --release -p daemon-tests race`.
#[test]
fn eight_starters_race_over_stale_files_and_one_owns() -> Outcome {
    let rounds = match std::env::var("ROUNDS") {
        Ok(rounds) => rounds.parse()?,
        Err(_) => 300,
    };
    let place = Place::new()?;
    for round in 0..rounds {
        race(&place, round)?;
    }
    Ok(())
}

/// One round. The owner of the round before was killed, so its files lie about.
fn race(place: &Place, round: u32) -> Outcome {
    let mut starters = Vec::new();
    for _ in 0..8 {
        let mut command = place.command(SUBJECT);
        let child = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        starters.push(Running(child));
    }
    let mut losers = 0;
    eventually("seven leave", || {
        starters.retain_mut(|starter| match starter.0.try_wait() {
            Ok(Some(status)) => {
                assert_eq!(status.code(), Some(69), "round {round}");
                losers += 1;
                false
            }
            _ => true,
        });
        losers >= 7
    });
    assert_eq!(starters.len(), 1, "round {round}: nobody owns");
    let owner = &starters[0];
    assert_eq!(line(&mut place.say("pid")?)?, owner.pid().to_string());
    assert_eq!(place.recorded("PID")?, owner.pid().to_string());
    assert!(!place.is_free()?);
    Ok(())
}

#[test]
fn help_and_version_touch_nothing() -> Outcome {
    let place = Place::new()?;
    let help = place.command(SUBJECT).arg("--help").output()?;
    assert!(help.status.success());
    for part in [
        "daemon-tests 0.1.0",
        "/runtime/subject-",
        "BROKERED_INSTANCE",
        "  73  ",
    ] {
        assert!(stdout(&help).contains(part), "{part}: {}", stdout(&help));
    }
    let version = place.command(SUBJECT).arg("--version").output()?;
    assert_eq!(stdout(&version), "daemon-tests 0.1.0\n");
    assert_eq!(fs::read_dir(place.runtime())?.count(), 0);
    Ok(())
}

#[test]
fn a_state_that_fails_to_load_ends_with_70_and_its_reason() -> Outcome {
    let place = Place::new()?;
    let failed = place
        .command(SUBJECT)
        .env(daemon_tests::LOAD_FAILS, "no such shard")
        .output()?;
    assert_eq!(failed.status.code(), Some(70));
    let said = stderr(&failed);
    assert!(said.contains("Loaded failed: no such shard"), "{said}");
    assert_eq!(place.recorded("PHASE")?, "failed");
    assert!(place.recorded("FAILURE")?.contains("no such shard"));
    assert!(!place.socket()?.exists());
    assert!(place.is_free()?);
    Ok(())
}

#[test]
fn a_main_that_ends_or_panics_leaves_the_lock_free() -> Outcome {
    for (how, code, reason) in [
        ("error", 1, "main ended with an error"),
        ("panic", 101, "main was told to"),
    ] {
        let place = Place::new()?;
        let ended = place
            .command(SUBJECT)
            .env(daemon_tests::MAIN_ENDS, how)
            .output()?;
        assert_eq!(ended.status.code(), Some(code), "{}", stderr(&ended));
        assert!(!place.socket()?.exists());
        assert!(place.is_free()?);
        let why = place.recorded("FAILURE")?;
        assert!(why.contains(reason), "{why}");
    }
    Ok(())
}

#[test]
fn entering_main_twice_ends_with_70() -> Outcome {
    let place = Place::new()?;
    let twice = place
        .command(TWICE)
        .env_remove("BROKERED_INSTANCE")
        .output()?;
    assert_eq!(twice.status.code(), Some(70));
    assert!(
        stderr(&twice).contains("main was called twice"),
        "{}",
        stderr(&twice)
    );
    assert_eq!(stdout(&twice), "");
    Ok(())
}

#[test]
fn a_per_directory_daemon_wants_a_directory() -> Outcome {
    let place = Place::new()?;
    let none = place
        .command(SUBJECT)
        .env_remove("BROKERED_INSTANCE")
        .output()?;
    refused(&none, 64, &["BROKERED_INSTANCE"]);
    let missing = place.path().join("missing");
    let gone = place
        .command(SUBJECT)
        .env("BROKERED_INSTANCE", &missing)
        .output()?;
    refused(&gone, 64, &[text(&missing)]);
    Ok(())
}

#[test]
fn a_relative_runtime_directory_is_refused() -> Outcome {
    let place = Place::new()?;
    let relative = place
        .command(SUBJECT)
        .env("BROKERED_RUNTIME_DIR", "somewhere")
        .current_dir(place.path())
        .output()?;
    refused(&relative, 64, &["somewhere", "relative"]);
    assert!(!place.path().join("somewhere").exists());
    Ok(())
}

#[test]
fn a_runtime_directory_that_is_a_link_is_refused_at_each_level() -> Outcome {
    let place = Place::new()?;
    let link = place.path().join("link");
    symlink(place.runtime(), &link)?;
    let outer = place
        .command(SUBJECT)
        .env("BROKERED_RUNTIME_DIR", &link)
        .output()?;
    refused(&outer, 73, &[text(&link), "symbolic link"]);

    // A slash behind it does not make it another thing.
    for slash in ["/", "/."] {
        let mut spelled = link.clone().into_os_string();
        spelled.push(slash);
        let outer = place
            .command(SUBJECT)
            .env("BROKERED_RUNTIME_DIR", spelled)
            .output()?;
        refused(&outer, 73, &[text(&link), "symbolic link"]);
    }

    let elsewhere = place.path().join("elsewhere");
    fs::create_dir(&elsewhere)?;
    set_mode(&elsewhere, 0o700)?;
    symlink(&elsewhere, place.runtime().join("single"))?;
    let inner = single(&place).output()?;
    refused(&inner, 73, &["/runtime/single", "symbolic link"]);
    assert_eq!(fs::read_dir(&elsewhere)?.count(), 0);
    Ok(())
}

#[test]
fn a_directory_that_others_may_write_to_is_refused_at_each_level() -> Outcome {
    for mode in [0o770, 0o701, 0o777, 0o500] {
        let place = Place::new()?;
        set_mode(&place.runtime(), mode)?;
        let outer = single(&place).output()?;
        refused(&outer, 73, &["/runtime has mode", &format!("{mode:04o}")]);
        set_mode(&place.runtime(), 0o700)?;

        let instance = place.runtime().join("single");
        fs::create_dir(&instance)?;
        set_mode(&instance, mode)?;
        let inner = single(&place).output()?;
        refused(
            &inner,
            73,
            &["/runtime/single has mode", &format!("{mode:04o}")],
        );
        assert_eq!(fs::read_dir(&instance)?.count(), 0);
    }
    Ok(())
}

#[test]
fn a_runtime_directory_that_is_none_is_refused() -> Outcome {
    let place = Place::new()?;
    let file = place.path().join("file");
    fs::write(&file, "mine")?;
    let refusal = single(&place).env("BROKERED_RUNTIME_DIR", &file).output()?;
    refused(&refusal, 73, &[text(&file), "not a directory"]);
    assert_eq!(fs::read_to_string(&file)?, "mine");
    Ok(())
}

#[test]
fn another_users_directory_is_refused_at_each_level() -> Outcome {
    if !has(&[ROOT]) {
        return Ok(());
    }
    let place = Place::new()?;
    chown(&place.runtime(), "65534")?;
    let outer = single(&place).output()?;
    refused(&outer, 73, &["/runtime belongs to user 65534"]);
    chown(&place.runtime(), "0")?;

    let instance = place.runtime().join("single");
    fs::create_dir(&instance)?;
    set_mode(&instance, 0o700)?;
    chown(&instance, "65534")?;
    let inner = single(&place).output()?;
    refused(&inner, 73, &["/runtime/single belongs to user 65534"]);
    Ok(())
}

#[test]
fn an_unwritable_place_is_refused() -> Outcome {
    if !has(&[ROOT, "setpriv"]) {
        return Ok(());
    }
    let place = Place::new()?;
    set_mode(place.path(), 0o755)?;
    let below = place.path().join("readonly/runtime");
    fs::create_dir(place.path().join("readonly"))?;
    let command = single(&place);
    let refusal = as_nobody(&command)
        .env("BROKERED_RUNTIME_DIR", &below)
        .output()?;
    refused(&refusal, 73, &[text(&below), "Permission denied"]);
    assert!(!below.exists());
    Ok(())
}

#[test]
fn a_full_disk_is_refused_and_leaves_no_daemon() -> Outcome {
    if !has(&[ROOT, "unshare"]) {
        return Ok(());
    }
    let place = Place::new()?;
    // Inodes run out: for the instance's directory, then for the socket, then for the record.
    for (inodes, code) in [(1, 73), (2, 71), (3, 73)] {
        let script = "mount -t tmpfs -o mode=0700,nr_inodes=\"$1\" none \"$2\" && exec \"$3\"";
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "sh", "-c", script, "sh", &inodes.to_string()])
            .arg(place.runtime())
            .arg(SINGLE)
            .env("BROKERED_RUNTIME_DIR", place.runtime())
            .env_remove("BROKERED_INSTANCE");
        let full = command.output()?;
        refused(&full, code, &["No space left on device", "/runtime/single"]);
    }
    Ok(())
}

#[test]
fn what_is_in_the_way_of_the_socket_is_left_alone() -> Outcome {
    let place = Place::new()?;
    let instance = place.runtime().join("single");
    fs::create_dir(&instance)?;
    set_mode(&instance, 0o700)?;
    let socket = instance.join("socket");

    fs::write(&socket, "precious")?;
    let file = single(&place).output()?;
    refused(&file, 71, &[text(&socket), "a regular file is in the way"]);
    assert_eq!(fs::read_to_string(&socket)?, "precious");
    fs::remove_file(&socket)?;

    fs::create_dir(&socket)?;
    let directory = single(&place).output()?;
    refused(
        &directory,
        71,
        &[text(&socket), "a directory is in the way"],
    );
    fs::remove_dir(&socket)?;

    if has(&[ROOT]) {
        let _theirs = UnixListener::bind(&socket)?;
        chown(&socket, "65534")?;
        let foreign = single(&place).output()?;
        refused(&foreign, 71, &[text(&socket), "socket of user 65534"]);
        assert!(socket.exists());
    }
    Ok(())
}

#[test]
fn a_path_that_is_too_long_for_a_socket_is_shortened_alike_on_both_sides() -> Outcome {
    let place = Place::new()?;
    let long = place.path().join("long".repeat(30));
    let mut daemon = place.command(SUBJECT);
    daemon.env("BROKERED_RUNTIME_DIR", &long).arg("--help");
    let help = stdout(&daemon.output()?);
    let endpoint = help
        .lines()
        .map(str::trim)
        .find(|line| line.ends_with("/socket"))
        .ok_or("no endpoint in the help")?
        .to_owned();
    assert!(endpoint.starts_with("/tmp/brokered-"), "{endpoint}");

    let mut ask = place.ask_command("pid");
    let asked = ask.env("BROKERED_RUNTIME_DIR", &long).output()?;
    assert!(asked.status.success(), "{}", stderr(&asked));
    let pid = stdout(&asked);
    let instance = Path::new(&endpoint).parent().ok_or("no directory")?;
    let record = fs::read_to_string(instance.join("record"))?;
    assert!(record.contains(&format!("PID={pid}")), "{record}");
    assert!(
        record.contains(&format!("ENDPOINT={endpoint}\n")),
        "{record}"
    );
    common::signal_process(pid.trim().parse()?, Signal::SIGTERM);
    eventually("it ends", || !instance.join("record").exists());
    fs::remove_dir_all(instance)?;
    Ok(())
}

#[test]
fn socat_talks_to_a_daemon_where_its_help_says() -> Outcome {
    if !has(&["socat"]) {
        return Ok(());
    }
    let place = Place::new()?;
    let _subject = place.subject()?;
    let help = stdout(&place.command(SUBJECT).arg("--help").output()?);
    let endpoint = help
        .lines()
        .map(str::trim)
        .find(|line| line.ends_with("/socket"))
        .ok_or("no endpoint in the help")?
        .to_owned();
    let mut socat = Command::new("socat")
        .args(["-t5", "-", &format!("UNIX-CONNECT:{endpoint}")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    writeln!(socat.stdin.take().ok_or("no stdin")?, "good evening")?;
    assert_eq!(stdout(&socat.wait_with_output()?), "good evening\n");
    Ok(())
}

#[test]
fn on_a_terminal_a_daemon_says_where_it_listens() -> Outcome {
    if !has(&["script"]) {
        return Ok(());
    }
    let place = Place::new()?;
    let mut on_terminal = place.command("script");
    on_terminal.args(["--quiet", "--return", "--command", SUBJECT, "/dev/null"]);
    let daemon = place.start(on_terminal)?;
    eventually("it is recorded", || place.recorded("PID").is_ok());
    common::signal_process(place.recorded("PID")?.parse()?, Signal::SIGTERM);
    let said = stdout(&daemon.end()?);
    let socket = place.socket()?;
    assert!(
        said.contains(&format!("subject listens on {}", socket.display())),
        "{said}"
    );
    assert!(said.contains("socat - UNIX-CONNECT:"), "{said}");
    Ok(())
}

#[test]
fn no_message_tells_anybody_to_delete_a_file() {
    // What is said is compiled in, so the executables hold every message there is.
    for program in [SUBJECT, ASK] {
        let bytes = fs::read(program).expect("the executable");
        let text = String::from_utf8_lossy(&bytes).to_lowercase();
        for advice in [
            "delete the file",
            "remove the file",
            "rm -f",
            "delete the socket",
        ] {
            assert!(!text.contains(advice), "{program} says {advice:?}");
        }
    }
}

fn single(place: &Place) -> Command {
    let mut command = place.command(SINGLE);
    command.env_remove("BROKERED_INSTANCE");
    command
}

#[track_caller]
fn refused(output: &Output, code: i32, parts: &[&str]) {
    let said = stderr(output);
    assert_eq!(output.status.code(), Some(code), "{said}");
    for part in parts {
        assert!(said.contains(part), "{part:?} is not in {said:?}");
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a test's path is text")
}

fn chown(path: &Path, user: &str) -> Outcome {
    let done = Command::new("chown").arg(user).arg(path).status()?;
    assert!(done.success());
    Ok(())
}
