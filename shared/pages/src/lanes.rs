//! Releases of the last 90 days as inline SVG, a lane for each repository, and in words how often each releases.

use domain::release::{Release, ReleaseState};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};

use crate::words::{Moment, between, coarse, counted};

/// How far back the lanes go, in days.
const DAYS: i64 = 90;

/// The most repositories that have a lane: more would be a thicket.
const MOST: usize = 8;

/// Fewer gaps than between so many releases say nothing about how often.
const FEW: usize = 3;

/// Where the lanes begin and how long they are, in the drawing's own units; names stand to the left.
const LEFT: u64 = 200;
const LENGTH: u64 = 512;

/// Characters of a name that fit to the left of its lane.
const NAME: usize = 30;

pub(crate) struct Point {
    pub(crate) x: u64,
    /// `release`, `prerelease`, `draft` or `withdrawn`.
    pub(crate) shape: &'static str,
    pub(crate) label: String,
    /// The row of the table that says everything.
    pub(crate) row: String,
}

pub(crate) struct Lane {
    pub(crate) repository: String,
    /// As much of it as fits.
    pub(crate) short: String,
    pub(crate) y: u64,
    pub(crate) points: Vec<Point>,
    /// How often it releases.
    pub(crate) often: String,
}

/// The chart.
pub(crate) struct Lanes {
    pub(crate) sentence: String,
    /// The repository that released last comes first.
    pub(crate) lanes: Vec<Lane>,
    /// Position and name of each month, and of today.
    pub(crate) ticks: Vec<(u64, String)>,
    pub(crate) height: u64,
    /// How far the lines of the months reach.
    pub(crate) depth: u64,
    /// How many repositories have no lane.
    pub(crate) further: usize,
}

/// Names the row of the table that a release stands in.
pub(crate) fn row(place: usize) -> String {
    format!("release-{}", place + 1)
}

impl Lanes {
    /// Of releases, newest first; none when nothing of them is younger than 90 days. `more` says that there are older
    /// ones than these.
    pub(crate) fn new(releases: &[Release], more: bool, now: Timestamp) -> Option<Self> {
        let start = now.checked_sub(SignedDuration::from_hours(24 * DAYS)).unwrap_or(Timestamp::MIN);
        let mut repositories: Vec<(&Release, Vec<(usize, &Release)>)> = Vec::new();
        for (place, release) in releases.iter().enumerate().filter(|(_, release)| release.at() >= start) {
            match repositories.iter_mut().find(|(first, _)| first.repository.same_as(&release.repository)) {
                Some((_, own)) => own.push((place, release)),
                None => repositories.push((release, vec![(place, release)])),
            }
        }
        let (newest, _) = repositories.first()?;
        let number: usize = repositories.iter().map(|(_, own)| own.len()).sum();
        let sentence = sentence(newest, number, repositories.len(), more && number == releases.len(), now);
        let lanes: Vec<_> = repositories
            .iter()
            .take(MOST)
            .enumerate()
            .map(|(place, (first, own))| {
                let name = first.repository.to_string();
                let short: String = name.chars().take(NAME).collect();
                Lane {
                    short: if short == name { short } else { format!("{short}\u{2026}") },
                    repository: name,
                    y: 36 + 28 * place as u64,
                    points: own.iter().map(|(place, release)| point(*place, release, start, now)).collect(),
                    often: often(own.iter().map(|(_, release)| *release), now),
                }
            })
            .collect();
        let height = 36 + 28 * lanes.len() as u64;
        Some(Self {
            sentence,
            ticks: ticks(start, now),
            height,
            depth: height - 28,
            further: repositories.len() - lanes.len(),
            lanes,
        })
    }
}

fn sentence(newest: &Release, number: usize, repositories: usize, cut: bool, now: Timestamp) -> String {
    let tag = newest.facts.tag.as_deref().unwrap_or("one without a tag");
    let releases = counted(number as u64, "release", "releases");
    let within = if cut { format!("The newest {releases}") } else { format!("{releases} in {DAYS} days") };
    let of = counted(repositories as u64, "repository", "repositories");
    let last = coarse(between(newest.at(), now));
    format!("{within}, of {of}; the last is {tag} of {}, {last} ago.", newest.repository)
}

fn point(place: usize, release: &Release, start: Timestamp, now: Timestamp) -> Point {
    let shape = match release.state {
        ReleaseState::Published => "release",
        ReleaseState::Prerelease => "prerelease",
        ReleaseState::Draft => "draft",
        ReleaseState::Unpublished | ReleaseState::Deleted => "withdrawn",
    };
    let tag = release.facts.tag.as_deref().unwrap_or("no tag");
    Point {
        x: across(release.at(), start, now),
        shape,
        label: format!("{tag}, {}, {}", release.state.as_str(), Moment::of(release.at(), now)),
        row: row(place),
    }
}

fn across(at: Timestamp, start: Timestamp, now: Timestamp) -> u64 {
    let whole = u128::from(between(start, now).max(1));
    let part = u128::from(between(start, at).min(between(start, now)));
    LEFT + u64::try_from(part * u128::from(LENGTH) / whole).unwrap_or(LENGTH)
}

