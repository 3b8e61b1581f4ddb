//! Releases of the last 90 days as inline SVG, a lane for each repository, and in words how often each releases.

use domain::release::{Release, ReleaseState};
use jiff::Timestamp;

use crate::days::{DAYS, Days, FEW, Tick, median, shipped};
use crate::events::address;
use crate::words::{between, coarse, counted};

/// The most repositories that have a lane: more would be a thicket.
const MOST: usize = 8;

/// Characters of a name that fit to the left of its lane.
const NAME: usize = 30;

pub(crate) struct Point {
    pub(crate) x: u64,
    /// `release`, `prerelease`, `draft` or `withdrawn`.
    pub(crate) shape: &'static str,
    /// The row of the table that says everything, and so names it.
    pub(crate) row: String,
}

pub(crate) struct Lane {
    pub(crate) repository: String,
    /// The list of its releases alone.
    pub(crate) own: String,
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
    pub(crate) ticks: Vec<Tick>,
    pub(crate) height: u64,
    /// How far the lines of the months reach.
    pub(crate) depth: u64,
    /// How many repositories have no lane.
    pub(crate) further: usize,
}

/// Names the row of the table that a release stands in.
pub(crate) fn row(place: usize) -> String {
    format!("r{}", place + 1)
}

impl Lanes {
    /// Of releases, newest first; none when nothing of them is younger than 90 days. `more` says that there are older
    /// ones than these.
    pub(crate) fn new(releases: &[Release], more: bool, days: &Days) -> Option<Self> {
        let mut repositories: Vec<(&Release, Vec<(usize, &Release)>)> = Vec::new();
        for (place, release) in releases.iter().enumerate().filter(|(_, release)| days.hold(release.at())) {
            match repositories.iter_mut().find(|(first, _)| first.repository.same_as(&release.repository)) {
                Some((_, own)) => own.push((place, release)),
                None => repositories.push((release, vec![(place, release)])),
            }
        }
        let (newest, _) = repositories.first()?;
        let number: usize = repositories.iter().map(|(_, own)| own.len()).sum();
        let sentence = sentence(newest, number, repositories.len(), more && number == releases.len(), days.now);
        let lanes: Vec<_> = repositories
            .iter()
            .take(MOST)
            .enumerate()
            .map(|(place, (first, own))| {
                let name = first.repository.to_string();
                let short: String = name.chars().take(NAME).collect();
                Lane {
                    short: if short == name { short } else { format!("{short}\u{2026}") },
                    own: address("/releases", [("repository", name.as_str())]),
                    repository: name,
                    y: 36 + 28 * place as u64,
                    points: own.iter().map(|(place, release)| point(*place, release, days)).collect(),
                    often: often(own.iter().map(|(_, release)| *release), days.now),
                }
            })
            .collect();
        let height = 36 + 28 * lanes.len() as u64;
        Some(Self {
            sentence,
            ticks: days.ticks(),
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

fn point(place: usize, release: &Release, days: &Days) -> Point {
    let shape = match release.state {
        ReleaseState::Published => "release",
        ReleaseState::Prerelease => "prerelease",
        ReleaseState::Draft => "draft",
        ReleaseState::Unpublished | ReleaseState::Deleted => "withdrawn",
    };
    Point { x: days.across(release.at()), shape, row: row(place) }
}

/// `every 9 d (median gap, n = 9), last 2 d ago`: of what was shipped, not of drafts and of what was withdrawn.
fn often<'a>(releases: impl Iterator<Item = &'a Release>, now: Timestamp) -> String {
    let mut times: Vec<_> = releases.filter_map(shipped).collect();
    times.sort_unstable();
    let Some(last) = times.last() else { return "none of these is published".to_owned() };
    let last = format!("last {} ago", coarse(between(*last, now)));
    if times.len() < FEW {
        return format!("too few to say, {last}");
    }
    let gaps: Vec<_> = times.windows(2).map(|pair| between(pair[0], pair[1])).collect();
    let number = gaps.len();
    let every = median(gaps).map_or_else(|| "not known".to_owned(), coarse);
    format!("every {every} (median gap, n = {number}), {last}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::days::{LEFT, LENGTH};
    use crate::releases::tests::release;
    use jiff::SignedDuration;

    const NOW: &str = "2026-11-21T12:00:00Z";

    fn lanes(releases: &[Release]) -> Option<Lanes> {
        Lanes::new(releases, false, &Days::of(releases, false, None, NOW.parse().unwrap()))
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
                ("acme/cli".to_owned(), "none of these is published".to_owned()),
            ]
        );
        assert_eq!(chart.sentence, "5 releases in 90 days, of 2 repositories; the last is v5 of acme/api, 2 d ago.");
        let shapes: Vec<_> = chart.lanes[0].points.iter().map(|point| (point.shape, point.row.as_str())).collect();
        assert_eq!(shapes, [("release", "r1"), ("prerelease", "r3"), ("withdrawn", "r4"), ("release", "r5")]);
        assert!(chart.lanes[0].points.is_sorted_by(|a, b| a.x > b.x), "newest at the right");
        assert_eq!(
            chart.ticks.iter().map(|tick| tick.word.as_str()).collect::<Vec<_>>(),
            ["Sep", "Oct", "Nov", "today"]
        );
    }

    #[test]
    fn each_state_has_its_shape() {
        let all = ReleaseState::ALL.map(|state| release("o/r", 1, "2026-11-19T12:00:00Z", state));
        let chart = lanes(&all).unwrap();
        let shapes: Vec<_> = chart.lanes[0].points.iter().map(|point| point.shape).collect();
        assert_eq!(shapes, ["draft", "prerelease", "release", "withdrawn", "withdrawn"]);
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
            let chart = Lanes::new(&many, true, &Days::of(&many, true, None, now)).unwrap();
            assert_eq!((chart.lanes.len(), chart.further), (MOST, 42));
            assert!(chart.sentence.starts_with("The newest 50 releases"), "{}", chart.sentence);
            assert!(chart.lanes.iter().all(|lane| lane.y < chart.height && lane.short.chars().count() <= NAME + 1));
            let inside = |x: u64| (LEFT..=LEFT + LENGTH).contains(&x);
            assert!(chart.lanes.iter().flat_map(|lane| &lane.points).all(|point| inside(point.x)));
            assert!(chart.ticks.iter().all(|tick| inside(tick.x)), "{now}");
        }
    }
}
