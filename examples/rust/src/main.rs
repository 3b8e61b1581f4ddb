//! A CI server in one file: says "pending" at once, checks in the background, calls back with the result.

use std::env;
use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, Request, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use hmac::{Hmac, KeyInit, Mac};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let secret = env::var("YOUR_SERVER_SECRET")?;
    let port = env::var("PORT").map_or(Ok(3000), |text| text.parse::<u16>())?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening on http://{}/hook", listener.local_addr()?);
    serve(listener, &secret).await
}

/// The server itself; `hookyard demo` runs it too.
pub async fn serve(listener: TcpListener, secret: &str) -> Result<(), Box<dyn Error + Send + Sync>> {
    let key: Arc<[u8]> = BASE64_STANDARD.decode(secret.strip_prefix("whsec_").unwrap_or(secret))?.into();
    // GitHub sends up to 25 MB; axum's own limit is 2 MB.
    let app = Router::new().route("/hook", post(hook)).with_state(key).layer(DefaultBodyLimit::max(26_214_400));
    Ok(axum::serve(listener, app).await?)
}

async fn hook(State(key): State<Arc<[u8]>>, headers: HeaderMap, body: Bytes) -> Response {
    // The signature is over these bytes: verify them before anything parses them.
    if !is_genuine(&key, &headers, &body) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    if text(&headers, "x-github-event") != "pull_request" {
        return StatusCode::OK.into_response();
    }
    // A webhook set up with form encoding arrives in it, because Hookyard passes GitHub's bytes on: set it to JSON.
    if !text(&headers, "content-type").starts_with("application/json") {
        return StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response();
    }
    let mut event: Value = serde_json::from_slice(&body).unwrap_or_default();
    if !matches!(event["action"].as_str(), Some("opened" | "synchronize" | "reopened")) {
        return StatusCode::OK.into_response();
    }
    // The call-back may overtake this answer: Hookyard ranks a result above the "pending" of its own delivery.
    tokio::spawn(async move {
        if let Err(error) = check(event["pull_request"].take(), &headers).await {
            eprintln!("no call-back: {error}");
        }
    });
    let answer = json!({"statuses": [{"name": "example-ci", "status": "pending", "message": "started"}]});
    ([(CONTENT_TYPE, "application/json")], answer.to_string()).into_response()
}

fn is_genuine(key: &[u8], headers: &HeaderMap, body: &[u8]) -> bool {
    let (id, stamp) = (text(headers, "webhook-id"), text(headers, "webhook-timestamp"));
    // Old requests are refused, or whoever recorded one could send it again for ever.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let fresh = stamp.parse::<u64>().is_ok_and(|sent| now.abs_diff(sent) <= 300);
    // Several entries stand there while the secret is being changed; one that fits is enough.
    let fits = |entry: &str| {
        let claimed = entry.strip_prefix("v1,").and_then(|mac| BASE64_STANDARD.decode(mac).ok());
        let mac = Hmac::<Sha256>::new_from_slice(key).map(|mac| mac.chain_update(format!("{id}.{stamp}.")));
        // `verify_slice` takes the same time wherever the first difference is.
        claimed.zip(mac.ok()).is_some_and(|(claimed, mac)| mac.chain_update(body).verify_slice(&claimed).is_ok())
    };
    fresh && text(headers, "webhook-signature").split(' ').any(fits)
}

/// The place for your tests. Whatever takes longer than 10 s belongs here, not before the answer.
async fn check(pull_request: Value, headers: &HeaderMap) -> Result<(), Box<dyn Error + Send + Sync>> {
    // Stands for the tests, which take their time.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let wip = pull_request["title"].as_str().is_some_and(|title| title.starts_with("WIP"));
    let (status, message) = if wip { ("failure", "the title still says WIP") } else { ("success", "ready for review") };
    let report = json!({
        "pull_request_url": pull_request["url"],
        "sha": pull_request["head"]["sha"],
        "statuses": [{"name": "example-ci", "status": status, "message": message}],
    });
    let call = Request::post(text(headers, "x-hookyard-callback-url"))
        .header(AUTHORIZATION, format!("Bearer {}", text(headers, "x-hookyard-callback-token")))
        .header(CONTENT_TYPE, "application/json")
        .body(Body::from(report.to_string()))?;
    // Plain HTTP, as on one machine. Where the call-back URL is https, take a client with TLS, such as reqwest.
    let client = Client::builder(TokioExecutor::new()).build_http::<Body>();
    let answer = tokio::time::timeout(Duration::from_secs(10), client.request(call)).await??;
    if answer.status().is_success() { Ok(()) } else { Err(format!("it was answered {}", answer.status()).into()) }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
