//! What an event is about: read from the payload as far as routing and lists need it, and no further.
//!
//! GitHub's payloads are taken as they come: a field that is missing, or of another type than its documentation
//! says, is simply not known. Nothing here fails once the body is JSON.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeOwned, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::ids::{EventType, Repository, Sha};
use crate::release::{self, ReleaseEvent, ReleaseFacts};

/// Longest free text (action, sender, tag) that is kept from a payload, in characters.
const TEXT_LIMIT: usize = 255;

/// The body is not JSON. Says where, not what.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the body is not JSON (line {line}, column {column})")]
pub struct NotJson {
    /// From 1; 0 when it is not even UTF-8.
    pub line: usize,
    /// From 1.
    pub column: usize,
}

/// What routing needs: it becomes the bus attributes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Routing {
    /// `action`.
    pub action: Option<String>,
    /// `repository.full_name`.
    pub repository: Option<Repository>,
    /// `installation.id`.
    pub installation_id: Option<u64>,
}

/// Everything a list shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// What routing needs.
    pub routing: Routing,
    /// `sender.login`.
    pub sender: Option<String>,
    /// The commit that a status would be about.
    pub sha: Option<Sha>,
    /// The pull request's number.
    pub pull_request: Option<u64>,
    /// What a person would call it.
    pub about: Option<String>,
}

/// A `status` event, as far as recognising our own needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusEvent {
    /// GitHub's id of the status.
    pub id: Option<u64>,
    /// What it says.
    pub content: crate::statuses::Content,
}

/// Reads what routing needs, and checks on the way that the whole body is JSON.
///
/// # Errors
/// [`NotJson`].
pub fn routing(json: &[u8]) -> Result<Routing, NotJson> {
    let [action, repository, installation] = pick(text(json)?, ["action", "repository", "installation"])?;
    Ok(Routing {
        action: string(action),
        repository: sub(repository, "full_name").and_then(|t: String| Repository::parse(&t).ok()),
        installation_id: sub(installation, "id"),
    })
}

/// Reads everything a list shows.
///
/// # Errors
/// [`NotJson`].
pub fn facts(event_type: &EventType, json: &[u8]) -> Result<Facts, NotJson> {
    let body = text(json)?;
    let routing = routing(json)?;
    let [sender, pull_request, issue, after, sha, git_ref, release] =
        pick(body, ["sender", "pull_request", "issue", "after", "sha", "ref", "release"])?;
    let [merge_group, check_suite, check_run, workflow_run, workflow_job] =
        pick(body, ["merge_group", "check_suite", "check_run", "workflow_run", "workflow_job"])?;
    let head_of = |object| sub::<String>(object, "head_sha");
    let commit = match event_type.as_str() {
        "push" => string(after),
        "status" => string(sha),
        "merge_group" => head_of(merge_group),
        "check_suite" => head_of(check_suite),
        "check_run" => head_of(check_run),
        "workflow_run" => head_of(workflow_run),
        "workflow_job" => head_of(workflow_job),
        _ => nested(pull_request, "head").and_then(|head| sub(Some(head), "sha")),
    };
    // A push that deletes a branch says "after": "000…0".
    let commit = commit.and_then(|t| Sha::of(&t).ok()).filter(|sha| sha.as_str().bytes().any(|b| b != b'0'));
    let on_pull_request = nested(issue, "pull_request").is_some_and(|raw| raw.get().starts_with('{'));
    let number: Option<u64> = sub(pull_request, "number").or_else(|| sub(issue, "number").filter(|_| on_pull_request));
    let name = match event_type.as_str() {
        "release" => sub::<String>(release, "tag_name"),
        "push" | "create" | "delete" => string(git_ref).map(|r| short_ref(&r).to_owned()),
        _ => number.or_else(|| sub(issue, "number")).map(|n: u64| format!("#{n}")),
    };
    let about = [name, commit.as_ref().map(|sha| sha.short().to_owned())].into_iter().flatten();
    let about = about.collect::<Vec<_>>().join(" ");
    Ok(Facts {
        routing,
        sender: sub(sender, "login").map(cut),
        sha: commit,
        pull_request: number,
        about: Some(cut(about)).filter(|text| !text.is_empty()),
    })
}

