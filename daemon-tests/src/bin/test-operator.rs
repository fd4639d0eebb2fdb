//! An operator: `test-operator status|stop|reload|wait|start <deadline in ms> [directory]`. With a directory it operates on
//! the directory's test daemon, else on the daemon that `TEST_OPERATOR_DAEMON` names.

#![forbid(unsafe_code)]

use std::env;
use std::error::Error;
use std::io;
use std::process::ExitCode;
use std::time::Duration;

use brokered_runtime::WaitFor;
use daemon_tests::{
    BACKEND, BACKGROUND_LOAD_DAEMON, IDLE_EXIT_DAEMON, RELOAD_DAEMON, SINGLE_INSTANCE_DAEMON,
    TEST_DAEMON,
};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("test-operator: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args_os().skip(1);
    let command = arguments.next().ok_or("a command is missing")?;
    let deadline = arguments.next().ok_or("a deadline is missing")?;
    let deadline = Duration::from_millis(deadline.to_string_lossy().parse()?);
    let instance = match (
        arguments.next(),
        env::var("TEST_OPERATOR_DAEMON").as_deref(),
    ) {
        (Some(directory), _) => TEST_DAEMON.at(directory),
        (None, Ok("background-load")) => BACKGROUND_LOAD_DAEMON.instance(),
        (None, Ok("idle-exit")) => IDLE_EXIT_DAEMON.instance(),
        (None, Ok("backend")) => BACKEND.instance(),
        (None, Ok("reload")) => RELOAD_DAEMON.instance(),
        (None, _) => SINGLE_INSTANCE_DAEMON.instance(),
    };
    let instance = instance.deadline(deadline);
    match command.to_string_lossy().as_ref() {
        "status" => println!("{:#?}", instance.status()?),
        "stop" => println!("{:?}", instance.stop()?),
        "reload" => {
            let reloaded = instance.reload()?;
            println!("reloaded in {:?}", reloaded.took);
        }
        "wait" => {
            instance.wait_ready(|progress| println!("{progress}"))?;
            println!("ready");
        }
        "start" => {
            let program = env::var("TEST_OPERATOR_PROGRAM")?;
            let mut stream = instance
                .program(program)
                .wait(WaitFor::Ready)
                .connect_or_spawn()?;
            println!("connected");
            if env::var_os("TEST_OPERATOR_READ").is_some() {
                io::copy(&mut stream, &mut io::stdout())?;
            }
        }
        other => return Err(format!("unknown command: {other}").into()),
    }
    Ok(())
}
