//! Any bytes come back; what was cut, changed, or made to blow up does not.

use proptest::prelude::*;
use testkit::contract::store::samples::{delivered, samples};

use super::*;

const FILL: &str = "octo-org/hello tomas-vale";

fn packed(body: &[u8]) -> Vec<u8> {
    pack(Compression::best(), FILL, &[("accept".to_owned(), "*/*".to_owned())], body).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn any_headers_and_bytes_come_back(
        fill in ".{0,80}",
        headers in proptest::collection::vec((".{0,20}", ".{0,40}"), 0..5),
        body in proptest::collection::vec(any::<u8>(), 0..5000),
    ) {
        let body = Bytes::from(body);
        for level in [Compression::best(), Compression::fast()] {
            let packed = pack(level, &fill, &headers, &body).unwrap();
            prop_assert_eq!(unpack(NEWEST, &fill, &packed), Some((headers.clone(), body.clone())));
        }
    }

    #[test]
    fn what_was_tampered_with_is_no_panic(at in any::<prop::sample::Index>(), to in any::<u8>(), noise: Vec<u8>) {
        let mut bytes = packed(b"{\"action\":\"opened\",\"ref\":\"refs/heads/main\"}");
        let at = at.index(bytes.len());
        bytes[at] = to;
        let _ = unpack(NEWEST, FILL, &bytes);
        let _ = unpack(NEWEST, FILL, &noise);
    }
}

#[test]
fn long_bodies_come_back() {
    for length in [0, 1, FIRST_ROOM - 7, FIRST_ROOM, 300_000] {
        let body: Vec<u8> = (0..length).map(|n| (n * n / 7) as u8).collect();
        let (_, back) = unpack(NEWEST, FILL, &packed(&body)).unwrap();
        assert!(back == body, "{length}");
    }
}

#[test]
fn what_is_not_whole_is_refused() {
    let whole = packed(b"{}");
    for end in 0..whole.len() {
        assert_eq!(unpack(NEWEST, FILL, &whole[..end]), None, "{end}");
    }
    let longer = [&whole[..], b"x"].concat();
    assert_eq!(unpack(NEWEST, FILL, &longer), None, "nothing follows the end");
    assert_eq!(unpack("github-0", FILL, &whole), None, "a dictionary that nobody knows");
}

#[test]
fn what_unfolds_too_far_is_refused_before_it_fills_the_memory() {
    // Deflate makes a thousandth of zeros.
    let packed = packed(&vec![0; 100_000]);
    let dictionary = filled(GITHUB_1, FILL);
    let length = inflate(&dictionary, &packed, 200_000).unwrap().len();
    assert!(packed.len() < length / 100);
    assert!(inflate(&dictionary, &packed, length).is_some());
    for limit in [0, 1, FIRST_ROOM, length / 2, length - 1] {
        assert!(inflate(&dictionary, &packed, limit).is_none(), "{limit}");
    }
}

#[test]
fn gaps_are_filled_once_and_with_whatever_there_is() {
    let of = |fill: &str| String::from_utf8(filled("<repo>,<owner>,\n<name>,<sender>,<x>", fill)).unwrap();
    assert_eq!(of("a/b c"), "a/b,a,b,c,<x>");
    assert_eq!(of(" c d"), ",,,c d,<x>");
    assert_eq!(of("a/<owner> <repo>"), "a/<owner>,a,<owner>,<repo>,<x>", "what was filled in is not looked at again");
    assert!(filled(GITHUB_1, &format!("{}/{} x", "a".repeat(100), "b".repeat(100))).len() <= WINDOW);
}

/// What the dictionary is for.
#[test]
fn every_sample_fits_into_two_units() {
    let (mut rows, mut small) = (0, 0);
    for file in samples() {
        let body = delivered(&file);
        let json: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let word = |pointer| json.pointer(pointer).and_then(serde_json::Value::as_str).unwrap_or_default();
        let fill = format!("{} {}", word("/repository/full_name"), word("/sender/login"));
        let packed = pack(Compression::best(), &fill, &[], &body).unwrap();
        // A unit is 1,024 bytes, and the row's name and what else it holds take some 190 of the first.
        assert!(packed.len() < 2048 - 250, "{}: {} of {} bytes", file.display(), packed.len(), body.len());
        rows += 1;
        small += usize::from(packed.len() < 1024 - 250);
    }
    println!("{rows} samples, {small} of them in one unit");
    assert!(rows > 20 && small > 10);
}
