//! `words` on every platform: cold and warm searches, `stop`, and a search without a daemon.

use std::error::Error;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Output};

/// A directory to search, whose daemon is stopped when this is dropped.
struct Fixture {
    root: tempfile::TempDir,
}

impl Fixture {
    fn new() -> io::Result<Self> {
        let root = tempfile::tempdir()?;
        fs::create_dir(root.path().join("tree"))?;
        Ok(Self { root })
    }

    fn words<I: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = I>) -> io::Result<Output> {
        self.command().args(arguments).output()
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_words"));
        command.env("BROKERED_RUNTIME_DIR", self.root.path().join("runtime"));
        command
    }

    fn tree(&self) -> std::path::PathBuf {
        self.root.path().join("tree")
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        let _ = self.words([OsStr::new("stop"), self.tree().as_os_str()]);
    }
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn one_daemon_answers_until_it_is_stopped() -> Result<(), Box<dyn Error>> {
    let fixture = Fixture::new()?;
    let file = fixture.tree().join("notes.txt");
    fs::write(&file, "one two\nthree two\n")?;
    let find = |word: &str| {
        fixture.words([
            OsStr::new("--verbose"),
            fixture.tree().as_os_str(),
            word.as_ref(),
        ])
    };
    let (cold, warm) = (find("one")?, find("three")?);
    let line = |number, text| format!("{}:{number}: {text}\n", file.display());
    assert_eq!(stdout(&cold), line(1, "one two"), "{}", stderr(&cold));
    assert_eq!(stdout(&warm), line(2, "three two"), "{}", stderr(&warm));
    let pid = |output: &Output| {
        let stderr = stderr(output);
        let (_, rest) = stderr.split_once("process ")?;
        rest.split(',').next().map(str::to_owned)
    };
    assert_eq!(pid(&cold).ok_or("no PID")?, pid(&warm).ok_or("no PID")?);

    fs::write(&file, "four\n")?;
    assert_eq!(stdout(&find("four")?), line(1, "four"));

    let stop = || fixture.words([OsStr::new("stop"), fixture.tree().as_os_str()]);
    assert!(stderr(&stop()?).contains("has ended"));
    assert!(stderr(&stop()?).contains("no daemon was running"));
    assert_ne!(pid(&find("four")?), pid(&warm));
    Ok(())
}

#[test]
fn a_search_works_without_a_daemon() -> Result<(), Box<dyn Error>> {
    let fixture = Fixture::new()?;
    fs::write(fixture.tree().join("notes.txt"), "one two\n")?;
    let found = fixture
        .command()
        .env("BROKERED_DISABLE", "1")
        .arg(fixture.tree())
        .arg("two")
        .output()?;
    assert!(
        stdout(&found).ends_with("1: one two\n"),
        "{}",
        stderr(&found)
    );
    assert!(!Path::new(&fixture.root.path().join("runtime")).exists());
    Ok(())
}
