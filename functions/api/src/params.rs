//! Query parameters: known, given once, within their range, or refused. Nothing is clamped.

use domain::ids::BadId;
use domain::query::LIMIT;
use jiff::Timestamp;
use lambda::http::problem::Problem;

use crate::bad_request;

/// The parameters of one request.
pub(crate) struct Params(Vec<(String, String)>);

impl Params {
    /// Reads the query string; a name outside `known`, or one given twice, is refused. An empty value counts as absent.
    pub(crate) fn read(query: Option<&str>, known: &[&str]) -> Result<Self, Problem> {
        let mut params = Vec::new();
        for (name, value) in url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            if !known.contains(&name.as_ref()) {
                return Err(bad_request(format!("There is no such parameter; there are {}.", known.join(", "))));
            }
            if params.iter().any(|(other, _): &(String, String)| *other == name) {
                return Err(bad_request(format!("{name} is given twice.")));
            }
            if !value.is_empty() {
                params.push((name.into_owned(), value.into_owned()));
            }
        }
        Ok(Self(params))
    }

    /// Parameters from a body. Whoever sends an empty one there has lost something on the way, so it does not count as
    /// absent: a replay of everything would come of it.
    pub(crate) fn given<const N: usize>(params: [(&str, Option<String>); N]) -> Result<Self, Problem> {
        let mut given = Vec::new();
        for (name, value) in params {
            match value {
                Some(value) if value.is_empty() => return Err(bad_request(format!("{name} must not be empty."))),
                Some(value) => given.push((name.to_owned(), value)),
                None => {}
            }
        }
        Ok(Self(given))
    }

    /// The value as it is.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// The value as an id of some kind.
    pub(crate) fn id<T>(&self, name: &str, parse: impl Fn(&str) -> Result<T, BadId>) -> Result<Option<T>, Problem> {
        self.text(name).map(|text| parse(text).map_err(|bad| bad_request(format!("{name}: {bad}.")))).transpose()
    }

    /// The value as an instant.
    pub(crate) fn instant(&self, name: &str) -> Result<Option<Timestamp>, Problem> {
        let bad = || bad_request(format!("{name} must be RFC 3339, such as 2026-03-02T10:00:00Z."));
        self.text(name).map(|text| text.parse().map_err(|_| bad())).transpose()
    }

    /// `limit`, 1 to 100, by default 100.
    pub(crate) fn limit(&self) -> Result<usize, Problem> {
        let Some(text) = self.text("limit") else { return Ok(LIMIT) };
        let limit = text.parse().ok().filter(|limit| (1..=LIMIT).contains(limit));
        limit.ok_or_else(|| bad_request(format!("limit must be 1 to {LIMIT}.")))
    }
}
