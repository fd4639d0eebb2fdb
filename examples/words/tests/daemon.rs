//! The real program over real files, cold and warm.
#![cfg(unix)]
#![allow(missing_docs, reason = "a test")]

use std::{
    ffi::{OsStr, OsString},
    fs,
    io::{BufRead, BufReader, Read, Write},
    os::unix::{
        ffi::OsStringExt as _,
        fs::{DirBuilderExt as _, PermissionsExt as _},
        net::UnixStream,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

const DEADLINE: Duration = Duration::from_secs(30);

/// A tree and a runtime directory. What runs there at the end is stopped.
struct Place {
    _all: TempDir,
    tree: PathBuf,
    runtime: PathBuf,
}

impl Place {
    fn new() -> Self {
        let all = tempfile::tempdir().unwrap();
        let (tree, runtime) = (all.path().join("tree"), all.path().join("run"));
        fs::create_dir(&tree).unwrap();
        fs::DirBuilder::new().mode(0o700).create(&runtime).unwrap();
        Self {
            _all: all,
            tree,
            runtime,
        }
    }

    fn with(files: &[(&str, &str)]) -> Self {
        let place = Self::new();
        for (name, content) in files {
            place.write(name, content);
        }
        place
    }

    fn write(&self, name: impl AsRef<Path>, content: impl AsRef<[u8]>) {
        let path = self.tree.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_words"));
        command
            .env("BROKERED_RUNTIME_DIR", &self.runtime)
            .stdin(Stdio::null());
        command
    }

    /// Looks for words in the tree.
    fn find(&self, words: &[&str]) -> Answer {
        self.run(
            [self.tree.as_os_str()]
                .into_iter()
                .chain(words.iter().map(OsStr::new)),
        )
    }

    fn run(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Answer {
        Answer::from(self.command().args(arguments).output().unwrap())
    }

    /// What is printed for a line of a file in the tree.
    fn line(&self, file: &str, number: u32, text: &str) -> String {
        format!("{}/{file}:{number}: {text}", self.tree.display())
    }

    /// The directories of the instances that were ever started here.
    fn instances(&self) -> Vec<PathBuf> {
        fs::read_dir(&self.runtime)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect()
    }

    /// The only instance's directory.
    fn instance(&self) -> PathBuf {
        let [instance] = self.instances().try_into().expect("one instance");
        assert!(
            instance
                .file_name()
                .unwrap()
                .to_str()
                .unwrap()
                .starts_with("words-"),
            "{}",
            instance.display()
        );
        instance
    }

    fn pid(&self) -> u32 {
        pid(&self.instance()).expect("a record with a PID")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        for instance in self.instances() {
            if let Some(pid) = pid(&instance) {
                signal("-TERM", pid);
                let gone = eventually(|| !instance.join("socket").exists());
                assert!(
                    gone || thread::panicking(),
                    "{} still listens",
                    instance.display()
                );
            }
        }
    }
}

/// The process that the record of an instance names.
fn pid(instance: &Path) -> Option<u32> {
    let record = fs::read_to_string(instance.join("record")).ok()?;
    record
        .lines()
        .find_map(|line| line.strip_prefix("PID=")?.parse().ok())
}

/// Sends a signal, unless the process has gone already.
fn signal(signal: &str, pid: u32) -> bool {
    let mut kill = Command::new("kill");
    kill.arg(signal).arg(pid.to_string()).stderr(Stdio::null());
    kill.status().unwrap().success()
}

fn eventually(mut condition: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if condition() {
            return true;
        }
        if Instant::now() > deadline {
            return false;
        }
        thread::sleep(Duration::from_millis(2));
    }
}

#[derive(Debug)]
struct Answer {
    code: Option<i32>,
    out: Vec<String>,
    notes: String,
}

impl From<Output> for Answer {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout)
                .unwrap()
                .lines()
                .map(str::to_owned)
                .collect(),
            notes: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Answer {
    #[track_caller]
    fn assert(&self, code: i32, out: &[String], notes: &str) {
        assert_eq!(
            (self.code, self.out.as_slice(), self.notes.as_str()),
            (Some(code), out, notes)
        );
    }

    #[track_caller]
    fn assert_fails(&self, because: &str) {
        assert_eq!((self.code, self.out.len()), (Some(2), 0), "{self:?}");
        assert!(self.notes.contains(because), "{self:?}");
    }
}

#[test]
fn cold_and_warm_answers_are_the_same_and_come_from_one_daemon() {
    let place = Place::with(&[
        ("b.txt", "Red and green\nred\n"),
        ("a/x", "nothing\n\ngreen, RED\n"),
        ("empty", ""),
        ("binary", "red green\0"),
    ]);
    let expected = [
        place.line("a/x", 3, "green, RED"),
        place.line("b.txt", 1, "Red and green"),
    ];
    place.find(&["red", "green"]).assert(0, &expected, "");
    let pid = place.pid();
    for _ in 0..3 {
        place.find(&["GREEN", "red"]).assert(0, &expected, "");
    }
    assert_eq!(place.pid(), pid);
    let spelled_otherwise = Answer::from(
        place
            .command()
            .current_dir(&place.tree)
            .args(["a/..", "green::red"])
            .output()
            .unwrap(),
    );
    assert_eq!(
        spelled_otherwise.out,
        ["a/../a/x:3: green, RED", "a/../b.txt:1: Red and green"]
    );
    assert_eq!(place.pid(), pid);

    place.find(&["gre"]).assert(1, &[], "");
    place.find(&["red", "nothing"]).assert(1, &[], "");
}

#[test]
fn each_directory_has_its_own_daemon() {
    let place = Place::with(&[("a/file", "word in a"), ("b/file", "word in b")]);
    for name in ["a", "b"] {
        let answer = place.run([place.tree.join(name).as_os_str(), OsStr::new("word")]);
        answer.assert(
            0,
            &[place.line(&format!("{name}/file"), 1, &format!("word in {name}"))],
            "",
        );
    }
    let pids: Vec<u32> = place
        .instances()
        .iter()
        .filter_map(|instance| pid(instance))
        .collect();
    assert!(pids.len() == 2 && pids[0] != pids[1], "{pids:?}");
}

#[test]
fn what_changes_between_two_queries_is_seen_by_the_second() {
    let place = Place::with(&[("a", "red\n"), ("b", "blue\n"), ("c", "red\n")]);
    assert_eq!(place.find(&["red"]).out.len(), 2);
    let pid = place.pid();
    place.write("a", "\nred\n");
    place.write("b", "red!\n");
    place.write("new/d", "red\n");
    fs::remove_file(place.tree.join("c")).unwrap();
    let expected = [
        place.line("a", 2, "red"),
        place.line("b", 1, "red!"),
        place.line("new/d", 1, "red"),
    ];
    place.find(&["red"]).assert(0, &expected, "");
    assert_eq!(place.pid(), pid);
}

#[test]
fn huge_lines_are_cut_or_printed_whole() {
    let place = Place::new();
    let line = format!("{} needle {}", "x".repeat(5_000_000), "y".repeat(5_000_000));
    place.write("huge", &line);
    let cut = place.find(&["needle"]);
    assert_eq!((cut.code, cut.out.len()), (Some(0), 1));
    assert!(
        cut.out[0].contains(": …xxx")
            && cut.out[0].contains(" needle ")
            && cut.out[0].ends_with("yyy…"),
        "{cut:?}"
    );
    assert!(cut.out[0].len() < 600, "{cut:?}");
    place
        .find(&["--long-lines", "needle"])
        .assert(0, &[place.line("huge", 1, &line)], "");
}

// Other systems refuse such names.
#[cfg(target_os = "linux")]
#[test]
fn names_that_cannot_be_shown_are_shown_lossily() {
    let place = Place::new();
    place.write(OsString::from_vec(b"caf\xe9".to_vec()), "word");
    place.write("two\nlines", "word");
    place.write(OsString::from_vec(b"\xff\xfe/bin".to_vec()), "\0");
    let expected = [
        place.line("caf\u{fffd}", 1, "word"),
        place.line("two\u{fffd}lines", 1, "word"),
    ];
    place.find(&["word"]).assert(0, &expected, "");
    let verbose = place.find(&["--verbose", "word"]);
    let skipped = format!(
        "words: skipped {}/\u{fffd}\u{fffd}/bin: binary\n",
        place.tree.display()
    );
    assert!(verbose.notes.starts_with(&skipped), "{verbose:?}");
}

#[test]
fn what_is_skipped_is_counted_and_listed_on_request() {
    let place = Place::with(&[
        ("text", "word"),
        ("secret", "word"),
        ("shut/inside", "word"),
        ("binary", "word\0"),
    ]);
    for name in ["secret", "shut"] {
        fs::set_permissions(place.tree.join(name), fs::Permissions::from_mode(0o000)).unwrap();
    }
    let Some(run) = without_privileges(&place) else {
        eprintln!(
            "not tested: this user reads every file, and there is no setpriv to become another one"
        );
        return;
    };
    let found = [place.line("text", 1, "word")];
    let counted = run(&["word"]);
    assert_eq!(
        (counted.code, counted.out.as_slice()),
        (Some(0), &found[..]),
        "{counted:?}"
    );
    assert!(
        counted
            .notes
            .contains("skipped 1 binary, 0 too large, 2 unreadable")
            && counted.notes.contains("--verbose"),
        "{counted:?}"
    );

    let listed = run(&["--verbose", "word"]);
    assert_eq!(listed.out, found);
    for (name, why) in [
        ("binary", "binary"),
        ("secret", "Permission denied"),
        ("shut", "Permission denied"),
    ] {
        let start = format!("words: skipped {}: ", place.tree.join(name).display());
        assert!(
            listed
                .notes
                .lines()
                .any(|line| line.starts_with(&start) && line.contains(why)),
            "{name}: {listed:?}"
        );
    }

    for name in ["secret", "shut"] {
        fs::set_permissions(place.tree.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let readable = run(&["word"]);
    assert_eq!(
        (readable.out.len(), readable.notes.as_str()),
        (3, ""),
        "{readable:?}"
    );
}

/// Runs `words` in the place's tree as somebody who may not read everything.
fn without_privileges(place: &Place) -> Option<impl Fn(&[&str]) -> Answer> {
    /// Nobody.
    const USER: u32 = 65_534;
    let all = place.tree.parent().unwrap();
    let privileged = fs::File::open(place.tree.join("secret")).is_ok();
    if privileged
        && !Command::new("setpriv")
            .arg("--version")
            .stdout(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    {
        return None;
    }
    let program = if privileged {
        for directory in [all, &place.tree] {
            fs::set_permissions(directory, fs::Permissions::from_mode(0o755)).unwrap();
        }
        std::os::unix::fs::chown(&place.runtime, Some(USER), Some(USER)).unwrap();
        // That user may not reach the build's directory.
        let copy = all.join("words");
        fs::copy(env!("CARGO_BIN_EXE_words"), &copy).unwrap();
        copy
    } else {
        env!("CARGO_BIN_EXE_words").into()
    };
    Some(move |words: &[&str]| {
        let mut command = if privileged {
            let user = USER.to_string();
            let mut command = Command::new("setpriv");
            command
                .args(["--reuid", &user, "--regid", &user, "--clear-groups", "--"])
                .arg(&program);
            command
        } else {
            Command::new(&program)
        };
        command
            .env("BROKERED_RUNTIME_DIR", &place.runtime)
            .stdin(Stdio::null());
        Answer::from(command.arg(&place.tree).args(words).output().unwrap())
    })
}

#[test]
fn a_wrong_command_line_says_what_is_wrong_and_starts_nothing() {
    let place = Place::with(&[("file", "word")]);
    let missing = place.tree.join("missing");
    let answer = place.run([missing.as_os_str(), OsStr::new("word")]);
    answer.assert_fails(missing.to_str().unwrap());
    answer.assert_fails("No such file or directory");
    let file = place.tree.join("file");
    place
        .run([file.as_os_str(), OsStr::new("word")])
        .assert_fails("is not a directory");
    place
        .run([OsStr::new("daemon"), file.as_os_str()])
        .assert_fails("is not a directory");
    place.run([place.tree.as_os_str()]).assert_fails("<WORD>");
    place.run([""; 0]).assert_fails("Usage: words");
    place
        .find(&["word", "--", "::"])
        .assert_fails("there is no word in \"::\"");
    place
        .find(&[&"x".repeat(70_000)])
        .assert_fails("bytes together");
    assert!(place.instances().is_empty());
}

/// A tree whose answer is larger than all buffers on its way.
fn many_lines() -> Place {
    let line = format!("word {}\n", "x".repeat(200));
    Place::with(&[
        ("first", &line.repeat(30_000)),
        ("second", &line.repeat(30_000)),
    ])
}

/// Looks for `word`, and stops reading after the first line.
fn begin(place: &Place) -> (Child, BufReader<std::process::ChildStdout>) {
    let mut client = place
        .command()
        .arg(&place.tree)
        .arg("word")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(client.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    assert!(
        line.starts_with(&place.line("first", 1, "word xx")),
        "{line}"
    );
    (client, out)
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let place = many_lines();
    let (client, out) = begin(&place);
    drop(out);
    Answer::from(client.wait_with_output().unwrap()).assert(0, &[], "");
    // And the daemon has survived it.
    let pid = place.pid();
    assert_eq!(place.find(&["word"]).out.len(), 60_000);
    assert_eq!(place.pid(), pid);
}

#[test]
fn a_daemon_that_dies_in_the_middle_of_its_reply_is_an_error() {
    let place = many_lines();
    let (client, mut out) = begin(&place);
    let pid = place.pid();
    signal("-KILL", pid);
    let mut rest = Vec::new();
    out.read_to_end(&mut rest).unwrap();
    assert!(rest.ends_with(b"\n"));
    Answer::from(client.wait_with_output().unwrap())
        .assert_fails("the daemon ended in the middle of its reply");
    // The next one finds another daemon.
    let next = place.find(&["word"]);
    assert_eq!((next.out.len(), next.notes.as_str()), (60_000, ""));
    assert_ne!(place.pid(), pid);
}

#[test]
fn whoever_talks_nonsense_is_told_so_and_harms_nobody() {
    let place = Place::with(&[("file", "word")]);
    let found = [place.line("file", 1, "word")];
    place.find(&["word"]).assert(0, &found, "");
    let pid = place.pid();
    let silent = UnixStream::connect(place.instance().join("socket")).unwrap();
    for nonsense in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        b"?\xff\xff\xff\xff",
        b"?\x01\0\0\0\0",
        &vec![0xff; 1 << 20],
    ] {
        let mut peer = UnixStream::connect(place.instance().join("socket")).unwrap();
        // A daemon that hangs up early is within its rights.
        let _ = peer.write_all(nonsense);
        let mut reply = [0; 5];
        peer.read_exact(&mut reply).unwrap();
        assert_eq!(reply[0], b'e', "an error for {:?}...", &nonsense[..5]);
    }
    place.find(&["word"]).assert(0, &found, "");
    assert_eq!(place.pid(), pid);
    drop(silent);
}

#[test]
fn many_at_once_start_one_daemon() {
    let place = Place::with(&[("file", "word")]);
    let found = [place.line("file", 1, "word")];
    thread::scope(|scope| {
        for client in (0..8)
            .map(|_| scope.spawn(|| place.find(&["--verbose", "word"])))
            .collect::<Vec<_>>()
        {
            let answer = client.join().unwrap();
            assert_eq!(
                (answer.code, answer.out.as_slice()),
                (Some(0), &found[..]),
                "{answer:?}"
            );
            assert!(
                answer
                    .notes
                    .contains(&format!("answered by process {},", place.pid())),
                "{answer:?}"
            );
        }
    });
}

#[test]
fn the_daemon_runs_in_the_foreground_until_it_is_told_to_stop() {
    let place = Place::with(&[("file", "word")]);
    let daemon = place
        .command()
        .arg("daemon")
        .arg(&place.tree)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    assert!(eventually(|| place
        .instances()
        .first()
        .and_then(|instance| pid(instance))
        == Some(daemon.id())));
    let answer = place.find(&["-v", "word"]);
    assert!(
        answer.code == Some(0) && answer.notes.contains(&format!("process {},", daemon.id())),
        "{answer:?}"
    );
    signal("-TERM", daemon.id());
    let ended = Answer::from(daemon.wait_with_output().unwrap());
    assert_eq!((ended.code, ended.out.len()), (Some(0), 0), "{ended:?}");
    assert!(ended.notes.contains("1 files with"), "{ended:?}");
    assert!(!place.instance().join("socket").exists());
}

#[test]
fn without_daemons_the_command_answers_itself() {
    let place = Place::with(&[("one", "some words here\n"), ("two", "other words\n")]);
    let output = place
        .command()
        .env("BROKERED_DISABLE", "1")
        .arg(&place.tree)
        .args(["words", "some"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(said.trim_end(), place.line("one", 1, "some words here"));
    assert_eq!(fs::read_dir(&place.runtime).unwrap().count(), 0, "a daemon");
}
