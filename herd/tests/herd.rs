//! Small herds, to verify that the program counts correctly.

#![cfg(target_os = "linux")]

use std::error::Error;
use std::process::Command;

fn herd(arguments: &[&str]) -> Result<(bool, String), Box<dyn Error>> {
    let output = Command::new(env!("CARGO_BIN_EXE_herd"))
        .args(arguments)
        .args(["--implementations", "brokered", "--plain"])
        .output()?;
    let text = String::from_utf8(output.stdout)? + &String::from_utf8(output.stderr)?;
    Ok((output.status.success(), text))
}

/// Case, clients, implementation, rounds, daemons, second daemons and failures of each line after the headings.
fn counts(text: &str) -> Vec<Vec<&str>> {
    text.lines()
        .skip(1)
        .map(|line| line.split('\t').take(7).collect())
        .collect()
}

#[test]
fn a_herd_has_one_daemon_and_no_failure() -> Result<(), Box<dyn Error>> {
    let (passed, text) = herd(&[
        "--cases",
        "cold,stale",
        "--clients",
        "1,20",
        "--rounds",
        "3",
    ])?;
    assert!(passed, "{text}");
    for line in counts(&text) {
        assert_eq!(line[2..], ["brokered", "3", "1", "0", "0"], "{text}");
    }
    assert_eq!(counts(&text).len(), 4, "{text}");
    Ok(())
}

#[test]
fn a_herd_with_kills_has_one_daemon_at_a_time_and_no_failure() -> Result<(), Box<dyn Error>> {
    let (passed, text) = herd(&["--cases", "killed", "--clients", "20", "--rounds", "5"])?;
    assert!(passed, "{text}");
    for line in counts(&text) {
        assert_eq!(line[5..], ["0", "0"], "{text}");
    }
    Ok(())
}

#[test]
fn the_plot_has_a_curve_for_each_herd() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("herd.svg");
    let plot = path.to_str().ok_or("not a UTF-8 path")?;
    let (passed, text) = herd(&[
        "--cases",
        "cold",
        "--clients",
        "1,5",
        "--rounds",
        "1",
        "--plot",
        plot,
    ])?;
    assert!(passed, "{text}");
    let svg = std::fs::read_to_string(&path)?;
    // The legend has one more.
    assert_eq!(svg.matches(r#"class="curve brokered""#).count(), 3);
    Ok(())
}

#[test]
fn an_invalid_option_is_named() -> Result<(), Box<dyn Error>> {
    for (arguments, named) in [
        (["--client", "1"], "--client;"),
        (["--cases", "warm"], "\"warm\""),
        (["--rounds", "0"], "at least 1"),
    ] {
        let (passed, text) = herd(&arguments)?;
        assert!(!passed && text.contains(named), "{text}");
    }
    Ok(())
}
