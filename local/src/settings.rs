//! Configuration of the single machine: the environment, a `.env` beside it, and secrets made on first use.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use domain::secrets::Keyring;
use domain::webhook;
use lambda::settings::{Lookup, SettingsError, Unfit};
use secrecy::SecretString;
use url::Url;

/// The name of the file that is read beside the environment.
pub const DOT_ENV: &str = ".env";

const WEBHOOK_PORT: u16 = 7777;
const API_PORT: u16 = 7778;
const DATA: &str = ".hookyard";

/// What the gateway is told by its environment.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Bind address.
    pub host: IpAddr,
    /// Port of `POST /github`; 0 takes any free one.
    pub webhook_port: u16,
    /// Port of the API and the pages; 0 takes any free one.
    pub api_port: u16,
    /// Base of call-back URLs and links; by default the API port on loopback.
    pub public_url: Option<Url>,
    /// The API key; none on loopback means that none is asked for.
    pub api_key: Option<Keyring>,
    /// Webhook secrets; none: one is made in the data folder.
    pub github_secret: Option<Keyring>,
    /// Token that writes statuses; none: they are recorded, not written.
    pub github_token: Option<SecretString>,
    /// Base of GitHub's API.
    pub github_api_url: Url,
    /// Where events are sent; none: they are recorded as unhandled.
    pub your_server_url: Option<Url>,
    /// Signs what is sent there; none: one is made in the data folder.
    pub your_server_secret: Option<Keyring>,
    /// Signs call-back tokens; none: one is made in the data folder.
    pub callback_secret: Option<Keyring>,
    /// Life of a call-back token.
    pub callback_ttl: Duration,
    /// Data folder of the embedded engine.
    pub data: PathBuf,
}

impl Settings {
    /// Reads them.
    ///
    /// # Errors
    /// All problems at once.
    pub fn from_lookup(find: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let find = |name: &str| {
            let default = || (name == "GITHUB_API_URL").then(|| status::settings::GITHUB_API_URL.to_owned());
            find(name).filter(|value| !value.is_empty()).or_else(default)
        };
        let mut lookup = Lookup::new(find);
        let host = lookup.or_default(
            "HOOKYARD_HOST",
            IpAddr::V4(Ipv4Addr::LOCALHOST),
            "write an IP address, such as 127.0.0.1 or 0.0.0.0",
            |text| {
                if text == "localhost" {
                    Ok(IpAddr::V4(Ipv4Addr::LOCALHOST))
                } else {
                    text.parse().map_err(|_| Unfit::new("is not an IP address"))
                }
            },
        );
        let webhook_port = lookup.port("GITHUB_API_PORT").unwrap_or(WEBHOOK_PORT);
        let api_port = lookup.port("STATUS_API_PORT").unwrap_or(API_PORT);
        if webhook_port == api_port && webhook_port != 0 {
            let what = format!("is {api_port}, which is GITHUB_API_PORT too");
            lookup.problem("STATUS_API_PORT", &what, "give the two ports different numbers");
        }
        let public_url = lookup.url("HOOKYARD_PUBLIC_URL");
        let api_key = lookup.secret("HOOKYARD_API_KEY").map(|key| Keyring::new(key, None));
        if !host.is_loopback() && api_key.is_none() {
            let what = format!("is {host}, which others can reach, and HOOKYARD_API_KEY is not set");
            lookup.problem("HOOKYARD_HOST", &what, "set HOOKYARD_API_KEY, or bind to 127.0.0.1");
        }
        let github_secret = lookup.keyring("GITHUB_SECRET");
        let github_token = lookup.secret("GITHUB_TOKEN");
        let github_api_url =
            lookup.required("GITHUB_API_URL", "write it like https://github.example/api/v3", lambda::settings::url);
        let your_server_url = lookup.url("YOUR_SERVER_URL");
        let your_server_secret = lookup.keyring("YOUR_SERVER_SECRET");
        for name in ["YOUR_SERVER_SECRET", "YOUR_SERVER_SECRET_PREVIOUS"] {
            let hint = "write whsec_ and the base64 of 24 to 64 random bytes";
            lookup.optional(name, hint, |secret| {
                webhook::check_secret(secret).map_err(|bad| Unfit::new(format!("is not {}", bad.must)).hidden())
            });
        }
        let callback_secret = lookup.keyring("HOOKYARD_CALLBACK_SECRET");
        let callback_ttl = lookup.duration("HOOKYARD_CALLBACK_TTL").unwrap_or(fanout::settings::CALLBACK_TTL);
        let data = lookup.or_default("HOOKYARD_DATA", PathBuf::from(DATA), "write a path", |text| {
            Ok::<_, Unfit>(PathBuf::from(text))
        });
        lookup.build(|| {
            Some(Self {
                host,
                webhook_port,
                api_port,
                public_url,
                api_key,
                github_secret,
                github_token,
                github_api_url: github_api_url?,
                your_server_url,
                your_server_secret,
                callback_secret,
                callback_ttl,
                data,
            })
        })
    }
}

