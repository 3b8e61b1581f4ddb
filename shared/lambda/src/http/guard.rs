//! Who is addressed, and from which page: a web page that somebody happens to open must be able neither to read
//! from a gateway on their machine (by a name of its own that resolves to loopback) nor to write to it.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use http::uri::Authority;
use http::{HeaderMap, Method, StatusCode, Uri, header};
use url::Url;

use super::problem::Problem;

/// The names a port answers to.
#[derive(Debug, Clone)]
pub struct Hosts {
    bind: Option<IpAddr>,
    public: Option<(String, u16)>,
    fronted: bool,
}

impl Hosts {
    /// Loopback, the bind address and the public URL's host.
    pub fn new(bind: Option<IpAddr>, public: Option<&Url>) -> Self {
        let public = public.and_then(|url| Some((url.host_str()?.to_owned(), url.port_or_known_default()?)));
        Self { bind, public, fronted: false }
    }

    /// Whatever name the request came under, because a gateway in front hands over only what is meant for us
    /// (API Gateway routes by name). Pages of other names are foreign here as well.
    pub fn fronted() -> Self {
        Self { bind: None, public: None, fronted: true }
    }

    /// Looks at one request.
    ///
    /// # Errors
    /// 400 unless it names exactly one host; 421 when that is none of ours; 403 when a foreign page wants to change
    /// something.
    pub fn check(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
        let host = addressed(uri, headers).ok_or_else(|| {
            Problem::new(StatusCode::BAD_REQUEST, "bad-host", "Bad Host header", "A request names exactly one host.")
        })?;
        if !self.owns(&host, &host) {
            let detail = "This gateway answers to its loopback names, its bind address and the host of \
                          HOOKYARD_PUBLIC_URL. Set that to the address you use.";
            return Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, "foreign-host", "Not our host", detail));
        }
        let reads = matches!(*method, Method::GET | Method::HEAD);
        let own_page = headers.get_all(header::ORIGIN).iter().all(|origin| {
            origin.to_str().ok().and_then(Place::of_origin).is_some_and(|origin| self.owns(&origin, &host))
        });
        if reads || own_page {
            return Ok(());
        }
        let detail = "Only this gateway's own pages may change something; programs send no Origin header.";
        Err(Problem::new(StatusCode::FORBIDDEN, "foreign-origin", "Foreign origin", detail))
    }

    fn owns(&self, place: &Place, addressed: &Place) -> bool {
        let public = self.public.as_ref().is_some_and(|(host, port)| place.host == *host && place.is_at(*port));
        let address = place.address();
        let near = place.host == "localhost" || address.is_some_and(|ip| ip.is_loopback());
        let bound = address.is_some() && address == self.bind;
        if self.fronted { place.host == addressed.host } else { near || bound || public }
    }
}

/// Puts the check before every route of `router`.
pub fn guarded<S: Clone + Send + Sync + 'static>(router: Router<S>, hosts: Hosts) -> Router<S> {
    router.layer(middleware::from_fn_with_state(Arc::new(hosts), check))
}

async fn check(State(hosts): State<Arc<Hosts>>, request: Request, next: Next) -> Response {
    match hosts.check(request.method(), request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

/// Whether a request was addressed to this machine by a loopback name. One that came under the public URL's host came
/// through something that others can reach as well, so nothing is open to it that is only open here.
pub fn is_here(headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok().and_then(Place::of_authority));
    host.is_some_and(|place| place.host == "localhost" || place.address().is_some_and(|ip| ip.is_loopback()))
}

/// A host in lower case and the port that was written beside it; `[…]` around IPv6 addresses.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    host: String,
    port: Option<u16>,
}

impl Place {
    fn of_authority(text: &str) -> Option<Self> {
        let authority: Authority = text.parse().ok()?;
        if authority.host().is_empty() {
            return None;
        }
        // Only a port may follow the host, and nothing stands before it: no user, no password.
        let port = match text.strip_prefix(authority.host())? {
            "" => None,
            rest => Some(rest.strip_prefix(':')?.parse().ok()?),
        };
        Some(Self { host: authority.host().to_ascii_lowercase(), port })
    }

    /// `null`, what sandboxed pages and files send, is no place.
    fn of_origin(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        matches!(scheme, "http" | "https").then(|| Self::of_authority(rest))?
    }

    fn address(&self) -> Option<IpAddr> {
        match self.host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            Some(inner) => inner.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
            None => self.host.parse().ok(),
        }
    }

    /// A default port may be written or not, and a proxy may speak http for an https address.
    fn is_at(&self, port: u16) -> bool {
        let default = |port| matches!(port, 80 | 443);
        match self.port {
            Some(own) => own == port || (default(own) && default(port)),
            None => default(port),
        }
    }
}