/// Reads a `status` event; none when a field that GitHub always sends is missing.
pub fn status_event(json: &[u8]) -> Option<StatusEvent> {
    let [id, context, state, description, target_url] =
        pick(text(json).ok()?, ["id", "context", "state", "description", "target_url"]).ok()?;
    Some(StatusEvent {
        id: id.and_then(|raw| serde_json::from_str(raw.get()).ok()),
        content: crate::statuses::Content {
            // Not cut: it is compared with what we wrote, and a link may have 2,048 characters.
            context: whole(context)?,
            state: crate::statuses::State::from_word(&whole(state)?)?,
            description: whole(description),
            target_url: whole(target_url),
        },
    })
}

/// Reads a `release` event; none when it does not say which release it is about. Everything else may be missing.
pub fn release_event(json: &[u8]) -> Option<ReleaseEvent> {
    let [action, release] = pick(text(json).ok()?, ["action", "release"]).ok()?;
    let [id, tag, name, draft, prerelease, author, created_at, published_at, url] = pick(
        release?.get(),
        ["id", "tag_name", "name", "draft", "prerelease", "author", "created_at", "published_at", "html_url"],
    )
    .ok()?;
    let flag = |raw: Option<&RawValue>| raw.and_then(|raw| serde_json::from_str::<bool>(raw.get()).ok());
    let moment = |raw: Option<&RawValue>| string(raw)?.parse().ok().filter(|at| release::is_likely(*at));
    let action = string(action).unwrap_or_default();
    Some(ReleaseEvent {
        id: serde_json::from_str(id?.get()).ok()?,
        draft: flag(draft).unwrap_or(false),
        prerelease: flag(prerelease).unwrap_or(action == "prereleased"),
        action,
        facts: ReleaseFacts {
            tag: string(tag),
            name: string(name),
            author: sub(author, "login").map(cut),
            created_at: moment(created_at),
            published_at: moment(published_at),
            url: whole(url).filter(|url| release::is_link(url)),
        },
    })
}

fn short_ref(name: &str) -> &str {
    name.strip_prefix("refs/heads/").or_else(|| name.strip_prefix("refs/tags/")).unwrap_or(name)
}

fn text(json: &[u8]) -> Result<&str, NotJson> {
    std::str::from_utf8(json).map_err(|_| NotJson { line: 0, column: 0 })
}

fn cut(text: String) -> String {
    if text.chars().nth(TEXT_LIMIT).is_none() { text } else { text.chars().take(TEXT_LIMIT).collect() }
}

fn string(raw: Option<&RawValue>) -> Option<String> {
    whole(raw).map(cut)
}

fn whole(raw: Option<&RawValue>) -> Option<String> {
    serde_json::from_str::<Option<String>>(raw?.get()).ok().flatten()
}

fn nested<'a>(raw: Option<&'a RawValue>, name: &str) -> Option<&'a RawValue> {
    let [found] = pick(raw?.get(), [name]).ok()?;
    found
}

fn sub<T: DeserializeOwned>(raw: Option<&RawValue>, name: &str) -> Option<T> {
    serde_json::from_str::<Option<T>>(nested(raw, name)?.get()).ok().flatten()
}

/// The named members of a JSON object, unparsed, in one pass; the last of equal names wins. Any other JSON
/// value has none of them.
fn pick<'a, const N: usize>(json: &'a str, names: [&str; N]) -> Result<[Option<&'a RawValue>; N], NotJson> {
    struct Pick<'n, const N: usize>([&'n str; N]);

    impl<'de, const N: usize> Visitor<'de> for Pick<'_, N> {
        type Value = [Option<&'de RawValue>; N];

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut found = [None; N];
            while let Some(key) = map.next_key::<&RawValue>()? {
                match self.0.iter().position(|name| is_name(key, name)) {
                    Some(at) => found[at] = Some(map.next_value()?),
                    None => drop(map.next_value::<IgnoredAny>()?),
                }
            }
            Ok(found)
        }
    }

    let mut reader = serde_json::Deserializer::from_str(json);
    let found = if json.trim_ascii_start().starts_with('{') {
        reader.deserialize_map(Pick(names))
    } else {
        serde::Deserialize::deserialize(&mut reader).map(|IgnoredAny| [None; N])
    };
    found
        .and_then(|found| reader.end().map(|()| found))
        .map_err(|error| NotJson { line: error.line(), column: error.column() })
}

