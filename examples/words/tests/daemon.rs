//! The program `words` and its daemon, cold and warm.
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

const TIMEOUT: Duration = Duration::from_secs(30);

/// A tree and a runtime directory. The daemons there are stopped when this is dropped.
struct Fixture {
    _root: TempDir,
    tree: PathBuf,
    runtime: PathBuf,
}

impl Fixture {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let (tree, runtime) = (root.path().join("tree"), root.path().join("run"));
        fs::create_dir(&tree).unwrap();
        fs::DirBuilder::new().mode(0o700).create(&runtime).unwrap();
        Self {
            _root: root,
            tree,
            runtime,
        }
    }

    fn with(files: &[(&str, &str)]) -> Self {
        let fixture = Self::new();
        for (name, content) in files {
            fixture.write(name, content);
        }
        fixture
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

    /// Searches the tree for words.
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

    /// The output for a line of a file in the tree.
    fn line(&self, file: &str, number: u32, text: &str) -> String {
        format!("{}/{file}:{number}: {text}", self.tree.display())
    }

    /// The directories of all instances.
    fn instances(&self) -> Vec<PathBuf> {
        fs::read_dir(&self.runtime)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect()
    }

    /// The directory of the only instance.
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

impl Drop for Fixture {
    fn drop(&mut self) {
        for instance in self.instances() {
            if let Some(pid) = pid(&instance) {
                signal("-TERM", pid);
                let has_ended = wait_until(|| !instance.join("socket").exists());
                assert!(
                    has_ended || thread::panicking(),
                    "{} still listens",
                    instance.display()
                );
            }
        }
    }
}

/// The PID in the record of an instance.
fn pid(instance: &Path) -> Option<u32> {
    let record = fs::read_to_string(instance.join("record")).ok()?;
    record
        .lines()
        .find_map(|line| line.strip_prefix("PID=")?.parse().ok())
}

/// Sends a signal. Returns false if the process has already ended.
fn signal(signal: &str, pid: u32) -> bool {
    let mut kill = Command::new("kill");
    kill.arg(signal).arg(pid.to_string()).stderr(Stdio::null());
    kill.status().unwrap().success()
}

/// Polls a condition. Returns whether it held within the timeout.
fn wait_until(mut condition: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + TIMEOUT;
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
fn cold_and_warm_answers_are_equal_and_come_from_one_daemon() {
    let fixture = Fixture::with(&[
        ("b.txt", "Red and green\nred\n"),
        ("a/x", "nothing\n\ngreen, RED\n"),
        ("empty", ""),
        ("binary", "red green\0"),
    ]);
    let expected = [
        fixture.line("a/x", 3, "green, RED"),
        fixture.line("b.txt", 1, "Red and green"),
    ];
    fixture.find(&["red", "green"]).assert(0, &expected, "");
    let pid = fixture.pid();
    for _ in 0..3 {
        fixture.find(&["GREEN", "red"]).assert(0, &expected, "");
    }
    assert_eq!(fixture.pid(), pid);
    let other_spelling = Answer::from(
        fixture
            .command()
            .current_dir(&fixture.tree)
            .args(["a/..", "green::red"])
            .output()
            .unwrap(),
    );
    assert_eq!(
        other_spelling.out,
        ["a/../a/x:3: green, RED", "a/../b.txt:1: Red and green"]
    );
    assert_eq!(fixture.pid(), pid);

    fixture.find(&["gre"]).assert(1, &[], "");
    fixture.find(&["red", "nothing"]).assert(1, &[], "");
}

#[test]
fn each_directory_has_its_own_daemon() {
    let fixture = Fixture::with(&[("a/file", "word in a"), ("b/file", "word in b")]);
    for name in ["a", "b"] {
        let answer = fixture.run([fixture.tree.join(name).as_os_str(), OsStr::new("word")]);
        answer.assert(
            0,
            &[fixture.line(&format!("{name}/file"), 1, &format!("word in {name}"))],
            "",
        );
    }
    let pids: Vec<u32> = fixture
        .instances()
        .iter()
        .filter_map(|instance| pid(instance))
        .collect();
    assert!(pids.len() == 2 && pids[0] != pids[1], "{pids:?}");
}

#[test]
fn the_next_query_finds_changes() {
    let fixture = Fixture::with(&[("a", "red\n"), ("b", "blue\n"), ("c", "red\n")]);
    assert_eq!(fixture.find(&["red"]).out.len(), 2);
    let pid = fixture.pid();
    fixture.write("a", "\nred\n");
    fixture.write("b", "red!\n");
    fixture.write("new/d", "red\n");
    fs::remove_file(fixture.tree.join("c")).unwrap();
    let expected = [
        fixture.line("a", 2, "red"),
        fixture.line("b", 1, "red!"),
        fixture.line("new/d", 1, "red"),
    ];
    fixture.find(&["red"]).assert(0, &expected, "");
    assert_eq!(fixture.pid(), pid);
}

#[test]
fn huge_lines_are_cut_or_printed_completely() {
    let fixture = Fixture::new();
    let line = format!("{} needle {}", "x".repeat(5_000_000), "y".repeat(5_000_000));
    fixture.write("huge", &line);
    let cut = fixture.find(&["needle"]);
    assert_eq!((cut.code, cut.out.len()), (Some(0), 1));
    assert!(
        cut.out[0].contains(": …xxx")
            && cut.out[0].contains(" needle ")
            && cut.out[0].ends_with("yyy…"),
        "{cut:?}"
    );
    assert!(cut.out[0].len() < 600, "{cut:?}");
    fixture
        .find(&["--long-lines", "needle"])
        .assert(0, &[fixture.line("huge", 1, &line)], "");
}

// Other systems do not allow such names.
#[cfg(target_os = "linux")]
#[test]
fn unprintable_characters_in_names_are_replaced() {
    let fixture = Fixture::new();
    fixture.write(OsString::from_vec(b"caf\xe9".to_vec()), "word");
    fixture.write("two\nlines", "word");
    fixture.write(OsString::from_vec(b"\xff\xfe/bin".to_vec()), "\0");
    let expected = [
        fixture.line("caf\u{fffd}", 1, "word"),
        fixture.line("two\u{fffd}lines", 1, "word"),
    ];
    fixture.find(&["word"]).assert(0, &expected, "");
    let verbose = fixture.find(&["--verbose", "word"]);
    let skipped = format!(
        "words: skipped {}/\u{fffd}\u{fffd}/bin: binary\n",
        fixture.tree.display()
    );
    assert!(verbose.notes.starts_with(&skipped), "{verbose:?}");
}

#[test]
fn skipped_files_are_counted_and_listed_on_request() {
    let fixture = Fixture::with(&[
        ("text", "word"),
        ("secret", "word"),
        ("shut/inside", "word"),
        ("binary", "word\0"),
    ]);
    for name in ["secret", "shut"] {
        fs::set_permissions(fixture.tree.join(name), fs::Permissions::from_mode(0o000)).unwrap();
    }
    let Some(run) = without_privileges(&fixture) else {
        eprintln!("skipped: root can read every file, and setpriv is missing");
        return;
    };
    let found = [fixture.line("text", 1, "word")];
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
        let start = format!("words: skipped {}: ", fixture.tree.join(name).display());
        assert!(
            listed
                .notes
                .lines()
                .any(|line| line.starts_with(&start) && line.contains(why)),
            "{name}: {listed:?}"
        );
    }

    for name in ["secret", "shut"] {
        fs::set_permissions(fixture.tree.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let readable = run(&["word"]);
    assert_eq!(
        (readable.out.len(), readable.notes.as_str()),
        (3, ""),
        "{readable:?}"
    );
}

/// Runs `words` as a user who may not read every file.
fn without_privileges(fixture: &Fixture) -> Option<impl Fn(&[&str]) -> Answer> {
    /// The user `nobody`.
    const USER: u32 = 65_534;
    let root = fixture.tree.parent().unwrap();
    let privileged = fs::File::open(fixture.tree.join("secret")).is_ok();
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
        for directory in [root, &fixture.tree] {
            fs::set_permissions(directory, fs::Permissions::from_mode(0o755)).unwrap();
        }
        std::os::unix::fs::chown(&fixture.runtime, Some(USER), Some(USER)).unwrap();
        // This user may not be able to read the target directory.
        let copy = root.join("words");
        // By another process: a child that another test forks could inherit the open file, and keep it busy.
        let copied = Command::new("cp")
            .arg(env!("CARGO_BIN_EXE_words"))
            .arg(&copy)
            .status();
        assert!(copied.unwrap().success());
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
            .env("BROKERED_RUNTIME_DIR", &fixture.runtime)
            .stdin(Stdio::null());
        Answer::from(command.arg(&fixture.tree).args(words).output().unwrap())
    })
}

#[test]
fn a_wrong_command_line_is_an_error_and_launches_nothing() {
    let fixture = Fixture::with(&[("file", "word")]);
    let missing = fixture.tree.join("missing");
    let answer = fixture.run([missing.as_os_str(), OsStr::new("word")]);
    answer.assert_fails(missing.to_str().unwrap());
    answer.assert_fails("No such file or directory");
    let file = fixture.tree.join("file");
    fixture
        .run([file.as_os_str(), OsStr::new("word")])
        .assert_fails("is not a directory");
    fixture
        .run([OsStr::new("daemon"), file.as_os_str()])
        .assert_fails("is not a directory");
    fixture
        .run([fixture.tree.as_os_str()])
        .assert_fails("<WORD>");
    fixture.run([""; 0]).assert_fails("Usage: words");
    fixture
        .find(&["word", "--", "::"])
        .assert_fails("\"::\" contains no word");
    fixture
        .find(&[&"x".repeat(70_000)])
        .assert_fails("bytes together");
    assert!(fixture.instances().is_empty());
}

/// A tree whose answer is larger than all buffers between daemon and output.
fn many_lines() -> Fixture {
    let line = format!("word {}\n", "x".repeat(200));
    Fixture::with(&[
        ("first", &line.repeat(30_000)),
        ("second", &line.repeat(30_000)),
    ])
}

/// Searches for `word`, and reads only the first line of the output.
fn read_first_line(fixture: &Fixture) -> (Child, BufReader<std::process::ChildStdout>) {
    let mut client = fixture
        .command()
        .arg(&fixture.tree)
        .arg("word")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(client.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    assert!(
        line.starts_with(&fixture.line("first", 1, "word xx")),
        "{line}"
    );
    (client, out)
}

#[test]
fn a_closed_output_is_not_an_error() {
    let fixture = many_lines();
    let (client, out) = read_first_line(&fixture);
    drop(out);
    Answer::from(client.wait_with_output().unwrap()).assert(0, &[], "");
    // The daemon still runs.
    let pid = fixture.pid();
    assert_eq!(fixture.find(&["word"]).out.len(), 60_000);
    assert_eq!(fixture.pid(), pid);
}

#[test]
fn a_daemon_that_dies_in_the_middle_of_its_reply_is_an_error() {
    let fixture = many_lines();
    let (client, mut out) = read_first_line(&fixture);
    let pid = fixture.pid();
    signal("-KILL", pid);
    let mut rest = Vec::new();
    out.read_to_end(&mut rest).unwrap();
    assert!(rest.ends_with(b"\n"));
    Answer::from(client.wait_with_output().unwrap())
        .assert_fails("the daemon ended in the middle of its reply");
    // The next search launches another daemon.
    let next = fixture.find(&["word"]);
    assert_eq!((next.out.len(), next.notes.as_str()), (60_000, ""));
    assert_ne!(fixture.pid(), pid);
}

#[test]
fn a_malformed_request_gets_an_error_and_affects_no_other_client() {
    let fixture = Fixture::with(&[("file", "word")]);
    let found = [fixture.line("file", 1, "word")];
    fixture.find(&["word"]).assert(0, &found, "");
    let pid = fixture.pid();
    let silent = UnixStream::connect(fixture.instance().join("socket")).unwrap();
    for malformed in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        b"?\xff\xff\xff\xff",
        b"?\x01\0\0\0\0",
        &vec![0xff; 1 << 20],
    ] {
        let mut peer = UnixStream::connect(fixture.instance().join("socket")).unwrap();
        // The daemon may hang up before it has read everything.
        let _ = peer.write_all(malformed);
        let mut reply = [0; 5];
        peer.read_exact(&mut reply).unwrap();
        assert_eq!(reply[0], b'e', "an error for {:?}...", &malformed[..5]);
    }
    fixture.find(&["word"]).assert(0, &found, "");
    assert_eq!(fixture.pid(), pid);
    drop(silent);
}

#[test]
fn many_clients_at_once_launch_one_daemon() {
    let fixture = Fixture::with(&[("file", "word")]);
    let found = [fixture.line("file", 1, "word")];
    thread::scope(|scope| {
        for client in (0..8)
            .map(|_| scope.spawn(|| fixture.find(&["--verbose", "word"])))
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
                    .contains(&format!("answered by process {},", fixture.pid())),
                "{answer:?}"
            );
        }
    });
}

