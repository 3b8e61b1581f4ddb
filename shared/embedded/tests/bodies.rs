//! Bodies as files.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::fs::{self, File};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use domain::ids::BodyKey;
use domain::ports::{BodyReader, BodyWriter, Clock};
use embedded::bodies::Bodies;
use jiff::Timestamp;
use tempfile::TempDir;
use testkit::clock::ManualClock;

fn key(text: &str) -> BodyKey {
    BodyKey::parse(text).unwrap()
}

#[tokio::test]
async fn every_key_has_its_own_file_within_the_folder() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("bodies");
    let bodies = Bodies::open(&path).unwrap();
    let longest = "a/".repeat(100);
    let keys = ["a", "a/b", "a-b", "a/b/", "ab", longest.as_str()];
    for text in keys {
        assert_eq!(bodies.get(&key(text)).await.unwrap(), None);
        bodies.put(&key(text), Bytes::from(format!("body of {text}"))).await.unwrap();
    }
    let reopened = Bodies::open(&path).unwrap();
    for text in keys {
        assert_eq!(reopened.get(&key(text)).await.unwrap(), Some(Bytes::from(format!("body of {text}"))));
    }
    assert_eq!(fs::read_dir(&path).unwrap().count(), keys.len(), "nothing unfinished is left");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn any_bytes_come_back_and_a_second_put_replaces_the_first() {
    let folder = TempDir::new().unwrap();
    let bodies = Bodies::open(folder.path()).unwrap();
    let large: Vec<u8> = (0..3_000_000_u32).map(|i| (i % 251) as u8).collect();
    for body in [Vec::new(), vec![0, 255, 10, 13], large] {
        bodies.put(&key("k"), Bytes::from(body.clone())).await.unwrap();
        assert_eq!(bodies.get(&key("k")).await.unwrap().unwrap(), body);
    }
}

#[tokio::test]
async fn what_a_killed_process_left_unfinished_is_cleared_away() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join(".tmp123"), "half a bo").unwrap();
    fs::write(folder.path().join("whole"), "body").unwrap();
    let bodies = Bodies::open(folder.path()).unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    assert_eq!(bodies.get(&key("whole")).await.unwrap(), Some(Bytes::from("body")));
}

#[tokio::test]
async fn old_bodies_expire() {
    let folder = TempDir::new().unwrap();
    let bodies = Bodies::open(folder.path()).unwrap();
    let now = SystemTime::from(ManualClock::default().now());
    for (name, age) in [("old", 100), ("limit", 90), ("new", 80), (".tmp123", 100)] {
        match BodyKey::parse(name) {
            Ok(key) => bodies.put(&key, Bytes::from(name)).await.unwrap(),
            Err(_) => fs::write(folder.path().join(name), "being written").unwrap(),
        }
        let file = File::options().write(true).open(folder.path().join(name)).unwrap();
        file.set_modified(now - Duration::from_secs(age)).unwrap();
    }
    let before = Timestamp::try_from(now - Duration::from_secs(90)).unwrap();
    assert_eq!(bodies.expire(before).await.unwrap(), 1);
    assert_eq!(bodies.expire(before).await.unwrap(), 0);
    assert_eq!(bodies.get(&key("old")).await.unwrap(), None);
    for name in ["limit", "new"] {
        assert!(bodies.get(&key(name)).await.unwrap().is_some(), "{name} is kept");
    }
    let after = Timestamp::try_from(now + Duration::from_secs(90)).unwrap();
    assert_eq!(bodies.expire(after).await.unwrap(), 2);
    assert!(folder.path().join(".tmp123").exists(), "a body that is being written is none yet");
}

#[tokio::test]
async fn a_folder_that_is_gone_is_a_failure_that_may_pass() {
    let folder = TempDir::new().unwrap();
    let bodies = Bodies::open(&folder.path().join("bodies")).unwrap();
    folder.close().unwrap();
    let failed = bodies.put(&key("k"), Bytes::from("the body itself")).await.unwrap_err();
    assert!(failed.is_transient() && !failed.to_string().contains("the body itself"), "{failed}");
}

#[tokio::test]
async fn they_hold_what_every_store_of_bodies_holds() {
    let folder = TempDir::new().unwrap();
    testkit::contract::bodies::holds(&Bodies::open(folder.path()).unwrap(), "suite/").await;
}
