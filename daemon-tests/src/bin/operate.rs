//! An operator: `operate status|stop|wait|start <deadline in ms> [directory]`. With a directory it is about the
//! subject of it, else about `$OPERATE`, one of the daemons that are one for each user.

#![forbid(unsafe_code)]

use std::env;
use std::error::Error;
use std::io;
use std::process::ExitCode;
use std::time::Duration;

use brokered_runtime::WaitFor;
use daemon_tests::{BACKEND, IDLER, SINGLE, SLOW, SUBJECT};

fn main() -> ExitCode {
    match operate() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("operate: {error}");
            ExitCode::FAILURE
        }
    }
}

fn operate() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args_os().skip(1);
    let what = arguments.next().ok_or("what?")?;
    let deadline = arguments.next().ok_or("within what?")?;
    let deadline = Duration::from_millis(deadline.to_string_lossy().parse()?);
    let instance = match (arguments.next(), env::var("OPERATE").as_deref()) {
        (Some(directory), _) => SUBJECT.at(directory),
        (None, Ok("slow")) => SLOW.instance(),
        (None, Ok("idler")) => IDLER.instance(),
        (None, Ok("backend")) => BACKEND.instance(),
        (None, _) => SINGLE.instance(),
    };
    let instance = instance.deadline(deadline);
    match what.to_string_lossy().as_ref() {
        "status" => println!("{:#?}", instance.status()?),
        "stop" => println!("{:?}", instance.stop()?),
        "wait" => {
            instance.wait_ready(|progress| println!("{progress}"))?;
            println!("ready");
        }
        "start" => {
            let program = env::var("OPERATE_PROGRAM")?;
            let mut stream = instance
                .program(program)
                .wait(WaitFor::Ready)
                .connect_or_spawn()?;
            println!("connected");
            if env::var_os("OPERATE_READ").is_some() {
                io::copy(&mut stream, &mut io::stdout())?;
            }
        }
        other => return Err(format!("{other}?").into()),
    }
    Ok(())
}
