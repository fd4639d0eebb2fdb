//! States that are large by value: the framework takes no more of the stack than a plain `main` does.

#![cfg(unix)]

mod common;

use std::process::{Command, Output};

use common::{Fixture, TIMEOUT, TestResult, output_within, stderr, stdout};
use daemon_tests::LARGE_STATE_SIZE;

const DAEMON: &str = env!("CARGO_BIN_EXE_large-state-daemon");
const HANDWRITTEN: &str = env!("CARGO_BIN_EXE_large-state-handwritten");

/// How exactly the limit of the stack is found, in KiB. Some of it is what both programs need besides.
const STEP: u32 = 64;

/// Runs a program whose main thread has a stack of at most so many KiB.
fn run_with_stack(fixture: &Fixture, program: &str, kib: u32) -> Output {
    let mut command: Command = fixture.command("sh");
    command
        .args(["-c", "ulimit -S -c 0; ulimit -S -s \"$1\" && exec \"$2\""])
        .args(["sh", &kib.to_string(), program]);
    output_within(TIMEOUT, &mut command)
}

#[test]
fn a_large_state_needs_no_more_stack_than_in_a_plain_main() -> TestResult {
    let fixture = Fixture::new()?;
    let (mut too_small, mut enough) = (1024, 64 * 1024);
    while enough - too_small > STEP {
        let middle = u32::midpoint(too_small, enough);
        if run_with_stack(&fixture, HANDWRITTEN, middle)
            .status
            .success()
        {
            enough = middle;
        } else {
            too_small = middle;
        }
    }
    assert!(enough < 60 * 1024, "a plain `main` needs {enough} KiB");
    eprintln!("a plain `main` needs {enough} KiB");
    let output = run_with_stack(&fixture, DAEMON, enough + STEP);
    assert!(
        output.status.success(),
        "a plain `main` needs {enough} KiB: {}",
        stderr(&output)
    );
    let sum = LARGE_STATE_SIZE * 7;
    assert_eq!(stdout(&output), format!("{sum} {sum}\n"));
    Ok(())
}

#[test]
fn without_a_stack_limit_a_large_state_loads_in_the_background() -> TestResult {
    let fixture = Fixture::new()?;
    let mut command = fixture.command("sh");
    // The hard limit may be too small for this. Then the test has the largest stack that there is.
    let script = "ulimit -S -s unlimited 2>/dev/null || ulimit -S -s hard; exec \"$1\"";
    command.args(["-c", script, "sh", DAEMON]);
    let output = output_within(TIMEOUT, &mut command);
    assert!(output.status.success(), "{}", stderr(&output));
    Ok(())
}
