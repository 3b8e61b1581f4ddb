//! What a server sends: statuses in its answer, or by call-back. Read strictly, answered one by one.

use serde_json::{Map, Value};

use super::{CONTEXT_LIMIT, Content, DESCRIPTION_LIMIT, State, TARGET_URL_LIMIT};
use crate::ids::{Repository, Sha};

/// The most statuses of one request.
pub const MOST: usize = 100;

/// A request that cannot be answered one by one: a 400 for a call-back, "unreadable" for an answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Not JSON; says where.
    #[error("The body is not JSON (line {0}, column {1}).")]
    Json(usize, usize),
    /// JSON, but no object.
    #[error("The body must be a JSON object with a list \"statuses\".")]
    Shape,
    /// None, or too many.
    #[error("\"statuses\" must hold 1 to 100 entries; it holds {0}.")]
    Count(usize),
}

/// A request, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The repository it names: none when it names none, an error text when it names none that can be one.
    pub repository: Result<Option<Repository>, String>,
    /// The commit it names, likewise.
    pub sha: Result<Option<Sha>, String>,
    /// In the order sent.
    pub items: Vec<Item>,
}

/// One entry of `statuses`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The context as far as it could be read, for the answer.
    pub context: Option<String>,
    /// The status, or what is wrong with it.
    pub read: Result<Read, String>,
}

/// A status that can be accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// What it says.
    pub content: Content,
    /// Whether it may follow a result of its own run although it is pending.
    pub reopen: bool,
    /// Position among the entries of the same context.
    pub index: u32,
    /// Its description was longer than 140 characters.
    pub cut: bool,
}

/// Reads a call-back's body.
///
/// # Errors
/// [`Unreadable`].
pub fn read(body: &[u8]) -> Result<Request, Unreadable> {
    match serde_json::from_slice(body).map_err(|e| Unreadable::Json(e.line(), e.column()))? {
        Value::Object(object) => from_object(&object),
        _ => Err(Unreadable::Shape),
    }
}

/// Reads a server's answer: none when it brings no statuses, which is no fault. An empty body, JSON without
/// `statuses` and an empty list bring none.
///
/// # Errors
/// [`Unreadable`].
pub fn read_answer(body: &[u8]) -> Result<Option<Request>, Unreadable> {
    if body.trim_ascii().is_empty() {
        return Ok(None);
    }
    match serde_json::from_slice(body).map_err(|e| Unreadable::Json(e.line(), e.column()))? {
        Value::Object(object) => match object.get("statuses") {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Array(list)) if list.is_empty() => Ok(None),
            Some(_) => from_object(&object).map(Some),
        },
        _ => Ok(None),
    }
}

fn from_object(object: &Map<String, Value>) -> Result<Request, Unreadable> {
    let Some(Value::Array(list)) = object.get("statuses") else {
        return Err(Unreadable::Shape);
    };
    if list.is_empty() || list.len() > MOST {
        return Err(Unreadable::Count(list.len()));
    }
    let mut seen: std::collections::HashMap<String, u32> = std::collections::HashMap::new();
    let items = list.iter().map(|entry| item(entry, &mut seen)).collect();
    Ok(Request { repository: repository(object), sha: sha(object), items })
}

fn repository(object: &Map<String, Value>) -> Result<Option<Repository>, String> {
    let named = text(object, &["repository"])?;
    let named = named.map(|name| Repository::parse(&name).map_err(|e| e.to_string())).transpose()?;
    let linked = text(object, &["pull_request_url"])?;
    let linked = linked.map(|url| from_pull_request_url(&url)).transpose()?;
    match (named, linked) {
        (Some(a), Some(b)) if !a.same_as(&b) => {
            Err("repository and pull_request_url name different repositories".to_owned())
        }
        (named, linked) => Ok(named.or(linked)),
    }
}

/// Only the path `…/repos/{owner}/{name}/pulls/{number}` is read; the host is neither compared nor called.
fn from_pull_request_url(url: &str) -> Result<Repository, String> {
    let bad = || "pull_request_url must be like https://api.github.com/repos/owner/name/pulls/7".to_owned();
    let url = url::Url::parse(url).map_err(|_| bad())?;
    let parts: Vec<&str> = url.path_segments().ok_or_else(bad)?.collect();
    match parts.as_slice() {
        [.., "repos", owner, name, "pulls", number]
            if !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) =>
        {
            Repository::parse(&format!("{owner}/{name}")).map_err(|_| bad())
        }
        _ => Err(bad()),
    }
}

fn sha(object: &Map<String, Value>) -> Result<Option<Sha>, String> {
    text(object, &["sha"])?.map(|text| Sha::of(&text).map_err(|e| e.to_string())).transpose()
}

