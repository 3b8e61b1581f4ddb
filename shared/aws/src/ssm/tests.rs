use std::sync::atomic::{AtomicUsize, Ordering};

use testkit::clock::ManualClock;
use tokio::sync::Semaphore;

use super::*;
use crate::standin::Standin;

/// Gives what the test has put in, and counts.
struct Fake {
    value: std::sync::Mutex<Result<String, PortError>>,
    asked: AtomicUsize,
    open: Semaphore,
}

#[async_trait]
impl Source for Arc<Fake> {
    async fn value(&self) -> Result<SecretString, PortError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let _open = self.open.acquire().await.unwrap();
        self.value.lock().unwrap().clone().map(SecretString::from)
    }
}

struct Scene {
    fake: Arc<Fake>,
    clock: Arc<ManualClock>,
    parameter: Parameter,
}

impl Scene {
    fn new(value: &str) -> Self {
        let fake = Arc::new(Fake {
            value: std::sync::Mutex::new(Ok(value.to_owned())),
            asked: AtomicUsize::new(0),
            open: Semaphore::new(1),
        });
        let clock = Arc::new(ManualClock::default());
        let parameter = Parameter::over(Box::new(fake.clone()), clock.clone());
        Self { fake, clock, parameter }
    }

    fn now_holds(&self, value: Result<&str, &str>) {
        *self.fake.value.lock().unwrap() = value.map(str::to_owned).map_err(PortError::transient);
    }

    fn asked(&self) -> usize {
        self.fake.asked.load(Ordering::SeqCst)
    }
}

fn keys(keyring: &Keyring) -> Vec<&str> {
    keyring.keys().map(|key| std::str::from_utf8(key).unwrap()).collect()
}

#[tokio::test]
async fn a_secret_is_read_once_and_again_after_five_minutes() {
    let scene = Scene::new("one");
    assert_eq!(keys(&scene.parameter.current().await.unwrap()), ["one"]);
    scene.now_holds(Ok("two"));
    scene.clock.advance(299);
    assert_eq!(keys(&scene.parameter.current().await.unwrap()), ["one"]);
    assert_eq!(scene.asked(), 1);
    scene.clock.advance(1);
    assert_eq!(keys(&scene.parameter.current().await.unwrap()), ["two"]);
    assert_eq!(scene.asked(), 2);
}

#[tokio::test]
async fn a_clock_that_was_set_back_does_not_keep_a_secret_for_ever() {
    let scene = Scene::new("one");
    scene.parameter.current().await.unwrap();
    scene.now_holds(Ok("two"));
    scene.clock.advance(-3600);
    assert_eq!(keys(&scene.parameter.current().await.unwrap()), ["two"]);
}

#[tokio::test]
async fn a_refresh_asks_at_most_once_in_thirty_seconds() {
    let scene = Scene::new("one");
    scene.parameter.refresh().await.unwrap();
    scene.now_holds(Ok("two"));
    scene.clock.advance(29);
    assert_eq!(keys(&scene.parameter.refresh().await.unwrap()), ["one"]);
    assert_eq!(scene.asked(), 1);
    scene.clock.advance(1);
    assert_eq!(keys(&scene.parameter.refresh().await.unwrap()), ["two"]);
    assert_eq!(scene.asked(), 2);
}

#[tokio::test]
async fn refreshes_at_the_same_time_ask_once() {
    let scene = Scene::new("one");
    let gate = scene.fake.open.acquire().await.unwrap();
    let both = async { tokio::join!(scene.parameter.refresh(), scene.parameter.current(), scene.parameter.refresh()) };
    let open = async {
        while scene.asked() == 0 {
            tokio::task::yield_now().await;
        }
        drop(gate);
    };
    let ((a, b, c), ()) = tokio::join!(both, open);
    assert!(a.is_ok() && b.is_ok() && c.is_ok());
    assert_eq!(scene.asked(), 1);
}

#[tokio::test]
async fn a_known_secret_is_given_while_a_refresh_is_under_way() {
    let scene = Scene::new("one");
    scene.parameter.current().await.unwrap();
    scene.clock.advance(60);
    let gate = scene.fake.open.acquire().await.unwrap();
    let refresh = scene.parameter.refresh();
    tokio::pin!(refresh);
    assert!(futures_poll(refresh.as_mut()).await.is_none(), "the store has not answered");
    assert_eq!(keys(&scene.parameter.current().await.unwrap()), ["one"]);
    drop(gate);
    refresh.await.unwrap();
    assert_eq!(scene.asked(), 2);
}

