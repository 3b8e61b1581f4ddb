//! Events per hour by outcome as inline SVG, with the sentence that says its finding and the numbers it is drawn from.

use std::collections::BTreeMap;

use domain::hours::{Counted, Hour, hour_of};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::events::address;
use crate::words::{count, counted, field};

/// The most hours that one chart shows: a week.
pub(crate) const MOST: u64 = 7 * 24;

/// The most bars of one chart. Of more hours several share one, so that a week is no larger a page than a day.
const BARS: u64 = 28;

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

/// One hour, as it is drawn and as it is read.
pub(crate) struct Bar {
    /// Its events.
    pub(crate) href: String,
    /// Everything about it, for who hears the link alone.
    pub(crate) label: String,
    pub(crate) rects: Vec<Rect>,
    pub(crate) hour: String,
    /// Failed, under way or retrying, not sent, done.
    pub(crate) numbers: [String; 4],
}

/// The chart of events by hour, or by several: failed ones stand on the base line, so that they can be compared.
pub(crate) struct PerHour {
    /// `Events per hour`.
    pub(crate) title: String,
    pub(crate) sentence: String,
    /// Oldest first. Hours in which nothing was counted are absent.
    pub(crate) bars: Vec<Bar>,
    /// Position and words under the line.
    pub(crate) ticks: Vec<(u64, String)>,
    /// The hour that is not over: position and width.
    pub(crate) now: (u64, u64),
}

/// What the events of an hour, or of several, came to.
#[derive(Clone, Copy)]
struct Parts {
    begins: Timestamp,
    failed: u64,
    open: u64,
    quiet: u64,
    done: u64,
}

impl Parts {
    fn of(hour: &Hour) -> Self {
        Self {
            begins: hour.begins,
            failed: hour.count(Counted::Errored),
            open: hour.open(),
            quiet: hour.count(Counted::Ignored) + hour.count(Counted::Unhandled),
            done: hour.count(Counted::Processed),
        }
    }

    fn and(self, other: Self) -> Self {
        Self {
            begins: self.begins,
            failed: self.failed + other.failed,
            open: self.open + other.open,
            quiet: self.quiet + other.quiet,
            done: self.done + other.done,
        }
    }

    fn all(self) -> u64 {
        self.failed + self.open + self.quiet + self.done
    }
}

/// Where the first of so many hours begins, of which the last is that of `now`.
pub(crate) fn beginning(hours: u64, now: Timestamp) -> Timestamp {
    let back = SignedDuration::from_hours(i64::try_from(hours.clamp(1, MOST) - 1).unwrap_or_default());
    hour_of(now).checked_sub(back).unwrap_or(Timestamp::MIN)
}

impl PerHour {
    /// The last `hours` hours, at most [`MOST`]. Counts of other times are left out.
    pub(crate) fn new(counts: &[Hour], hours: u64, now: Timestamp) -> Self {
        let hours = hours.clamp(1, MOST);
        let first = beginning(hours, now);
        let each = hours.div_ceil(BARS);
        let bars = hours.div_ceil(each);
        let is_shown = |hour: &Parts| hour.all() > 0 && hour.begins >= first && hour.begins <= now;
        let mut shown: BTreeMap<u64, Parts> = BTreeMap::new();
        for hour in counts.iter().map(Parts::of).filter(is_shown) {
            let place = u64::try_from(hour.begins.duration_since(first).as_hours()).unwrap_or(0) / each;
            let begins = later(first, place * each);
            shown.entry(place).and_modify(|all| *all = all.and(hour)).or_insert(Parts { begins, ..hour });
        }
        let most = shown.values().map(|hour| hour.all()).max().unwrap_or(0).max(1);
        let slot = WIDTH / bars;
        let width = slot.saturating_sub(3).max(2);
        let step = if hours <= 24 { 3 } else { 24_u64.div_ceil(each) };
        let tick = |n: u64| {
            let form = if hours <= 24 { "%H:%M" } else { "%a %H:%M" };
            (n * slot, later(first, n * each).to_zoned(TimeZone::UTC).strftime(form).to_string())
        };
        let parts: Vec<_> = shown.values().copied().collect();
        Self {
            title: if each == 1 { "Events per hour".to_owned() } else { format!("Events per {each} hours") },
            sentence: finding(&parts),
            bars: shown.iter().map(|(place, hour)| bar(*hour, each, (place * slot, width), most)).collect(),
            ticks: (0..bars).step_by(usize::try_from(step).unwrap_or(1)).map(tick).collect(),
            now: ((bars - 1) * slot, width),
        }
    }
}

