//! Replays from the pages, one event or many.

use serde_json::json;
use standin::ci::Answer;

use super::{SHA, csrf, post, text};
use crate::yard::Local;

#[tokio::test]
async fn the_button_on_the_page_replays_the_event() {
    let yard = Local::start().await;
    yard.server().answer(Answer::status(401));
    let id = yard.pull_request(7, SHA).send().await.accepted();
    yard.idle().await;
    let page = text(&yard, &format!("/events/{id}")).await;
    assert!(page.contains("Your server answered 401 or 403."), "{page}");
    let to = format!("/events/{id}/replay");
    assert_eq!(post(&yard, &to, &[], "csrf=00").await.code, 400, "only from our own page");
    let pressed = post(&yard, &to, &[], &format!("csrf={}", csrf(&page))).await;
    assert_eq!((pressed.code, pressed.header("location")), (303, Some(format!("/events/{id}").as_str())));
    yard.idle().await;
    let page = text(&yard, &format!("/events/{id}")).await;
    assert!(
        page.contains("Run 2 · replayed by loopback, from the page") && page.contains("Your server took it."),
        "{page}"
    );
}

#[tokio::test]
async fn many_are_replayed_a_hundred_at_a_time_after_a_look_at_them() {
    let yard = Local::start().await;
    yard.server().answer_always(Answer::status(401));
    for n in 0..150 {
        yard.pull_request(n, SHA).send().await.accepted();
        yard.advance(1);
    }
    yard.webhook_of("push", json!({ "repository": { "full_name": "octo-org/other" } }).to_string())
        .send()
        .await
        .accepted();
    yard.idle().await;
    let list = text(&yard, "/events?status=errored&repository=octo-org/other").await;
    assert!(
        list.contains("href=\"/events/replay?repository=octo-org%2Fother&amp;status=errored\"")
            || list.contains("/events/replay?repository=octo-org%2Fother&#38;status=errored"),
        "{list}"
    );

    yard.advance(60);
    let asked = text(&yard, "/events/replay").await;
    for words in ["151 events would run again.", "octo-org/other", ">150<", "Replay these 151 events", "The first 10"] {
        assert!(asked.contains(words), "{words} is not on {asked}");
    }
    assert_eq!(yard.server().calls().len(), 151, "a look replays nothing");
    let refused = yard.get("/events/replay?status=processed").await;
    assert_eq!(refused.code, 400);
    assert!(String::from_utf8_lossy(&refused.body).contains("It has not failed."));
    assert!(text(&yard, "/events/replay?status=processed&force=true").await.contains("No events match"));
    assert_eq!(yard.get("/events/replay?repository=nobody").await.code, 400);

    // Without script: one form after another.
    yard.advance(60);
    yard.server().answer_always(Answer::status(200));
    let form = |page: &str| {
        let (_, form) = page.split_once("action=\"/replays/").unwrap();
        let (action, fields) = form.split_once("</form>").unwrap().0.split_once('"').unwrap();
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for field in fields.split("type=\"hidden\" name=\"").skip(1) {
            let (name, rest) = field.split_once("\" value=\"").unwrap();
            query.append_pair(name, rest.split('"').next().unwrap());
        }
        (format!("/replays/{action}"), query.finish())
    };
    let (to, fields) = form(&asked);
    assert_eq!(post(&yard, &to, &[], "csrf=00").await.code, 400, "only from our own page");
    let first = post(&yard, &to, &[], &fields).await;
    assert_eq!(first.code, 303, "{}", String::from_utf8_lossy(&first.body));
    yard.idle().await;
    let half = text(&yard, first.header("location").unwrap()).await;
    assert!(half.contains("100 of 151: 100 run again, 0 left as they are.") && half.contains("Continue"), "{half}");
    let (next, more) = form(&half);
    let second = post(&yard, &next, &[], &more).await;
    yard.idle().await;
    let done = text(&yard, second.header("location").unwrap()).await;
    assert!(done.contains("Done. 151 of 151: 151 run again, 0 left as they are."), "{done}");
    assert!(!done.contains("Continue"), "{done}");
    // Both once more, as by somebody who goes back and presses again.
    for (to, fields) in [(&to, &fields), (&next, &more)] {
        assert_eq!(post(&yard, to, &[], fields).await.code, 303);
        yard.idle().await;
    }
    assert_eq!(yard.server().calls().len(), 302, "each once by GitHub and once by the replay");
    let replayed = yard.get("/v1/events?limit=1").await.json();
    let story = yard.event(replayed["events"][0]["id"].as_str().unwrap()).await;
    assert_eq!(story["runs"][1]["asked_by"], "loopback, from the page");
    assert!(to.ends_with(story["runs"][1]["replay"].as_str().unwrap()));
}
