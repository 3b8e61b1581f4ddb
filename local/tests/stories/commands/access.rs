//! Which gateway, and with what key: every way to say it, and what it ends with when it is wrong.

use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;

use tokio::net::TcpSocket;

use super::at;
use crate::place::{Place, Program};
use crate::yard::{Local, SetUp};

const KEY: &str = "the-key-of-this-yard";

async fn closed() -> Local {
    SetUp { api_key: Some(KEY), ..SetUp::default() }.start().await
}

/// Every command that asks a gateway.
const COMMANDS: [&[&str]; 11] = [
    &["events", "list"],
    &["events", "show", "0b989ba4"],
    &["events", "tail"],
    &["events", "replay", "0b989ba4"],
    &["events", "replay", "--status", "errored", "--yes"],
    &["releases", "list"],
    &["status", "list", "o/r@9fceb02d0ae598e95dc970b74767f19372d61af8"],
    &["status", "set", "o/r@9fceb02d0ae598e95dc970b74767f19372d61af8", "--context", "c", "--state", "pending"],
    &["why", "o/r@9fceb02d0ae598e95dc970b74767f19372d61af8"],
    &["dead-letters", "list"],
    &["dead-letters", "redrive", "--yes"],
];

fn secret_file(place: &Place, name: &str, text: &str, mode: u32) {
    place.write(name, text);
    std::fs::set_permissions(place.path(name), std::fs::Permissions::from_mode(mode)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_missing_or_wrong_ends_with_4_and_is_never_shown() {
    let (place, yard) = (Place::new(), closed().await);
    for command in COMMANDS {
        let none = at(&place, &yard, command).run().with(4);
        let told = format!(
            "error: {} wants its key\n hint: set HOOKYARD_API_KEY, or give a file that holds it with --key-file\n",
            yard.api
        );
        assert_eq!((none.err, none.out.as_str()), (told, ""), "{command:?}");
        let wrong = at(&place, &yard, command).set("HOOKYARD_API_KEY", "hush-hush").run().with(4);
        assert!(wrong.err.starts_with(&format!("error: the key does not fit {}\n hint: ", yard.api)), "{}", wrong.err);
        assert!(!wrong.all().contains("hush"), "{}", wrong.all());
    }
    let listed = at(&place, &yard, &["events", "list"]).set("HOOKYARD_API_KEY", KEY).run().with(0);
    assert!(!listed.all().contains(KEY));
}

#[tokio::test]
async fn where_nobody_answers_it_ends_with_5() {
    // Bound and not listening: connections are refused, and nobody else gets the port.
    let nobody = TcpSocket::new_v4().unwrap();
    nobody.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let address = nobody.local_addr().unwrap();
    let place = Place::new();
    let told = format!(
        "error: http://{address} cannot be reached: nothing listens at {address}\n \
         hint: start the gateway with hookyard serve, or give another address with --url\n"
    );
    for command in COMMANDS {
        let ended = place.hookyard(command).with_all(&["--url", &format!("http://{address}")]).run().with(5);
        assert_eq!(ended.all(), told, "{command:?}");
    }
    let by_settings = place.hookyard(&["events", "list"]).set("STATUS_API_PORT", &address.port().to_string());
    assert_eq!(by_settings.run().with(5).all(), told, "the one on this machine, by its settings");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_by_address_by_profile_and_by_settings() {
    let (place, yard) = (Place::new(), closed().await);
    let list = |more: &[&str]| place.hookyard(&["events", "list"]).with_all(more);
    let fine = |program: Program| assert_eq!(program.run().with(0).err, "No events match.\n");
    secret_file(&place, "key", &format!("{KEY}\n"), 0o600);
    fine(list(&["--url", &yard.api, "--key-file", "key"]));
    fine(list(&["--url", &format!("{}/", yard.api), "--key-file", "key"]));
    fine(list(&["--url", &yard.api]).set("HOOKYARD_API_KEY", KEY));
    fine(list(&["--key-file", "key"]).set("HOOKYARD_URL", &yard.api).set("HOOKYARD_API_KEY", "another"));

    std::fs::create_dir_all(place.path("config/hookyard")).unwrap();
    let profiles = format!(
        "[here]\nurl = \"{api}\"\nkey_file = \"here.key\"\n[bare]\nurl = \"{api}\"\n[home]\nurl = \"{api}\"\nkey_file = \"~/key\"\n",
        api = yard.api
    );
    place.write("config/hookyard/profiles.toml", &profiles);
    secret_file(&place, "config/hookyard/here.key", KEY, 0o600);
    let config = place.path("config").display().to_string();
    let by_profile = |name: &str| list(&["--profile", name]).set("XDG_CONFIG_HOME", &config);
    fine(by_profile("here"));
    let home = place.path("").display().to_string();
    fine(by_profile("home").set("HOME", &home));
    by_profile("bare").set("HOOKYARD_API_KEY", KEY).run().with(4);
    let unknown = by_profile("her").run().with(2);
    assert!(unknown.err.contains("has no profile her\n hint: it has bare, here, home"), "{}", unknown.err);
    let none = list(&["--profile", "here"]).set("HOME", &home).run().with(2);
    assert!(none.err.contains("there is no profile here, because there is no"), "{}", none.err);
    list(&["--profile", "here", "--url", &yard.api]).run().with(2);

    // The settings of a gateway in this folder, its key among them.
    let port = yard.api.rsplit_once(':').unwrap().1;
    place.write(".env", &format!("STATUS_API_PORT={port}\nHOOKYARD_API_KEY={KEY}\n"));
    fine(list(&[]));
    // That key goes nowhere else.
    list(&["--url", &yard.api]).run().with(4);
    list(&[]).set("HOOKYARD_URL", &yard.api).run().with(4);
    place.write(".env", &format!("HOOKYARD_URL={}\nHOOKYARD_API_KEY={KEY}\n", yard.api));
    fine(list(&[]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_others_may_read_is_worth_a_warning() {
    let (place, yard) = (Place::new(), closed().await);
    secret_file(&place, "key", KEY, 0o640);
    let told = place.hookyard(&["events", "list", "--quiet", "--url", &yard.api, "--key-file", "key"]).run().with(0);
    assert_eq!(told.err, "! others on this machine may read key: chmod 600 key\n");
}

#[test]
fn what_cannot_be_used_ends_with_2() {
    let place = Place::new();
    place.write("empty", "");
    place.write("two", "one two");
    let list = |more: &[&str]| place.hookyard(&["events", "list"]).with_all(more).run().with(2).all();
    for (arguments, words) in [
        (&["--url", "127.0.0.1:7778"][..], "error: --url is not the address of a gateway\n hint: write it like"),
        (&["--url", "ftp://hush"], "--url is not the address"),
        (&["--key-file", "nowhere"], "error: nowhere cannot be read: No such file"),
        (&["--key-file", "."], "error: . is no file with a key"),
        (&["--key-file", "empty"], "error: empty holds no key"),
        (&["--key-file", "two"], "error: two holds no key"),
        (&["--status", "bogus"], "possible values: processing, unprocessed"),
        (&["--repository", "acme"], "it must be owner/name"),
        (&["--type", "Pull Request"], "it must be 1 to 64"),
        (&["--limit", "0"], "--limit"),
        (&["--since", "yesterday"], "error: --since \"yesterday\" is no moment\n hint: write it like 30m"),
        (&["--since", "1h", "--until", "2h"], "error: --since is not before --until"),
        (&["--key", "hush"], "unexpected argument '--key'"),
    ] {
        let said = list(arguments);
        assert!(said.contains(words), "{arguments:?}: {said}");
    }
    let said =
        place.hookyard(&["events", "list"]).set("STATUS_API_PORT", "0").set("GITHUB_API_PORT", "0").run().with(2).all();
    assert!(said.contains("STATUS_API_PORT is 0"), "{said}");
    let said = place.hookyard(&["events", "list"]).set("STATUS_API_PORT", "77777").run().with(2).all();
    assert!(said.starts_with("error: STATUS_API_PORT \"77777\" is not a port\n hint: "), "{said}");
}
