//! A delivery, as GitHub would send it, or as somebody who is not GitHub might.

use std::path::PathBuf;

use domain::signature;
use serde_json::Value;
use standin::http::{self, Failed, Reply};
use uuid::Uuid;

use super::Yard;

/// A delivery that has not been sent.
pub struct Delivery<'y> {
    yard: &'y Yard,
    event: String,
    guid: String,
    hook: String,
    body: Vec<u8>,
    form: bool,
    secret: String,
    headers: Vec<(String, String)>,
}

/// The answer to one.
#[derive(Debug)]
pub struct Sent {
    /// What the gateway said.
    pub reply: Reply,
}

impl<'y> Delivery<'y> {
    pub(super) fn new(yard: &'y Yard, event: &str, body: Vec<u8>) -> Self {
        Self {
            yard,
            event: event.to_owned(),
            guid: Uuid::new_v4().to_string(),
            hook: "48211900".to_owned(),
            body,
            form: false,
            secret: yard.secret.clone(),
            headers: Vec::new(),
        }
    }

    pub(super) fn of_sample(yard: &'y Yard, name: &str) -> Self {
        let index = index();
        let entry = index["deliveries"].as_array().unwrap().iter().find(|e| e["file"] == format!("{name}.json"));
        let entry = entry.unwrap_or_else(|| panic!("events/index.json knows no {name}"));
        let text = |field: &str| entry[field].as_str().unwrap().to_owned();
        let body = std::fs::read(events().join(format!("{name}.json"))).unwrap();
        let mut delivery = Self::new(yard, &text("event"), body);
        delivery.hook = text("hook_id");
        delivery.form = entry["content_type"] == "form";
        delivery.header("x-github-hook-installation-target-type", &text("target_type"))
    }

    /// With this GUID; by default a new one.
    pub fn guid(mut self, guid: &str) -> Self {
        self.guid = guid.to_owned();
        self
    }

    /// From this hook.
    pub fn hook(mut self, hook: &str) -> Self {
        self.hook = hook.to_owned();
        self
    }

    /// As a form.
    pub fn form(mut self) -> Self {
        self.form = true;
        self
    }

    /// Signed with another secret.
    pub fn signed_with(mut self, secret: &str) -> Self {
        self.secret = secret.to_owned();
        self
    }

    /// With one more header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The event id it will have.
    pub fn id(&self) -> String {
        format!("{}-{}", self.hook, self.guid)
    }

    /// The bytes it will carry.
    pub fn bytes(&self) -> Vec<u8> {
        if !self.form {
            return self.body.clone();
        }
        // As GitHub's own form encoding: everything outside the unreserved characters is escaped.
        let json = String::from_utf8(self.body.clone()).unwrap();
        format!("payload={}", percent(&json)).into_bytes()
    }

    /// Sends it.
    pub async fn send(&self) -> Sent {
        self.try_send().await.expect("the gateway answers")
    }

    /// Sends it to a gateway that may die before it answers.
    ///
    /// # Errors
    /// When no whole answer came.
    pub async fn try_send(&self) -> Result<Sent, Failed> {
        let body = self.bytes();
        let signature = signature::sign(self.secret.as_bytes(), &body);
        let content_type = if self.form { "application/x-www-form-urlencoded" } else { "application/json" };
        let mut headers = vec![
            ("user-agent", "GitHub-Hookshot/1a2b3c4"),
            ("accept", "*/*"),
            ("content-type", content_type),
            ("x-github-event", &self.event),
            ("x-github-delivery", &self.guid),
            ("x-github-hook-id", &self.hook),
            (signature::HEADER, &signature),
        ];
        headers.extend(self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let url = format!("{}/github", self.yard.webhooks);
        Ok(Sent { reply: http::send("POST", &url, &headers, body).await? })
    }
}

impl Sent {
    /// It has to be a 202; the event's id.
    #[track_caller]
    pub fn accepted(&self) -> String {
        assert_eq!(self.reply.code, 202, "{}", self.reply.json());
        self.reply.json()["event"].as_str().unwrap().to_owned()
    }

    /// It has to be a 202; the receipt.
    #[track_caller]
    pub fn receipt(&self) -> String {
        assert_eq!(self.reply.code, 202, "{}", self.reply.json());
        self.reply.json()["receipt"].as_str().unwrap().to_owned()
    }

    /// It has to be refused with this code; the detail, which has to be a problem of RFC 9457.
    #[track_caller]
    pub fn refused(&self, code: u16) -> String {
        assert_eq!(self.reply.code, code, "{}", self.reply.json());
        assert_eq!(self.reply.header("content-type"), Some("application/problem+json"));
        self.reply.json()["detail"].as_str().unwrap().to_owned()
    }
}

/// The secret that the samples are signed with.
pub(super) fn sample_secret() -> String {
    index()["sample_secret"].as_str().unwrap().to_owned()
}

fn events() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../events")
}

fn index() -> Value {
    serde_json::from_slice(&std::fs::read(events().join("index.json")).unwrap()).unwrap()
}

fn percent(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'*');
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}
