//! The suite of stores of bodies.

use bytes::Bytes;
use domain::ids::BodyKey;
use domain::ports::{BodyReader, BodyWriter};

/// Everything that a store of bodies has to do; `keys` begins every key, so that the store need not be empty.
pub async fn holds<B: BodyReader + BodyWriter>(bodies: &B, keys: &str) {
    let key = |text: &str| BodyKey::parse(&format!("{keys}{text}")).unwrap();
    assert_eq!(bodies.get(&key("never")).await.unwrap(), None, "what was never put is none, and no error");

    let large: Vec<u8> = (0..6_000_000_u32).map(|i| (i % 251) as u8).collect();
    for body in [Vec::new(), vec![0, 255, 10, 13], b"{\"a\":1}\r\n".to_vec(), large] {
        bodies.put(&key("k"), Bytes::from(body.clone())).await.unwrap();
        assert!(bodies.get(&key("k")).await.unwrap().unwrap() == body, "{} bytes, in place of others", body.len());
    }

    let texts = ["a", "a/b", "a-b", "ab"];
    for text in texts {
        bodies.put(&key(text), Bytes::from(format!("body of {text}"))).await.unwrap();
    }
    for text in texts {
        assert_eq!(bodies.get(&key(text)).await.unwrap().unwrap(), format!("body of {text}"), "keys stay apart");
    }
}
