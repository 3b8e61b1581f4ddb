//! The 90 days that the charts of releases share: which releases they are about, and where a moment stands in a drawing.

use domain::release::{Release, ReleaseState};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};

use crate::words::between;

/// How far back the charts go, in days.
pub(crate) const DAYS: i64 = 90;

/// Fewer releases than so many say nothing about how often, nor about how long.
pub(crate) const FEW: usize = 3;

/// Where the days begin and how long they are, in the drawing's own units; names stand to the left.
pub(crate) const LEFT: u64 = 200;
pub(crate) const LENGTH: u64 = 512;

/// How far before the end a month must begin to leave room for its name and for "today", on a phone too.
const ROOM: u64 = 100;

/// What stands beneath or above a place in the drawing.
pub(crate) struct Tick {
    pub(crate) x: u64,
    pub(crate) word: String,
    /// The class that says at which end of the word that place is: `b` where it begins, `e` where it ends.
    pub(crate) anchor: &'static str,
}

/// The days up to now.
#[derive(Clone, Copy)]
pub(crate) struct Days {
    pub(crate) start: Timestamp,
    pub(crate) now: Timestamp,
    /// Releases before it may be missing from a list that was cut.
    pub(crate) known: Timestamp,
}

impl Days {
    /// Of a list, newest first. `more` says that there are older ones than these, `since` that none before were asked for.
    pub(crate) fn of(releases: &[Release], more: bool, since: Option<Timestamp>, now: Timestamp) -> Self {
        let start = now.checked_sub(SignedDuration::from_hours(24 * DAYS)).unwrap_or(Timestamp::MIN);
        let oldest = releases.last().filter(|_| more).map(Release::at);
        let known = [oldest, since].into_iter().flatten().fold(start, Timestamp::max);
        Self { start, now, known }
    }

    /// Whether a list of them holds every release of these days.
    pub(crate) fn is_whole(&self) -> bool {
        self.known == self.start
    }

    /// Of how many of these days a number is: of those that the list knows.
    pub(crate) fn within(&self) -> String {
        if self.is_whole() {
            format!("in {DAYS} days")
        } else {
            format!("since {}", day(self.known).strftime("%-d %b"))
        }
    }

    /// Whether a moment is one of these days; what the clocks of others put ahead of ours is.
    pub(crate) fn hold(&self, at: Timestamp) -> bool {
        at >= self.start
    }

    /// Where a moment stands.
    pub(crate) fn across(&self, at: Timestamp) -> u64 {
        let whole = u128::from(between(self.start, self.now).max(1));
        let part = u128::from(between(self.start, at).min(between(self.start, self.now)));
        LEFT + u64::try_from(part * u128::from(LENGTH) / whole).unwrap_or(LENGTH)
    }

    /// Each month that begins in these days, and today.
    pub(crate) fn ticks(&self) -> Vec<Tick> {
        let mut ticks = Vec::new();
        let mut month: Option<Date> = day(self.start).first_of_month().checked_add(1.month()).ok();
        while let Some(first) = month.filter(|first| *first <= day(self.now)) {
            if let Ok(at) = first.to_zoned(TimeZone::UTC) {
                let word = first.strftime("%b").to_string();
                ticks.push(Tick { x: self.across(at.timestamp()), word, anchor: "b" });
            }
            month = first.checked_add(1.month()).ok();
        }
        ticks.retain(|tick| tick.x + ROOM < LEFT + LENGTH);
        ticks.push(Tick { x: LEFT + LENGTH, word: "today".to_owned(), anchor: "e" });
        ticks
    }
}

/// When it was published, of what is out: neither a draft nor withdrawn.
pub(crate) fn shipped(release: &Release) -> Option<Timestamp> {
    let is_out = matches!(release.state, ReleaseState::Published | ReleaseState::Prerelease);
    release.facts.published_at.filter(|_| is_out)
}

/// From the date of the tagged commit to publication in milliseconds, as far as GitHub gives both and they can be true.
pub(crate) fn commit_to_release(release: &Release) -> Option<u64> {
    let (commit, at) = (release.facts.created_at?, release.facts.published_at?);
    (commit <= at).then(|| between(commit, at))
}

/// The middle one; of an even number the mean of the two in the middle.
pub(crate) fn median(mut numbers: Vec<u64>) -> Option<u64> {
    numbers.sort_unstable();
    let middle = numbers.len() / 2;
    let upper = numbers.get(middle).copied();
    if numbers.len().is_multiple_of(2) { Some(numbers.get(middle.checked_sub(1)?)?.midpoint(upper?)) } else { upper }
}

/// The day of a moment, UTC.
pub(crate) fn day(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::releases::tests::release;

    #[test]
    fn the_middle_of_any_number() {
        let medians = [vec![], vec![7], vec![9, 1], vec![5, 1, 9], vec![8, 1, 2, 4]].map(median);
        assert_eq!(medians, [None, Some(7), Some(5), Some(5), Some(3)]);
    }

    #[test]
    fn a_list_knows_as_far_back_as_it_was_asked_and_not_cut() {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        let list =
            ["2026-11-20T12:00:00Z", "2026-10-01T12:00:00Z"].map(|at| release("o/r", 1, at, ReleaseState::Published));
        let known = |more, since: Option<&str>| {
            let days = Days::of(&list, more, since.map(|since| since.parse().unwrap()), now);
            (days.known.to_string(), days.is_whole())
        };
        let start = "2026-08-23T12:00:00Z".to_owned();
        assert_eq!(known(false, None), (start.clone(), true));
        assert_eq!(known(false, Some("2026-01-01T00:00:00Z")), (start, true), "asked for more than is shown");
        assert_eq!(known(true, None), ("2026-10-01T12:00:00Z".to_owned(), false));
        assert_eq!(known(true, Some("2026-11-01T00:00:00Z")), ("2026-11-01T00:00:00Z".to_owned(), false));
        let within = |more| Days::of(&list, more, None, now).within();
        assert_eq!([within(false), within(true)], ["in 90 days", "since 1 Oct"]);
    }

    #[test]
    fn what_is_out_and_how_long_it_took() {
        for (state, out) in ReleaseState::ALL.into_iter().zip([false, true, true, false, false]) {
            assert_eq!(shipped(&release("o/r", 1, "2026-11-20T12:00:00Z", state)).is_some(), out, "{state:?}");
        }
        let known = release("o/r", 1, "2026-11-20T12:00:00Z", ReleaseState::Published);
        assert_eq!(commit_to_release(&known), Some(3_600_000));
        let odd = |change: fn(&mut Release)| {
            let mut odd = known.clone();
            change(&mut odd);
            commit_to_release(&odd)
        };
        assert_eq!(odd(|it| it.facts.created_at = None), None);
        assert_eq!(odd(|it| it.facts.published_at = None), None);
        assert_eq!(odd(|it| it.facts.published_at = Some(Timestamp::UNIX_EPOCH)), None, "before its commit");
        assert_eq!(odd(|it| it.facts.published_at = it.facts.created_at), Some(0), "in the same moment");
    }
}