fn item(entry: &Value, seen: &mut std::collections::HashMap<String, u32>) -> Item {
    let Value::Object(entry) = entry else {
        return Item { context: None, read: Err("a status must be an object".to_owned()) };
    };
    let context = text(entry, &["name", "context"]);
    let shown = context.as_ref().ok().and_then(Clone::clone).map(|t| shortened(&t, CONTEXT_LIMIT).0);
    let read = context.and_then(|context| {
        let context = context.ok_or("name (or context) is missing")?;
        let context = context.trim().to_owned();
        if context.is_empty() || context.chars().count() > CONTEXT_LIMIT || context.chars().any(char::is_control) {
            return Err(format!("name must be 1 to {CONTEXT_LIMIT} characters, none of them a control character"));
        }
        let word = text(entry, &["status", "state"])?.ok_or("status (or state) is missing")?;
        let state = State::from_word(&word)
            .ok_or_else(|| format!("status {:?} is not pending, error, failure or success", shortened(&word, 30).0))?;
        let description = text(entry, &["message", "description"])?.map(|text| {
            let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
            shortened(plain.trim(), DESCRIPTION_LIMIT)
        });
        let (description, cut) = description.map_or((None, false), |(text, cut)| (Some(text), cut));
        let reopen = match entry.get("reopen") {
            None | Some(Value::Null) => false,
            Some(Value::Bool(reopen)) => *reopen,
            Some(_) => return Err("reopen must be true or false".to_owned()),
        };
        let target_url = text(entry, &["target_url"])?.filter(|url| !url.is_empty());
        let target_url = target_url.map(checked_url).transpose()?;
        let index = seen.entry(context.to_lowercase()).and_modify(|n| *n += 1).or_insert(0);
        let content = Content { context, state, description, target_url };
        Ok(Read { content, reopen, index: *index, cut })
    });
    Item { context: shown, read }
}

fn checked_url(text: String) -> Result<String, String> {
    let bad = format!("target_url must be an http or https address of at most {TARGET_URL_LIMIT} characters");
    let fit = text.len() <= TARGET_URL_LIMIT && !text.chars().any(|c| c.is_control() || c.is_whitespace());
    match url::Url::parse(&text) {
        Ok(url) if fit && matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(text),
        _ => Err(bad),
    }
}

/// The text under the first of the names that is present; null counts as absent. Two names with different texts
/// are an error, because guessing would show the wrong one.
fn text(object: &Map<String, Value>, names: &[&str]) -> Result<Option<String>, String> {
    let mut found: Option<(&str, &String)> = None;
    for name in names {
        match object.get(*name) {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) => match found {
                Some((first, other)) if other != text => return Err(format!("{first} and {name} differ")),
                Some(_) => {}
                None => found = Some((name, text)),
            },
            Some(_) => return Err(format!("{name} must be a text")),
        }
    }
    Ok(found.map(|(_, text)| text.clone()))
}