/// So many hours after a moment.
fn later(at: Timestamp, hours: u64) -> Timestamp {
    let hours = SignedDuration::from_hours(i64::try_from(hours).unwrap_or_default());
    at.checked_add(hours).unwrap_or(Timestamp::MAX)
}

/// `place` is where it stands and how wide it is, `most` the number of events that reaches to the top.
fn bar(hour: Parts, each: u64, (x, width): (u64, u64), most: u64) -> Bar {
    let mut top = HEIGHT;
    let parts = [("hatched", hour.failed), ("retry", hour.open), ("other", hour.quiet), ("done", hour.done)];
    let rects = parts.into_iter().filter(|(_, number)| *number > 0).map(|(class, number)| {
        // What is there can be seen, however little it is beside the others.
        let height = (u128::from(number) * u128::from(HEIGHT) / u128::from(most)).max(2);
        let height = u64::try_from(height).unwrap_or(HEIGHT).min(top);
        top -= height;
        Rect { class, x, y: top, width, height }
    });
    let rects = rects.collect();
    let end = later(hour.begins, each);
    let (since, until) = (field(hour.begins), field(end));
    Bar {
        href: address("/events", [("since", since.as_str()), ("until", until.as_str())]),
        label: format!(
            "{} UTC: {}, {} failed",
            clock(hour.begins),
            counted(hour.all(), "event", "events"),
            count(hour.failed)
        ),
        rects,
        hour: hour.begins.to_zoned(TimeZone::UTC).strftime("%a %H:%M UTC").to_string(),
        numbers: [hour.failed, hour.open, hour.quiet, hour.done].map(count),
    }
}

fn finding(shown: &[Parts]) -> String {
    let all: u64 = shown.iter().map(|hour| hour.all()).sum();
    let failed: u64 = shown.iter().map(|hour| hour.failed).sum();
    let Some(worst) = shown.iter().max_by_key(|hour| hour.failed).filter(|hour| hour.failed > 0) else {
        return if all == 0 {
            "Nothing was counted in this time.".to_owned()
        } else {
            format!("{}, none failed.", counted(all, "event", "events"))
        };
    };
    let later: u64 = shown.iter().filter(|hour| hour.begins > worst.begins).map(|hour| hour.failed).sum();
    let since = if later == 0 { "none since".to_owned() } else { format!("{} since", count(later)) };
    let before = failed - worst.failed - later;
    let before = if before == 0 { String::new() } else { format!(", {} before", count(before)) };
    format!("{} failed at {} UTC{before}, {since}.", count(worst.failed), clock(worst.begins))
}

