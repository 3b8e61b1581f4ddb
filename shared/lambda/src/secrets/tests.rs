use domain::webhook;
use testkit::clock::ManualClock;
use testkit::secrets::Drawer;

use super::*;

struct Scene {
    drawer: Arc<Drawer>,
    clock: Arc<ManualClock>,
    kept: Kept,
}

impl Scene {
    fn new(text: &str) -> Self {
        let (drawer, clock) = (Drawer::holding(text), Arc::new(ManualClock::default()));
        let kept = Kept::new(drawer.clone(), clock.clone());
        Self { drawer, clock, kept }
    }

    async fn current(&self) -> Vec<String> {
        keys(&self.kept.current().await.unwrap())
    }
}

fn keys(keyring: &Keyring) -> Vec<String> {
    keyring.keys().map(|key| String::from_utf8(key.to_vec()).unwrap()).collect()
}

/// One poll.
async fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Option<F::Output> {
    tokio::select! {
        biased;
        output = future => Some(output),
        () = std::future::ready(()) => None,
    }
}

#[tokio::test]
async fn a_secret_is_read_once_and_again_after_five_minutes() {
    let scene = Scene::new("one");
    assert_eq!(scene.current().await, ["one"]);
    scene.drawer.put("two");
    scene.clock.advance(299);
    assert_eq!(scene.current().await, ["one"]);
    assert_eq!(scene.drawer.asked(), 1);
    scene.clock.advance(1);
    assert_eq!(scene.current().await, ["two"]);
    assert_eq!(scene.drawer.asked(), 2);
}

#[tokio::test]
async fn a_clock_that_was_set_back_does_not_keep_a_secret_for_ever() {
    let scene = Scene::new("one");
    scene.current().await;
    scene.drawer.put("two");
    scene.clock.advance(-3600);
    assert_eq!(scene.current().await, ["two"]);
}

#[tokio::test]
async fn a_refresh_asks_at_most_once_in_thirty_seconds_and_says_when_it_did() {
    let scene = Scene::new("one");
    let first = scene.clock.now();
    assert_eq!(scene.kept.refresh().await.unwrap().as_of(), Some(first));
    scene.drawer.put("two");
    scene.clock.advance(29);
    let kept = scene.kept.refresh().await.unwrap();
    assert_eq!((keys(&kept), kept.as_of()), (vec!["one".to_owned()], Some(first)));
    assert_eq!(scene.drawer.asked(), 1);
    scene.clock.advance(1);
    let renewed = scene.kept.refresh().await.unwrap();
    assert_eq!((keys(&renewed), renewed.as_of()), (vec!["two".to_owned()], Some(scene.clock.now())));
    assert_eq!(scene.drawer.asked(), 2);
}

#[tokio::test]
async fn refreshes_at_the_same_time_ask_once() {
    let scene = Scene::new("one");
    scene.current().await;
    scene.clock.advance(60);
    let gate = scene.drawer.shut().await;
    let all = async { tokio::join!(scene.kept.refresh(), scene.kept.refresh(), scene.kept.refresh()) };
    let open = async {
        while scene.drawer.asked() == 1 {
            tokio::task::yield_now().await;
        }
        drop(gate);
    };
    let ((a, b, c), ()) = tokio::join!(all, open);
    assert!(a.is_ok() && b.is_ok() && c.is_ok());
    assert_eq!(scene.drawer.asked(), 2);
}

#[tokio::test]
async fn a_known_secret_is_given_while_a_refresh_is_under_way() {
    let scene = Scene::new("one");
    scene.current().await;
    scene.clock.advance(60);
    let gate = scene.drawer.shut().await;
    let refresh = scene.kept.refresh();
    tokio::pin!(refresh);
    assert!(poll(refresh.as_mut()).await.is_none(), "the store has not answered");
    assert_eq!(scene.current().await, ["one"]);
    drop(gate);
    refresh.await.unwrap();
    assert_eq!(scene.drawer.asked(), 2);
}

