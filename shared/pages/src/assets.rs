//! The style sheet, the script and the icon. Their addresses name their content, so a browser may keep them for ever.

use std::sync::LazyLock;

use sha2::{Digest, Sha256};

/// One file that pages refer to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asset {
    /// Its bytes, all text.
    pub text: &'static str,
    /// `Content-Type`.
    pub kind: &'static str,
}

/// Where the assets are.
#[derive(Debug)]
pub struct Addresses {
    /// The style sheet.
    pub css: String,
    /// The script.
    pub js: String,
    /// The icon.
    pub icon: String,
}

const CSS: Asset = Asset { text: include_str!("../assets/hookyard.css"), kind: "text/css; charset=utf-8" };
const JS: Asset = Asset { text: include_str!("../assets/hookyard.js"), kind: "text/javascript; charset=utf-8" };
const ICON: Asset = Asset { text: include_str!("../assets/icon.svg"), kind: "image/svg+xml" };

/// The addresses of this build.
pub fn addresses() -> &'static Addresses {
    static ADDRESSES: LazyLock<Addresses> = LazyLock::new(|| {
        let address = |asset: Asset, end: &str| {
            let hash = hex::encode(Sha256::digest(asset.text));
            format!("/assets/{}.{end}", hash.get(..16).unwrap_or_default())
        };
        Addresses { css: address(CSS, "css"), js: address(JS, "js"), icon: address(ICON, "svg") }
    });
    &ADDRESSES
}

/// The asset at that address; none for another build's.
pub fn at(address: &str) -> Option<Asset> {
    let known = addresses();
    [(&known.css, CSS), (&known.js, JS), (&known.icon, ICON)]
        .into_iter()
        .find_map(|(own, asset)| (own == address).then_some(asset))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_found_at_its_address_and_within_its_budget() {
        let known = addresses();
        assert_eq!(at(&known.css), Some(CSS));
        assert_eq!(at(&known.js), Some(JS));
        assert_eq!(at(&known.icon), Some(ICON));
        assert_eq!(at("/assets/0000000000000000.css"), None);
        assert!(JS.text.len() < 4096, "the script has {} bytes", JS.text.len());
        assert!(CSS.text.len() < 8192, "the style sheet has {} bytes", CSS.text.len());
    }
}
