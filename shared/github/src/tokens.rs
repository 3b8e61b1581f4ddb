//! Which token writes to which repository.

use std::sync::Arc;

use domain::ids::{CredentialId, Repository};
use domain::ports::Secrets;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

/// Tokens and what each is for. The most specific pattern wins: repository, owner, everything.
#[derive(Default, Clone)]
pub struct Tokens(Vec<(Pattern, Source)>);

/// Where a token comes from.
#[derive(Clone)]
pub(crate) enum Source {
    /// The same as long as we run.
    Fixed(SecretString),
    /// From somewhere where it can be replaced meanwhile; the current one of several writes.
    Kept(Arc<dyn Secrets>),
}

/// Ordered from the specific to the general.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Pattern {
    Repository(String),
    Owner(String),
    All,
}

/// A pattern that is none of the three forms.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a pattern must be owner/name, owner/* or *")]
pub struct BadPattern;

impl Tokens {
    /// No token: nothing is written anywhere.
    pub fn none() -> Self {
        Self::default()
    }

    /// One token for everything.
    pub fn one(token: SecretString) -> Self {
        Self(vec![(Pattern::All, Source::Fixed(token))])
    }

    /// One token for everything, which may be replaced while we run.
    pub fn kept(token: Arc<dyn Secrets>) -> Self {
        Self(vec![(Pattern::All, Source::Kept(token))])
    }

    /// Adds a token for `owner/name`, `owner/*` or `*`; it takes the place of one with the same pattern.
    ///
    /// # Errors
    /// [`BadPattern`] when the pattern is none of these.
    pub fn and(mut self, pattern: &str, token: SecretString) -> Result<Self, BadPattern> {
        let pattern = Pattern::parse(pattern)?;
        self.0.retain(|(present, _)| *present != pattern);
        self.0.push((pattern, Source::Fixed(token)));
        self.0.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(self)
    }

    /// Where the token for a repository comes from.
    pub(crate) fn of(&self, repository: &Repository) -> Option<&Source> {
        self.0.iter().find(|(pattern, _)| pattern.fits(repository)).map(|(_, source)| source)
    }

    /// All that are known from the start.
    pub(crate) fn fixed(&self) -> impl Iterator<Item = &SecretString> {
        self.0.iter().filter_map(|(_, source)| match source {
            Source::Fixed(token) => Some(token),
            Source::Kept(_) => None,
        })
    }
}

/// Says how many there are, and nothing of any.
impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tokens({})", self.0.len())
    }
}

impl Pattern {
    fn parse(text: &str) -> Result<Self, BadPattern> {
        match text.strip_suffix("/*") {
            _ if text == "*" => Ok(Self::All),
            // A repository of that owner stands in for the owner, because there the rules for names are.
            Some(owner) => match Repository::parse(&format!("{owner}/x")) {
                Ok(repository) => Ok(Self::Owner(repository.owner().to_ascii_lowercase())),
                Err(_) => Err(BadPattern),
            },
            None => {
                Repository::parse(text).map(|repository| Self::Repository(repository.key())).map_err(|_| BadPattern)
            }
        }
    }

    fn fits(&self, repository: &Repository) -> bool {
        match self {
            Self::Repository(key) => *key == repository.key(),
            Self::Owner(owner) => repository.owner().eq_ignore_ascii_case(owner),
            Self::All => true,
        }
    }
}

/// The id of a token at one GitHub: one-way, and different for the same token elsewhere.
pub(crate) fn credential(api: &str, token: &SecretString) -> Option<CredentialId> {
    let mut hash = Sha256::new();
    for part in ["hookyard credential 1", api, token.expose_secret()] {
        hash.update(part);
        hash.update([0]);
    }
    // 16 hexadecimal digits are within the id's alphabet and length, so there always is one.
    CredentialId::parse(&format!("tok-{}", &hex::encode(hash.finalize())[..16])).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> SecretString {
        SecretString::from(text)
    }

    #[test]
    fn the_most_specific_pattern_wins() {
        let tokens = Tokens::one(secret("all"))
            .and("Octo/*", secret("owner"))
            .and_then(|tokens| tokens.and("octo/Site", secret("old")))
            .and_then(|tokens| tokens.and("octo/site", secret("repository")))
            .unwrap();
        let of = |name: &str| match tokens.of(&Repository::parse(name).unwrap()).unwrap() {
            Source::Fixed(token) => token.expose_secret().to_owned(),
            Source::Kept(_) => panic!("nobody put one there"),
        };
        assert_eq!(of("OCTO/SITE"), "repository");
        assert_eq!(of("octo/other"), "owner");
        assert_eq!(of("octopus/site"), "all");
        let some = Tokens::none().and("octo/*", secret("owner")).unwrap();
        assert!(some.of(&Repository::parse("else/site").unwrap()).is_none());
    }

    #[test]
    fn other_patterns_are_refused() {
        for pattern in ["", "octo", "*/site", "octo/", "/*", "octo/si*", "a/b/*", "a b/*"] {
            assert!(Tokens::none().and(pattern, secret("x")).is_err(), "{pattern}");
        }
    }

    #[test]
    fn an_id_tells_tokens_and_servers_apart_and_nothing_else() {
        let id = |api: &str, token: &str| credential(api, &secret(token)).unwrap().to_string();
        let here = id("https://api.github.com", "ghp_1");
        assert_eq!(here, id("https://api.github.com", "ghp_1"));
        assert_ne!(here, id("https://api.github.com", "ghp_2"));
        assert_ne!(here, id("https://ghe.example/api/v3", "ghp_1"));
        assert_ne!(id("a", "bc"), id("ab", "c"), "the parts do not run together");
        assert!(
            here.strip_prefix("tok-").is_some_and(|hex| hex.len() == 16 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
        );
        assert_eq!(format!("{:?}", Tokens::one(secret("ghp_1"))), "Tokens(1)");
    }
}
