//! A time as text, for the lines in a log.

use std::time::{SystemTime, UNIX_EPOCH};

const SECONDS_PER_DAY: u64 = 24 * 60 * 60;

/// The Gregorian calendar repeats after 400 years, which have this many days.
const DAYS_PER_400_YEARS: u64 = 146_097;

/// A time in UTC in the format of RFC 3339, with seconds: `2026-11-28T02:30:47Z`. A time before 1970 is shown as the
/// beginning of 1970.
pub(crate) fn rfc3339(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = since.as_secs();
    let (year, month, day) = date_of(seconds / SECONDS_PER_DAY);
    let second_of_day = seconds % SECONDS_PER_DAY;
    let (hour, minute, second) = (
        second_of_day / 3600,
        second_of_day / 60 % 60,
        second_of_day % 60,
    );
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// The year, the month and the day of the month, from the number of days since 1970-01-01.
fn date_of(days: u64) -> (u64, usize, u64) {
    let mut year = 1970 + days / DAYS_PER_400_YEARS * 400;
    let mut days = days % DAYS_PER_400_YEARS;
    while days >= days_in_year(year) {
        days -= days_in_year(year);
        year += 1;
    }
    let mut month = 1;
    while days >= days_in_month(year, month) {
        days -= days_in_month(year, month);
        month += 1;
    }
    (year, month, days + 1)
}

fn days_in_year(year: u64) -> u64 {
    if is_leap_year(year) { 366 } else { 365 }
}

fn days_in_month(year: u64, month: usize) -> u64 {
    match month {
        2 if is_leap_year(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn is_leap_year(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(seconds: u64) -> String {
        rfc3339(UNIX_EPOCH + Duration::from_secs(seconds))
    }

    /// The numbers are those of `date -u -d TEXT +%s`.
    #[test]
    fn a_time_has_the_date_of_the_gregorian_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (68_169_599, "1972-02-28T23:59:59Z"),
            (68_169_600, "1972-02-29T00:00:00Z"),
            (68_256_000, "1972-03-01T00:00:00Z"),
            (94_694_399, "1972-12-31T23:59:59Z"),
            // 2000 is a leap year, and 2100 is not.
            (951_782_400, "2000-02-29T00:00:00Z"),
            (978_220_800, "2000-12-31T00:00:00Z"),
            (1_795_833_047, "2026-11-28T02:30:47Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (4_133_894_400, "2100-12-31T00:00:00Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(at(seconds), text, "{seconds}");
        }
    }

    #[test]
    fn each_day_of_four_centuries_follows_the_day_before() {
        let mut before = date_of(0);
        for day in 1..=DAYS_PER_400_YEARS {
            let date = date_of(day);
            let (year, month, day_of_month) = before;
            let next_day = (year, month, day_of_month + 1);
            let next_month = (year, month + 1, 1);
            let next_year = (year + 1, 1, 1);
            let expected = if day_of_month < days_in_month(year, month) {
                next_day
            } else if month < 12 {
                next_month
            } else {
                next_year
            };
            assert_eq!(date, expected, "after {before:?}");
            before = date;
        }
        assert_eq!(before, (2370, 1, 1));
    }

    #[test]
    fn a_time_before_1970_is_not_an_error() {
        assert_eq!(
            rfc3339(UNIX_EPOCH - Duration::from_secs(1)),
            "1970-01-01T00:00:00Z"
        );
        // The longest time that a clock can show on Unix. That of Windows ends earlier.
        let longest = Duration::from_secs(u64::try_from(i64::MAX).expect("positive"));
        if let Some(time) = UNIX_EPOCH.checked_add(longest) {
            assert!(rfc3339(time).ends_with('Z'));
        }
    }
}
