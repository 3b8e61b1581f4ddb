//! Status ids that come out the same when the same thing is said again.

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::Content;
use crate::ids::{EventId, ReceiptId, Repository, Sha, StatusId};

/// The id of a status in an answer: the same answer to a repeated attempt is the same status.
pub fn of_answer(receipt: ReceiptId, repository: &Repository, sha: &Sha, content: &Content) -> StatusId {
    hashed(&["answer", &receipt.to_string()], repository, sha, content)
}

/// The id of a status that came by call-back with an `Idempotency-Key`: the same request again is the same status.
/// `scope` is the token's event, none for the API key; `index` the place in the list.
pub fn of_key(
    scope: Option<&EventId>,
    repository: &Repository,
    sha: &Sha,
    idempotency_key: &str,
    index: usize,
    content: &Content,
) -> StatusId {
    let scope = scope.map_or_else(|| "key".to_owned(), ToString::to_string);
    hashed(&["call-back", &scope, idempotency_key, &index.to_string()], repository, sha, content)
}

/// The id of any other call-back.
pub fn of_uuid(id: Uuid) -> StatusId {
    fit(id.hyphenated().to_string())
}

fn hashed(scope: &[&str], repository: &Repository, sha: &Sha, content: &Content) -> StatusId {
    let mut hash = Sha256::new();
    let mut part = |text: Option<&str>| {
        // Length first, and absent apart from empty: no two lists of parts share their bytes.
        let length = text.map_or(u64::MAX, |t| t.len() as u64);
        hash.update(length.to_be_bytes());
        hash.update(text.unwrap_or_default());
    };
    for text in scope {
        part(Some(text));
    }
    part(Some(&repository.key()));
    part(Some(sha.as_str()));
    part(Some(&content.context));
    part(Some(content.state.as_str()));
    part(content.description.as_deref());
    part(content.target_url.as_deref());
    fit(hex::encode(hash.finalize()))
}

fn fit(text: String) -> StatusId {
    #[expect(clippy::expect_used, reason = "hexadecimal digits and hyphens, under 128 of them")]
    StatusId::parse(&text).expect("fit characters only")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statuses::State;

    #[test]
    fn any_difference_is_another_status() {
        let repository = Repository::parse("o/r").unwrap();
        let sha = Sha::parse(&"a".repeat(40)).unwrap();
        let content = |context: &str, description: Option<&str>, url: Option<&str>| Content {
            context: context.into(),
            state: State::Pending,
            description: description.map(Into::into),
            target_url: url.map(Into::into),
        };
        let receipt = |n: u128| ReceiptId(Uuid::from_u128(n));
        let ids = [
            of_answer(receipt(1), &repository, &sha, &content("ci", None, None)),
            of_answer(receipt(2), &repository, &sha, &content("ci", None, None)),
            of_answer(receipt(1), &repository, &sha, &content("ci", Some(""), None)),
            of_answer(receipt(1), &repository, &sha, &content("ci", Some("x"), None)),
            of_answer(receipt(1), &repository, &sha, &content("ci", None, Some("x"))),
            of_answer(receipt(1), &repository, &sha, &content("cix", None, None)),
            of_key(None, &repository, &sha, "k", 0, &content("ci", None, None)),
            of_key(None, &repository, &sha, "k", 1, &content("ci", None, None)),
            of_key(Some(&EventId::parse("1-a").unwrap()), &repository, &sha, "k", 0, &content("ci", None, None)),
        ];
        let different: std::collections::BTreeSet<_> = ids.iter().collect();
        assert_eq!(different.len(), ids.len());
        let again = Repository::parse("O/R").unwrap();
        assert_eq!(
            ids[0],
            of_answer(receipt(1), &again, &sha, &content("ci", None, None)),
            "repositories without case"
        );
    }
}
