//! Durations on the command line (`10`, `1.5s`, `500ms`, `5m`, `1h`) and in the output (`12 s`, `1.40 ms`).

use std::time::Duration;

const MAX: Duration = Duration::from_secs(365 * 86_400);

/// Parses a duration. A number without a unit is seconds.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let seconds = match unit {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => return Err(format!("{unit:?} is not one of the units ms, s, m, h, d")),
    };
    let number: f64 = number
        .parse()
        .map_err(|_| "a number is missing; examples are 10, 500ms, 5m".to_owned())?;
    Duration::try_from_secs_f64(number * seconds)
        .ok()
        .filter(|duration| *duration <= MAX)
        .ok_or_else(|| "it is more than a year".to_owned())
}

/// A duration in one unit: `850 ms`, `12 s`, `7 min`, `3 h`, `9 d`. The errors of the runtime use the same form.
pub(crate) fn format(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 => format!("{} ms", duration.as_millis()),
        1..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// A duration with about three digits, for durations whose fractions matter: `340 µs`, `1.40 ms`, `14 ms`, `1.25 s`.
pub(crate) fn format_precise(duration: Duration) -> String {
    let microseconds = duration.as_micros();
    match microseconds {
        0..1000 => format!("{microseconds} µs"),
        1000..10_000 => format!("{:.2} ms", duration.as_secs_f64() * 1e3),
        10_000..1_000_000 => format!("{:.0} ms", duration.as_secs_f64() * 1e3),
        1_000_000..100_000_000 => format!("{:.2} s", duration.as_secs_f64()),
        _ => format(duration),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_parsed_with_their_units() {
        let milliseconds = |text| parse(text).map(|duration| duration.as_millis());
        assert_eq!(milliseconds("10"), Ok(10_000));
        assert_eq!(milliseconds("1.5"), Ok(1500));
        assert_eq!(milliseconds("1.5s"), Ok(1500));
        assert_eq!(milliseconds("500ms"), Ok(500));
        assert_eq!(milliseconds("2m"), Ok(120_000));
        assert_eq!(milliseconds("2min"), Ok(120_000));
        assert_eq!(milliseconds("2h"), Ok(7_200_000));
        assert_eq!(milliseconds("1d"), Ok(86_400_000));
        for invalid in [
            "", "s", "-1", "1x", "1.2.3", "99999h", "1e99", "ms", "∞", "1M", "1h 30m",
        ] {
            assert!(parse(invalid).is_err(), "{invalid}");
        }
    }

    #[test]
    fn durations_are_printed_in_one_unit() {
        let printed = |seconds| format(Duration::from_secs(seconds));
        assert_eq!(format(Duration::from_millis(850)), "850 ms");
        assert_eq!(printed(12), "12 s");
        assert_eq!(printed(600), "10 min");
        assert_eq!(printed(7200), "2 h");
        assert_eq!(printed(864_000), "10 d");
    }

    #[test]
    fn precise_durations_have_about_three_digits() {
        let printed = |microseconds| format_precise(Duration::from_micros(microseconds));
        assert_eq!(printed(340), "340 µs");
        assert_eq!(printed(1403), "1.40 ms");
        assert_eq!(printed(14_030), "14 ms");
        assert_eq!(printed(1_250_000), "1.25 s");
        assert_eq!(printed(600_000_000), "10 min");
    }
}
