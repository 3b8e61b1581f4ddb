//! Secrets change while everything runs: nothing is refused that should not be, and nobody can make us ask for them
//! without end.

use std::sync::Arc;

use domain::ports::{Clock, Secrets};
use domain::secrets::SecretList;
use domain::webhook;
use futures_util::future::join_all;
use jiff::SignedDuration;
use lambda::secrets::Kept;
use secrecy::ExposeSecret;
use serde_json::json;
use standin::github::Kind;
use standin::http;
use testkit::clock::ManualClock;
use testkit::secrets::Drawer;
use testkit::story::{REPOSITORY, Yard};

use crate::yard::{Kept as Changing, SERVER_SECRET, SetUp};

const OLD: &str = "the secret so far";
const NEW: &str = "the secret from now on";
const SHA: &str = "9fceb02d0ae598e95dc970b74767f19372d61af8";
const DAY: i64 = 24 * 3600;

/// A place for one secret and what keeps it, on the story's clock.
struct Place {
    drawer: Arc<Drawer>,
    clock: Arc<ManualClock>,
}

impl Place {
    fn holding(text: &str, clock: &Arc<ManualClock>) -> (Self, Arc<dyn Secrets>) {
        let drawer = Drawer::holding(text);
        let kept = Arc::new(Kept::new(drawer.clone(), clock.clone()));
        (Self { drawer, clock: clock.clone() }, kept)
    }

    /// What `hookyard secrets rotate` does, keeping the old one for a day.
    fn rotate(&self, old: &str, new: &str) {
        let now = self.clock.now();
        let until = now.checked_add(SignedDuration::from_secs(DAY)).unwrap();
        let list = SecretList::one(old.into()).rotated(new.into(), until, now);
        self.drawer.put(list.text().expose_secret());
    }
}

/// Eight deliveries at once, each signed with that secret; the codes they were answered with.
async fn burst(yard: &Yard, secret: &str) -> Vec<u16> {
    let deliveries: Vec<_> = (0..8).map(|n| yard.pull_request(n, SHA).signed_with(secret)).collect();
    join_all(deliveries.iter().map(|delivery| async { delivery.send().await.reply.code })).await
}

const ALL_ACCEPTED: [u16; 8] = [202; 8];

#[tokio::test]
async fn the_webhook_secret_changes_under_load_and_no_delivery_is_lost() {
    let clock = Arc::<ManualClock>::default();
    let (place, github) = Place::holding(OLD, &clock);
    let kept = Changing { github: Some(github), ..Changing::default() };
    let yard = SetUp { kept, clock, ..SetUp::default() }.start().await;
    let mut sent = 0;
    let mut accepted = |codes: Vec<u16>, when: &str| {
        assert_eq!(codes, ALL_ACCEPTED, "{when}");
        sent += codes.len();
    };
    accepted(burst(&yard, OLD).await, "before");
    let (codes, ()) = tokio::join!(burst(&yard, OLD), async { place.rotate(OLD, NEW) });
    accepted(codes, "while the parameter is written");
    // GitHub goes on with the old one until somebody tells it; meanwhile somebody else uses up the looks.
    for second in (0..300).step_by(20) {
        assert_eq!(burst(&yard, "forged").await, [401; 8]);
        accepted(burst(&yard, OLD).await, &format!("{second} s after"));
        // What is on its way to the server would run into its ten seconds.
        yard.idle().await;
        yard.advance(20);
    }
    // The five minutes are over: now it is changed at GitHub, while deliveries are on their way.
    let (old, new) = tokio::join!(burst(&yard, OLD), burst(&yard, NEW));
    accepted(old, "signed before the change at GitHub");
    accepted(new, "signed after it");
    yard.idle().await;
    yard.advance(DAY - 301);
    let (old, new) = tokio::join!(burst(&yard, OLD), burst(&yard, NEW));
    accepted(old, "in its last second");
    accepted(new, "after a day");
    yard.idle().await;
    yard.advance(1);
    assert_eq!(burst(&yard, OLD).await, [401; 8], "the old one has ended");
    accepted(burst(&yard, NEW).await, "after the old one's end");
    yard.idle().await;
    assert_eq!(yard.server().calls().len(), sent, "each of them arrived, once");
}

