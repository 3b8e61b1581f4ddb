//! The data folder has one owner, one version, and secrets that only its owner reads.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::fs;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use embedded::folder::{DataFolder, OpenError, SecretName, read_secret};
use secrecy::ExposeSecret;
use tempfile::TempDir;

#[cfg(unix)]
fn mode(path: &std::path::Path) -> u32 {
    std::os::unix::fs::PermissionsExt::mode(&fs::metadata(path).unwrap().permissions()) & 0o777
}

#[test]
fn a_folder_is_made_for_its_owner_only() {
    let parent = TempDir::new().unwrap();
    let path = parent.path().join("deep/er/.hookyard");
    let folder = DataFolder::open(&path).unwrap();
    assert_eq!(folder.path(), path);
    #[cfg(unix)]
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o700, 0o700));
    for inside in [folder.queues(), folder.database(), folder.bodies()] {
        assert_eq!(inside.parent().unwrap(), path);
    }
    assert!(!folder.bodies().exists(), "made by whoever needs it");
}

#[cfg(unix)]
#[test]
fn files_are_for_their_owner_only_in_a_folder_that_others_can_read() {
    use std::os::unix::fs::PermissionsExt;
    let folder = TempDir::new().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let opened = DataFolder::open(folder.path()).unwrap();
    let queues =
        embedded::queue::Queues::open(&opened.queues(), std::sync::Arc::new(testkit::clock::ManualClock::default()));
    let engine = embedded::engine::Engine::open(&opened.database());
    assert!(queues.is_ok() && engine.is_ok());
    for entry in fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.contains("sqlite") {
            assert_eq!(mode(&path), 0o600, "{name}");
        }
    }
}

#[test]
fn a_folder_has_one_owner_at_a_time() {
    let parent = TempDir::new().unwrap();
    let path = parent.path().join("data");
    let first = DataFolder::open(&path).unwrap();
    let refused = DataFolder::open(&path).unwrap_err();
    assert!(matches!(&refused, OpenError::InUse(which) if *which == path));
    let text = refused.to_string();
    assert!(text.contains(path.to_str().unwrap()) && text.contains("HOOKYARD_DATA"), "{text}");
    drop(first);
    DataFolder::open(&path).unwrap();
}

#[test]
fn a_folder_of_another_version_is_refused_and_left_alone() {
    let folder = TempDir::new().unwrap();
    drop(DataFolder::open(folder.path()).unwrap());
    let version = folder.path().join("version");
    assert_eq!(fs::read_to_string(&version).unwrap(), "2\n");
    drop(DataFolder::open(folder.path()).unwrap());

    fs::write(&version, "3\n").unwrap();
    let refused = DataFolder::open(folder.path()).unwrap_err();
    assert!(matches!(refused, OpenError::Newer { found: 3, known: 2, .. }));
    assert_eq!(fs::read_to_string(&version).unwrap(), "3\n");

    fs::write(&version, "1\n").unwrap();
    let refused = DataFolder::open(folder.path()).unwrap_err();
    assert!(matches!(refused, OpenError::Older { found: 1, known: 2, .. }));
    assert!(refused.to_string().contains("HOOKYARD_DATA"), "{refused}");
    assert_eq!(fs::read_to_string(&version).unwrap(), "1\n");
    for nonsense in ["", "0", "-1", "one"] {
        fs::write(&version, nonsense).unwrap();
        assert!(matches!(DataFolder::open(folder.path()), Err(OpenError::Malformed { .. })), "{nonsense:?}");
    }
}

#[test]
fn a_secret_is_made_once_and_never_shown_by_accident() {
    let parent = TempDir::new().unwrap();
    let path = parent.path().join("data");
    assert!(read_secret(&path, SecretName::Github).unwrap().is_none());
    let folder = DataFolder::open(&path).unwrap();
    let mut values = Vec::new();
    for name in [SecretName::Github, SecretName::YourServer, SecretName::Callback] {
        let made = folder.secret(name).unwrap();
        assert!(made.created && made.path.starts_with(&path));
        let value = made.value.expose_secret().to_owned();
        let bytes = match name {
            SecretName::YourServer => STANDARD.decode(value.strip_prefix("whsec_").unwrap()).unwrap(),
            SecretName::Github | SecretName::Callback => hex::decode(&value).unwrap(),
        };
        assert_eq!(bytes.len(), 32);
        assert!(!format!("{made:?}").contains(&value));
        #[cfg(unix)]
        assert_eq!(mode(&made.path), 0o600);
        let again = folder.secret(name).unwrap();
        assert_eq!((again.value.expose_secret(), again.created), (value.as_str(), false));
        // A second process may read it while the first owns the folder.
        assert_eq!(read_secret(&path, name).unwrap().unwrap().expose_secret(), value);
        values.push(value);
    }
    values.sort();
    values.dedup();
    assert_eq!(values.len(), 3);

    let file = path.join(SecretName::Github.file());
    fs::write(&file, "  my own secret\r\n").unwrap();
    assert_eq!(folder.secret(SecretName::Github).unwrap().value.expose_secret(), "my own secret");
    fs::write(&file, "\n").unwrap();
    let refused = folder.secret(SecretName::Github).unwrap_err();
    assert!(refused.to_string().contains(file.to_str().unwrap()), "{refused}");
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let parent = TempDir::new().unwrap();
    let file = parent.path().join("file");
    fs::write(&file, "").unwrap();
    let refused = DataFolder::open(&file.join("data")).unwrap_err();
    assert!(matches!(refused, OpenError::Io { .. }), "{refused}");
    assert!(refused.to_string().contains(file.to_str().unwrap()), "{refused}");
}
