//! Counts by the hour.

use domain::hours::{Counted, Hour, hour_of};
use jiff::SignedDuration;

use super::Table;

/// Each in its hour, oldest first, and no more hours than asked for.
pub async fn counts_are_kept_by_hour(table: Table) {
    let now = table.now();
    let ago = |hours: i64| now - SignedDuration::from_hours(hours);
    assert_eq!(table.hour_reader.hours(now, 24).await.unwrap(), []);
    let mut expected = Vec::new();
    for (hours, counts) in [(30, [1, 0, 0, 0, 0]), (23, [0, 2, 0, 0, 1]), (1, [0, 0, 3, 0, 0]), (0, [1, 1, 1, 1, 1])] {
        let mut hour = Hour::empty(hour_of(ago(hours)));
        for (what, count) in Counted::ALL.into_iter().zip(counts) {
            for _ in 0..count {
                table.hours.count(ago(hours) + SignedDuration::from_mins(17), &[what]).await.unwrap();
            }
            hour.add(what, count);
        }
        expected.push(hour);
    }
    let read = async |hours| table.hour_reader.hours(now, hours).await.unwrap();
    assert_eq!(read(24).await, expected, "however old");
    assert_eq!(read(4).await, expected);
    assert_eq!(read(2).await, expected[2..]);
    assert_eq!(read(1).await, expected[3..]);
    assert_eq!(read(usize::MAX).await, expected);
    let earlier = table.hour_reader.hours(ago(1), 24).await.unwrap();
    assert_eq!(earlier, expected[..3], "what comes after the moment is not asked for");
}

/// One process, several, and any mixture of hours.
pub async fn counts_of_many_at_once_are_all_there(table: Table) {
    let mut counting = tokio::task::JoinSet::new();
    for n in 0..200i64 {
        let table = table.clone();
        counting.spawn(async move {
            let at = table.now() - SignedDuration::from_hours(n % 3);
            table.hours.count(at, &[Counted::ALL[usize::try_from(n % 5).unwrap()]]).await.unwrap();
        });
    }
    counting.join_all().await;
    let hours = table.hour_reader.hours(table.now(), 24).await.unwrap();
    assert_eq!(hours.len(), 3);
    for what in Counted::ALL {
        assert_eq!(hours.iter().map(|hour| hour.count(what)).sum::<u64>(), 40, "{what:?}");
    }
}

/// 90 days after their hour.
pub async fn counts_expire(table: Table) {
    let then = table.now();
    table.hours.count(then, &[Counted::Processed, Counted::Received]).await.unwrap();
    table.clock.advance(90 * 86_400 - 1);
    assert_eq!(table.hour_reader.hours(then, 1).await.unwrap().len(), 1);
    table.clock.advance(1);
    assert_eq!(table.hour_reader.hours(then, 1).await.unwrap(), []);
}
