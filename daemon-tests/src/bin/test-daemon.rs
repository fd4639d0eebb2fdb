//! The daemon that most tests are about. A client sends one line, and is answered.

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
use daemon_tests::LOAD_FORKS;
use daemon_tests::{
    LOAD_FAILS, LOAD_FROM, LOAD_UNTIL, MAIN_ENDS, Printer, SUBJECT, TRACES, WITNESS,
};

struct Loaded;

impl State for Loaded {
    type Error = io::Error;

    fn load(_bound: &Bound) -> io::Result<Self> {
        if env::var_os(TRACES).is_some() {
            tracing::subscriber::set_global_default(Printer::default())
                .map_err(io::Error::other)?;
        }
        if let Some(why) = env::var_os(LOAD_FAILS) {
            return Err(io::Error::other(why.to_string_lossy().into_owned()));
        }
        #[cfg(unix)]
        if let Some(told) = env::var_os(LOAD_FORKS) {
            fs::write(told, std::os::unix::process::parent_id().to_string())?;
        }
        if let Some(file) = env::var_os(LOAD_UNTIL) {
            while !Path::new(&file).exists() {
                thread::sleep(Duration::from_millis(1));
            }
        }
        if let Some(fifo) = env::var_os(LOAD_FROM) {
            fs::File::open(fifo)?.read_to_end(&mut Vec::new())?;
        }
        Ok(Self)
    }
}

#[brokered_daemon(SUBJECT)]
fn main(bound: Bound, _loaded: Loaded) -> io::Result<()> {
    match env::var(MAIN_ENDS).as_deref() {
        Ok("error") => return Err(io::Error::other("main does not want to")),
        Ok("panic") => panic!("main was told to"),
        Ok(other) => return leave_a_guard(&bound, other),
        Err(_) => {}
    }
    let _witness = witness()?;
    let handle = bound.handle();
    let few = env::args().nth(1).and_then(|number| number.parse().ok());
    let bound = match few {
        Some(few) => bound.max_connections(few),
        None => bound,
    };
    bound.serve(move |client| answer(&client, &handle))?;
    println!("served");
    Ok(())
}

/// Nobody else is to be in here at the same time.
fn witness() -> io::Result<Option<fs::File>> {
    let Some(path) = env::var_os(WITNESS) else {
        return Ok(None);
    };
    let file = fs::File::create(&path)?;
    if file.try_lock().is_err() {
        fs::write(
            PathBuf::from(path).with_extension("second"),
            "a second owner",
        )?;
    }
    Ok(Some(file))
}

/// Returns with an error while another thread still holds a connection, for so many microseconds.
fn leave_a_guard(bound: &Bound, told: &str) -> io::Result<()> {
    let microseconds = told
        .strip_prefix("guard ")
        .and_then(|number| number.parse().ok())
        .unwrap_or_default();
    let guard = bound.handle().connection();
    thread::spawn(move || {
        thread::sleep(Duration::from_micros(microseconds));
        drop(guard);
    });
    Err(io::Error::other("main does not wait"))
}

/// What panics once more when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("and once more");
    }
}

fn answer(client: &IpcStream, handle: &Handle) -> io::Result<()> {
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
        "panic" => panic!("a client told this handler to"),
        "bomb" => panic::panic_any(Bomb),
        "error" => Err(io::Error::other("a client told this handler to fail")),
        "stop" => {
            handle.stop();
            handle.stopping().wait();
            writeln!(reply, "stopping")
        }
        // Holds the connection whatever happens.
        "stuck" => {
            writeln!(reply, "stuck")?;
            loop {
                thread::park();
            }
        }
        // Answers a second line, too.
        "wait" => {
            writeln!(reply, "waiting")?;
            lines.read_line(&mut line)?;
            writeln!(reply, "let go")
        }
        // Holds the connection until the client closes its side.
        "hold" => {
            writeln!(reply, "holding")?;
            lines.read_to_end(&mut Vec::new())?;
            writeln!(reply, "held")
        }
        other => writeln!(reply, "{other}"),
    }
}

/// What this process has of whoever started it.
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

/// What a child of this process gets: its environment and its descriptors.
fn child_environment() -> io::Result<Vec<u8>> {
    let output = process::Command::new("sh")
        .args(["-c", "env; ls -l /proc/self/fd"])
        .output()?;
    Ok(output.stdout)
}
