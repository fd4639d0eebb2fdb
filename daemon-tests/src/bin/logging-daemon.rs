//! A test daemon that writes to its log. A client sends one line: `write <log> <round> <threads> <after>` lets threads
//! write numbered lines at full speed until the log is rotated, and `after` lines more. The reply is how many lines each
//! thread has written. `fill <bytes>` prints a line of that length. `child <commands>` runs a shell that has this process's output. Any other line is printed.

#![forbid(unsafe_code)]

use std::env;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use brokered_runtime::{Bound, IpcStream, State, brokered_daemon};
use daemon_tests::{LOAD_ERROR, TEST_DAEMON};

/// How long a rotation may take.
const TIMEOUT: Duration = Duration::from_secs(60);

struct Loaded;

impl State for Loaded {
    type Error = io::Error;

    /// Fails after a rotation if the test wants an error. The log is the default one then.
    fn load(bound: &Bound) -> io::Result<Self> {
        if let Some(error) = env::var_os(LOAD_ERROR) {
            let endpoint = bound.instance().endpoint().map_err(io::Error::other)?;
            println!("before the rotation");
            let log = endpoint.with_file_name("log");
            write_until_rotated(&fs::File::open(&log)?, &log, 0, 0, 1)?;
            println!("after the rotation");
            return Err(io::Error::other(error.to_string_lossy().into_owned()));
        }
        Ok(Self)
    }
}

#[brokered_daemon(TEST_DAEMON)]
fn main(bound: Bound, _loaded: Loaded) -> io::Result<()> {
    bound.serve(|client| reply(&client))
}

fn reply(client: &IpcStream) -> io::Result<()> {
    let mut line = String::new();
    BufReader::new(client).read_line(&mut line)?;
    let mut reply: &IpcStream = client;
    let line = line.trim_end();
    if let Some(arguments) = line.strip_prefix("write ") {
        let mut arguments = arguments.split(' ');
        let log = PathBuf::from(arguments.next().unwrap_or_default());
        let mut number = || arguments.next().and_then(|text| text.parse().ok());
        let [round, threads, after] = [number(), number(), number()].map(Option::unwrap_or_default);
        let file = Arc::new(open(&log)?);
        let writers: Vec<_> = (0..threads)
            .map(|writer| {
                let (log, file) = (log.clone(), Arc::clone(&file));
                thread::spawn(move || write_until_rotated(&file, &log, round, writer, after))
            })
            .collect();
        for writer in writers {
            let written = writer.join().map_err(|_| io::ErrorKind::Other)??;
            writeln!(reply, "{written}")?;
        }
        Ok(())
    } else if let Some(bytes) = line.strip_prefix("fill ") {
        let bytes = bytes.parse().map_err(io::Error::other)?;
        println!("{}", "x".repeat(bytes));
        writeln!(reply, "filled")
    } else if let Some(commands) = line.strip_prefix("child ") {
        let status = Command::new("sh").args(["-c", commands]).status()?;
        writeln!(reply, "{status}")
    } else {
        println!("{line}");
        writeln!(reply, "printed")
    }
}

/// Opens the log. For a moment there is none, while another daemon rotates it.
fn open(log: &Path) -> io::Result<fs::File> {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        match fs::File::open(log) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && Instant::now() < deadline => {
                thread::yield_now();
            }
            opened => return opened,
        }
    }
}

/// Writes lines until another file than this one is at the path of the log, and then `after` lines more. Returns how
/// many that were.
fn write_until_rotated(
    file: &fs::File,
    log: &Path,
    round: u64,
    writer: u64,
    after: u64,
) -> io::Result<u64> {
    let deadline = Instant::now() + TIMEOUT;
    let mut written = 0;
    let mut left = after;
    while left > 0 {
        if is_at(file, log) {
            if Instant::now() > deadline {
                return Err(io::ErrorKind::TimedOut.into());
            }
        } else {
            left -= 1;
        }
        let line = format!(
            "round {round} writer {writer} line {written} {}",
            "-".repeat(40)
        );
        // Each stream has its own lock, and one call of the system writes a line.
        if written % 2 == 0 {
            println!("{line}");
        } else {
            io::stderr().write_all(format!("{line}\n").as_bytes())?;
        }
        written += 1;
    }
    Ok(written)
}

#[cfg(unix)]
fn is_at(file: &fs::File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;

    match (file.metadata(), fs::metadata(path)) {
        (Ok(open), Ok(at_path)) => open.ino() == at_path.ino(),
        // In the middle of a rotation.
        _ => true,
    }
}

/// The log is not rotated there while the daemon runs.
#[cfg(not(unix))]
fn is_at(_file: &fs::File, _path: &Path) -> bool {
    false
}
