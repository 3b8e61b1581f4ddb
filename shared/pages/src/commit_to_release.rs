//! From a commit to its release as inline SVG: a dot for each release on a scale of powers, the median, and the sentence.
//!
//! The time is from the date of the tagged commit to publication, from the release alone. What GitHub does not say is
//! shown as not known, never as nothing.

use std::fmt::Write as _;

use domain::ids::Repository;
use domain::release::Release;

use crate::days::{Days, FEW, commit_to_release, median, shipped};
use crate::words::{coarse, counted};

/// What the scale begins and ends with, in milliseconds: shorter and longer times stand at its ends.
const SHORTEST: u64 = 30 * 60_000;
const LONGEST: u64 = 180 * 86_400_000;

/// Where the scale begins and ends, and where stands what is not known, in the drawing's own units.
const BOTTOM: u64 = 128;
const TOP: u64 = 12;
pub(crate) const UNKNOWN: u64 = 146;

/// The lines of the scale.
const LINES: [(u64, &str); 4] =
    [(3_600_000, "1 h"), (86_400_000, "1 d"), (7 * 86_400_000, "1 w"), (30 * 86_400_000, "1 mo")];

/// The releases of one repository in numbers. Those of each release stand in the table of releases, on the same page.
pub(crate) struct Entry {
    pub(crate) repository: String,
    /// How many there are, and of how many the time is known.
    pub(crate) releases: usize,
    pub(crate) known: usize,
    /// `3 d`; `too few to say`.
    pub(crate) median: String,
}

impl Entry {
    fn new(repository: String, took: &[Option<u64>]) -> Self {
        let known: Vec<_> = took.iter().copied().flatten().collect();
        let middle = median(known.clone()).filter(|_| known.len() >= FEW);
        Self {
            repository,
            releases: took.len(),
            known: known.len(),
            median: middle.map_or_else(|| "too few to say".to_owned(), coarse),
        }
    }
}

