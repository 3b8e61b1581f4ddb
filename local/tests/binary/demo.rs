//! `hookyard demo`: with nothing set, on this machine alone.

use standin::http;

use crate::place::{Place, plain};

#[test]
fn it_tells_every_hop_and_leaves_nothing_behind() {
    let place = Place::new();
    // Somebody else's faulty file is no concern of the demo.
    place.write(".env", "GITHUB_SECRET='unfinished\n");
    let told = place.hookyard(&["demo"]).run().with(0);
    assert!(told.out.starts_with("Demo: a fake GitHub and a fake CI on this machine. Nothing leaves it.\n"));
    let mut hops = told.out.lines().map(str::trim_start);
    for hop in [
        "1/5  a pull request is opened",
        "✓ received        31.1 KB of pull_request, signature fits, on disk: 202",
        "✓ sent to the CI  it answered 200, a status in its answer",
        "– on the commit   example-ci pending: \"started\", ",
        "✓ called back     the CI reports with the token that came with the event: 202",
        "✓ on the commit   example-ci success: \"ready for review\", written",
        "✓ GitHub shows    octo-org/hello at 2379487: success",
        "2/5  new commits arrive while the CI is down",
        "✓ received ",
        "! sent to the CI  Nothing listens at 127.0.0.1:",
        "– the CI is back",
        "✓ sent to the CI ",
        "– on the commit ",
        "✓ called back ",
        "✓ on the commit ",
        "✓ GitHub shows ",
        "3/5  a push, form-encoded",
        "✓ received ",
        "✓ sent to the CI ",
        "4/5  a release is published",
        "✓ received ",
        "✓ sent to the CI ",
        "5/5  an event that nobody has heard of",
        "✓ received ",
        "✓ sent to the CI ",
        "✓ every event is on record: 5 of 5 processed, none lost, none twice",
        "Next: hookyard serve, then hookyard doctor. To look around in here: hookyard demo --keep",
    ] {
        assert!(hops.any(|line| line.starts_with(hop)), "{hop:?} is missing, or out of order, in:\n{}", told.out);
    }
    for line in
        told.out.lines().filter(|line| ["received", "sent to", "on the commit"].iter().any(|hop| line.contains(hop)))
    {
        assert!(line.ends_with(" ms") || line.ends_with(" s"), "no time taken: {line}");
    }
    assert_eq!(told.err, "");
    plain(&told.out);
    assert_eq!(place.names("tmp"), [""; 0]);
    assert_eq!(place.names("."), [".env", "tmp"], "nor anything in the folder it ran in");
}

#[tokio::test]
async fn kept_it_takes_deliveries_until_it_is_interrupted() {
    for signal in ["INT", "TERM"] {
        let place = Place::new();
        let mut demo = place.hookyard(&["demo", "--keep"]).start();
        let story = demo.until(&["See the story: "]);
        let events = demo.until(&["Still running. Events: "]);
        let events = events.split_whitespace().last().unwrap();
        // What it invites to type works as it stands.
        let typed = demo.until(&["hookyard send - "]);
        let arguments: Vec<_> = typed.split_whitespace().skip_while(|word| *word != "send").collect();
        demo.until(&["Next: hookyard serve, then hookyard doctor. Ctrl-C ends this and removes "]);
        let page = http::send("GET", story.split_whitespace().last().unwrap(), &[], "").await.unwrap();
        let page = String::from_utf8(page.body.to_vec()).unwrap();
        assert!(page.contains("pull_request · synchronize") && page.contains("Attempt 2:"), "{page}");
        assert_eq!(place.names("tmp").len(), 1);
        let accepted = place.hookyard(&arguments).input(b"{\"zen\":\"hello\"}").run().accepted();
        assert!(!accepted.receipt.is_empty());
        let list = http::send("GET", events, &[], "").await.unwrap().json();
        assert!(list["events"].as_array().unwrap().len() >= 5, "{list}");
        demo.signal(signal);
        let told = demo.end().with(0);
        assert_eq!(told.err, "");
        assert_eq!(place.names("tmp"), [""; 0]);
    }
}

#[test]
fn interrupted_in_the_middle_it_leaves_nothing_behind_either() {
    let place = Place::new();
    let mut demo = place.hookyard(&["demo"]).start();
    demo.until(&["1/5"]);
    demo.signal("INT");
    let told = demo.end();
    // The whole story takes three seconds; a machine that stood still for that long may have heard it to its end.
    match told.code {
        Some(130) => assert_eq!(told.err, "Interrupted: everything is stopped and removed.\n"),
        code => assert_eq!((code, told.out.contains("5 of 5")), (Some(0), true), "{}", told.all()),
    }
    assert_eq!(place.names("tmp"), [""; 0]);
}
