//! A client that goes on: `relaunch <directory> <executable of the daemon> <rounds>` starts the daemon and asks
//! it to end, again and again, and tells what it has kept of that: descriptors, and children that nobody has
//! asked for. In between come launches that fail.

#![forbid(unsafe_code)]

use std::env;
use std::error::Error;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use brokered_runtime::{Instance, LaunchError};
use daemon_tests::{SUBJECT, until_ended};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args_os().skip(1);
    let mut next = || {
        arguments
            .next()
            .ok_or("relaunch <directory> <daemon> <rounds>")
    };
    let directory = PathBuf::from(next()?);
    let instance = SUBJECT.at(&directory).program(next()?);
    let rounds: u32 = next()?.to_string_lossy().parse()?;
    // What is made once and kept, whoever makes it, is there after the first.
    launch(&instance)?;
    fail(&directory)?;
    let before = descriptors()?;
    for round in 0..rounds {
        launch(&instance)?;
        if round % 10 == 0 {
            fail(&directory)?;
        }
    }
    // A daemon lets go of its lock before it has ended, so there may be more than one that ends. Once they have,
    // they are asked for at the next launch, and its own daemon alone is left.
    for child in children()? {
        until_ended(child);
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
        Err(format!("not asked to stop: {answer:?}").into())
    }
}

/// One launch without an executable, and one with a file that is none.
fn fail(directory: &Path) -> Result<(), Box<dyn Error>> {
    let text = directory.join("text");
    fs::write(&text, "no program")?;
    for program in [directory.join("missing"), text] {
        let instance = SUBJECT.at("/").program(program);
        match instance.connect_or_spawn() {
            Err(LaunchError::ProgramMissing { .. } | LaunchError::ProgramNotExecutable { .. }) => {}
            other => return Err(format!("not what was to be expected: {other:?}").into()),
        }
    }
    Ok(())
}

fn descriptors() -> io::Result<usize> {
    Ok(fs::read_dir("/proc/self/fd")?.count())
}

/// Living ones and dead ones.
fn children() -> io::Result<Vec<u32>> {
    let mut all = Vec::new();
    for thread in fs::read_dir("/proc/self/task")? {
        let children = fs::read_to_string(thread?.path().join("children"))?;
        let children = children.split_whitespace();
        all.extend(children.filter_map(|child| child.parse::<u32>().ok()));
    }
    Ok(all)
}
