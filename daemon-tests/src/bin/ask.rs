//! A client: `ask <directory> <executable of the daemon> <line>` asks the daemon of the directory, starting
//! it if it is not there, and prints the answer. `ASK_WAIT=ready|nothing`, `ASK_DEADLINE_MS`, `ASK_LOG`, `ASK_DIRECTORY`
//! and `ASK_ARGUMENT` (the daemon's), `ASK_STARTS` (how many are the limit), `ASK_CLEARS` (the daemon's environment) and `ASK_ONLY_CONNECT`
//! say how; with `ASK_TELL` it says on standard error when it is
//! connected. Without an answer, it says how the daemon failed.

#![forbid(unsafe_code)]

use std::env;
use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use brokered_runtime::WaitFor;
use daemon_tests::SUBJECT;

fn main() -> ExitCode {
    match ask() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ask: {error}");
            ExitCode::FAILURE
        }
    }
}

fn ask() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args_os().skip(1);
    let mut next = || arguments.next().ok_or("ask <directory> <daemon> <line>");
    let mut instance = SUBJECT.at(next()?).program(next()?);
    let line = next()?;
    instance = match env::var("ASK_WAIT").as_deref() {
        Ok("ready") => instance.wait(WaitFor::Ready),
        Ok("nothing") => instance.wait(WaitFor::Nothing),
        _ => instance,
    };
    if let Some(log) = env::var_os("ASK_LOG") {
        instance = instance.log(log);
    }
    if let Some(argument) = env::var_os("ASK_ARGUMENT") {
        instance = instance.arg(argument);
    }
    if let Some(directory) = env::var_os("ASK_DIRECTORY") {
        instance = instance.current_dir(directory);
    }
    if env::var_os("ASK_CLEARS").is_some() {
        instance = instance.env_clear();
    }
    if let Ok(deadline) = env::var("ASK_DEADLINE_MS") {
        instance = instance.deadline(Duration::from_millis(deadline.parse()?));
    }
    if let Ok(starts) = env::var("ASK_STARTS") {
        instance = instance.start_limit(starts.parse()?, Duration::from_secs(30));
    }
    let mut stream = if env::var_os("ASK_ONLY_CONNECT").is_some() {
        instance.connect()?
    } else {
        instance.connect_or_spawn()?
    };
    if env::var_os("ASK_TELL").is_some() {
        eprintln!("connected");
    }
    // A daemon that has ended is noticed when no answer comes.
    let _ = writeln!(stream, "{}", line.to_string_lossy());
    if matches!(io::copy(&mut stream, &mut io::stdout()), Ok(0) | Err(_)) {
        return Err(match instance.last_failure()? {
            Some(failure) => format!("no answer: {failure}").into(),
            None => "no answer".into(),
        });
    }
    Ok(())
}
