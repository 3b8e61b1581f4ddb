//! Charts as inline SVG, each with the sentence that says its finding and the numbers it is drawn from.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::events::address;
use crate::words::{count, counted};

/// What happened in one hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hour {
    /// When it began.
    pub start: Timestamp,
    /// Events that nobody will try again.
    pub failed: u64,
    /// Attempts that failed and are tried again.
    pub retried: u64,
    /// Events that were sent to nobody, by a rule or for want of a server.
    pub quiet: u64,
    /// Events that the server took.
    pub done: u64,
}

impl Hour {
    fn all(&self) -> u64 {
        self.failed + self.retried + self.quiet + self.done
    }
}

const WIDTH: u64 = 720;
const HEIGHT: u64 = 120;

/// One rectangle.
pub(crate) struct Rect {
    pub(crate) class: &'static str,
    pub(crate) x: u64,
    pub(crate) y: u64,
    pub(crate) width: u64,
    pub(crate) height: u64,
}

/// One hour as it is drawn.
pub(crate) struct Bar {
    pub(crate) href: String,
    pub(crate) label: String,
    pub(crate) rects: Vec<Rect>,
}

/// One hour as it is read.
pub(crate) struct Line {
    pub(crate) hour: String,
    pub(crate) numbers: [String; 4],
}

/// Events per hour by outcome, failed ones at the base line so that they can be compared.
pub struct PerHour {
    pub(crate) sentence: String,
    pub(crate) bars: Vec<Bar>,
    /// Position and words under the line.
    pub(crate) ticks: Vec<(u64, String)>,
    /// The hour that is not over: position and width.
    pub(crate) now: Option<(u64, u64)>,
    pub(crate) lines: Vec<Line>,
}

impl PerHour {
    /// The last `hours` hours; an hour without any event is left out of the drawing and the table.
    pub fn new(counts: &[Hour], hours: u64, now: Timestamp) -> Self {
        let hours = hours.clamp(1, 24 * 7);
        let first = hour_of(now) - SignedDuration::from_hours(i64::try_from(hours).unwrap_or(24) - 1);
        let most = counts.iter().map(Hour::all).max().unwrap_or(0).max(1);
        let slot = WIDTH / hours;
        let width = slot.saturating_sub(if slot > 6 { 3 } else { 1 }).max(2);
        let place = |start: Timestamp| u64::try_from(start.duration_since(first).as_hours()).ok().filter(|n| *n < hours);
        let mut shown: Vec<_> = counts.iter().filter(|hour| hour.all() > 0 && place(hour.start).is_some()).collect();
        shown.sort_by_key(|hour| hour.start);
        let bar = |hour: &&Hour| {
            let x = place(hour.start).unwrap_or(0) * slot;
            let mut top = HEIGHT;
            let parts = [("hatched", hour.failed), ("retry", hour.retried), ("other", hour.quiet), ("done", hour.done)];
            let rects = parts.into_iter().filter(|(_, number)| *number > 0).map(|(class, number)| {
                let height = (number * HEIGHT / most).max(2).min(top);
                top -= height;
                Rect { class, x, y: top, width, height }
            });
            let rects = rects.collect();
            let end = hour.start + SignedDuration::from_hours(1);
            let (since, until) = (hour.start.to_string(), end.to_string());
            Bar {
                href: address("/events", [("since", since.as_str()), ("until", until.as_str())]),
                label: format!("{}: {}, {} failed", clock(hour.start), counted(hour.all(), "event", "events"), hour.failed),
                rects,
            }
        };
        let line = |hour: &&Hour| Line {
            hour: hour.start.to_zoned(TimeZone::UTC).strftime("%a %H:%M UTC").to_string(),
            numbers: [hour.failed, hour.retried, hour.quiet, hour.done].map(count),
        };
        let step = if hours <= 24 { 3 } else { 24 };
        let at = |n: u64| first + SignedDuration::from_hours(i64::try_from(n).unwrap_or(0));
        Self {
            sentence: finding(&shown),
            bars: shown.iter().map(bar).collect(),
            ticks: (0..hours).step_by(step).map(|n| (n * slot, clock(at(n)))).collect(),
            now: Some(((hours - 1) * slot, width)),
            lines: shown.iter().map(line).collect(),
        }
    }
}

fn finding(shown: &[&Hour]) -> String {
    let all: u64 = shown.iter().map(|hour| hour.all()).sum();
    let failed: u64 = shown.iter().map(|hour| hour.failed).sum();
    let Some(worst) = shown.iter().max_by_key(|hour| hour.failed).filter(|hour| hour.failed > 0) else {
        return if all == 0 { "No events in this time.".to_owned() } else { format!("{}, none failed.", counted(all, "event", "events")) };
    };
    let later: u64 = shown.iter().filter(|hour| hour.start > worst.start).map(|hour| hour.failed).sum();
    let since = if later == 0 { "none since".to_owned() } else { format!("{} since", count(later)) };
    let before = failed - worst.failed - later;
    let before = if before == 0 { String::new() } else { format!(", {} before", count(before)) };
    format!("{} failed at {} UTC{before}, {since}.", count(worst.failed), clock(worst.start))
}

fn hour_of(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second().div_euclid(3600) * 3600).unwrap_or(at)
}

fn clock(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%H:%M").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hour(start: &str, failed: u64, done: u64) -> Hour {
        Hour { start: start.parse().unwrap(), failed, retried: 0, quiet: 0, done }
    }

    #[test]
    fn failed_ones_stand_on_the_base_line() {
        let now = "2026-11-21T14:10:00Z".parse().unwrap();
        let chart = PerHour::new(&[hour("2026-11-21T09:00:00Z", 18, 2), hour("2026-11-21T14:00:00Z", 0, 10)], 24, now);
        assert_eq!(chart.sentence, "18 failed at 09:00 UTC, none since.");
        let first = &chart.bars[0];
        assert_eq!((first.rects[0].class, first.rects[0].y + first.rects[0].height), ("hatched", HEIGHT));
        assert_eq!(first.rects.iter().map(|rect| rect.height).sum::<u64>(), HEIGHT);
        assert_eq!(first.href, "/events?since=2026-11-21T09%3A00%3A00Z&until=2026-11-21T10%3A00%3A00Z");
        let last = &chart.bars[1];
        assert_eq!(Some((last.rects[0].x, last.rects[0].width)), chart.now, "the hour that is not over is the last");
        assert_eq!(chart.lines[0].numbers, ["18", "0", "0", "2"]);
    }

    #[test]
    fn hours_without_data_and_of_another_time_are_absent() {
        let now = "2026-11-21T14:10:00Z".parse().unwrap();
        let chart = PerHour::new(&[hour("2026-11-20T14:00:00Z", 1, 1), hour("2026-11-21T13:00:00Z", 0, 0)], 24, now);
        assert!(chart.bars.is_empty() && chart.lines.is_empty());
        assert_eq!(chart.sentence, "No events in this time.");
        assert_eq!(PerHour::new(&[hour("2026-11-21T13:00:00Z", 0, 7)], 24, now).sentence, "7 events, none failed.");
    }
}
