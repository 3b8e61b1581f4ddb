//! What GitHub answers when nothing is broken.
//!
//! Sources: GitHub's "REST API endpoints for commit statuses", "Getting started with the REST API" (user agent),
//! "Rate limits for the REST API"; the wording of the validation errors as people report them.

use hyper::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::fault::Kind;
use super::record::{Record, Seen, Status, Token};
use super::reply::{self, Reply};

/// The prefix of GitHub Enterprise Server.
const ENTERPRISE: &str = "/api/v3";

/// Statuses of one context that a commit takes (GitHub: "Create a commit status").
const STATUSES_PER_CONTEXT: usize = 1000;

/// Longest description, in characters.
const DESCRIPTION: usize = 140;

/// The first id: beyond 32 bits, as GitHub's are.
const FIRST_ID: u64 = 41_000_000_001;

/// Requests per hour of a personal token.
const HOURLY: u64 = 5000;

/// What a path asks for.
pub(super) struct Route {
    pub(super) kind: Kind,
    pub(super) prefix: &'static str,
    repository: String,
    commit: String,
}

impl Route {
    pub(super) fn of(method: &str, path: &str) -> Self {
        let (prefix, rest) = path.strip_prefix(ENTERPRISE).map_or(("", path), |rest| (ENTERPRISE, rest));
        let parts: Vec<&str> = rest.trim_start_matches('/').split('/').collect();
        let (kind, owner, name, commit) = match (method, parts.as_slice()) {
            ("POST", ["repos", owner, name, "statuses", sha]) => (Kind::Post, *owner, *name, *sha),
            ("GET", ["repos", owner, name, "commits", commit, "statuses"]) => (Kind::List, *owner, *name, *commit),
            ("GET", ["repos", owner, name, "commits", commit, "status"]) => (Kind::Combined, *owner, *name, *commit),
            _ => (Kind::Other, "", "", ""),
        };
        Self { kind, prefix, repository: format!("{owner}/{name}"), commit: commit.to_owned() }
    }
}

/// Does what the request asks for, if it may, and says what came of it.
pub(super) fn answer(record: &mut Record, route: &Route, seen: &Seen, query: &str, now: Timestamp) -> Reply {
    if seen.header("user-agent").iter().all(|agent| agent.is_empty()) {
        let words = "Request forbidden by administrative rules. Please make sure your request has a User-Agent header.";
        return Reply::message(StatusCode::FORBIDDEN, words);
    }
    let Some(token) = record.tokens.iter().find(|token| token.label == seen.token).cloned() else {
        return Reply::message(StatusCode::UNAUTHORIZED, "Bad credentials");
    };
    if route.kind == Kind::Other || !token.sees(&route.repository) {
        return Reply::message(StatusCode::NOT_FOUND, "Not Found");
    }
    if route.kind == Kind::Post && !token.writes {
        return Reply::message(StatusCode::FORBIDDEN, "Resource not accessible by personal access token");
    }
    // Git's null id names no commit in any repository.
    let null = !route.commit.is_empty() && route.commit.bytes().all(|digit| digit == b'0');
    if null || record.commits.as_ref().is_some_and(|known| !known.contains(&route.commit.to_lowercase())) {
        let words = format!("No commit found for SHA: {}", route.commit);
        return Reply::message(StatusCode::UNPROCESSABLE_ENTITY, words);
    }
    let api = format!("http://{}{}", seen.header("host").first().unwrap_or(&"localhost"), route.prefix);
    match route.kind {
        Kind::Post => post(record, route, seen, &token, &api, now),
        Kind::Combined => combined(record, route, &api),
        Kind::List | Kind::Other => list(record, route, query, &api),
    }
}

/// The headers that every answer of GitHub has, unless a fault has set its own.
pub(super) fn with_limits(record: &mut Record, token: &str, reply: Reply, now: Timestamp) -> Reply {
    let used = record.used.entry(token.to_owned()).or_default();
    *used += 1;
    reply
        .or("x-ratelimit-limit", HOURLY)
        .or("x-ratelimit-remaining", HOURLY.saturating_sub(*used))
        .or("x-ratelimit-used", *used)
        .or("x-ratelimit-reset", now.as_second() + 3600)
        .or("x-ratelimit-resource", "core")
        .or("x-github-request-id", format!("STANDIN:{used}"))
}