/// The process environment over a `.env` file, if there is one.
pub struct Environment(HashMap<String, String>);

impl Environment {
    /// Reads the file at `path`; the process environment wins. A file that is not there is no error.
    ///
    /// # Errors
    /// A line of the file that is no assignment, by its number; or a file that cannot be read.
    pub fn read(path: &Path) -> Result<Self, String> {
        let mut values = HashMap::new();
        match dotenvy::from_path_iter(path) {
            Ok(lines) => {
                for (number, line) in lines.enumerate() {
                    // The error repeats the line, which may hold a secret.
                    let (name, value) =
                        line.map_err(|_| format!("{}: assignment {} cannot be read", path.display(), number + 1))?;
                    values.insert(name, value);
                }
            }
            Err(dotenvy::Error::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(format!("{} cannot be read: {error}", path.display())),
        }
        Ok(Self(values))
    }

    /// The process environment alone.
    pub fn without_file() -> Self {
        Self(HashMap::new())
    }

    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<String> {
        self.outside(name).or_else(|| self.0.get(name).cloned())
    }

    /// The value of a name in the process environment, whatever the file says.
    pub fn outside(&self, name: &str) -> Option<String> {
        #[expect(clippy::disallowed_methods, reason = "this is the one place where the binary reads its environment")]
        std::env::var(name).ok().filter(|value| !value.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[(&str, &str)]) -> Result<Settings, String> {
        let find = |name: &str| values.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
        Settings::from_lookup(find).map_err(|error| error.to_string())
    }

    #[test]
    fn nothing_set_works() {
        let settings = of(&[]).unwrap();
        assert_eq!((settings.webhook_port, settings.api_port), (7777, 7778));
        assert!(settings.host.is_loopback() && settings.api_key.is_none() && settings.your_server_url.is_none());
        assert_eq!(settings.github_api_url.as_str(), "https://api.github.com/");
        assert_eq!(settings.callback_ttl, Duration::from_secs(86_400));
    }

    #[test]
    fn everything_wrong_is_said_at_once_and_no_secret_with_it() {
        let said = of(&[
            ("GITHUB_API_PORT", "77777"),
            ("YOUR_SERVER_URL", "htp://ci"),
            ("YOUR_SERVER_SECRET", "hunter2"),
            ("HOOKYARD_HOST", "0.0.0.0"),
            ("HOOKYARD_CALLBACK_TTL", "soon"),
            ("GITHUB_SECRET_PREVIOUS", "old-hunter"),
        ])
        .unwrap_err();
        for name in [
            "GITHUB_API_PORT",
            "YOUR_SERVER_URL",
            "YOUR_SERVER_SECRET",
            "HOOKYARD_HOST",
            "HOOKYARD_CALLBACK_TTL",
            "GITHUB_SECRET_PREVIOUS",
        ] {
            assert!(said.contains(&format!("error: {name} ")), "{name} is missing in:\n{said}");
        }
        assert!(!said.contains("hunter"), "{said}");
    }

    #[test]
    fn a_dot_env_with_comments_after_its_values() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".env");
        std::fs::write(
            &path,
            "# ports\nGITHUB_API_PORT=8001 # webhooks come in here\nexport STATUS_API_PORT='8002'\n\nGITHUB_SECRET=\"a # b\" # quoted\nYOUR_SERVER_URL=http://localhost:3000/hook#x\n",
        )
        .unwrap();
        let environment = Environment::read(&path).unwrap();
        let get = |name: &str| environment.get(name).unwrap();
        assert_eq!(get("GITHUB_API_PORT"), "8001");
        assert_eq!(get("STATUS_API_PORT"), "8002");
        assert_eq!(get("GITHUB_SECRET"), "a # b");
        assert_eq!(get("YOUR_SERVER_URL"), "http://localhost:3000/hook#x");
        assert!(Environment::read(&folder.path().join("none")).unwrap().0.is_empty());
        std::fs::write(&path, "GOOD=1\nTOKEN = 'ghp_secret\n").unwrap();
        let said = Environment::read(&path).err().unwrap();
        assert!(said.contains("assignment 2") && !said.contains("ghp_secret"), "{said}");
    }
}
