//! How numbers, sizes, durations and moments are written, so that every page writes them alike.

use std::fmt;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// A count with thin spaces between thousands: `1 284`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3 * 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push('\u{2009}');
        }
        text.push(digit);
    }
    text
}

/// A count and the word it counts: `1 event`, `2 events`.
pub fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// A size in bytes, as people say it: `812 B`, `14.2 KB`, `5.6 MB`; thousands, not 1,024s.
pub fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{} KB", tenths(bytes, 1_000)),
        _ => format!("{} MB", tenths(bytes, 1_000_000)),
    }
}

/// A span of time from milliseconds: `8 ms`, `1.2 s`, `2 min 10 s`, `3 h 5 min`, `9 d`.
pub fn span(ms: u64) -> String {
    let seconds = ms / 1_000;
    match seconds {
        0 if ms < 1_000 => format!("{ms} ms"),
        0..10 => format!("{} s", tenths(ms, 1_000)),
        10..60 => format!("{seconds} s"),
        60..3_600 => two(seconds / 60, "min", seconds % 60, "s"),
        3_600..86_400 => two(seconds / 3_600, "h", seconds % 3_600 / 60, "min"),
        86_400..864_000 => two(seconds / 86_400, "d", seconds % 86_400 / 3_600, "h"),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// A long span of time from milliseconds, in its largest unit only: `12 min`, `3 h`, `9 d`; below a minute as [`span`].
pub fn coarse(ms: u64) -> String {
    match ms / 60_000 {
        0 => span(ms),
        minutes @ 1..60 => format!("{minutes} min"),
        minutes @ 60..2_880 => format!("{} h", minutes / 60),
        minutes => format!("{} d", minutes / 1_440),
    }
}

/// A moment as a form's field for a time holds it: to the minute, UTC.
pub fn field(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%dT%H:%M").to_string()
}

/// What such a field gives, or RFC 3339.
pub fn moment(text: &str) -> Option<Timestamp> {
    text.parse().ok().or_else(|| Some(text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp()))
}

/// The span from one moment to a later one in milliseconds; 0 when the later one is earlier.
pub fn between(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.duration_since(from).as_millis()).unwrap_or(0)
}

/// What is left of a number after its whole part, with one digit: `14.2`; without it where it says nothing: `14`.
fn tenths(number: u64, unit: u64) -> String {
    let tenths = number.saturating_mul(10) / unit;
    if tenths >= 1_000 || tenths.is_multiple_of(10) {
        (tenths / 10).to_string()
    } else {
        format!("{}.{}", tenths / 10, tenths % 10)
    }
}

fn two(large: u64, large_unit: &str, small: u64, small_unit: &str) -> String {
    if small == 0 { format!("{large} {large_unit}") } else { format!("{large} {large_unit} {small} {small_unit}") }
}

/// A moment as a `<time>` element holds it: the short form as text, the exact one beside it. UTC; the script shows
/// the reader's own time in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// For `datetime` and `title`: `2026-11-21T14:06:31.204Z`.
    pub exact: String,
    /// In plain sight: `14:06:31 UTC` today, `Fri 14:06 UTC` within a week, `22 Aug 2026` before.
    pub short: String,
}

impl Moment {
    /// The moment `at`, seen from `now`.
    pub fn of(at: Timestamp, now: Timestamp) -> Self {
        let utc = at.to_zoned(TimeZone::UTC);
        let age = now.duration_since(at).abs();
        let form = if utc.date() == now.to_zoned(TimeZone::UTC).date() {
            "%H:%M:%S UTC"
        } else if age < SignedDuration::from_hours(6 * 24) {
            "%a %H:%M UTC"
        } else {
            "%-d %b %Y"
        };
        Self { exact: format!("{at:.3}"), short: utc.strftime(form).to_string() }
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.short)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_for_people() {
        let counts = [0, 7, 999, 1_000, 1_284, 1_000_000].map(count);
        assert_eq!(counts, ["0", "7", "999", "1\u{2009}000", "1\u{2009}284", "1\u{2009}000\u{2009}000"]);
        assert_eq!(
            (counted(1, "event", "events"), counted(0, "event", "events")),
            ("1 event".into(), "0 events".into())
        );
        let sizes = [0, 812, 1_000, 14_200, 999_999, 5_600_000, 26_214_400].map(size);
        assert_eq!(sizes, ["0 B", "812 B", "1 KB", "14.2 KB", "999 KB", "5.6 MB", "26.2 MB"]);
    }

    #[test]
    fn spans_are_written_for_people() {
        let spans =
            [0, 8, 999, 1_000, 1_250, 9_999, 10_400, 60_000, 130_000, 3_600_000, 11_100_000, 90_000_000].map(span);
        let written = [
            "0 ms",
            "8 ms",
            "999 ms",
            "1 s",
            "1.2 s",
            "9.9 s",
            "10 s",
            "1 min",
            "2 min 10 s",
            "1 h",
            "3 h 5 min",
            "1 d 1 h",
        ];
        assert_eq!(spans, written);
        assert_eq!(span(20 * 86_400_000), "20 d");
        let coarsely = [8, 59_999, 60_000, 3_600_000, 172_799_999, 172_800_000, 9 * 86_400_000].map(coarse);
        assert_eq!(coarsely, ["8 ms", "59 s", "1 min", "1 h", "47 h", "2 d", "9 d"]);
    }

    #[test]
    fn a_moment_is_as_exact_as_its_age_asks_for() {
        let now: Timestamp = "2026-11-21T14:10:00Z".parse().unwrap();
        let short = |at: &str| Moment::of(at.parse().unwrap(), now).short;
        assert_eq!(short("2026-11-21T14:06:31.204Z"), "14:06:31 UTC");
        assert_eq!(short("2026-11-20T23:59:59Z"), "Fri 23:59 UTC");
        assert_eq!(short("2026-11-21T22:06:00Z"), "22:06:00 UTC");
        assert_eq!(short("2026-08-22T10:00:00Z"), "22 Aug 2026");
        assert_eq!(Moment::of("2026-11-21T14:06:31.2049Z".parse().unwrap(), now).exact, "2026-11-21T14:06:31.204Z");
    }
}
