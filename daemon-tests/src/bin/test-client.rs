//! A client: `test-client <directory> <executable of the daemon> <line>` sends a line to the directory's test daemon,
//! launching it if it does not run, and prints the reply. Without a reply, it prints the daemon's last failure.
//!
//! | environment variable | meaning |
//! |---|---|
//! | `TEST_CLIENT_WAIT` | what to wait for: `ready`, `nothing`, else the bound daemon |
//! | `TEST_CLIENT_DEADLINE_MS` | the deadline of the call |
//! | `TEST_CLIENT_LOG` | the daemon's log file |
//! | `TEST_CLIENT_MAX_LOG_SIZE` | the size beyond which the log is rotated, or `none` |
//! | `TEST_CLIENT_CURRENT_DIR` | the daemon's working directory |
//! | `TEST_CLIENT_ARGUMENT` | an argument of the daemon |
//! | `TEST_CLIENT_CLEAR_ENV` | set to clear the daemon's environment |
//! | `TEST_CLIENT_START_LIMIT` | how many starts within 30 s are allowed |
//! | `TEST_CLIENT_CONNECT_ONLY` | set to connect without launching |
//! | `TEST_CLIENT_REPORT_CONNECTED` | set to print `connected` on standard error |

#![forbid(unsafe_code)]

use std::env;
use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use brokered_runtime::WaitFor;
use daemon_tests::TEST_DAEMON;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("test-client: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args_os().skip(1);
    let usage = "test-client <directory> <daemon> <line>";
    let mut next = || arguments.next().ok_or(usage);
    let mut instance = TEST_DAEMON.at(next()?).program(next()?);
    let line = next()?;
    instance = match env::var("TEST_CLIENT_WAIT").as_deref() {
        Ok("ready") => instance.wait(WaitFor::Ready),
        Ok("nothing") => instance.wait(WaitFor::Nothing),
        _ => instance,
    };
    if let Some(log) = env::var_os("TEST_CLIENT_LOG") {
        instance = instance.log(log);
    }
    if let Ok(size) = env::var("TEST_CLIENT_MAX_LOG_SIZE") {
        let size = if size == "none" {
            None
        } else {
            Some(size.parse()?)
        };
        instance = instance.max_log_size(size);
    }
    if let Some(argument) = env::var_os("TEST_CLIENT_ARGUMENT") {
        instance = instance.arg(argument);
    }
    if let Some(directory) = env::var_os("TEST_CLIENT_CURRENT_DIR") {
        instance = instance.current_dir(directory);
    }
    if env::var_os("TEST_CLIENT_CLEAR_ENV").is_some() {
        instance = instance.env_clear();
    }
    if let Ok(deadline) = env::var("TEST_CLIENT_DEADLINE_MS") {
        instance = instance.deadline(Duration::from_millis(deadline.parse()?));
    }
    if let Ok(starts) = env::var("TEST_CLIENT_START_LIMIT") {
        instance = instance.start_limit(starts.parse()?, Duration::from_secs(30));
    }
    let mut stream = if env::var_os("TEST_CLIENT_CONNECT_ONLY").is_some() {
        instance.connect()?
    } else {
        instance.connect_or_spawn()?
    };
    if env::var_os("TEST_CLIENT_REPORT_CONNECTED").is_some() {
        eprintln!("connected");
    }
    // If the daemon has ended, no reply comes; the write may succeed all the same.
    let _ = writeln!(stream, "{}", line.to_string_lossy());
    if matches!(io::copy(&mut stream, &mut io::stdout()), Ok(0) | Err(_)) {
        return Err(match instance.last_failure()? {
            Some(failure) => format!("no reply: {failure}").into(),
            None => "no reply".into(),
        });
    }
    Ok(())
}
