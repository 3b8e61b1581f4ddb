//! The rows that are one of a kind: the user's server, a credential's pause.

use domain::ids::CredentialId;
use domain::ports::Pause;
use domain::retry::ServerHealth;
use jiff::SignedDuration;

use super::Table;
use super::samples::HOSTILE;

/// Only who wins the write may probe.
pub async fn a_server_is_changed_by_one_at_a_time(table: Table) {
    let servers = &table.servers;
    assert_eq!(servers.health("one").await.unwrap(), ServerHealth::default());
    let tired = ServerHealth { failures: 5, probe_at: Some(table.now()), probes: u32::MAX, version: 0 };
    let (one, other) = tokio::join!(servers.save_health("one", &tired), servers.save_health("one", &tired));
    assert!(one.unwrap() != other.unwrap(), "exactly one wins");
    let read = servers.health("one").await.unwrap();
    assert_eq!(read, ServerHealth { version: 1, ..tired.clone() });
    let awake = ServerHealth { version: 1, ..ServerHealth::default() };
    assert!(servers.save_health("one", &awake).await.unwrap());
    assert!(!servers.save_health("one", &awake).await.unwrap());
    assert_eq!(servers.health("one").await.unwrap(), ServerHealth { version: 2, ..ServerHealth::default() });
    assert!(servers.save_health(HOSTILE, &tired).await.unwrap(), "another server is another row");
    table.clock.advance(1000 * 86_400);
    assert_eq!(servers.health(HOSTILE).await.unwrap().failures, 5, "it stays for ever");
}

/// Whatever order the writers come in.
pub async fn a_pause_only_grows(table: Table) {
    let credential = CredentialId::parse("token-1").unwrap();
    assert_eq!(table.pauses.pause(&credential).await.unwrap(), None);
    let pause = |seconds, strikes| Pause { until: table.now() + SignedDuration::from_millis(seconds), strikes };
    for (new, stands) in [
        (pause(60_000, 1), pause(60_000, 1)),
        (pause(30_000, 9), pause(60_000, 1)),
        (pause(60_000, 2), pause(60_000, 2)),
        (pause(60_001, 0), pause(60_001, 0)),
    ] {
        table.pauses.save_pause(&credential, new).await.unwrap();
        assert_eq!(table.pauses.pause(&credential).await.unwrap(), Some(stands));
    }
    let other = CredentialId::parse("token-2").unwrap();
    assert_eq!(table.pauses.pause(&other).await.unwrap(), None);
}

/// For `/health`.
pub async fn the_table_answers(table: Table) {
    table.reader.ping().await.unwrap();
}