fn post(record: &mut Record, route: &Route, seen: &Seen, token: &Token, api: &str, now: Timestamp) -> Reply {
    let Some(body) = &seen.body else {
        return Reply::message(StatusCode::BAD_REQUEST, "Problems parsing JSON");
    };
    let text = |name: &str| match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(wrong(&format!("For 'properties/{name}', that is not a string."))),
    };
    if !body.is_object() {
        return wrong("That is not an object.");
    }
    let (state, description, target_url, context) =
        match (text("state"), text("description"), text("target_url"), text("context")) {
            (Ok(state), Ok(description), Ok(target_url), Ok(context)) => (state, description, target_url, context),
            (Err(reply), ..) | (_, Err(reply), ..) | (_, _, Err(reply), _) | (.., Err(reply)) => return reply,
        };
    let Some(state) = state else {
        return wrong("\"state\" wasn't supplied.");
    };
    if !["error", "failure", "pending", "success"].contains(&state.as_str()) {
        return Reply::invalid(Some("state"), "state is not included in the list");
    }
    if description.as_ref().is_some_and(|text| text.chars().count() > DESCRIPTION) {
        return Reply::invalid(Some("description"), "description is too long (maximum is 140 characters)");
    }
    if target_url.as_ref().is_some_and(|url| !url.starts_with("http://") && !url.starts_with("https://")) {
        return Reply::invalid(Some("target_url"), "target_url must use http(s) scheme");
    }
    let context = context.unwrap_or_else(|| "default".to_owned());
    let same = |status: &&Status| status.context.to_lowercase() == context.to_lowercase();
    if record.of(&route.repository, &route.commit).filter(same).count() >= STATUSES_PER_CONTEXT {
        return Reply::invalid(None, "This SHA and context has reached the maximum number of statuses.");
    }
    let status = Status {
        id: record.statuses.last().map_or(FIRST_ID, |last| last.id + 1),
        repository: route.repository.clone(),
        sha: route.commit.clone(),
        state,
        description,
        target_url,
        context,
        created_at: now,
        creator: token.label.clone(),
    };
    let reply = Reply::json(StatusCode::CREATED, &reply::status(api, &status));
    record.statuses.push(status);
    reply
}

fn wrong(what: &str) -> Reply {
    Reply::message(StatusCode::UNPROCESSABLE_ENTITY, format!("Invalid request.\n\n{what}"))
}

fn list(record: &Record, route: &Route, query: &str, api: &str) -> Reply {
    let number = |name: &str, otherwise: usize| {
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.filter(|(key, _)| *key == name).find_map(|(_, value)| value.parse().ok()).unwrap_or(otherwise)
    };
    let (per_page, page) = (number("per_page", 30).clamp(1, 100), number("page", 1).max(1));
    let all: Vec<&Status> = record.of(&route.repository, &route.commit).rev().collect();
    let shown: Vec<Value> =
        all.chunks(per_page).nth(page - 1).unwrap_or_default().iter().map(|s| reply::status(api, s)).collect();
    let reply = Reply::json(StatusCode::OK, &Value::Array(shown));
    let last = all.len().div_ceil(per_page).max(1);
    let link = |page: usize, rel: &str| {
        let Route { repository, commit, .. } = route;
        format!("<{api}/repos/{repository}/commits/{commit}/statuses?per_page={per_page}&page={page}>; rel=\"{rel}\"")
    };
    let mut links = Vec::new();
    if page > 1 {
        links.push(link(page - 1, "prev"));
    }
    if page < last {
        links.extend([link(page + 1, "next"), link(last, "last")]);
    }
    if page > 1 {
        links.push(link(1, "first"));
    }
    if links.is_empty() { reply } else { reply.with("link", links.join(", ")) }
}

fn combined(record: &Record, route: &Route, api: &str) -> Reply {
    let Route { repository, commit, .. } = route;
    let newest = record.newest(repository, commit);
    let any = |states: &[&str]| newest.iter().any(|status| states.contains(&status.state.as_str()));
    let state = if any(&["error", "failure"]) {
        "failure"
    } else if newest.is_empty() || any(&["pending"]) {
        "pending"
    } else {
        "success"
    };
    let statuses: Vec<Value> = newest.iter().map(|status| reply::status(api, status)).collect();
    let value = json!({
        "state": state,
        "statuses": statuses,
        "sha": commit,
        "total_count": newest.len(),
        "repository": { "full_name": repository, "url": format!("{api}/repos/{repository}") },
        "commit_url": format!("{api}/repos/{repository}/commits/{commit}"),
        "url": format!("{api}/repos/{repository}/commits/{commit}/status"),
    });
    Reply::json(StatusCode::OK, &value)
}
