//! No secret, token, signature or body stands in what the program prints, however much it is told to log.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;
use standin::ci::{Answer, Ci};
use standin::github::{Github, Token};
use standin::http;

use crate::place::{PATIENCE, Place, plain};

#[tokio::test(flavor = "multi_thread")]
async fn the_fullest_log_holds_none_of_it() {
    let (hook, token, key) = ("hook-secret-61c0ffee", "ghp_token61c0ffee", "api-key-61c0ffee");
    let (callback, body, answer) = ("callback-secret-61c0ffee", "body-8d1f5e2b7c", "answer-3e9a7b1c5d");
    let server_secret = format!("whsec_{}", BASE64_STANDARD.encode("server-secret-61c0ffee-0123"));
    let github = Github::start_with((std::net::Ipv4Addr::LOCALHOST, 0).into(), vec![Token::new("writer", token)]);
    let github = github.await.unwrap();
    let ci = Ci::start().await.unwrap();
    let status = |name: &str| json!({ "name": name, "status": "pending", "message": answer });
    ci.answer(Answer::json(&json!({ "statuses": [status("build"), status("lint")] })));
    ci.answer(Answer::status(400).body(answer));

    let place = Place::new();
    let sample = std::fs::read_to_string(crate::place::sample_path("pull_request.opened.json")).unwrap();
    let mut delivery: serde_json::Value = serde_json::from_str(&sample).unwrap();
    delivery["pull_request"]["title"] = body.into();
    place.write("delivery.json", &delivery.to_string());
    place.write("not.json", body);

    let serve = place.serve().set("HOOKYARD_LOG", "trace").set("GITHUB_SECRET", hook).set("GITHUB_TOKEN", token);
    let serve = serve.set("GITHUB_API_URL", &github.url()).set("YOUR_SERVER_URL", &ci.url());
    let serve = serve.set("HOOKYARD_API_KEY", key).set("HOOKYARD_CALLBACK_SECRET", callback);
    let mut gateway = serve.set("YOUR_SERVER_SECRET", &server_secret).ready();

    // Taken, with statuses that are written; refused by the server; refused by us; called back; written by key.
    let send = |file: &str, form: &str, secret: &str| {
        let program = place.hookyard(&["send", file, "--event", "pull_request", "--url", &gateway.webhooks]);
        let program = program.set("GITHUB_SECRET", secret);
        if form.is_empty() { program.run() } else { program.with(form).run() }
    };
    let sent = [
        send("delivery.json", "", hook),
        send("delivery.json", "--form", hook),
        send("delivery.json", "", "another-61c0ffee"),
        send("not.json", "", hook),
    ];
    assert_eq!(sent.each_ref().map(|sent| sent.code), [Some(0), Some(0), Some(1), Some(1)]);
    let call = tokio::time::timeout(PATIENCE, ci.next_call()).await.unwrap();
    for word in ["✓ done", "✗ failed"] {
        if !gateway.said().contains(word) {
            gateway.until(&[word]);
        }
    }
    // What GitHub refuses is logged as well.
    tokio::time::timeout(PATIENCE, github.wait_for(2)).await.unwrap();
    github.revoke("writer");
    let report = json!({ "sha": delivery["pull_request"]["head"]["sha"], "repository": "octo-org/hello",
        "statuses": [{ "name": "build", "status": "success", "message": answer }] })
    .to_string();
    let call_back = call.header("x-hookyard-callback-token").unwrap().to_owned();
    let url = format!("{}/v1/statuses", gateway.api);
    for bearer in [call_back.as_str(), key, "neither-61c0ffee"] {
        let headers = [("authorization", &*format!("Bearer {bearer}")), ("content-type", "application/json")];
        let reply = http::send("POST", &url, &headers, report.clone());
        assert_eq!(reply.await.unwrap().code, if bearer.starts_with("neither") { 401 } else { 202 });
    }
    tokio::time::timeout(PATIENCE, github.wait_for(4)).await.unwrap();
    let headers = [("authorization", &*format!("Bearer {key}"))];
    let list = http::send("GET", &format!("{}/v1/events", gateway.api), &headers, "").await.unwrap();
    assert_eq!(list.json()["events"].as_array().unwrap().len(), 2);

    let ended = gateway.stop("TERM");
    for function in [" ingest: ", " fanout: ", " status: ", " api::lines: "] {
        let said = ended.err.lines().any(|line| line.contains(" INFO ") && line.contains(function));
        assert!(said, "nothing was logged by{function}");
    }
    plain(&ended.err.replace('\t', " "));
    let signed = |name: &str| call.header(name).unwrap().to_owned();
    let mut all = ended.all();
    for sent in sent {
        all.push_str(&sent.all());
    }
    for secret in [
        "61c0ffee",
        &server_secret["whsec_".len()..],
        &signed("x-hub-signature-256")["sha256=".len()..],
        &signed("webhook-signature")["v1,".len()..],
        &call_back,
        body,
        answer,
    ] {
        for form in forms(secret) {
            let at = all.find(&form).map(|at| all[..at].lines().last().unwrap_or_default().chars().take(200).collect());
            assert_eq!(at, None::<String>, "{secret} stands in the log as {form}, after this");
        }
    }
}

/// A text as it is, in hexadecimal, and inside base64 at each of the three places a byte can have there.
fn forms(text: &str) -> Vec<String> {
    let hex = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    let inside = |before: usize| {
        let encoded = BASE64_STANDARD.encode([&vec![b' '; before][..], text.as_bytes()].concat());
        // Without the characters that its neighbours have a share in.
        encoded[(before * 4).div_ceil(3)..(before + text.len()) * 4 / 3].to_owned()
    };
    vec![text.to_owned(), hex, inside(0), inside(1), inside(2)]
}
