//! What each secret is for: how it is made, what it may look like, and who else has to know it.

use std::time::Duration;

use domain::secrets::check_bearer;
use domain::webhook;

/// What a secret is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Signs GitHub's deliveries.
    GithubSecret,
    /// Signs what is sent to the user's server.
    ServerSecret,
    /// Signs call-back tokens.
    CallbackSecret,
    /// Opens the API and the pages.
    ApiKey,
    /// Writes commit statuses.
    GithubToken,
    /// A parameter by a name that says nothing.
    Unknown,
}

/// A parameter and its purpose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) parameter: String,
    pub(crate) purpose: Purpose,
}

const NAMES: [(&str, Purpose); 5] = [
    ("github-secret", Purpose::GithubSecret),
    ("server-secret", Purpose::ServerSecret),
    ("callback-secret", Purpose::CallbackSecret),
    ("api-key", Purpose::ApiKey),
    ("github-token", Purpose::GithubToken),
];

impl Target {
    /// Reads a name, or a full name, whose last part may say what it is for.
    ///
    /// # Errors
    /// What would be right.
    pub(crate) fn of(name: &str, prefix: &str) -> Result<Self, &'static str> {
        let known = |name: &str| NAMES.iter().find(|(known, _)| *known == name).map(|(_, purpose)| *purpose);
        if name.starts_with('/') {
            let purpose = name.rsplit('/').next().and_then(known).unwrap_or(Purpose::Unknown);
            return Self { parameter: name.to_owned(), purpose }.checked();
        }
        let purpose = known(name).ok_or(
            "write github-secret, server-secret, callback-secret, api-key, github-token, or a full name that begins with /",
        )?;
        Self { parameter: format!("{}/{name}", prefix.trim_end_matches('/')), purpose }.checked()
    }

    /// The alphabet of the template's parameters, which is that of the parameter store.
    fn checked(self) -> Result<Self, &'static str> {
        let part = |part: &str| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
        };
        let fits = self.parameter.strip_prefix('/').is_some_and(|rest| rest.split('/').all(part));
        if fits {
            Ok(self)
        } else {
            Err("a parameter's name is like /hookyard/api-key, of letters, digits, . _ - and /")
        }
    }
}

impl Purpose {
    /// Its own name, for files.
    pub(crate) fn name(self) -> &'static str {
        NAMES.iter().find(|(_, purpose)| *purpose == self).map_or("secret", |(name, _)| name)
    }

    /// How long the present one stays good beside a new one, where nobody says it. Call-back tokens live for 24 h by
    /// default, and a function that has not read the new secret yet mints some more with this one.
    pub(crate) fn kept(self) -> Duration {
        match self {
            Self::CallbackSecret => Duration::from_hours(25),
            _ => Duration::from_hours(24),
        }
    }

    /// A new secret of these random bytes; none for what only somebody else can make.
    pub(crate) fn form(self, random: &[u8; 32]) -> Option<String> {
        match self {
            Self::ServerSecret => {
                let base64 = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, random);
                Some(format!("{}{base64}", webhook::PREFIX))
            }
            Self::GithubSecret | Self::CallbackSecret | Self::ApiKey => {
                Some(random.iter().map(|byte| format!("{byte:02x}")).collect())
            }
            Self::GithubToken | Self::Unknown => None,
        }
    }

    /// Checks a secret that somebody gives.
    ///
    /// # Errors
    /// What is wrong with it; never the secret.
    pub(crate) fn check(self, secret: &str) -> Result<(), String> {
        if secret.is_empty() {
            return Err("is empty".to_owned());
        }
        let fits = match self {
            Self::ServerSecret => webhook::check_secret(secret),
            Self::ApiKey | Self::GithubToken => check_bearer(secret),
            Self::GithubSecret | Self::CallbackSecret | Self::Unknown => Ok(()),
        };
        fits.map_err(|bad| format!("is not {}", bad.must))?;
        if secret.trim() != secret || secret.chars().any(char::is_control) {
            // An invisible blank makes every signature wrong, and nobody sees why.
            return Err("begins or ends with white space, or holds control characters".to_owned());
        }
        Ok(())
    }

    /// Whether somebody has to enter it elsewhere.
    pub(crate) fn has_another_side(self) -> bool {
        !matches!(self, Self::CallbackSecret)
    }

    /// What is to be done with it there.
    pub(crate) fn next(self) -> &'static str {
        match self {
            Self::GithubSecret => "enter it at GitHub: Settings, Webhooks, Edit, Secret",
            Self::ServerSecret => "give it to your server, which verifies webhook-signature with it",
            Self::CallbackSecret => "nothing: only Hookyard itself uses it",
            Self::ApiKey => "use it as the bearer of /v1 and for the pages",
            Self::GithubToken => "revoke the one before at GitHub, if there was one",
            Self::Unknown => "give it to whoever shares it",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_the_parameters_they_mean() {
        for (name, prefix, expected) in [
            ("github-secret", "/hookyard", Some(("/hookyard/github-secret", Purpose::GithubSecret))),
            ("api-key", "/team/hooks/", Some(("/team/hooks/api-key", Purpose::ApiKey))),
            ("/x/y/github-token", "/hookyard", Some(("/x/y/github-token", Purpose::GithubToken))),
            ("/hooks.v2/Key_1", "/hookyard", Some(("/hooks.v2/Key_1", Purpose::Unknown))),
            ("github", "/hookyard", None),
            ("", "/hookyard", None),
            ("/", "/hookyard", None),
            ("//x", "/hookyard", None),
            ("/x/", "/hookyard", None),
            ("/a b", "/hookyard", None),
            ("/x;rm", "/hookyard", None),
            ("api-key", "hookyard", None),
            ("api-key", "", Some(("/api-key", Purpose::ApiKey))),
        ] {
            let expected = expected.map(|(parameter, purpose)| Target { parameter: parameter.to_owned(), purpose });
            assert_eq!(Target::of(name, prefix).ok(), expected, "{name} {prefix}");
        }
    }

    #[test]
    fn the_names_are_those_of_the_template() {
        let template = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../template.yaml")).unwrap();
        assert!(template.contains("    Default: /hookyard\n"));
        for (name, _) in NAMES {
            assert!(template.contains(&format!("${{SecretsPrefix}}/{name}")), "{name}");
        }
    }

    #[test]
    fn what_is_made_passes_and_what_cannot_work_does_not() {
        for (_, purpose) in NAMES {
            if let Some(secret) = purpose.form(&[7; 32]) {
                assert_eq!(purpose.check(&secret), Ok(()), "{purpose:?}");
                assert!(secret.len() >= 44);
            }
        }
        for (purpose, secret) in [
            (Purpose::GithubSecret, ""),
            (Purpose::GithubSecret, " padded"),
            (Purpose::GithubSecret, "two\nlines"),
            (Purpose::ServerSecret, "not-whsec"),
            (Purpose::ServerSecret, "whsec_c2hvcnQ="),
            (Purpose::ApiKey, "two words"),
            (Purpose::GithubToken, "naïve"),
            (Purpose::Unknown, "tail\t"),
        ] {
            let what = purpose.check(secret).unwrap_err();
            assert!(secret.is_empty() || !what.contains(secret), "{what}");
        }
    }
}
