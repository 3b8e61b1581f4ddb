//! A commit as people name one.

use std::collections::BTreeSet;

use domain::ids::{Repository, Sha};
use url::Url;

use crate::failure::Failure;
use crate::remote::records::Event;
use crate::remote::{Gateway, Items, Walk};

/// The fewest digits of a sha that are looked for.
const FEWEST: usize = 7;

/// The newest events of a repository that are searched for a sha.
const SEARCHED: usize = 1000;

/// The most statuses of a commit that are read.
const STATUSES: usize = 2000;

/// A repository and a sha.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Commit {
    pub(crate) repository: Repository,
    pub(crate) sha: Sha,
}

/// As it was given, its sha perhaps cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    repository: Repository,
    sha: String,
}

/// Reads `owner/name@sha`, or the commit's address at GitHub.
pub(crate) fn named(text: &str) -> Result<Named, String> {
    const LIKE: &str = "write it like acme/api@9fceb02d0ae598e95dc970b74767f19372d61af8";
    let (repository, sha) = match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => {
            let parts: Vec<_> = url.path().trim_matches('/').split('/').collect();
            match parts.as_slice() {
                [owner, name, "commit", sha] => (format!("{owner}/{name}"), (*sha).to_owned()),
                _ => return Err(LIKE.to_owned()),
            }
        }
        _ => {
            let (repository, sha) = text.split_once('@').ok_or(LIKE)?;
            (repository.to_owned(), sha.to_owned())
        }
    };
    let repository = Repository::parse(&repository).map_err(|_| LIKE.to_owned())?;
    let sha = sha.to_ascii_lowercase();
    if Sha::of(&sha).is_ok() {
        return Ok(Named { repository, sha });
    }
    match sha.len() {
        _ if !sha.bytes().all(|b| b.is_ascii_hexdigit()) => Err("a sha is hexadecimal digits".to_owned()),
        FEWEST..=63 => Ok(Named { repository, sha }),
        _ => Err(format!("a sha is 40 or 64 digits, or {FEWEST} or more of its first ones")),
    }
}

impl Named {
    /// The whole commit. One with a cut sha is looked for among the repository's events.
    pub(crate) async fn whole(&self, gateway: &Gateway) -> Result<Commit, Failure> {
        let Self { repository, sha } = self;
        if let Ok(sha) = Sha::of(sha) {
            return Ok(Commit { repository: repository.clone(), sha });
        }
        let events: Vec<Event> = events_of(gateway, repository).await?.read()?;
        let fit = |found: &String| found.starts_with(sha.as_str());
        let found: BTreeSet<String> = events.into_iter().filter_map(|event| event.sha).filter(fit).collect();
        let mut found = found.into_iter();
        match (found.next(), found.next()) {
            (Some(only), None) => {
                let sha = Sha::of(&only).map_err(|bad| Failure::new(bad.to_string(), "give the whole sha"))?;
                Ok(Commit { repository: repository.clone(), sha })
            }
            (Some(one), Some(other)) => {
                let hint = format!("give more of it: {one}, {other}");
                Err(Failure::usage(format!("several commits of {repository} begin with {sha}"), hint))
            }
            (None, _) => {
                let hint = "give the whole sha: commits are known by their events only";
                Err(Failure::not_found(format!("no event of {repository} is about a commit {sha}"), hint))
            }
        }
    }
}

/// The newest events of a repository.
async fn events_of(gateway: &Gateway, repository: &Repository) -> Result<Items, Failure> {
    let filters = [("repository", Some(repository.to_string()))];
    Walk::new(gateway, &["v1", "events"], "events", filters, None).take(SEARCHED).await
}

impl Commit {
    /// The newest events that are about it, as the gateway wrote them.
    pub(crate) async fn events(&self, gateway: &Gateway) -> Result<Items, Failure> {
        let mut items = events_of(gateway, &self.repository).await?;
        items.raw.retain(|event| event["sha"] == *self.sha.as_str());
        Ok(items)
    }

    /// `acme/api@9fceb02…`, whole.
    pub(crate) fn name(&self) -> String {
        format!("{}@{}", self.repository, self.sha)
    }
}

/// Every status of a commit, newest accepted first.
pub(crate) async fn statuses_of(gateway: &Gateway, commit: &Commit) -> Result<Items, Failure> {
    let Commit { repository, sha } = commit;
    let path = ["v1", "commits", repository.owner(), repository.name(), sha.as_str(), "statuses"];
    Walk::new(gateway, &path, "statuses", [], None).take(STATUSES).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_as_people_name_them() {
        let sha = "9fceb02d0ae598e95dc970b74767f19372d61af8";
        for text in [
            format!("acme/api@{sha}"),
            format!("acme/api@{}", sha.to_uppercase()),
            format!("https://github.com/acme/api/commit/{sha}"),
            format!("https://github.example/acme/api/commit/{sha}#diff"),
        ] {
            let named = named(&text).unwrap();
            assert_eq!((named.repository.as_str(), named.sha.as_str()), ("acme/api", sha), "{text}");
        }
        assert_eq!(named("acme/api@9FCEB02").unwrap().sha, "9fceb02");
        for bad in
            ["acme/api", "acme@9fceb02", "acme/api@9fceb0", "acme/api@main", "@", "acme/api@", "https://a/b/c", ""]
        {
            assert!(named(bad).is_err(), "{bad}");
        }
    }
}