/// At most `longest` characters, the last an ellipsis when something was cut.
fn shortened(text: &str, longest: usize) -> (String, bool) {
    if text.chars().nth(longest).is_none() {
        return (text.to_owned(), false);
    }
    (text.chars().take(longest - 1).chain(['…']).collect(), true)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn of(value: &Value) -> Request {
        read(value.to_string().as_bytes()).unwrap()
    }

    fn one(status: Value) -> Result<Read, String> {
        of(&json!({"repository": "o/r", "sha": "a".repeat(40), "statuses": [status]})).items.remove(0).read
    }

    #[test]
    fn the_ancestors_body() {
        let request = of(&json!({
            "pull_request_url": "https://api.github.com/repos/octo/hello/pulls/7", "sha": "A".repeat(40),
            "statuses": [{"name": "integration-testing", "status": "pending", "message": "initializing", "target_url": "https://ci.example/7"}]
        }));
        assert_eq!(request.repository.unwrap().unwrap().as_str(), "octo/hello");
        assert_eq!(request.sha.unwrap().unwrap().as_str(), "a".repeat(40));
        let read = request.items[0].read.clone().unwrap();
        assert_eq!(read.content.description.as_deref(), Some("initializing"));
        assert_eq!(read.content.target_url.as_deref(), Some("https://ci.example/7"), "kept as sent");
    }

    #[test]
    fn githubs_own_names() {
        let read = one(json!({"context": "ci", "state": "success", "description": "ok", "reopen": false})).unwrap();
        assert_eq!((read.content.context.as_str(), read.content.state), ("ci", State::Success));
    }

    #[test]
    fn what_is_wrong_with_one_is_said_in_words() {
        let table = [
            (json!({"name": "ci", "status": "sucess"}), "status \"sucess\" is not pending, error, failure or success"),
            (json!({"name": "ci"}), "status (or state) is missing"),
            (json!({"status": "success"}), "name (or context) is missing"),
            (json!({"name": " ", "status": "success"}), "name must be 1 to 255"),
            (json!({"name": "a\u{0}b", "status": "success"}), "name must be 1 to 255"),
            (json!({"name": "x".repeat(256), "status": "success"}), "name must be 1 to 255"),
            (json!({"name": 1, "status": "success"}), "name must be a text"),
            (json!({"name": "a", "context": "b", "status": "success"}), "name and context differ"),
            (json!({"name": "a", "status": "success", "target_url": "javascript:alert(1)"}), "target_url must be"),
            (json!({"name": "a", "status": "success", "target_url": "ftp://x/y"}), "target_url must be"),
            (json!({"name": "a", "status": "success", "target_url": "https://x/\ny"}), "target_url must be"),
            (
                json!({"name": "a", "status": "success", "target_url": format!("https://x/{}", "y".repeat(2100))}),
                "target_url must be",
            ),
            (json!({"name": "a", "status": "pending", "reopen": "yes"}), "reopen must be"),
            (json!("x"), "a status must be an object"),
        ];
        for (status, expected) in table {
            let said = one(status.clone()).unwrap_err();
            assert!(said.starts_with(expected), "{status}: {said}");
        }
    }

    #[test]
    fn descriptions_are_cut_by_characters_not_bytes() {
        let read = one(json!({"name": "a", "status": "success", "message": "ü".repeat(141)})).unwrap();
        let description = read.content.description.unwrap();
        assert!(read.cut && description.ends_with('…'));
        assert_eq!(description.chars().count(), DESCRIPTION_LIMIT);
        let whole = one(json!({"name": "a", "status": "success", "message": "ü".repeat(140)})).unwrap();
        assert!(!whole.cut);
    }

    #[test]
    fn repository_and_sha() {
        let of = |extra: Value| {
            let mut object = json!({"statuses": [{"name": "a", "status": "success"}]});
            object.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
            super::read(object.to_string().as_bytes()).unwrap()
        };
        assert_eq!(of(json!({})).repository, Ok(None));
        assert_eq!(of(json!({})).sha, Ok(None));
        assert!(of(json!({"sha": "abc"})).sha.is_err());
        assert!(of(json!({"sha": 7})).sha.is_err());
        for bad in [
            "x",
            "https://h/repos/o/r/pulls/",
            "https://h/repos/o/r/issues/7",
            "https://h/repos/o/r/pulls/7x",
            "https://h/o/r/pull/7",
        ] {
            assert!(of(json!({"pull_request_url": bad})).repository.is_err(), "{bad}");
        }
        let enterprise = of(json!({"pull_request_url": "https://ghe.example/api/v3/repos/o/r/pulls/7"}));
        assert_eq!(enterprise.repository.unwrap().unwrap().as_str(), "o/r");
        let both = json!({"repository": "O/R", "pull_request_url": "https://h/repos/o/r/pulls/7"});
        assert!(of(both).repository.is_ok(), "the same, without case");
        assert!(
            of(json!({"repository": "a/b", "pull_request_url": "https://h/repos/o/r/pulls/7"})).repository.is_err()
        );
    }

    #[test]
    fn lists_and_bodies() {
        let some = |n: usize| json!({"statuses": vec![json!({"name": "a", "status": "success"}); n]}).to_string();
        assert_eq!(read(some(0).as_bytes()), Err(Unreadable::Count(0)));
        assert_eq!(read(some(101).as_bytes()), Err(Unreadable::Count(101)));
        let hundred = read(some(100).as_bytes()).unwrap();
        assert_eq!(hundred.items[99].read.as_ref().unwrap().index, 99, "the place among its own context");
        assert_eq!(read(b"{}"), Err(Unreadable::Shape));
        assert_eq!(read(b"[]"), Err(Unreadable::Shape));
        assert!(matches!(read(b"{"), Err(Unreadable::Json(..))));
        for none in ["", " \n", "{}", "[]", "7", r#"{"statuses":null}"#, r#"{"statuses":[]}"#, r#"{"ok":true}"#] {
            assert_eq!(read_answer(none.as_bytes()), Ok(None), "{none}");
        }
        assert!(matches!(read_answer(b"ok"), Err(Unreadable::Json(..))));
        assert_eq!(read_answer(br#"{"statuses":{}}"#), Err(Unreadable::Shape));
        assert_eq!(read_answer(some(101).as_bytes()), Err(Unreadable::Count(101)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused_never_a_panic(body in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = read(&body);
            let _ = read_answer(&body);
        }

        #[test]
        fn whatever_text_is_accepted_is_fit_for_github(name in "\\PC{0,300}", message in ".{0,300}") {
            if let Ok(read) = one(json!({"name": name, "status": "success", "message": message})) {
                let content = read.content;
                prop_assert!(!content.context.is_empty() && content.context.chars().count() <= CONTEXT_LIMIT);
                let description = content.description.unwrap_or_default();
                prop_assert!(description.chars().count() <= DESCRIPTION_LIMIT);
                prop_assert!(!description.chars().any(char::is_control));
            }
        }
    }
}
