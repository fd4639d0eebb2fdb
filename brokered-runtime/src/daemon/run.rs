//! The life of the process: which role it has, its start, its `main`, and its end. The attribute's `main` calls
//! [`run`].

use std::io::{self, Write};
use std::panic::{self, AssertUnwindSafe};
use std::process::{self, ExitCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::adopt;
use super::bound::Bound;
use super::error::exit_code;
use super::help;
use super::lifecycle::Lifecycle;
use super::panic_hook;
pub(crate) use super::program::{Help, Program};
use super::start::{StartedBy, start};
use super::state::LoadFailed;
use super::thread_role::ThreadRole;
use crate::diagnostics::{panic_message, print};
use crate::identity::set_daemon_of_this_executable;
use crate::platform;

/// Whether `main` was called before: a process can be a daemon or its client only once.
static WAS_CALLED: AtomicBool = AtomicBool::new(false);

/// Runs this process: as the client if it has a `cli` and was not started as the daemon, or else as the daemon.
pub(crate) fn run(
    program: &Program,
    cli: Option<&dyn Fn() -> ExitCode>,
    body: impl FnOnce(Bound) -> Result<ExitCode, LoadFailed>,
) -> ExitCode {
    // Reading this clock needs no system call.
    let main_began = platform::uptime();
    let daemon = program.daemon;
    if WAS_CALLED.swap(true, Ordering::AcqRel) {
        print(
            daemon.name(),
            "main was called twice; a process can be a daemon only once",
        );
        process::exit(i32::from(exit_code::SOFTWARE));
    }
    set_daemon_of_this_executable(daemon);
    let started_by = StartedBy::detect();
    let is_started = started_by != StartedBy::Hand;
    match cli {
        Some(cli) if !is_started && !adopt::has_daemon_role() => cli(),
        Some(_) => run_daemon(program, started_by, main_began, body),
        None => match help::answer(program).filter(|_| !is_started) {
            Some(answer) => print_answer(&answer),
            None => run_daemon(program, started_by, main_began, body),
        },
    }
}

fn print_answer(answer: &str) -> ExitCode {
    match io::stdout().write_all(answer.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn run_daemon(
    program: &Program,
    started_by: StartedBy,
    main_began: Duration,
    body: impl FnOnce(Bound) -> Result<ExitCode, LoadFailed>,
) -> ExitCode {
    match start(program, started_by, main_began) {
        Ok(bound) => {
            if program.panics_abort {
                panic_hook::install(bound.lifecycle());
            }
            run_main(bound, body)
        }
        Err(error) => {
            // The launcher's log may have reached its limit, and the exit code must still be that of the error.
            platform::survive_file_size_limit();
            print(program.daemon.name(), &error);
            ExitCode::from(error.exit_code())
        }
    }
}

/// Steps 6 and 7, and the end: loads the states, runs `main`, waits for open connections, and releases everything.
fn run_main(bound: Bound, body: impl FnOnce(Bound) -> Result<ExitCode, LoadFailed>) -> ExitCode {
    let lifecycle = Arc::clone(bound.lifecycle());
    let _role = ThreadRole::Main.enter();
    match panic::catch_unwind(AssertUnwindSafe(|| body(bound))) {
        Ok(Ok(code)) => {
            lifecycle.request_stop();
            lifecycle.wait_for_connections();
            // A load in the background may have failed meanwhile.
            if let Some(reason) = lifecycle.failure() {
                return fail(&lifecycle, reason, exit_code::SOFTWARE);
            }
            if code == ExitCode::SUCCESS {
                lifecycle.remove_start_history();
                lifecycle.shut_down();
            } else {
                lifecycle.shut_down_after_failure("main returned an error");
            }
            code
        }
        Ok(Err(failed)) => {
            lifecycle.set_errno(failed.errno);
            fail(&lifecycle, &failed.reason, exit_code::SOFTWARE)
        }
        Err(payload) => {
            let reason = format!("main panicked: {}", panic_message(payload.as_ref()));
            lifecycle.report_failure(&reason);
            lifecycle.shut_down_after_failure(&reason);
            ExitCode::from(exit_code::PANIC)
        }
    }
}

fn fail(lifecycle: &Lifecycle, reason: &str, code: u8) -> ExitCode {
    lifecycle.report_failure(reason);
    lifecycle.shut_down_after_failure(reason);
    print(lifecycle.name(), reason);
    ExitCode::from(code)
}
