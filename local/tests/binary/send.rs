//! `hookyard send`: what it prints, and what it ends with.

use std::net::Ipv4Addr;

use tokio::net::TcpSocket;

use crate::place::{Place, plain, sample_path};

#[tokio::test]
async fn what_is_accepted_ends_with_0_and_arrives_as_it_was_sent() {
    let place = Place::new();
    let mut gateway = place.serve().ready();
    let guid = "5e4d0001-242f-11f1-81e1-c7b6966d2516";
    let push = std::fs::read(sample_path("push.branch.json")).unwrap();

    let sent = place.send(&gateway, "push.branch.json", "push").with("--delivery").with(guid).run();
    let accepted = sent.accepted();
    assert_eq!(accepted.event, format!("1-{guid}"));
    assert_eq!(sent.err, format!("✓ accepted: 202, delivery {guid}\n"));
    assert_eq!(sent.out.lines().count(), 1);
    plain(&sent.all());
    gateway.until(&[&accepted.short]);
    assert_eq!(gateway.get(&format!("/v1/events/1-{guid}/payload")).await.body, push);

    let form = place.send(&gateway, "push.branch.json", "push").with("--form").with("--hook-id").with("77").run();
    let accepted = form.accepted();
    assert!(accepted.event.starts_with("77-"));
    gateway.until(&[&accepted.short]);
    let exact = gateway.get(&format!("/v1/events/{}/payload", accepted.event)).await;
    assert_eq!(exact.header("content-type"), Some("application/x-www-form-urlencoded"));
    assert!(exact.body.starts_with(b"payload=%7B"));
    assert_eq!(gateway.event(&accepted.event).await["repository"], "octo-org/hello");

    place.write("the-secret", &place.read(".hookyard/github-secret"));
    let url = gateway.webhooks.clone();
    let piped = ["send", "-", "--event", "push", "--url", &url, "--secret-file", "the-secret"];
    let elsewhere = |arguments: &[&str]| place.hookyard(arguments).set("HOOKYARD_DATA", "elsewhere").input(&push);
    let accepted = elsewhere(&piped).run().accepted();
    gateway.until(&[&accepted.short]);
    assert_eq!(gateway.get(&format!("/v1/events/{}/payload", accepted.event)).await.body, push);
    let ended = elsewhere(&piped[..6]).run().with(2);
    let hint = "set GITHUB_SECRET, give --secret-file, or run hookyard serve in this folder once";
    assert_eq!(ended.all(), format!("error: no webhook secret is known\n hint: {hint}\n"));

    let ping = place.send(&gateway, "ping.repository-hook.json", "ping").run().with(0);
    assert!(ping.out.contains("\"pong\":true") && ping.err.starts_with("✓ accepted: 200"), "{}", ping.all());
    gateway.stop("TERM");
}

#[tokio::test]
async fn what_is_refused_ends_with_1_and_says_why() {
    let place = Place::new();
    let gateway = place.serve().ready();
    let push = |program: &str| place.send(&gateway, program, "push").with("--delivery").with("77");
    for secret in [["--secret", "hush-hush"], ["--secret-file", "wrong"]] {
        place.write("wrong", "hush-hush\n");
        let refused = push("push.branch.json").with(secret[0]).with(secret[1]).run().with(1);
        assert_eq!(
            refused.all(),
            "✗ refused: 401, delivery 77\n\
             The signature does not fit. The webhook's secret and Hookyard's GITHUB_SECRET differ, or the body was \
             changed on the way.\n"
        );
    }
    let refused = push("push.branch-form.form").run().with(1);
    assert!(refused.err.starts_with("✗ refused: 400, delivery 77\n"), "{}", refused.err);
    assert!(refused.err.contains("JSON"), "{}", refused.err);
    let root = gateway.webhooks.strip_suffix("/github").unwrap();
    let refused =
        place.hookyard(&["send", &sample_path("push.branch.json"), "--event", "push", "--url", root]).run().with(1);
    assert!(refused.err.contains("404") && refused.err.contains("at /github"), "{}", refused.err);
    // The refusals stand in the gateway's own log too, without colour where nobody sees it.
    let ended = gateway.stop("TERM");
    assert_eq!(ended.err.matches("a delivery was refused").count(), 3, "{}", ended.err);
    assert!(!ended.err.contains("hush"));
    plain(&ended.err);
}

#[tokio::test]
async fn where_nobody_answers_it_ends_with_5() {
    // Bound and not listening: connections are refused, and nobody else gets the port.
    let nobody = TcpSocket::new_v4().unwrap();
    nobody.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let (address, port) = (nobody.local_addr().unwrap(), nobody.local_addr().unwrap().port().to_string());
    let place = Place::new();
    place.write("delivery.json", "{}");
    let told = format!(
        "error: http://{address}/github cannot be reached: nothing listens at {address}\n \
         hint: start the gateway with hookyard serve, or give another address with --url\n"
    );
    let send = || place.hookyard(&["send", "delivery.json", "--event", "push"]).set("GITHUB_SECRET", "s");
    assert_eq!(send().with("--url").with(&format!("http://{address}/github")).run().with(5).all(), told);
    assert_eq!(send().set("GITHUB_API_PORT", &port).run().with(5).all(), told, "the port comes from the settings");
    let every = send().set("GITHUB_API_PORT", &port).set("HOOKYARD_HOST", "0.0.0.0").set("HOOKYARD_API_KEY", "k");
    assert_eq!(every.run().with(5).all(), told);
}

#[test]
fn what_cannot_be_sent_ends_with_2() {
    let place = Place::new();
    place.write("delivery.json", "{}");
    let send = |arguments: &[&str]| {
        place.hookyard(&["send"]).set("GITHUB_SECRET", "s").with_all(arguments).run().with(2).all()
    };
    let missing = send(&["nowhere.json", "--event", "push"]);
    assert!(missing.starts_with("error: nowhere.json cannot be read: No such file or directory"), "{missing}");
    assert!(missing.ends_with(" hint: name a file, or - for standard input\n"), "{missing}");
    for (arguments, what) in [
        (vec!["--event", "Pull Request"], "the event type must be 1 to 64 of a-z, 0-9 and _"),
        (vec!["--event", "push", "--delivery", "a/b"], "the delivery"),
        (vec!["--event", "push", "--hook-id", "x"], "the hook"),
        (vec!["--event", "push", "--secret-file", "none"], "none cannot be read"),
    ] {
        let told = send(&[&["delivery.json"][..], &arguments].concat());
        assert!(told.starts_with(&format!("error: {what}")) && told.contains("\n hint: "), "{told}");
    }
    let told = place.hookyard(&["send", "delivery.json", "--event", "push"]).set("GITHUB_SECRET", "s");
    let told = told.set("GITHUB_API_PORT", "0").set("STATUS_API_PORT", "0").run().with(2).all();
    assert!(
        told.contains("GITHUB_API_PORT is 0") && told.contains(" hint: give the gateway's address with --url"),
        "{told}"
    );
    for url in ["127.0.0.1:7777/github", "localhost:7777", "ftp://127.0.0.1/"] {
        let told = send(&["delivery.json", "--event", "push", "--url", url]);
        assert!(told.contains("write it like http://127.0.0.1:7777/github"), "{told}");
    }
    assert!(
        send(&["delivery.json", "--event", "push", "--secret", "a", "--secret-file", "b"])
            .contains("cannot be used with")
    );
    assert!(send(&["delivery.json"]).contains("--event <TYPE>"));
}
