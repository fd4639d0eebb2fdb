//! How long `brokered list` takes for a thousand daemons of one user. Run it with
//! `cargo test --release -p daemon-tests --test list_scale -- --ignored --nocapture`.

#![cfg(target_os = "linux")]
#![forbid(unsafe_code)]

mod common;
#[path = "common/tool.rs"]
mod tool;

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use common::{Fixture, TestResult};

const DAEMONS: usize = 1000;
const ROUNDS: usize = 21;

/// The greatest ratio of `list` to raw connections and round trips.
const BUDGET: f64 = 3.0;

#[test]
#[ignore = "measures"]
fn a_thousand_daemons_are_listed_in_three_times_a_thousand_round_trips() -> TestResult {
    let fixture = Fixture::new()?;
    let controls = fake_instances(&fixture)?;
    let listed = fixture.brokered_json(&["list"]);
    assert_eq!(listed["daemons"].as_array().map(Vec::len), Some(DAEMONS));
    assert_eq!(listed["daemons"][7]["state"], "running");

    // In turn, so that the load of the machine affects both.
    let mut raw = Vec::new();
    let mut tool = Vec::new();
    for _ in 0..ROUNDS {
        let began = Instant::now();
        for control in &controls {
            round_trip(control)?;
        }
        raw.push(began.elapsed());
        let began = Instant::now();
        let output = fixture.tool(&["list"]).output()?;
        tool.push(began.elapsed());
        assert!(output.status.success());
    }
    let (raw, tool) = (median(raw), median(tool));
    let ratio = tool.as_secs_f64() / raw.as_secs_f64();
    println!(
        "| `list` of {DAEMONS} daemons | {tool:.1?} | {DAEMONS} raw connects and round trips: {raw:.1?} \
         | {ratio:.2} × | ≤ {BUDGET} × |"
    );
    assert!(cfg!(debug_assertions) || ratio <= BUDGET, "{ratio}");
    Ok(())
}

/// A thousand instances whose control endpoints are hard links to one socket, on which one thread answers.
fn fake_instances(fixture: &Fixture) -> Result<Vec<PathBuf>, Box<dyn std::error::Error>> {
    let socket = fixture.path().join("socket");
    let listener = UnixListener::bind(&socket)?;
    let mut controls = Vec::new();
    for number in 0..DAEMONS {
        let directory = fixture.runtime_directory().join(format!("fake-{number}"));
        fs::DirBuilder::new().mode(0o700).create(&directory)?;
        let endpoint = directory.join("socket");
        fs::write(
            directory.join("record"),
            format!(
                "FORMAT=1\nNAME=fake-{number}\nCONTRACT=1\nENDPOINT={}\nPID=1\nPHASE=ready\nOWNER=launcher\n\
                 STARTED=1700000000.007000\nPROGRAM=/usr/bin/fake\nPACKAGE=fake\nVERSION=1.2.3\n",
                endpoint.display()
            ),
        )?;
        let control = directory.join("control");
        fs::hard_link(&socket, &control)?;
        controls.push(control);
    }
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = [0; 64];
            if stream.read(&mut request).is_ok_and(|length| length > 0) {
                let _ = stream.write_all(REPLY.as_bytes());
            }
        }
    });
    Ok(controls)
}

/// As long as the reply of a daemon.
const REPLY: &str = "NAME=fake\nCONTRACT=1\nENDPOINT=/run/user/1000/brokered/fake/socket\nPID=1\nPHASE=ready\n\
    OWNER=launcher\nSTARTED=1700000000.007000\nUPTIME_US=12345678\nOPEN=1\nSERVED=12\nPANICS=0\nERRORS=0\n\
    LOG=/run/user/1000/brokered/fake/log\nPACKAGE=fake\nVERSION=1.2.3\nAT_1=1700000000.007000 main\n\
    AT_2=1700000000.007000 bound\nAT_3=1700000000.007000 recorded\nAT_4=1700000000.007000 control\n\
    AT_5=1700000000.007000 ready\n\n";

fn round_trip(control: &PathBuf) -> TestResult {
    let mut stream = UnixStream::connect(control)?;
    stream.write_all(b"status\n")?;
    let mut reply = Vec::new();
    let mut buffer = [0; 4096];
    while !reply.ends_with(b"\n\n") {
        let length = stream.read(&mut buffer)?;
        if length == 0 {
            return Err("the reply is incomplete".into());
        }
        reply.extend_from_slice(&buffer[..length]);
    }
    Ok(())
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
