//! The daemon of most tests. A client sends one line; `reply` lists the commands. Any other line is echoed.

#![forbid(unsafe_code)]

use std::env;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::panic;
use std::path::{Path, PathBuf};
use std::process;
use std::thread;
use std::time::Duration;

use brokered_runtime::{Bound, Handle, IpcStream, State, brokered_daemon};
#[cfg(unix)]
use daemon_tests::LOAD_FORK_PID_FILE;
use daemon_tests::{
    LOAD_ERROR, LOAD_FIFO, LOAD_UNTIL_FILE, MAIN_RESULT, PRINT_TRACES, TEST_DAEMON, TracePrinter,
    WITNESS_LOCK,
};

struct Loaded;

impl State for Loaded {
    type Error = io::Error;

    fn load(_bound: &Bound) -> io::Result<Self> {
        if env::var_os(PRINT_TRACES).is_some() {
            tracing::subscriber::set_global_default(TracePrinter::default())
                .map_err(io::Error::other)?;
        }
        if let Some(error) = env::var_os(LOAD_ERROR) {
            return Err(io::Error::other(error.to_string_lossy().into_owned()));
        }
        #[cfg(unix)]
        if let Some(file) = env::var_os(LOAD_FORK_PID_FILE) {
            fs::write(file, std::os::unix::process::parent_id().to_string())?;
        }
        if let Some(file) = env::var_os(LOAD_UNTIL_FILE) {
            while !Path::new(&file).exists() {
                thread::sleep(Duration::from_millis(1));
            }
        }
        if let Some(fifo) = env::var_os(LOAD_FIFO) {
            fs::File::open(fifo)?.read_to_end(&mut Vec::new())?;
        }
        Ok(Self)
    }
}

#[brokered_daemon(TEST_DAEMON)]
fn main(bound: Bound, _loaded: Loaded) -> io::Result<()> {
    match env::var(MAIN_RESULT).as_deref() {
        Ok("error") => return Err(io::Error::other("the test requested this error")),
        Ok("panic") => panic!("the test requested this panic"),
        Ok(other) => return return_with_guard(&bound, other),
        Err(_) => {}
    }
    let _witness = lock_witness()?;
    let handle = bound.handle();
    let limit = env::args().nth(1).and_then(|number| number.parse().ok());
    let bound = match limit {
        Some(limit) => bound.max_connections(limit),
        None => bound,
    };
    bound.serve(move |client| reply(&client, &handle))?;
    println!("served");
    Ok(())
}

/// Locks the witness file, and reports a daemon that finds it locked.
fn lock_witness() -> io::Result<Option<fs::File>> {
    let Some(path) = env::var_os(WITNESS_LOCK) else {
        return Ok(None);
    };
    let file = fs::File::create(&path)?;
    if file.try_lock().is_err() {
        fs::write(
            PathBuf::from(path).with_extension("second"),
            "a second daemon",
        )?;
    }
    Ok(Some(file))
}

/// Returns an error while another thread holds a connection guard for the given number of microseconds.
fn return_with_guard(bound: &Bound, argument: &str) -> io::Result<()> {
    let microseconds = argument
        .strip_prefix("guard ")
        .and_then(|number| number.parse().ok())
        .unwrap_or_default();
    let guard = bound.handle().connection();
    thread::spawn(move || {
        thread::sleep(Duration::from_micros(microseconds));
        drop(guard);
    });
    Err(io::Error::other(
        "main returned with a connection guard alive",
    ))
}

/// A panic payload that panics again when it is dropped.
struct PanicOnDrop;

impl Drop for PanicOnDrop {
    fn drop(&mut self) {
        panic!("a panic while a panic payload is dropped");
    }
}

fn reply(client: &IpcStream, handle: &Handle) -> io::Result<()> {
    let mut lines = BufReader::new(client);
    let mut line = String::new();
    lines.read_line(&mut line)?;
    let mut reply: &IpcStream = client;
    match line.trim_end() {
        "pid" => writeln!(reply, "{}", process::id()),
        "phase" => writeln!(reply, "{}", handle.phase()),
        "directory" => writeln!(reply, "{}", handle.instance().directory().display()),
        "self" => reply.write_all(&inherited()?),
        "children" => reply.write_all(&child_environment()?),
        "arguments" => {
            for argument in env::args().skip(1) {
                writeln!(reply, "{argument}")?;
            }
            Ok(())
        }
        "panic" => panic!("a client requested this panic"),
        "panic-on-drop" => panic::panic_any(PanicOnDrop),
        "error" => Err(io::Error::other("a client requested this error")),
        "stop" => {
            handle.stop();
            handle.stopping().wait();
            writeln!(reply, "stopping")
        }
        // Never ends, even if the client hangs up.
        "stuck" => {
            writeln!(reply, "stuck")?;
            loop {
                thread::park();
            }
        }
        // Replies to a second line, too.
        "wait" => {
            writeln!(reply, "waiting")?;
            lines.read_line(&mut line)?;
            writeln!(reply, "second reply")
        }
        // Keeps the connection open until the client closes its side.
        "hold" => {
            writeln!(reply, "holding")?;
            lines.read_to_end(&mut Vec::new())?;
            writeln!(reply, "held")
        }
        other => writeln!(reply, "{other}"),
    }
}

/// What this process has inherited: descriptors, working directory, signal masks and terminal.
fn inherited() -> io::Result<Vec<u8>> {
    let mut report = Vec::new();
    let mut descriptors: Vec<u32> = fs::read_dir("/proc/self/fd")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    descriptors.sort_unstable();
    for descriptor in descriptors {
        if let Ok(target) = fs::read_link(format!("/proc/self/fd/{descriptor}")) {
            writeln!(report, "fd {descriptor} {}", target.display())?;
        }
    }
    writeln!(report, "cwd {}", env::current_dir()?.display())?;
    report.write_all(&fs::read("/proc/self/status")?)?;
    report.write_all(&fs::read("/proc/self/stat")?)?;
    Ok(report)
}

/// What a child of this process inherits: environment and descriptors.
fn child_environment() -> io::Result<Vec<u8>> {
    let output = process::Command::new("sh")
        .args(["-c", "env; ls -l /proc/self/fd"])
        .output()?;
    Ok(output.stdout)
}
