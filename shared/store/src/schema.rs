//! What the table looks like. The template says the same for AWS; a test there compares it with these names.

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::client::Waiters;
use aws_sdk_dynamodb::error::{BuildError, ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::create_table::CreateTableError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection, ProjectionType,
    ScalarAttributeType, TableDescription, TimeToLiveSpecification,
};
use domain::error::PortError;

use crate::error::failed;
use crate::keys::{AT, BY_REPOSITORY, BY_TIME, EXPIRES_AT, NEED, NEEDS_YOU, PK, REPO, SK, SPAN};

/// The table's own key: partition key and sort key, both text.
pub const TABLE_KEY: (&str, &str) = (PK, SK);

/// Every index: name, partition key, sort key; all text.
pub const INDEXES: [(&str, &str, &str); 3] = [(BY_REPOSITORY, REPO, AT), (BY_TIME, SPAN, AT), (NEEDS_YOU, NEED, AT)];

/// What every index holds besides the keys: what a list shows, so that it needs no second read. Nothing else, because
/// a change of anything here is written to the indexes too, and everything here is paid for in each of them.
/// At most a hundred over all indexes (Amazon DynamoDB: "Constraints").
pub const LISTED: [&str; 33] = [
    "type",
    "action",
    "source",
    "installation",
    "repository",
    "sender",
    "sha",
    "pull_request",
    "about",
    "body_sha256",
    "body_bytes",
    "same_body_as",
    "receipts",
    "status",
    "reason",
    "failure_reason",
    "processed_at",
    "tries",
    "last_code",
    "last_ms",
    "next_attempt_at",
    "expires_at",
    // Of releases.
    "tag",
    "name",
    "state",
    "author",
    "published_at",
    "created_at",
    "url",
    "receipt",
    "received_at",
    // Of what GitHub refused.
    "context",
    "why",
];

/// The attribute that DynamoDB expires rows by.
pub const TTL: &str = EXPIRES_AT;

/// How long a new table may take to become usable.
const PATIENCE: Duration = Duration::from_secs(120);

/// Makes the table, billed per request, and waits until it can be used; a table of that name with the same keys and
/// indexes is fine.
///
/// # Errors
/// Permanent when a table of that name has other keys or indexes; else as DynamoDB answers.
pub async fn create_table(client: &Client, name: &str) -> Result<(), PortError> {
    create(client, name, Held::Listed).await
}

/// The same for an engine of one's own: its indexes hold whole rows. Nobody pays for what they hold, while the engine
/// reads the names of [`LISTED`] once for each index with every operation. One whose indexes hold only those is fine too.
///
/// # Errors
/// As [`create_table`].
pub async fn create_own_table(client: &Client, name: &str) -> Result<(), PortError> {
    create(client, name, Held::All).await
}

/// What an index holds besides its keys.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Held {
    Listed,
    All,
}

async fn create(client: &Client, name: &str, held: Held) -> Result<(), PortError> {
    let request = request(client, name, held).map_err(PortError::permanent)?;
    match request.send().await {
        Ok(_) => {}
        Err(failure) if is_in_use(&failure) => {}
        Err(failure) => return Err(failed(&format!("CreateTable {name}"), &failure)),
    }
    let ready = client.wait_until_table_exists().table_name(name).wait(PATIENCE).await;
    let ready = ready.map_err(|_| PortError::transient(format!("the table {name} is not ready")))?;
    let described = ready.into_result().map_err(|failure| failed(&format!("DescribeTable {name}"), &failure))?;
    if !described.table.as_ref().is_some_and(|table| is_ours(table, held)) {
        return Err(PortError::permanent(format!("the table {name} exists with other keys or indexes")));
    }
    let ttl = TimeToLiveSpecification::builder().attribute_name(TTL).enabled(true).build();
    let ttl = ttl.map_err(PortError::permanent)?;
    match client.update_time_to_live().table_name(name).time_to_live_specification(ttl).send().await {
        Ok(_) => Ok(()),
        // DynamoDB refuses what is so already; with another attribute its words are longer.
        Err(failure) if failure.message() == Some("TimeToLive is already enabled") => Ok(()),
        Err(failure) => Err(failed(&format!("UpdateTimeToLive {name}"), &failure)),
    }
}

type Request = aws_sdk_dynamodb::operation::create_table::builders::CreateTableFluentBuilder;

fn request(client: &Client, name: &str, held: Held) -> Result<Request, BuildError> {
    let mut request = client.create_table().table_name(name).billing_mode(BillingMode::PayPerRequest);
    request = request.set_key_schema(Some(key_schema(TABLE_KEY)?));
    for attribute in [PK, SK, AT, REPO, SPAN, NEED] {
        let kind = ScalarAttributeType::S;
        let definition = AttributeDefinition::builder().attribute_name(attribute).attribute_type(kind).build()?;
        request = request.attribute_definitions(definition);
    }
    for (index, pk, sk) in INDEXES {
        let index = GlobalSecondaryIndex::builder()
            .index_name(index)
            .set_key_schema(Some(key_schema((pk, sk))?))
            .projection(projection(held))
            .build()?;
        request = request.global_secondary_indexes(index);
    }
    Ok(request)
}

fn projection(held: Held) -> Projection {
    if held == Held::All {
        return Projection::builder().projection_type(ProjectionType::All).build();
    }
    let listed = LISTED.map(str::to_owned).to_vec();
    Projection::builder().projection_type(ProjectionType::Include).set_non_key_attributes(Some(listed)).build()
}

fn key_schema((pk, sk): (&str, &str)) -> Result<Vec<KeySchemaElement>, BuildError> {
    let key = |name, kind| KeySchemaElement::builder().attribute_name(name).key_type(kind).build();
    Ok(vec![key(pk, KeyType::Hash)?, key(sk, KeyType::Range)?])
}

fn is_in_use<R>(failure: &SdkError<CreateTableError, R>) -> bool {
    failure.as_service_error().is_some_and(CreateTableError::is_resource_in_use_exception)
}

fn is_ours(table: &TableDescription, held: Held) -> bool {
    let key = |schema: &[KeySchemaElement], (pk, sk): (&str, &str)| {
        let is = |name: &str, kind| schema.iter().any(|e| e.attribute_name == name && e.key_type == kind);
        is(pk, KeyType::Hash) && is(sk, KeyType::Range)
    };
    key(table.key_schema(), TABLE_KEY)
        && INDEXES.iter().all(|(name, pk, sk)| {
            let indexes = table.global_secondary_indexes();
            indexes.iter().any(|i| {
                i.index_name() == Some(name)
                    && key(i.key_schema(), (pk, sk))
                    && i.projection().is_some_and(|projection| holds_what_is_listed(projection, held))
            })
        })
}

/// More than is listed would do no harm but cost.
fn holds_what_is_listed(projection: &Projection, most: Held) -> bool {
    if most == Held::All && projection.projection_type() == Some(&ProjectionType::All) {
        return true;
    }
    let held = projection.non_key_attributes();
    projection.projection_type() == Some(&ProjectionType::Include)
        && held.len() == LISTED.len()
        && LISTED.iter().all(|name| held.iter().any(|other| other == name))
}