fn ticks(start: Timestamp, now: Timestamp) -> Vec<(u64, String)> {
    let day = |at: Timestamp| at.to_zoned(TimeZone::UTC).date();
    let mut ticks = Vec::new();
    let mut month: Option<Date> = day(start).first_of_month().checked_add(1.month()).ok();
    while let Some(first) = month.filter(|first| *first <= day(now)) {
        if let Ok(at) = first.to_zoned(TimeZone::UTC) {
            ticks.push((across(at.timestamp(), start, now), first.strftime("%b").to_string()));
        }
        month = first.checked_add(1.month()).ok();
    }
    // A month that has just begun leaves no room for the word.
    let today = LEFT + LENGTH - 34;
    ticks.retain(|(x, _)| x + 34 < today);
    ticks.push((today, "today".to_owned()));
    ticks
}

/// `every 9 d (median gap, n = 9), last 2 d ago`: of what was shipped, not of drafts and of what was withdrawn.
fn often<'a>(releases: impl Iterator<Item = &'a Release>, now: Timestamp) -> String {
    let is_out = |release: &&Release| matches!(release.state, ReleaseState::Published | ReleaseState::Prerelease);
    let mut times: Vec<_> = releases.filter(is_out).filter_map(|release| release.facts.published_at).collect();
    times.sort_unstable();
    let Some(last) = times.last() else { return "none published".to_owned() };
    let last = format!("last {} ago", coarse(between(*last, now)));
    if times.len() < FEW {
        return format!("too few to say, {last}");
    }
    let mut gaps: Vec<_> = times.windows(2).map(|pair| between(pair[0], pair[1])).collect();
    gaps.sort_unstable();
    let middle = gaps.len() / 2;
    let median = if gaps.len().is_multiple_of(2) { gaps[middle - 1].midpoint(gaps[middle]) } else { gaps[middle] };
    format!("every {} (median gap, n = {}), {last}", coarse(median), gaps.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::releases::tests::release;

    const NOW: &str = "2026-11-21T12:00:00Z";

    fn lanes(releases: &[Release]) -> Option<Lanes> {
        Lanes::new(releases, false, NOW.parse().unwrap())
    }

    #[test]
    fn each_repository_has_its_lane_and_says_how_often() {
        let releases = [
            release("acme/api", 5, "2026-11-19T12:00:00Z", ReleaseState::Published),
            release("acme/cli", 4, "2026-11-18T12:00:00Z", ReleaseState::Draft),
            release("ACME/api", 3, "2026-11-10T12:00:00Z", ReleaseState::Prerelease),
            release("acme/api", 2, "2026-11-05T12:00:00Z", ReleaseState::Deleted),
            release("acme/api", 1, "2026-10-30T12:00:00Z", ReleaseState::Published),
            release("acme/old", 0, "2026-01-01T12:00:00Z", ReleaseState::Published),
        ];
        let chart = lanes(&releases).unwrap();
        let of = |lane: &Lane| (lane.repository.clone(), lane.often.clone());
        assert_eq!(
            chart.lanes.iter().map(of).collect::<Vec<_>>(),
            [
                ("acme/api".to_owned(), "every 10 d (median gap, n = 2), last 2 d ago".to_owned()),
                ("acme/cli".to_owned(), "none published".to_owned()),
            ]
        );
        assert_eq!(chart.sentence, "5 releases in 90 days, of 2 repositories; the last is v5 of acme/api, 2 d ago.");
        let shapes: Vec<_> = chart.lanes[0].points.iter().map(|point| (point.shape, point.row.as_str())).collect();
        assert_eq!(
            shapes,
            [
                ("release", "release-1"),
                ("prerelease", "release-3"),
                ("withdrawn", "release-4"),
                ("release", "release-5")
            ]
        );
        assert!(chart.lanes[0].points.is_sorted_by(|a, b| a.x > b.x), "newest at the right");
        assert_eq!(
            chart.ticks.iter().map(|(_, word)| word.as_str()).collect::<Vec<_>>(),
            ["Sep", "Oct", "Nov", "today"]
        );
    }

    #[test]
    fn few_say_nothing_and_none_draw_nothing() {
        let two = [
            release("acme/api", 2, "2026-11-19T12:00:00Z", ReleaseState::Published),
            release("acme/api", 1, "2026-11-10T12:00:00Z", ReleaseState::Published),
        ];
        assert_eq!(lanes(&two).unwrap().lanes[0].often, "too few to say, last 2 d ago");
        assert!(lanes(&[release("acme/api", 1, "2026-01-01T12:00:00Z", ReleaseState::Published)]).is_none());
        assert!(lanes(&[]).is_none());
    }

    #[test]
    fn everything_stays_within_the_picture() {
        for now in [NOW, "2026-12-01T00:00:00Z", "2027-03-31T23:59:59Z", "2020-02-29T12:00:00Z"] {
            let now: Timestamp = now.parse().unwrap();
            let many: Vec<_> = (0..50)
                .map(|n| {
                    let at = (now - SignedDuration::from_hours(2 * n)).to_string();
                    release(&format!("o/{}{n}", "r".repeat(60)), 1, &at, ReleaseState::Published)
                })
                .collect();
            let chart = Lanes::new(&many, true, now).unwrap();
            assert_eq!((chart.lanes.len(), chart.further), (MOST, 42));
            assert!(chart.sentence.starts_with("The newest 50 releases"), "{}", chart.sentence);
            assert!(chart.lanes.iter().all(|lane| lane.y < chart.height && lane.short.chars().count() <= NAME + 1));
            let inside = |x: u64| (LEFT..=LEFT + LENGTH).contains(&x);
            assert!(chart.lanes.iter().flat_map(|lane| &lane.points).all(|point| inside(point.x)));
            assert!(chart.ticks.iter().all(|(x, _)| inside(*x)), "{:?}", chart.ticks);
        }
    }
}