/// Whether a member's name, as it stands in the text, is that one. A name may hold what is no text (half of a pair of
/// surrogates, escaped): then it is none that we look for, and no reason to refuse the whole.
fn is_name(key: &RawValue, name: &str) -> bool {
    let quoted = key.get();
    match quoted.get(1..quoted.len().saturating_sub(1)) {
        Some(plain) if !plain.contains('\\') => plain == name,
        _ => serde_json::from_str::<Cow<'_, str>>(quoted).is_ok_and(|text| text == name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(event: &str, json: &str) -> Facts {
        facts(&EventType::parse(event).unwrap(), json.as_bytes()).unwrap()
    }

    const SHA: &str = "9fceb02d0ae598e95dc970b74767f19372d61af8";

    #[test]
    fn where_each_event_keeps_its_commit() {
        let table = [
            ("pull_request", format!(r#"{{"pull_request":{{"number":7,"head":{{"sha":"{SHA}"}}}}}}"#), "#7 9fceb02"),
            (
                "pull_request_review",
                format!(r#"{{"pull_request":{{"number":7,"head":{{"sha":"{SHA}"}}}}}}"#),
                "#7 9fceb02",
            ),
            ("push", format!(r#"{{"ref":"refs/heads/main","after":"{SHA}"}}"#), "main 9fceb02"),
            ("merge_group", format!(r#"{{"merge_group":{{"head_sha":"{SHA}"}}}}"#), "9fceb02"),
            ("check_suite", format!(r#"{{"check_suite":{{"head_sha":"{SHA}"}}}}"#), "9fceb02"),
            ("workflow_run", format!(r#"{{"workflow_run":{{"head_sha":"{SHA}"}}}}"#), "9fceb02"),
            ("status", format!(r#"{{"sha":"{SHA}"}}"#), "9fceb02"),
        ];
        for (event, json, about) in table {
            let facts = of(event, &json);
            assert_eq!(facts.sha.as_ref().map(Sha::as_str), Some(SHA), "{event}");
            assert_eq!(facts.about.as_deref(), Some(about), "{event}");
        }
    }

    #[test]
    fn what_is_absent_or_odd_is_not_known_and_no_error() {
        let zero = format!(r#"{{"ref":"refs/heads/gone","after":"{}"}}"#, "0".repeat(40));
        assert_eq!(of("push", &zero).sha, None);
        assert_eq!(of("push", &zero).about.as_deref(), Some("gone"));
        for odd in [
            "{}",
            "[]",
            "1",
            "null",
            r#""text""#,
            r#"{"action":1,"repository":[],"sender":"x","pull_request":{"number":"7","head":null},"installation":{"id":-1}}"#,
            r#"{"repository":{"full_name":"../../etc"},"pull_request":{"head":{"sha":"HEAD"}}}"#,
            r#"{"action":null,"repository":null,"sender":null}"#,
        ] {
            assert_eq!(of("pull_request", odd), Facts::default(), "{odd}");
        }
    }

    #[test]
    fn an_issue_comment_belongs_to_a_pull_request_only_when_it_says_so() {
        let plain = of("issue_comment", r#"{"issue":{"number":9}}"#);
        assert_eq!((plain.pull_request, plain.about.as_deref()), (None, Some("#9")));
        let on = of("issue_comment", r#"{"issue":{"number":9,"pull_request":{"url":"x"}}}"#);
        assert_eq!((on.pull_request, on.about.as_deref()), (Some(9), Some("#9")));
    }

    #[test]
    fn the_whole_body_has_to_be_json() {
        for bad in ["", " ", "{", "{}x", r#"{"a":}"#, "{\"a\":\"\u{1}\"}", "payload=%7B%7D", r#"{"action":"x"}{}"#] {
            assert!(routing(bad.as_bytes()).is_err(), "{bad:?}");
        }
        assert!(routing(b"{\"a\":\"\xff\"}").is_err(), "not UTF-8");
        assert!(routing(br#" {"a":"\ud800"} "#).is_ok(), "a lone surrogate in a field that nobody reads");
        let name = routing(br#"{"\udc00":1,"action":"a","\n":{"\ud800":2}}"#).unwrap();
        assert_eq!(name.action.as_deref(), Some("a"), "lone surrogates in names that nobody looks for");
        let deep = format!(r#"{{"action":"a","deep":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(routing(deep.as_bytes()).unwrap().action.as_deref(), Some("a"), "depth costs no stack");
    }

    #[test]
    fn equal_names_and_escaped_names() {
        let facts = routing(br#"{"action":"first","\u0061ction":"last"}"#).unwrap();
        assert_eq!(facts.action.as_deref(), Some("last"));
    }
}