/// One poll.
async fn futures_poll<F: Future>(future: std::pin::Pin<&mut F>) -> Option<F::Output> {
    tokio::select! {
        biased;
        output = future => Some(output),
        () = std::future::ready(()) => None,
    }
}

#[tokio::test]
async fn the_known_secrets_stay_when_the_store_fails() {
    let scene = Scene::new("one");
    scene.parameter.current().await.unwrap();
    scene.now_holds(Err("throttled"));
    scene.clock.advance(300);
    for _ in 0..5 {
        assert_eq!(keys(&scene.parameter.current().await.unwrap()), ["one"]);
    }
    assert_eq!(scene.asked(), 2, "a store that fails is left alone for a while too");
    scene.clock.advance(30);
    scene.now_holds(Ok("[broken"));
    assert_eq!(keys(&scene.parameter.current().await.unwrap()), ["one"], "neither does a broken value replace them");
}

#[tokio::test]
async fn without_any_secret_the_failure_is_told_and_the_next_call_asks_again() {
    let scene = Scene::new("one");
    scene.now_holds(Err("throttled"));
    assert_eq!(scene.parameter.current().await.unwrap_err(), PortError::transient("throttled"));
    scene.now_holds(Ok("one"));
    assert_eq!(keys(&scene.parameter.current().await.unwrap()), ["one"]);
}

#[tokio::test]
async fn an_old_secret_ends_at_its_time_without_asking() {
    let scene = Scene::new(r#"[{"secret":"new"},{"secret":"old","until":"2026-03-02T10:01:00Z"}]"#);
    assert_eq!(keys(&scene.parameter.current().await.unwrap()), ["new", "old"]);
    scene.clock.advance(59);
    assert_eq!(keys(&scene.parameter.current().await.unwrap()), ["new", "old"]);
    scene.clock.advance(1);
    assert_eq!(keys(&scene.parameter.current().await.unwrap()), ["new"]);
    assert_eq!(scene.asked(), 1);
}

#[tokio::test]
async fn secrets_that_have_all_run_out_are_an_error() {
    let scene = Scene::new(r#"[{"secret":"old","until":"2026-03-02T09:00:00Z"}]"#);
    assert!(!scene.parameter.current().await.unwrap_err().is_transient());
}

#[test]
fn values_and_what_they_mean() {
    let long = "whsec_".repeat(10);
    for (value, expected) in [
        ("plain", Some(vec!["plain"])),
        ("from a file\r\n", Some(vec!["from a file"])),
        ("{\"json\":1}", Some(vec!["{\"json\":1}"])),
        (long.as_str(), Some(vec![long.as_str()])),
        (r#" [{"secret":"a"}, {"secret":"b","until":null}]"#, Some(vec!["a", "b"])),
        ("", None),
        ("\n", None),
        ("[]", None),
        ("[hush", None),
        (r#"["hush"]"#, None),
        (r#"[{"secret":""}]"#, None),
        (r#"[{"secret":"hush","untill":"2026-03-02T10:00:00Z"}]"#, None),
        (r#"[{"secret":"hush","until":"tomorrow"}]"#, None),
        (r#"[{"secret":"hush"}] hush"#, None),
    ] {
        match (read(&SecretString::from(value)), expected) {
            (Ok(entries), Some(expected)) => {
                assert_eq!(entries.iter().map(|entry| entry.secret.expose_secret()).collect::<Vec<_>>(), expected);
            }
            (Err(error), None) => {
                assert!(!error.is_transient() && !error.to_string().contains("hush"), "{value}: {error}");
            }
            (Ok(_), None) => panic!("{value} was taken"),
            (Err(error), Some(_)) => panic!("{value}: {error}"),
        }
    }
}

#[tokio::test]
async fn the_store_is_asked_for_the_decrypted_value() {
    let found = r#"{"Parameter":{"Name":"/hookyard/github","Type":"SecureString","Value":"s3cret"}}"#;
    let gone = r#"{"__type":"ParameterNotFound","message":"m"}"#;
    let (aws, config) = Standin::start([(200, found), (200, found), (400, gone)]).await;
    let parameter = || Parameter::new(&config, "/hookyard/github", Arc::new(ManualClock::default()));
    assert_eq!(keys(&parameter().current().await.unwrap()), ["s3cret"]);
    assert_eq!(aws.json(), [serde_json::json!({ "Name": "/hookyard/github", "WithDecryption": true })]);
    assert_eq!(parameter().text().await.unwrap().expose_secret(), "s3cret");
    let error = parameter().text().await.unwrap_err();
    assert_eq!(error, PortError::permanent("reading the parameter /hookyard/github: ParameterNotFound"));
}