#[test]
fn a_daemon_in_the_foreground_runs_until_sigterm() {
    let fixture = Fixture::with(&[("file", "word")]);
    let daemon = fixture
        .command()
        .arg("daemon")
        .arg(&fixture.tree)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    assert!(wait_until(|| fixture
        .instances()
        .first()
        .and_then(|instance| pid(instance))
        == Some(daemon.id())));
    let answer = fixture.find(&["-v", "word"]);
    assert!(
        answer.code == Some(0) && answer.notes.contains(&format!("process {},", daemon.id())),
        "{answer:?}"
    );
    signal("-TERM", daemon.id());
    let ended = Answer::from(daemon.wait_with_output().unwrap());
    assert_eq!((ended.code, ended.out.len()), (Some(0), 0), "{ended:?}");
    assert!(ended.notes.contains("1 files with"), "{ended:?}");
    assert!(!fixture.instance().join("socket").exists());
}

#[test]
fn a_search_works_with_daemons_disabled() {
    let fixture = Fixture::with(&[("one", "some words here\n"), ("two", "other words\n")]);
    let output = fixture
        .command()
        .env("BROKERED_DISABLE", "1")
        .arg(&fixture.tree)
        .args(["words", "some"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert_eq!(stdout.trim_end(), fixture.line("one", 1, "some words here"));
    assert_eq!(
        fs::read_dir(&fixture.runtime).unwrap().count(),
        0,
        "no daemon"
    );
}
