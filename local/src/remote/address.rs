//! Which gateway, and with what key. A key goes to the address that it was given with, and to no other.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use domain::secrets::check_bearer;
use lambda::settings::Unfit;
use secrecy::{ExposeSecret, SecretString};
use url::{Host, Url};

use super::{Gateway, Remote, profiles};
use crate::failure::Failure;
use crate::settings::{Environment, Settings};
use crate::terminal::screen::Screen;

const URL: &str = "HOOKYARD_URL";
const KEY: &str = "HOOKYARD_API_KEY";

/// The largest file that is taken for a key, in bytes.
const LARGEST_KEY: u64 = 4096;

/// The gateway that was asked for: by `--url`, by `--profile`, by `HOOKYARD_URL`, or the one on this machine.
///
/// A key in `.env` belongs to what else stands there, so it does not go to an address from the command line; one in
/// the process environment was set by whoever runs this.
pub(super) fn gateway(remote: &Remote, environment: &Environment, screen: &Screen) -> Result<Gateway, Failure> {
    let (base, key) = if let Some(text) = &remote.url {
        (address(text, "--url")?, environment.outside(KEY).map(SecretString::from))
    } else if let Some(name) = &remote.profile {
        let profile = profiles::find(name, environment)?;
        let key = profile.key_file.map(|path| key_in(&path, screen)).transpose()?;
        (address(&profile.url, &format!("the url of profile {name}"))?, key)
    } else if let Some(text) = environment.outside(URL) {
        (address(&text, URL)?, environment.outside(KEY).map(SecretString::from))
    } else if let Some(text) = environment.get(URL) {
        (address(&text, URL)?, environment.get(KEY).map(SecretString::from))
    } else {
        (on_this_machine(environment)?, environment.get(KEY).map(SecretString::from))
    };
    let key = match &remote.key_file {
        Some(path) => Some(key_in(path, screen)?),
        None => key,
    };
    if let Some(key) = &key {
        fit(key, KEY)?;
        if base.scheme() == "http" && !is_near(&base) {
            screen.warn(format_args!("{} is not https: whoever is on the way can read the key", origin(&base)));
        }
    }
    Gateway::new(base, key, screen.clock.clone())
}

/// Where the API of a gateway with these settings is on this machine.
fn on_this_machine(environment: &Environment) -> Result<Url, Failure> {
    let settings = Settings::from_lookup(|name| environment.get(name)).map_err(|error| {
        let said = error.to_string();
        let (what, hint) = said.split_once("\n hint: ").unwrap_or((&said, ""));
        let what = what.trim_start_matches("error: ");
        Failure::usage(what, hint.lines().next().unwrap_or_default())
    })?;
    let host = match settings.host {
        IpAddr::V4(v4) if v4.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(v6) if v6.is_unspecified() => IpAddr::V6(std::net::Ipv6Addr::LOCALHOST),
        host => host,
    };
    let unknown = || {
        let hint = "give the gateway's address with --url, as hookyard serve prints it";
        Failure::usage("STATUS_API_PORT is 0, which says nothing about where the gateway is", hint)
    };
    if settings.api_port == 0 {
        return Err(unknown());
    }
    Url::parse(&format!("http://{}", SocketAddr::new(host, settings.api_port))).map_err(|_| unknown())
}

/// An address that paths can be added to.
fn address(text: &str, from: &str) -> Result<Url, Failure> {
    const LIKE: &str = "write it like https://hooks.example or http://127.0.0.1:7778";
    let read = lambda::settings::url(text).and_then(|url| match url.query() {
        Some(_) => Err(Unfit::new("has a query").hidden()),
        None => Ok(url),
    });
    read.map_err(|_| Failure::usage(format!("{from} is not the address of a gateway"), LIKE))
}

/// The key in a file. The whole file is the key, but for the end of its line.
fn key_in(path: &Path, screen: &Screen) -> Result<SecretString, Failure> {
    let shown = path.display();
    let hint = "name a file that holds the gateway's key and nothing else";
    let cannot = |error: std::io::Error| Failure::usage(format!("{shown} cannot be read: {error}"), hint);
    let about = std::fs::metadata(path).map_err(cannot)?;
    if !about.is_file() || about.len() > LARGEST_KEY {
        return Err(Failure::usage(format!("{shown} is no file with a key"), hint));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        if about.permissions().mode() & 0o077 != 0 {
            screen.warn(format_args!("others on this machine may read {shown}: chmod 600 {shown}"));
        }
    }
    let key = SecretString::from(std::fs::read_to_string(path).map_err(cannot)?);
    let key = SecretString::from(key.expose_secret().trim());
    fit(&key, &shown.to_string())?;
    Ok(key)
}

fn fit(key: &SecretString, from: &str) -> Result<(), Failure> {
    check_bearer(key.expose_secret())
        .map_err(|_| Failure::usage(format!("{from} holds no key"), "a key is visible ASCII characters without blanks"))
}

/// Whether what is sent there stays on this machine.
fn is_near(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

/// The address without its path, as it is shown.
pub(super) fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_a_gateway() {
        for good in ["http://127.0.0.1:7778", "https://hooks.example", "https://x.example/prod/", "http://[::1]:7778"] {
            assert!(address(good, "--url").is_ok(), "{good}");
        }
        for bad in ["127.0.0.1:7778", "ftp://a", "https://u:hush@a", "https://a/?key=hush", "https://a/#b", ""] {
            let failure = address(bad, "--url").unwrap_err();
            assert!(!failure.what().contains("hush") && failure.code() == 2, "{failure:?}");
        }
    }

    #[test]
    fn what_is_near() {
        for (url, near) in [
            ("http://127.0.0.1:7778", true),
            ("http://[::1]:7778", true),
            ("http://localhost:7778", true),
            ("http://192.0.2.1", false),
            ("http://hooks.example", false),
            ("http://localhost.example", false),
        ] {
            assert_eq!(is_near(&url.parse().unwrap()), near, "{url}");
        }
    }
}