#[tokio::test]
async fn a_change_at_github_without_waiting_is_noticed_by_the_first_signature() {
    let clock = Arc::<ManualClock>::default();
    let (place, github) = Place::holding(OLD, &clock);
    let kept = Changing { github: Some(github), ..Changing::default() };
    let yard = SetUp { kept, clock, ..SetUp::default() }.start().await;
    assert_eq!(burst(&yard, OLD).await, ALL_ACCEPTED);
    yard.advance(30);
    place.rotate(OLD, NEW);
    let (new, old) = tokio::join!(burst(&yard, NEW), burst(&yard, OLD));
    assert_eq!((new, old), (ALL_ACCEPTED.to_vec(), ALL_ACCEPTED.to_vec()));
    assert_eq!(place.drawer.asked(), 2);
}

#[tokio::test]
async fn your_server_gets_a_signature_of_each_secret_until_the_old_one_ends() {
    let (old, new) = (SERVER_SECRET, "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    let clock = Arc::<ManualClock>::default();
    let (place, server) = Place::holding(old, &clock);
    let kept = Changing { server: Some(server), ..Changing::default() };
    let yard = SetUp { kept, clock, ..SetUp::default() }.start().await;
    let signed_with = async |delivery: u64| {
        yard.pull_request(delivery, SHA).send().await.accepted();
        let call = yard.server().next_call().await;
        // The answer has to be there before time goes on: a call that times out comes again.
        yard.idle().await;
        let header = |name: &str| call.header(name).unwrap().to_owned();
        let at = jiff::Timestamp::from_second(header("webhook-timestamp").parse().unwrap()).unwrap();
        let fits = |secret: &str| {
            let keys = domain::secrets::Keyring::new(secret.into(), None);
            let [.., (_, one)] = webhook::headers(&keys, &header("webhook-id"), at, &call.body).unwrap();
            header("webhook-signature").split(' ').any(|signature| signature == one)
        };
        [fits(old), fits(new)]
    };
    assert_eq!(signed_with(1).await, [true, false]);
    place.rotate(old, new);
    yard.advance(300);
    assert_eq!(signed_with(2).await, [true, true], "whichever of the two the server knows, one fits");
    yard.advance(DAY - 301);
    assert_eq!(signed_with(3).await, [true, true]);
    yard.advance(1);
    assert_eq!(signed_with(4).await, [false, true]);
}

#[tokio::test]
async fn a_call_back_token_outlives_the_secret_that_signed_it() {
    let clock = Arc::<ManualClock>::default();
    let (place, callback) = Place::holding(OLD, &clock);
    let kept = Changing { callback: Some(callback), ..Changing::default() };
    let yard = SetUp { kept, clock, ..SetUp::default() }.start().await;
    let call = async |number: u64| {
        yard.pull_request(number, SHA).send().await.accepted();
        yard.server().next_call().await
    };
    let before = call(1).await;
    place.rotate(OLD, NEW);
    yard.advance(300);
    let after = call(2).await;
    for (name, token) in [("old", &before), ("new", &after)] {
        yard.call_back(token).status(name, "success", "").accepted().await;
    }
    yard.advance(DAY - 300);
    let refused = yard.call_back(&before).status("late", "success", "").send().await;
    assert_eq!(refused.code, 401);
    yard.call_back(&after).status("late", "success", "").accepted().await;
}

#[tokio::test]
async fn githubs_token_changes_under_load_and_no_status_is_refused() {
    let clock = Arc::<ManualClock>::default();
    let (place, token) = Place::holding("token-one", &clock);
    let kept = Changing { token: Some(token), ..Changing::default() };
    let yard = SetUp { kept, clock, ..SetUp::default() }.start().await;
    let report = async |context: String| {
        yard.call_back_openly().about(REPOSITORY, SHA).status(&context, "success", "").accepted().await;
    };
    // Read a moment ago: the rotation falls into the time in which the parameter may not be read again.
    report("before".to_owned()).await;
    yard.idle().await;
    yard.advance(5);
    place.drawer.put("token-two");
    yard.github().revoke("first");
    join_all((0..12).map(|n| report(format!("during-{n}")))).await;
    yard.idle().await;
    let waiting = yard.rows(REPOSITORY, SHA, "during-0").await.remove(0);
    assert_eq!(waiting["outcome"], "waiting");
    assert!(waiting["why"].as_str().unwrap().contains("looks whether there is another"), "{waiting}");
    yard.later(30).await;
    yard.later(1).await;
    for n in 0..12 {
        let context = format!("during-{n}");
        assert_eq!(yard.outcomes(REPOSITORY, SHA, &context).await, ["written"], "{context}");
        assert_eq!(yard.told(SHA, &context), ["success"]);
    }
    assert_eq!(place.drawer.asked(), 2);
    assert!(yard.github().requests().iter().all(|seen| seen.kind == Kind::Post), "a 401 needs no look at the list");
    // A token that is revoked and not replaced is refused for good, after one more look.
    yard.advance(30);
    yard.github().revoke("second");
    report("after".to_owned()).await;
    yard.idle().await;
    let row = yard.rows(REPOSITORY, SHA, "after").await.remove(0);
    assert_eq!((&row["outcome"], &row["reason"]), (&json!("refused"), &json!("github_unauthorised")));
    assert_eq!(place.drawer.asked(), 3);
}

#[tokio::test]
async fn a_write_of_unknown_end_is_looked_into_with_the_new_token() {
    let clock = Arc::<ManualClock>::default();
    let (place, token) = Place::holding("token-one", &clock);
    let kept = Changing { token: Some(token), ..Changing::default() };
    let yard = SetUp { kept, clock, ..SetUp::default() }.start().await;
    yard.github().fail(Kind::Post, standin::github::Fault::ApplyThenClose);
    yard.call_back_openly().about(REPOSITORY, SHA).status("ci", "success", "").accepted().await;
    yard.idle().await;
    place.drawer.put("token-two");
    yard.github().revoke("first");
    yard.later(60).await;
    yard.later(60).await;
    assert_eq!(yard.outcomes(REPOSITORY, SHA, "ci").await, ["written"]);
    assert_eq!(yard.told(SHA, "ci"), ["success"], "once");
}

#[tokio::test]
async fn a_token_that_cannot_be_read_makes_statuses_wait() {
    let clock = Arc::<ManualClock>::default();
    let (place, token) = Place::holding("", &clock);
    let kept = Changing { token: Some(token), ..Changing::default() };
    let yard = SetUp { kept, clock, ..SetUp::default() }.start().await;
    yard.call_back_openly().about(REPOSITORY, SHA).status("ci", "success", "").accepted().await;
    yard.idle().await;
    let row = yard.rows(REPOSITORY, SHA, "ci").await.remove(0);
    assert_eq!(
        (&row["outcome"], &row["why"]),
        (&json!("waiting"), &json!("Hookyard cannot read its GitHub token now."))
    );
    place.drawer.put("token-one");
    yard.later(10).await;
    assert_eq!(yard.outcomes(REPOSITORY, SHA, "ci").await, ["written"]);
}

#[tokio::test]
async fn a_thousand_forgeries_cost_one_look_in_thirty_seconds() {
    let clock = Arc::<ManualClock>::default();
    let (github, secrets) = Place::holding(OLD, &clock);
    let (callback, tokens) = Place::holding(OLD, &clock);
    let kept = Changing { github: Some(secrets), callback: Some(tokens), ..Changing::default() };
    let yard = SetUp { kept, clock, ..SetUp::default() }.start().await;
    yard.pull_request(1, SHA).signed_with(OLD).send().await.accepted();
    let call = yard.server().next_call().await;
    let genuine = call.header("x-hookyard-callback-token").unwrap();
    let (rest, last) = genuine.split_at(genuine.len() - 1);
    let forged = format!("{rest}{}", if last == "A" { "E" } else { "A" });
    assert_ne!(forged, genuine);
    yard.advance(60);
    let url = format!("{}/v1/statuses", yard.api);
    let bearer = format!("Bearer {forged}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    for round in 0..25 {
        let call_backs = join_all((0..20).map(|_| http::send("POST", &url, &headers, "{}")));
        let (signatures, call_backs) = tokio::join!(join_all((0..3).map(|_| burst(&yard, "forged"))), call_backs);
        assert!(signatures.concat().iter().all(|code| *code == 401));
        assert!(call_backs.into_iter().all(|reply| reply.unwrap().code == 401));
        assert_eq!([github.drawer.asked(), callback.drawer.asked()], [2, 2], "round {round}");
    }
    yard.advance(29);
    assert_eq!(burst(&yard, "forged").await, [401; 8]);
    assert_eq!(github.drawer.asked(), 2);
    yard.advance(1);
    assert_eq!(burst(&yard, "forged").await, [401; 8]);
    assert_eq!(github.drawer.asked(), 3);
    // Those who know the secret notice nothing of it.
    yard.pull_request(2, SHA).signed_with(OLD).send().await.accepted();
}
