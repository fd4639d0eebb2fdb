//! Spans of time on the command line: `10`, `1.5`, `500ms`, `10s`, `5m`, `1h`.

use std::time::Duration;

/// Reads a span. A bare number is seconds.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let split = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let seconds = match unit {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err(format!("{unit:?} is none of ms, s, m, h")),
    };
    let number: f64 = number
        .parse()
        .map_err(|_| "a number is needed, like 10, 500ms, 5m".to_owned())?;
    Duration::try_from_secs_f64(number * seconds)
        .ok()
        .filter(|span| *span <= Duration::from_secs(365 * 86_400))
        .ok_or_else(|| "that is more than a year".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_in_their_units() {
        let milliseconds = |text| parse(text).map(|span| span.as_millis());
        assert_eq!(milliseconds("10"), Ok(10_000));
        assert_eq!(milliseconds("1.5s"), Ok(1500));
        assert_eq!(milliseconds("500ms"), Ok(500));
        assert_eq!(milliseconds("2m"), Ok(120_000));
        for nonsense in ["", "s", "-1", "1d", "1.2.3", "99999h", "1e99", "ms", "∞"] {
            assert!(parse(nonsense).is_err(), "{nonsense}");
        }
    }
}