#[tokio::test]
async fn the_known_secrets_stay_when_the_store_fails() {
    let scene = Scene::new("one");
    scene.current().await;
    scene.drawer.fail("throttled");
    scene.clock.advance(300);
    for _ in 0..5 {
        assert_eq!(scene.current().await, ["one"]);
    }
    assert_eq!(scene.drawer.asked(), 2, "a store that fails is left alone for a while too");
    scene.clock.advance(30);
    scene.drawer.put("[broken");
    assert_eq!(scene.current().await, ["one"], "neither does a broken value replace them");
    let stale = scene.kept.refresh().await.unwrap().as_of();
    assert_eq!(stale, Some("2026-03-02T10:00:00Z".parse().unwrap()), "a look that failed is no look");
}

#[tokio::test]
async fn a_store_that_hangs_holds_nobody_up_for_long() {
    let scene = Scene::new("one");
    scene.current().await;
    scene.clock.advance(300);
    let _gate = scene.drawer.shut().await;
    let current = scene.kept.current();
    tokio::pin!(current);
    assert!(poll(current.as_mut()).await.is_none());
    scene.clock.advance(2);
    assert_eq!(keys(&current.await.unwrap()), ["one"]);
    assert_eq!(scene.current().await, ["one"], "and the next is not held up at all");
    assert_eq!(scene.drawer.asked(), 2);
}

#[tokio::test]
async fn whoever_goes_away_while_the_store_is_asked_has_asked() {
    let scene = Scene::new("one");
    scene.current().await;
    scene.clock.advance(60);
    let gate = scene.drawer.shut().await;
    for _ in 0..10 {
        let refresh = scene.kept.refresh();
        tokio::pin!(refresh);
        poll(refresh.as_mut()).await;
    }
    assert_eq!(scene.drawer.asked(), 2);
    drop(gate);
}

#[tokio::test]
async fn without_any_secret_the_failure_is_told_and_the_store_rests_ever_longer() {
    let scene = Scene::new("one");
    scene.drawer.fail("throttled");
    let mut asked_at = Vec::new();
    for second in 0..120 {
        let before = scene.drawer.asked();
        for _ in 0..10 {
            assert_eq!(scene.kept.current().await.unwrap_err(), PortError::transient("throttled"));
        }
        if scene.drawer.asked() > before {
            asked_at.push(second);
        }
        scene.clock.advance(1);
    }
    assert_eq!((asked_at.as_slice(), scene.drawer.asked()), (&[0, 1, 3, 7, 15, 31, 61, 91][..], 8));
    scene.drawer.put("one");
    scene.clock.advance(1);
    assert_eq!(scene.current().await, ["one"]);
}

#[tokio::test]
async fn a_start_that_was_cut_short_leaves_the_next_one_free_to_ask() {
    let scene = Scene::new("one");
    let gate = scene.drawer.shut().await;
    {
        let fetch = scene.kept.fetch();
        tokio::pin!(fetch);
        assert!(poll(fetch.as_mut()).await.is_none());
    }
    drop(gate);
    assert_eq!(scene.current().await, ["one"]);
}

#[tokio::test]
async fn an_old_secret_ends_at_its_time_without_asking() {
    let scene = Scene::new(r#"[{"secret":"new"},{"secret":"old","until":"2026-03-02T10:01:00Z"}]"#);
    assert_eq!(scene.current().await, ["new", "old"]);
    scene.clock.advance(59);
    assert_eq!(scene.current().await, ["new", "old"]);
    scene.clock.advance(1);
    assert_eq!(scene.current().await, ["new"]);
    assert_eq!(scene.drawer.asked(), 1);
}

#[tokio::test]
async fn what_cannot_be_used_is_named_and_not_quoted() {
    let good = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    for (value, words) in [
        (r#"[{"secret":"hush","until":"2026-03-02T09:00:00Z"}]"#, "every secret in it has run out"),
        ("[hush", "is no list"),
        ("", "no secret"),
        ("hush", "holds a secret that is not whsec_ followed by the base64 of 24 to 64 bytes"),
        (&format!(r#"[{{"secret":"{good}"}},{{"secret":"whsec_hush"}}]"#), "not whsec_ followed by"),
    ] {
        let mut scene = Scene::new(value);
        if words.contains("whsec_") {
            scene.kept = scene.kept.checked(webhook::check_secret);
        }
        let said = scene.kept.current().await.unwrap_err().to_string();
        assert!(said.starts_with("/hookyard/it") && said.contains(words) && !said.contains("hush"), "{said}");
    }
    let mut scene = Scene::new(good);
    scene.kept = scene.kept.checked(webhook::check_secret);
    assert_eq!(scene.current().await, [good]);
}
