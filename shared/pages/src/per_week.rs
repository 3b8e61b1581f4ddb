//! Releases per week as inline SVG beneath the lanes, with the sentence that says their finding and the numbers.

use domain::release::Release;
use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use crate::days::{Days, FEW, Tick, day, median, shipped};
use crate::words::{count, counted};

/// How high the highest bar is, in the drawing's own units, and where they stand: numbers go above them.
const HEIGHT: u64 = 64;
const BASE: u64 = 84;

/// One week, from Monday to Monday (UTC).
pub(crate) struct Week {
    /// `5 Oct`, its Monday.
    pub(crate) begins: String,
    pub(crate) x: u64,
    pub(crate) y: u64,
    pub(crate) width: u64,
    pub(crate) height: u64,
    /// What stands above it: `3`, `3+`, `?`; nothing for none.
    pub(crate) label: String,
    /// How many in words: `3`, `3 or more`, `not known`.
    pub(crate) number: String,
    /// `done`; `now` for the week that is not over; `other` for one of which some may be missing.
    pub(crate) class: &'static str,
}

/// The chart. Drafts and withdrawn releases do not count.
pub(crate) struct PerWeek {
    pub(crate) sentence: String,
    /// Oldest first; none when there is too little to say.
    pub(crate) weeks: Vec<Week>,
    pub(crate) ticks: Vec<Tick>,
}

/// A week as it is counted.
struct Counted {
    begins: Date,
    at: Timestamp,
    end: Timestamp,
    number: u64,
    is_whole: bool,
}

impl PerWeek {
    /// Of the same list as the days are.
    pub(crate) fn new(releases: &[Release], days: &Days) -> Self {
        let times: Vec<_> =
            releases.iter().filter_map(shipped).filter(|at| days.hold(*at)).map(|at| at.min(days.now)).collect();
        if times.len() < FEW {
            let number = counted(times.len() as u64, "release", "releases");
            let sentence = format!("Too few to say how often: {number} {}.", days.within());
            return Self { sentence, weeks: Vec::new(), ticks: Vec::new() };
        }
        let weeks = weeks(&times, days);
        let most = weeks.iter().map(|week| week.number).max().unwrap_or(0).max(1);
        Self {
            sentence: sentence(&weeks, days),
            weeks: weeks.iter().map(|week| drawn(week, most, days)).collect(),
            ticks: days.ticks(),
        }
    }
}

/// The weeks that begin within the days, the last one as far as it has come.
fn weeks(times: &[Timestamp], days: &Days) -> Vec<Counted> {
    let mut weeks = Vec::new();
    let mut begins = day(days.start).nth_weekday(1, Weekday::Monday).ok();
    while let Some(date) = begins.filter(|date| *date <= day(days.now)) {
        let next = date.checked_add(1.week()).ok();
        let moment = |date: Date| date.to_zoned(TimeZone::UTC).map_or(days.now, |at| at.timestamp());
        let (at, end) = (moment(date), next.map_or(days.now, moment));
        let number = times.iter().filter(|time| (at..end).contains(time)).count() as u64;
        weeks.push(Counted { begins: date, at, end, number, is_whole: at >= days.known });
        begins = next;
    }
    weeks
}

fn drawn(week: &Counted, most: u64, days: &Days) -> Week {
    let (x, end) = (days.across(week.at), days.across(week.end));
    let height = if week.number == 0 { 0 } else { (week.number * HEIGHT / most).max(2) };
    let label = match (week.is_whole, week.number) {
        (true, 0) => String::new(),
        (true, number) => count(number),
        (false, 0) => "?".to_owned(),
        (false, number) => format!("{}+", count(number)),
    };
    let number = number(week);
    let is_over = week.end <= days.now;
    Week {
        begins: named(week),
        x,
        y: BASE - height,
        width: end.saturating_sub(x + 3).max(2),
        height,
        label,
        number: if is_over { number } else { format!("{number} so far") },
        class: match (week.is_whole, is_over) {
            (false, _) => "other",
            (true, true) => "done",
            (true, false) => "now",
        },
    }
}

/// How many in words, with what is not known: `3`, `3 or more`, `not known`.
fn number(week: &Counted) -> String {
    match (week.is_whole, week.number) {
        (true, number) => count(number),
        (false, 0) => "not known".to_owned(),
        (false, number) => format!("{} or more", count(number)),
    }
}

/// `5 Oct`.
fn named(week: &Counted) -> String {
    week.begins.strftime("%-d %b").to_string()
}

