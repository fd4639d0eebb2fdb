//! `words` on every platform: a real directory, cold and warm, with a daemon that stays and one that is not wanted.

use std::error::Error;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Output};

/// A directory to search, and what has to be ended.
struct Place {
    whole: tempfile::TempDir,
}

impl Place {
    fn new() -> io::Result<Self> {
        let whole = tempfile::tempdir()?;
        fs::create_dir(whole.path().join("tree"))?;
        Ok(Self { whole })
    }

    fn words<I: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = I>) -> io::Result<Output> {
        self.command().args(arguments).output()
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_words"));
        command.env("BROKERED_RUNTIME_DIR", self.whole.path().join("runtime"));
        command
    }

    fn tree(&self) -> std::path::PathBuf {
        self.whole.path().join("tree")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = self.words([OsStr::new("stop"), self.tree().as_os_str()]);
    }
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn lines_are_found_cold_and_warm_by_one_daemon_until_it_is_stopped() -> Result<(), Box<dyn Error>> {
    let place = Place::new()?;
    let file = place.tree().join("notes.txt");
    fs::write(&file, "one two\nthree two\n")?;
    let find = |word: &str| {
        place.words([
            OsStr::new("--verbose"),
            place.tree().as_os_str(),
            word.as_ref(),
        ])
    };
    let (cold, warm) = (find("one")?, find("three")?);
    let line = |number, text| format!("{}:{number}: {text}\n", file.display());
    assert_eq!(out(&cold), line(1, "one two"), "{}", said(&cold));
    assert_eq!(out(&warm), line(2, "three two"), "{}", said(&warm));
    let process = |output: &Output| {
        let said = said(output);
        let (_, behind) = said.split_once("process ")?;
        behind.split(',').next().map(str::to_owned)
    };
    assert_eq!(
        process(&cold).ok_or("a process")?,
        process(&warm).ok_or("one")?
    );

    fs::write(&file, "four\n")?;
    assert_eq!(out(&find("four")?), line(1, "four"));

    let stop = || place.words([OsStr::new("stop"), place.tree().as_os_str()]);
    assert!(said(&stop()?).contains("has ended"));
    assert!(said(&stop()?).contains("no daemon was running"));
    assert_ne!(process(&find("four")?), process(&warm));
    Ok(())
}

#[test]
fn without_a_daemon_the_work_is_done_here() -> Result<(), Box<dyn Error>> {
    let place = Place::new()?;
    fs::write(place.tree().join("notes.txt"), "one two\n")?;
    let found = place
        .command()
        .env("BROKERED_DISABLE", "1")
        .arg(place.tree())
        .arg("two")
        .output()?;
    assert!(out(&found).ends_with("1: one two\n"), "{}", said(&found));
    assert!(!Path::new(&place.whole.path().join("runtime")).exists());
    Ok(())
}
