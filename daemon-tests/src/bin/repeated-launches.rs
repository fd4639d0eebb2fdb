//! A long-running client: `repeated-launches <directory> <executable of the daemon> <rounds>`. It launches and stops the
//! daemon in each round, with failing launches in between, and prints how many descriptors and children are left.

#![forbid(unsafe_code)]

use std::env;
use std::error::Error;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use brokered_runtime::{Instance, LaunchError};
use daemon_tests::{TEST_DAEMON, wait_for_exit};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args_os().skip(1);
    let mut next = || {
        arguments
            .next()
            .ok_or("repeated-launches <directory> <daemon> <rounds>")
    };
    let directory = PathBuf::from(next()?);
    let instance = TEST_DAEMON.at(&directory).program(next()?);
    let rounds: u32 = next()?.to_string_lossy().parse()?;
    // The first round opens what the process keeps open from then on.
    launch(&instance)?;
    fail_twice(&directory)?;
    let before = descriptors()?;
    for round in 0..rounds {
        launch(&instance)?;
        if round % 10 == 0 {
            fail_twice(&directory)?;
        }
    }
    // A daemon releases its lock before it has ended, so several may still be ending. The next launch reaps them; then
    // its own daemon is the only child.
    for child in children()? {
        wait_for_exit(child);
    }
    launch(&instance)?;
    println!(
        "descriptors {before} {} children {}",
        descriptors()?,
        children()?.len()
    );
    Ok(())
}

fn launch(instance: &Instance) -> Result<(), Box<dyn Error>> {
    let mut stream = instance.connect_or_spawn()?;
    writeln!(stream, "stop")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    if answer == "stopping\n" {
        Ok(())
    } else {
        Err(format!("unexpected reply to stop: {answer:?}").into())
    }
}

/// Two launches that fail: the executable is missing, or it is a text file.
fn fail_twice(directory: &Path) -> Result<(), Box<dyn Error>> {
    let text = directory.join("text");
    fs::write(&text, "not a program")?;
    for program in [directory.join("missing"), text] {
        let instance = TEST_DAEMON.at("/").program(program);
        match instance.connect_or_spawn() {
            Err(LaunchError::ProgramMissing { .. } | LaunchError::ProgramNotExecutable { .. }) => {}
            other => return Err(format!("unexpected result: {other:?}").into()),
        }
    }
    Ok(())
}

fn descriptors() -> io::Result<usize> {
    Ok(fs::read_dir("/proc/self/fd")?.count())
}

/// Running children and zombies.
fn children() -> io::Result<Vec<u32>> {
    let mut all = Vec::new();
    for thread in fs::read_dir("/proc/self/task")? {
        let children = fs::read_to_string(thread?.path().join("children"))?;
        let children = children.split_whitespace();
        all.extend(children.filter_map(|child| child.parse::<u32>().ok()));
    }
    Ok(all)
}