fn clock(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%H:%M").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-11-21T14:10:00Z";

    fn hour(begins: &str, failed: u64, done: u64, open: u64) -> Hour {
        let mut hour = Hour::empty(begins.parse().unwrap());
        hour.add(Counted::Errored, failed);
        hour.add(Counted::Processed, done);
        hour.add(Counted::Received, failed + done + open);
        hour
    }

    #[test]
    fn failed_ones_stand_on_the_base_line() {
        let counts = [hour("2026-11-21T09:00:00Z", 18, 2, 0), hour("2026-11-21T14:00:00Z", 0, 9, 1)];
        let chart = PerHour::new(&counts, 24, NOW.parse().unwrap());
        assert_eq!(chart.sentence, "18 failed at 09:00 UTC, none since.");
        let first = &chart.bars[0];
        assert_eq!((first.rects[0].class, first.rects[0].y + first.rects[0].height), ("hatched", HEIGHT));
        assert_eq!(first.rects.iter().map(|rect| rect.height).sum::<u64>(), HEIGHT);
        assert_eq!(first.href, "/events?since=2026-11-21T09%3A00&until=2026-11-21T10%3A00");
        let last = &chart.bars[1];
        assert_eq!((last.rects[0].x, last.rects[0].width), chart.now, "the hour that is not over is the last");
        assert_eq!(
            (&first.numbers, &last.numbers),
            (&["18", "0", "0", "2"].map(str::to_owned), &["0", "1", "0", "9"].map(str::to_owned))
        );
    }

    #[test]
    fn hours_without_data_and_of_another_time_are_absent() {
        let now = NOW.parse().unwrap();
        let elsewhere = [
            hour("2026-11-20T14:00:00Z", 1, 1, 0),
            hour("2026-11-21T15:00:00Z", 1, 1, 0),
            hour("2026-11-21T13:00:00Z", 0, 0, 0),
        ];
        let chart = PerHour::new(&elsewhere, 24, now);
        assert!(chart.bars.is_empty());
        assert_eq!(chart.sentence, "Nothing was counted in this time.");
        let chart = PerHour::new(&[hour("2026-11-21T13:00:00Z", 0, 7, 0)], 24, now);
        assert_eq!((chart.sentence.as_str(), chart.bars.len()), ("7 events, none failed.", 1));
    }

    #[test]
    fn the_sentence_names_the_worst_hour_and_what_was_around_it() {
        let counts = [
            hour("2026-11-21T08:00:00Z", 1, 0, 0),
            hour("2026-11-21T09:00:00Z", 1200, 0, 0),
            hour("2026-11-21T10:00:00Z", 3, 0, 0),
        ];
        let chart = PerHour::new(&counts, 24, NOW.parse().unwrap());
        assert_eq!(chart.sentence, "1\u{2009}200 failed at 09:00 UTC, 1 before, 3 since.");
    }

    #[test]
    fn several_hours_share_a_bar_when_there_are_many() {
        let now = NOW.parse().unwrap();
        let counts = [
            hour("2026-11-21T09:00:00Z", 1, 2, 0),
            hour("2026-11-21T11:00:00Z", 0, 0, 1),
            hour("2026-11-21T12:00:00Z", 3, 0, 0),
        ];
        let chart = PerHour::new(&counts, 72, now);
        let hours: Vec<_> = chart.bars.iter().map(|bar| (bar.hour.as_str(), bar.numbers.join(" "))).collect();
        assert_eq!(hours, [("Sat 09:00 UTC", "1 1 0 2".to_owned()), ("Sat 12:00 UTC", "3 0 0 0".to_owned())]);
        assert_eq!(chart.bars[0].href, "/events?since=2026-11-21T09%3A00&until=2026-11-21T12%3A00");
        assert_eq!(
            (chart.title.as_str(), chart.sentence.as_str()),
            ("Events per 3 hours", "3 failed at 12:00 UTC, 1 before, none since.")
        );
    }

    #[test]
    fn every_bar_stays_within_the_picture() {
        for hours in [1, 24, MOST, u64::MAX] {
            let now: Timestamp = NOW.parse().unwrap();
            let counts: Vec<_> = (0..200)
                .map(|n| {
                    let begins = hour_of(now) - SignedDuration::from_hours(n);
                    let mut hour = Hour::empty(begins);
                    Counted::ALL.into_iter().for_each(|what| hour.add(what, 1 << (n % 40)));
                    hour
                })
                .collect();
            let chart = PerHour::new(&counts, hours, now);
            assert_eq!(
                chart.bars.len() as u64,
                if hours == 1 {
                    1
                } else if hours == 24 {
                    24
                } else {
                    BARS
                }
            );
            for rect in chart.bars.iter().flat_map(|bar| &bar.rects) {
                assert!(rect.x + rect.width <= WIDTH && rect.y + rect.height <= HEIGHT, "{hours} hours");
            }
        }
    }
}
