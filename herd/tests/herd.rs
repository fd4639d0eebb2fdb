//! Small herds, so that the program is known to count right before anybody believes its figures.

#![cfg(target_os = "linux")]

use std::error::Error;
use std::process::Command;

fn herd(arguments: &[&str]) -> Result<(bool, String), Box<dyn Error>> {
    let output = Command::new(env!("CARGO_BIN_EXE_herd"))
        .args(arguments)
        .args(["--sides", "brokered", "--plain"])
        .output()?;
    let said = String::from_utf8(output.stdout)? + &String::from_utf8(output.stderr)?;
    Ok((output.status.success(), said))
}

/// Case, clients, side, rounds, owners, second owners, failures, of each line but the first.
fn counts(told: &str) -> Vec<Vec<&str>> {
    told.lines()
        .skip(1)
        .map(|line| line.split('\t').take(7).collect())
        .collect()
}

#[test]
fn a_herd_has_one_owner_and_no_failure() -> Result<(), Box<dyn Error>> {
    let (kept, told) = herd(&[
        "--cases",
        "cold,stale",
        "--clients",
        "1,20",
        "--rounds",
        "3",
    ])?;
    assert!(kept, "{told}");
    for line in counts(&told) {
        assert_eq!(line[2..], ["brokered", "3", "1", "0", "0"], "{told}");
    }
    assert_eq!(counts(&told).len(), 4, "{told}");
    Ok(())
}

#[test]
fn a_herd_whose_daemon_is_killed_has_one_owner_at_a_time_and_no_failure()
-> Result<(), Box<dyn Error>> {
    let (kept, told) = herd(&["--cases", "killed", "--clients", "20", "--rounds", "5"])?;
    assert!(kept, "{told}");
    for line in counts(&told) {
        assert_eq!(line[5..], ["0", "0"], "{told}");
    }
    Ok(())
}

#[test]
fn its_picture_has_a_curve_for_each_herd() -> Result<(), Box<dyn Error>> {
    let place = tempfile::tempdir()?;
    let path = place.path().join("herd.svg");
    let plot = path.to_str().ok_or("no text")?;
    let (kept, told) = herd(&[
        "--cases",
        "cold",
        "--clients",
        "1,5",
        "--rounds",
        "1",
        "--plot",
        plot,
    ])?;
    assert!(kept, "{told}");
    let drawn = std::fs::read_to_string(&path)?;
    // One more in the legend.
    assert_eq!(drawn.matches(r#"class="curve brokered""#).count(), 3);
    Ok(())
}

#[test]
fn an_option_that_is_none_is_named() -> Result<(), Box<dyn Error>> {
    for (arguments, named) in [
        (["--client", "1"], "--client;"),
        (["--cases", "warm"], "\"warm\""),
        (["--rounds", "0"], "once at least"),
    ] {
        let (fine, told) = herd(&arguments)?;
        assert!(!fine && told.contains(named), "{told}");
    }
    Ok(())
}