/// The host that a request names: in its target (HTTP/2, or an absolute address) or in its one Host header. Both
/// may be there if they agree.
fn addressed(uri: &Uri, headers: &HeaderMap) -> Option<Place> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (named, further) = (hosts.next(), hosts.next());
    if further.is_some() {
        return None;
    }
    let named = named.map(|host| host.to_str().ok().and_then(Place::of_authority));
    let target = uri.authority().map(|authority| Place::of_authority(authority.as_str()));
    match (target, named) {
        (Some(target), Some(named)) if target != named => None,
        (Some(place), _) | (None, Some(place)) => place,
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use axum::body::Body;
    use axum::routing::get;
    use tower::ServiceExt;

    fn hosts() -> Hosts {
        Hosts::new(Some("192.168.7.5".parse().unwrap()), Some(&Url::parse("https://Hooks.example/yard").unwrap()))
    }

    fn status(hosts: &Hosts, method: &str, uri: &str, headers: &[(&'static str, &str)]) -> u16 {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        let answer = hosts.check(&method.parse().unwrap(), &uri.parse().unwrap(), &map);
        answer.map_or_else(|problem| problem.status.as_u16(), |()| 200)
    }

    #[test]
    fn hosts_it_answers_to() {
        for (host, code) in [
            ("127.0.0.1:7778", 200),
            ("127.0.0.1", 200),
            ("127.8.9.10:1", 200),
            ("localhost:7778", 200),
            ("LocalHost", 200),
            ("[::1]:7778", 200),
            ("[0:0:0:0:0:0:0:1]", 200),
            ("192.168.7.5:7778", 200),
            ("hooks.example", 200),
            ("HOOKS.example", 200),
            ("hooks.example:443", 200),
            ("hooks.example:80", 200),
            ("hooks.example:8443", 421),
            ("192.168.7.6", 421),
            ("evil.example", 421),
            ("localhost.evil.example", 421),
            ("hooks.example.evil.example", 421),
            ("127.0.0.1.evil.example", 421),
            ("0.0.0.0:7778", 421),
            ("127.1", 421),
            ("[::ffff:127.0.0.1]", 421),
            ("", 400),
            (":7778", 400),
            ("me@127.0.0.1", 400),
            ("127.0.0.1@127.0.0.1", 400),
            ("127.0.0.1:80@evil.example", 400),
            ("evil.example@127.0.0.1", 400),
            ("127.0.0.1:port", 400),
            ("127.0.0.1:99999", 400),
            ("127.0.0.1:", 400),
            ("a b", 400),
        ] {
            assert_eq!(status(&hosts(), "GET", "/", &[("host", host)]), code, "{host}");
        }
    }

    #[test]
    fn a_port_in_the_public_url_counts() {
        let hosts = Hosts::new(None, Some(&Url::parse("http://yard.example:8080").unwrap()));
        assert_eq!(status(&hosts, "GET", "/", &[("host", "yard.example:8080")]), 200);
        assert_eq!(status(&hosts, "GET", "/", &[("host", "yard.example")]), 421);
        let hosts = Hosts::new(None, Some(&Url::parse("http://[2001:db8::7]:8080").unwrap()));
        assert_eq!(status(&hosts, "GET", "/", &[("host", "[2001:db8::7]:8080")]), 200);
    }

    #[test]
    fn exactly_one_host() {
        let local = ("host", "127.0.0.1:7778");
        assert_eq!(status(&hosts(), "GET", "/", &[]), 400);
        assert_eq!(status(&hosts(), "GET", "/", &[local, local]), 400);
        assert_eq!(status(&hosts(), "GET", "/", &[local, ("host", "evil.example")]), 400);
        assert_eq!(status(&hosts(), "GET", "http://127.0.0.1:7778/", &[]), 200);
        assert_eq!(status(&hosts(), "GET", "http://127.0.0.1:7778/", &[local]), 200);
        assert_eq!(status(&hosts(), "GET", "http://evil.example/", &[local]), 400);
        assert_eq!(status(&hosts(), "GET", "http://evil.example/", &[]), 421);
    }

    #[test]
    fn foreign_pages_change_nothing() {
        for (origin, code) in [
            ("http://127.0.0.1:7778", 200),
            ("http://localhost:3000", 200),
            ("http://[::1]:7778", 200),
            ("https://hooks.example", 200),
            ("https://hooks.example:8443", 403),
            ("https://evil.example", 403),
            ("https://localhost.evil.example", 403),
            ("ftp://localhost", 403),
            ("null", 403),
            ("", 403),
        ] {
            let headers = [("host", "127.0.0.1:7778"), ("origin", origin)];
            for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
                assert_eq!(status(&hosts(), method, "/", &headers), code, "{method} from {origin}");
            }
            assert_eq!(status(&hosts(), "GET", "/", &headers), 200, "GET from {origin}");
        }
        let local = ("host", "localhost");
        assert_eq!(status(&hosts(), "POST", "/", &[local]), 200, "programs send no Origin");
        let two = [local, ("origin", "http://localhost"), ("origin", "https://evil.example")];
        assert_eq!(status(&hosts(), "POST", "/", &two), 403);
    }

    #[test]
    fn behind_a_front_only_the_page_is_looked_at() {
        let hosts = Hosts::fronted();
        let host = ("host", "abc.execute-api.us-east-1.amazonaws.com");
        assert_eq!(status(&hosts, "POST", "/", &[host]), 200);
        assert_eq!(
            status(&hosts, "POST", "/", &[host, ("origin", "https://abc.execute-api.us-east-1.amazonaws.com")]),
            200
        );
        assert_eq!(status(&hosts, "POST", "/", &[host, ("origin", "https://evil.example")]), 403);
        assert_eq!(status(&hosts, "POST", "/", &[host, ("origin", "http://localhost:3000")]), 403);
    }

    #[tokio::test]
    async fn the_layer_stands_before_every_route() {
        let router: Router = guarded(Router::new().route("/", get(|| async { "here" })), hosts());
        for (host, path, code) in
            [("localhost", "/", 200), ("evil.example", "/", 421), ("evil.example", "/nowhere", 421)]
        {
            let request = Request::builder().uri(path).header("host", host).body(Body::empty()).unwrap();
            assert_eq!(router.clone().oneshot(request).await.unwrap().status(), code, "{host}{path}");
        }
    }
}