fn sentence(weeks: &[Counted], days: &Days) -> String {
    let mut parts = Vec::new();
    // The first of those with the most, so that "at most" names the same week tomorrow.
    if let Some(best) = weeks.iter().rev().max_by_key(|week| week.number).filter(|best| best.number > 0) {
        let most = if best.is_whole {
            format!("at most {} a week", number(best))
        } else {
            format!("{} in one week", number(best))
        };
        parts.push(format!("{most} (that of {})", named(best)));
    }
    let over: Vec<_> = weeks.iter().filter(|week| week.is_whole && week.end <= days.now).collect();
    if let Some(twice) = median(over.iter().map(|week| 2 * week.number).collect()).filter(|_| over.len() >= FEW) {
        let half = if twice.is_multiple_of(2) { "" } else { ".5" };
        parts.push(format!("median {}{half} over {} weeks", count(twice / 2), over.len()));
    }
    if let Some(last) = weeks.last() {
        parts.push(format!("{} so far in this one", number(last)));
    }
    let known = if days.is_whole() {
        String::new()
    } else {
        format!(" What was before {} is not known here.", day(days.known).strftime("%-d %b"))
    };
    format!("Releases per week: {}.{known}", parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::days::{LEFT, LENGTH};
    use crate::releases::tests::release;
    use domain::release::ReleaseState;
    use jiff::SignedDuration;

    /// A Saturday.
    const NOW: &str = "2026-11-21T12:00:00Z";

    fn chart(releases: &[Release], more: bool, since: Option<&str>) -> PerWeek {
        let since = since.map(|since| since.parse().unwrap());
        PerWeek::new(releases, &Days::of(releases, more, since, NOW.parse().unwrap()))
    }

    fn published(at: &[&str]) -> Vec<Release> {
        at.iter().map(|at| release("o/r", 1, at, ReleaseState::Published)).collect()
    }

    fn numbers(chart: &PerWeek) -> Vec<(&str, &str, &str)> {
        let shown = chart.weeks.iter().filter(|week| week.number != "0");
        shown.map(|week| (week.begins.as_str(), week.number.as_str(), week.class)).collect()
    }

    #[test]
    fn weeks_begin_on_monday_and_this_one_is_not_over() {
        let list = published(&[
            "2026-11-16T00:00:00Z",
            "2026-11-15T23:59:59Z",
            "2026-11-09T00:00:00Z",
            "2026-10-05T12:00:00Z",
            "2026-08-24T00:00:00Z",
            "2026-08-23T23:00:00Z",
        ]);
        let chart = chart(&list, false, None);
        assert_eq!(chart.weeks.len(), 13);
        assert_eq!(
            numbers(&chart),
            [("24 Aug", "1", "done"), ("5 Oct", "1", "done"), ("9 Nov", "2", "done"), ("16 Nov", "1 so far", "now")],
            "what was before the first Monday is in no week"
        );
        assert_eq!(
            chart.sentence,
            "Releases per week: at most 2 a week (that of 9 Nov), median 0 over 12 weeks, 1 so far in this one."
        );
        let empty = &chart.weeks[1];
        assert_eq!((empty.height, empty.label.as_str(), empty.number.as_str()), (0, "", "0"), "known to be none");
    }

    #[test]
    fn drafts_and_withdrawn_ones_do_not_count_and_few_say_nothing() {
        let mut list = published(&["2026-11-20T12:00:00Z", "2026-11-19T12:00:00Z"]);
        for state in [ReleaseState::Draft, ReleaseState::Unpublished, ReleaseState::Deleted] {
            list.push(release("o/r", 2, "2026-11-18T12:00:00Z", state));
        }
        let few = chart(&list, false, None);
        assert_eq!((few.sentence.as_str(), few.weeks.len()), ("Too few to say how often: 2 releases in 90 days.", 0));
        list.push(release("o/r", 3, "2026-11-17T12:00:00Z", ReleaseState::Prerelease));
        assert_eq!(numbers(&chart(&list, false, None)), [("16 Nov", "3 so far", "now")]);
    }

    #[test]
    fn where_the_list_was_cut_nothing_is_said_to_be_none() {
        let list = published(&["2026-11-18T12:00:00Z", "2026-11-12T12:00:00Z", "2026-11-11T12:00:00Z"]);
        let chart = chart(&list, true, None);
        let last: Vec<_> = chart.weeks.iter().rev().take(3).map(|week| (week.label.as_str(), week.class)).collect();
        assert_eq!(last, [("1", "now"), ("2+", "other"), ("?", "other")]);
        assert!(chart.weeks.iter().take(11).all(|week| week.number == "not known"));
        assert!(
            chart.sentence.ends_with("1 so far in this one. What was before 11 Nov is not known here."),
            "{}",
            chart.sentence
        );
        assert!(chart.sentence.starts_with("Releases per week: 2 or more in one week (that of 9 Nov), 1 so"));
        let since = super::tests::chart(&list, false, Some("2026-11-09T00:00:00Z"));
        assert_eq!(numbers(&since)[11..], [("9 Nov", "2", "done"), ("16 Nov", "1 so far", "now")]);
    }

    #[test]
    fn a_list_of_this_week_alone_gives_no_figure_as_the_whole() {
        let list = published(&["2026-11-20T12:00:00Z", "2026-11-19T12:00:00Z", "2026-11-18T12:00:00Z"]);
        assert_eq!(
            chart(&list, true, None).sentence,
            "Releases per week: 3 or more in one week (that of 16 Nov), 3 or more so far in this one. \
             What was before 18 Nov is not known here."
        );
        let few = chart(&list[..2], false, Some("2026-11-17T00:00:00Z"));
        assert_eq!(few.sentence, "Too few to say how often: 2 releases since 17 Nov.");
    }

    #[test]
    fn every_bar_stays_within_the_picture() {
        for now in [NOW, "2026-11-16T00:00:00Z", "2026-11-15T23:59:59Z", "2027-01-01T00:00:00Z"] {
            let now: Timestamp = now.parse().unwrap();
            let list: Vec<_> = (-2..40)
                .map(|n| {
                    release("o/r", 1, &(now - SignedDuration::from_hours(50 * n)).to_string(), ReleaseState::Published)
                })
                .collect();
            let chart = PerWeek::new(&list, &Days::of(&list, false, None, now));
            for week in &chart.weeks {
                assert!(week.x >= LEFT && week.x + week.width <= LEFT + LENGTH + 2, "{now}: {} {}", week.x, week.width);
                assert!(week.y + week.height == BASE && week.height <= HEIGHT, "{now}");
            }
            assert!(
                chart.weeks.windows(2).all(|pair| pair[0].x + pair[0].width < pair[1].x),
                "{now}: beside each other"
            );
        }
    }
}