/// The chart. Drafts and withdrawn releases are left out.
pub(crate) struct CommitToRelease {
    pub(crate) sentence: String,
    /// One path of dots for those whose time is known; empty when there is too little to say.
    pub(crate) dots: String,
    /// The same for the others.
    pub(crate) unknown: String,
    /// Height of the median's line.
    pub(crate) median: u64,
    /// Height and name of each line of the scale.
    pub(crate) lines: Vec<(u64, &'static str)>,
    /// Who released last comes first.
    pub(crate) entries: Vec<Entry>,
}

impl CommitToRelease {
    /// Of the same list as the days are.
    pub(crate) fn new(releases: &[Release], days: &Days) -> Self {
        let out = releases.iter().filter_map(|release| Some((release, shipped(release)?)));
        let out: Vec<_> = out.filter(|(_, at)| days.hold(*at)).collect();
        let known: Vec<_> = out.iter().filter_map(|(release, _)| commit_to_release(release)).collect();
        let middle = median(known.clone()).filter(|_| known.len() >= FEW);
        let mut chart = Self {
            sentence: sentence(&known, middle, out.len(), days),
            dots: String::new(),
            unknown: String::new(),
            median: middle.map_or(0, height),
            lines: LINES.map(|(ms, name)| (height(ms), name)).into(),
            entries: Vec::new(),
        };
        let mut repositories: Vec<(&Repository, Vec<Option<u64>>)> = Vec::new();
        for (release, at) in out.into_iter().filter(|_| middle.is_some()) {
            let took = commit_to_release(release);
            let (path, y) = match took {
                Some(ms) => (&mut chart.dots, height(ms)),
                None => (&mut chart.unknown, UNKNOWN),
            };
            // A line without a length: round ends make a dot of it. Writing to a string cannot fail.
            let _ = write!(path, "M{} {y}h0", days.across(at));
            match repositories.iter_mut().find(|(repository, _)| repository.same_as(&release.repository)) {
                Some((_, own)) => own.push(took),
                None => repositories.push((&release.repository, vec![took])),
            }
        }
        chart.entries = repositories.iter().map(|(name, own)| Entry::new(name.to_string(), own)).collect();
        chart
    }
}

fn sentence(known: &[u64], middle: Option<u64>, all: usize, days: &Days) -> String {
    let releases = counted(all as u64, "release", "releases");
    let (Some(middle), Some(least), Some(most)) = (middle, known.iter().min(), known.iter().max()) else {
        return format!(
            "Too few to say how long from commit to release: known of {} of {releases} {}.",
            known.len(),
            days.within()
        );
    };
    let of =
        if known.len() == all { releases } else { format!("{} of {releases}, not known of the others", known.len()) };
    let (least, most) = (coarse(*least), coarse(*most));
    format!("From commit to release: median {}, from {least} to {most}, n = {of}.", coarse(middle))
}

/// Where a time stands on the scale.
fn height(ms: u64) -> u64 {
    let (low, high) = (octaves(SHORTEST), octaves(LONGEST));
    BOTTOM - (octaves(ms.clamp(SHORTEST, LONGEST)) - low) * (BOTTOM - TOP) / (high - low)
}

/// The logarithm to the base 2 in 64ths, straight between the powers: never more than a tenth of an octave off, which is
/// less than a unit of the drawing.
fn octaves(number: u64) -> u64 {
    let number = number.max(1);
    let power = number.ilog2();
    let rest = u64::try_from((u128::from(number) << 6) >> power).unwrap_or(64);
    u64::from(power) * 64 + rest - 64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::releases::tests::release;
    use domain::release::ReleaseState;
    use jiff::{SignedDuration, Timestamp};

    const NOW: &str = "2026-11-21T12:00:00Z";

    /// Releases of one hour each, the newest now; the time from the commit in seconds, or not known.
    fn chart(took: &[Option<i64>]) -> CommitToRelease {
        let now: Timestamp = NOW.parse().unwrap();
        let list = (0..).zip(took).map(|(n, took)| {
            let at = now - SignedDuration::from_hours(n);
            let mut release = release("acme/api", 1, &at.to_string(), ReleaseState::Published);
            release.facts.created_at = took.map(|took| at - SignedDuration::from_secs(took));
            release
        });
        let list: Vec<_> = list.collect();
        CommitToRelease::new(&list, &Days::of(&list, false, None, now))
    }

    #[test]
    fn the_median_is_of_what_is_known_and_nothing_unknown_is_nought() {
        let day = Some(86_400);
        let chart = chart(&[day, Some(7 * 86_400), None, Some(3_600), Some(-5)]);
        assert_eq!(
            chart.sentence,
            "From commit to release: median 24 h, from 1 h to 7 d, n = 3 of 5 releases, not known of the others."
        );
        assert_eq!(chart.median, height(86_400_000));
        assert_eq!((chart.dots.matches('M').count(), chart.unknown.matches('M').count()), (3, 2));
        assert!(
            chart.unknown.split('M').skip(1).all(|dot| dot.contains(&format!(" {UNKNOWN}h0"))),
            "{}",
            chart.unknown
        );
        let [entry] = &chart.entries[..] else { panic!("one repository has one entry") };
        assert_eq!((entry.repository.as_str(), entry.releases, entry.known), ("acme/api", 5, 3));
        assert_eq!(entry.median, "24 h");
        let none = Entry::new("o/r".to_owned(), &[None, None, Some(1), Some(2)]);
        assert_eq!((none.known, none.median.as_str()), (2, "too few to say"));
    }

    #[test]
    fn few_say_nothing_and_what_is_not_out_is_left_out() {
        let few = chart(&[Some(60), Some(60), None]);
        assert_eq!(
            few.sentence,
            "Too few to say how long from commit to release: known of 2 of 3 releases in 90 days."
        );
        assert!(few.dots.is_empty() && few.unknown.is_empty() && few.entries.is_empty());
        let now: Timestamp = NOW.parse().unwrap();
        let list: Vec<_> = ReleaseState::ALL.iter().map(|state| release("o/r", 1, NOW, *state)).collect();
        let chart = CommitToRelease::new(&list, &Days::of(&list, false, None, now));
        assert!(chart.sentence.contains("known of 2 of 2 releases"), "{}", chart.sentence);
    }

    #[test]
    fn the_scale_is_of_powers_and_holds_everything() {
        let heights: Vec<_> = [0, SHORTEST, 3_600_000, 86_400_000, 7 * 86_400_000, 30 * 86_400_000, LONGEST, u64::MAX]
            .into_iter()
            .map(height)
            .collect();
        assert!(heights.is_sorted_by(|a, b| a >= b), "{heights:?}");
        assert_eq!((heights[0], heights[1], heights[6], heights[7]), (BOTTOM, BOTTOM, TOP, TOP));
        for (number, wanted) in [(1_u64, 0.0_f64), (2, 1.0), (3, 1.585), (1_000, 9.966), (u64::MAX, 64.0)] {
            let is = octaves(number) as f64 / 64.0;
            assert!((is - wanted).abs() < 0.1, "{number}: {is}");
        }
    }
}
