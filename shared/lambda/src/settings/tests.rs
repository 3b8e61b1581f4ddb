use super::*;

fn lookup<'a>(pairs: &'a [(&'a str, &'a str)]) -> Lookup<impl Fn(&str) -> Option<String> + 'a> {
    Lookup::new(|name| pairs.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
}

#[test]
fn everything_wrong_is_told_at_once_in_two_lines_each() {
    let mut lookup = lookup(&[("YOUR_SERVER_URL", "htp://ci"), ("GITHUB_API_PORT", "70000"), ("EMPTY", "")]);
    assert_eq!(lookup.url("YOUR_SERVER_URL"), None);
    assert_eq!(lookup.port("GITHUB_API_PORT").unwrap_or(7777), 7777);
    assert_eq!(lookup.required("EMPTY", "the name of the table", text), None);
    assert_eq!(lookup.optional("ABSENT", "anything", text), None);
    assert_eq!(
        lookup.finish().unwrap_err().to_string(),
        "error: YOUR_SERVER_URL \"htp://ci\" is not an address\n hint: write it like https://ci.example/hook\n\
         error: GITHUB_API_PORT \"70000\" is not a port\n \
         hint: a number from 0 to 65535, such as 7777; 0 takes any free port\n\
         error: EMPTY is not set\n hint: the name of the table"
    );
}

#[test]
fn what_is_right_is_read() {
    let mut lookup = lookup(&[("U", "https://ci.example:8443/hook?x=1"), ("D", "24h"), ("P", "0"), ("T", "t")]);
    let url = lookup.url("U");
    let life = lookup.duration("D");
    let port = lookup.port("P");
    let table = lookup.required("T", "", text);
    let level = lookup.or_default("L", "info".to_owned(), "", text);
    let built = lookup.build(|| Some((url?, life?, port?, table?, level))).unwrap();
    assert_eq!(
        built,
        (
            Url::parse("https://ci.example:8443/hook?x=1").unwrap(),
            Duration::from_secs(86_400),
            0,
            "t".to_owned(),
            "info".to_owned()
        )
    );
}

#[test]
fn addresses() {
    for (value, right) in [
        ("http://localhost:3000/hook", true),
        ("https://ci.example", true),
        ("HTTPS://CI.example/", true),
        ("htp://ci", false),
        ("ftp://ci/", false),
        ("ci.example/hook", false),
        ("file:///etc/passwd", false),
        ("https://user@ci.example/", false),
        ("https://user:pass@ci.example/", false),
        ("https://ci.example/#top", false),
        ("https://", false),
    ] {
        assert_eq!(url(value).is_ok(), right, "{value}");
    }
}

#[test]
fn lengths_of_time() {
    for (value, seconds) in [
        ("30s", Some(30)),
        ("15m", Some(900)),
        ("24h", Some(86_400)),
        ("90d", Some(7_776_000)),
        ("0s", None),
        ("s", None),
        ("-1s", None),
        ("+1s", None),
        ("1.5h", None),
        ("90", None),
        ("90 d", None),
        ("1w", None),
        ("9é", None),
        ("99999999999d", None),
    ] {
        assert_eq!(duration(value).ok(), seconds.map(Duration::from_secs), "{value}");
    }
}

#[test]
fn a_keyring_holds_the_secret_and_the_one_before() {
    let mut lookup = lookup(&[("S", "new"), ("S_PREVIOUS", "old")]);
    let keys = lookup.keyring("S").unwrap();
    assert_eq!(keys.keys().collect::<Vec<_>>(), [b"new", b"old"]);
    assert!(lookup.finish().is_ok());
}

#[test]
fn a_previous_secret_alone_is_a_mistake() {
    let mut lookup = lookup(&[("S_PREVIOUS", "old")]);
    assert!(lookup.keyring("S").is_none());
    let error = lookup.finish().unwrap_err();
    assert_eq!(error.to_string(), "error: S_PREVIOUS is set, but S is not\n hint: put the current secret into S");
}

#[test]
fn no_secret_stands_in_an_error() {
    let mut lookup = lookup(&[
        ("S", "hush hush\n"),
        ("U", "htp://me:hush@ci"),
        ("V", "https://me:hush@ci"),
        ("Q", "https://ci/?token=hush#top"),
    ]);
    lookup.keyring("S");
    lookup.url("U");
    lookup.url("V");
    lookup.url("Q");
    let error = lookup.finish().unwrap_err();
    assert_eq!(error.problems.len(), 4);
    assert!(!format!("{error} {error:?}").contains("hush"), "{error}");
}

#[test]
fn long_values_are_shortened_and_strange_ones_escaped() {
    assert_eq!(shown("a\u{1b}[2Jb"), r#""a\u{1b}[2Jb""#);
    assert_eq!(shown(&"x".repeat(61)), format!("\"{}…\"", "x".repeat(60)));
    assert_eq!(shown(&"x".repeat(60)), format!("\"{}\"", "x".repeat(60)));
}

#[test]
fn an_incomplete_build_is_an_error_of_its_own() {
    assert!(lookup(&[]).build(|| None::<()>).is_err());
    assert!(lookup(&[]).build(|| Some(())).is_ok());
}
