//! Moments and spans of time, where the reader sits.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// How a list writes a moment: `14:06:31` today, `Fri 14:06` within a week, `22 Aug 2026` before.
pub(crate) fn short(at: Timestamp, now: Timestamp, zone: &TimeZone) -> String {
    let (there, today) = (at.to_zoned(zone.clone()), now.to_zoned(zone.clone()));
    let form = if there.date() == today.date() {
        "%H:%M:%S"
    } else if now.duration_since(at).abs() < SignedDuration::from_hours(6 * 24) {
        "%a %H:%M"
    } else {
        "%-d %b %Y"
    };
    there.strftime(form).to_string()
}

/// How programs read it: RFC 3339 in UTC, to the second.
pub(crate) fn exact(at: Timestamp) -> String {
    format!("{at:.0}")
}

/// From one moment to a later one, in milliseconds; 0 when the later one is earlier.
pub(crate) fn between(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.duration_since(from).as_millis()).unwrap_or(0)
}

/// `8 ms`, `1.2 s`, `2 min 10 s`, `3 h 5 min`, `9 d`.
pub(crate) fn duration(ms: u64) -> String {
    match ms {
        0..=999 => format!("{ms} ms"),
        1000..=59_999 => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        60_000..=3_599_999 => format!("{} min {} s", ms / 60_000, ms % 60_000 / 1000),
        3_600_000..=86_399_999 => format!("{} h {} min", ms / 3_600_000, ms % 3_600_000 / 60_000),
        _ => format!("{} d {} h", ms / 86_400_000, ms % 86_400_000 / 3_600_000),
    }
}

/// Reads a moment as people give one: `30m`, `2h` or `7d` ago; a date or a time of day of the reader's own; RFC 3339.
///
/// # Errors
/// What would be right.
pub(crate) fn read(text: &str, now: Timestamp, zone: &TimeZone) -> Result<Timestamp, &'static str> {
    const LIKE: &str = "write it like 30m, 2h, 7d, 2026-03-02, 2026-03-02T10:00, or 2026-03-02T10:00:00Z";
    if let Ok(ago) = lambda::settings::duration(text) {
        return SignedDuration::try_from(ago).ok().and_then(|ago| now.checked_sub(ago).ok()).ok_or(LIKE);
    }
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Ok(instant);
    }
    let here = text.parse::<jiff::civil::DateTime>().ok().and_then(|local| local.to_zoned(zone.clone()).ok());
    here.map(|zoned| zoned.timestamp()).ok_or(LIKE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-11-20T14:10:00Z".parse().unwrap()
    }

    #[test]
    fn a_moment_is_as_exact_as_its_age_asks_for() {
        let berlin = TimeZone::fixed(jiff::tz::offset(1));
        for (at, utc, there) in [
            ("2026-11-20T14:06:31.204Z", "14:06:31", "15:06:31"),
            ("2026-11-19T23:30:00Z", "Thu 23:30", "00:30:00"),
            ("2026-08-22T10:00:00Z", "22 Aug 2026", "22 Aug 2026"),
        ] {
            let at: Timestamp = at.parse().unwrap();
            assert_eq!((short(at, now(), &TimeZone::UTC).as_str(), short(at, now(), &berlin).as_str()), (utc, there));
        }
        assert_eq!(exact("2026-11-20T14:06:31.204Z".parse().unwrap()), "2026-11-20T14:06:31Z");
    }

    #[test]
    fn spans() {
        let spans = [8, 1234, 130_000, 11_100_000, 90_000_000].map(duration);
        assert_eq!(spans, ["8 ms", "1.2 s", "2 min 10 s", "3 h 5 min", "1 d 1 h"]);
        assert_eq!(between(now(), now()), 0);
    }

    #[test]
    fn moments_as_people_give_them() {
        let berlin = TimeZone::fixed(jiff::tz::offset(1));
        for (text, expected) in [
            ("2h", "2026-11-20T12:10:00Z"),
            ("7d", "2026-11-13T14:10:00Z"),
            ("2026-11-20", "2026-11-19T23:00:00Z"),
            ("2026-11-20T10:00", "2026-11-20T09:00:00Z"),
            ("2026-11-20 10:00:30", "2026-11-20T09:00:30Z"),
            ("2026-11-20T10:00:00Z", "2026-11-20T10:00:00Z"),
            ("2026-11-20T10:00:00+02:00", "2026-11-20T08:00:00Z"),
        ] {
            assert_eq!(read(text, now(), &berlin), Ok(expected.parse().unwrap()), "{text}");
        }
        for bad in ["", "2", "yesterday", "0h", "2026-13-01", "-2h", "10:00"] {
            assert!(read(bad, now(), &berlin).is_err(), "{bad}");
        }
    }
}
