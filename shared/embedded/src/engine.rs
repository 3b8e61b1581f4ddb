//! A DynamoDB-compatible engine inside this process: `dynoxide`, with SQLite underneath, no socket between.
//!
//! There are two ways to it. The store takes the short one, [`Engine::table`]: the same four operations with the same
//! expressions as on AWS, without the requests that would have travelled, which cost more than what they ask for. Whoever
//! wants those has [`Engine::client`], the SDK with a connector that hands each request over: tables are made by it, and
//! tests hold the store's way to DynamoDB against it.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{BehaviorVersion, Config, Region, StalledStreamProtectionConfig};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use dynoxide::actions::query::QueryResponse;
use dynoxide::{Database, DynoxideError, Item};

use crate::operations::{Failed, Operation, Operations};
use crate::queue::Brake;
pub use crate::table::EngineTable;
use crate::wal::Wal;

/// What DynamoDB calls its API in `X-Amz-Target`, with the dot before the operation.
const TARGET: &str = "DynamoDB_20120810.";

/// Why the engine could not be opened, or could not sweep.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The database file cannot be opened: no such folder, no permission, not a database.
    #[error("the database {path} cannot be opened: {why}")]
    Open {
        /// The file.
        path: String,
        /// The engine's own words.
        why: String,
    },
    /// Expired rows could not be removed.
    #[error("expired rows could not be removed: {0}")]
    Sweep(String),
}

/// One database. Clones share it.
#[derive(Clone)]
pub struct Engine {
    database: Database,
    operations: Arc<Operations<Result<Answer, DynoxideError>>>,
}

/// What an operation came to, in the form in which it was asked for.
pub(crate) enum Answer {
    /// As it would travel.
    Json(String),
    /// It was written.
    Written,
    /// A row that was read, if there is one.
    Row(Option<Item>),
    /// A page of rows.
    Page(Box<QueryResponse>),
}

impl Engine {
    /// An empty database that is gone with its last clone.
    ///
    /// # Errors
    /// [`EngineError::Open`] when SQLite refuses.
    pub fn memory() -> Result<Self, EngineError> {
        let path = Path::new(":memory:");
        let database = Database::memory().map_err(|why| opening(path, &why))?;
        let operations = Operations::start(Wal::of_memory()).map_err(|why| opening(path, &why))?;
        Ok(Self { database, operations: Arc::new(operations) })
    }

    /// The database in that file, made if there is none. Every write is on disk before it is answered, and so is what a
    /// read has found. One process at a time: whoever calls this holds the data folder's lock.
    ///
    /// # Errors
    /// [`EngineError::Open`] when the file cannot be opened, or its path is no UTF-8.
    pub fn open(path: &Path) -> Result<Self, EngineError> {
        let text = path.to_str().ok_or_else(|| EngineError::Open {
            path: path.display().to_string(),
            why: "its path is no UTF-8".into(),
        })?;
        let database = Database::new(text).map_err(|why| opening(path, &why))?;
        // The way to `synchronous=NORMAL`, everything else as it was: the syncs are ours ([`crate::operations`]).
        database.disable_bulk_loading().map_err(|why| opening(path, &why))?;
        let wal = Wal::of(path).map_err(|why| opening(path, &why))?;
        let operations = Operations::start(wal).map_err(|why| opening(path, &why))?;
        Ok(Self { database, operations: Arc::new(operations) })
    }

    /// A client of the SDK that talks to this database. Reads no environment and no profile.
    pub fn client(&self) -> Client {
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("local"))
            // Nothing is signed and no stream watched for stalls: the request never leaves the process.
            .allow_no_auth()
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .endpoint_url("http://embedded.invalid")
            .http_client(InProcess(self.clone()))
            .build();
        Client::from_conf(config)
    }

    /// One table of this database for the store, without the SDK between.
    pub fn table(&self, name: &str) -> EngineTable {
        EngineTable::new(self.clone(), name, Brake::default())
    }

    /// The same, whose operations let publications go first.
    pub fn table_behind(&self, name: &str, brake: &Brake) -> EngineTable {
        EngineTable::new(self.clone(), name, brake.clone())
    }

    /// Runs an operation on the database in its own thread.
    pub(crate) async fn run(
        &self,
        writes: bool,
        work: impl FnOnce(&Database) -> Result<Answer, DynoxideError> + Send + 'static,
    ) -> Result<Result<Answer, DynoxideError>, Failed> {
        let database = self.database.clone();
        self.operations.call(Operation { writes, run: Box::new(move || work(&database)) }).await
    }

    /// Why nothing is recorded or read any more, and what to do; none while all is well.
    pub fn trouble(&self) -> Option<&str> {
        self.operations.trouble()
    }

    /// How often the database's log was synced since it was opened: once for all that was written meanwhile.
    pub fn syncs(&self) -> u64 {
        self.operations.syncs()
    }

    /// Removes rows whose time is over, by the machine's clock, and says how many. DynamoDB does this by itself.
    ///
    /// # Errors
    /// [`EngineError::Sweep`] when the database refuses; what was removed stays removed.
    pub async fn sweep(&self) -> Result<usize, EngineError> {
        let database = self.database.clone();
        match tokio::task::spawn_blocking(move || database.sweep_ttl()).await {
            Ok(swept) => swept.map_err(|why| EngineError::Sweep(why.to_string())),
            Err(_) => Err(EngineError::Sweep("the sweep was stopped".into())),
        }
    }
}

fn opening(path: &Path, why: &dyn fmt::Display) -> EngineError {
    EngineError::Open { path: path.display().to_string(), why: why.to_string() }
}

/// The SDK's way to the database: client and connector at once, since there are no connections to keep.
#[derive(Clone)]
struct InProcess(Engine);

impl fmt::Debug for InProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InProcess")
    }
}

impl HttpClient for InProcess {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for InProcess {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let engine = self.0.clone();
        HttpConnectorFuture::new(async move {
            let target = request.headers().get("x-amz-target").unwrap_or_default();
            let operation = target.strip_prefix(TARGET).unwrap_or_default().to_owned();
            let body = request.body().bytes().map(<[u8]>::to_vec).unwrap_or_default();
            let writes = !matches!(&*operation, "GetItem" | "Query" | "DescribeTable");
            let answered = engine.run(writes, move |database| answer(database, &operation, &body).map(Answer::Json));
            let (status, json) = match answered.await {
                Ok(Ok(Answer::Json(json))) => (200, json),
                Ok(Ok(_)) => return Err(ConnectorError::other("an answer of another kind".into(), None)),
                Ok(Err(refusal)) => (refusal.status_code(), refusal.to_json()),
                Err(failed) => return Err(ConnectorError::io(failed.into())),
            };
            let status = StatusCode::try_from(status).map_err(|wrong| ConnectorError::other(wrong.into(), None))?;
            Ok(HttpResponse::new(status, SdkBody::from(json)))
        })
    }
}

/// One operation, from JSON to JSON. Only what the store uses: the engine can do more, we do not offer it.
fn answer(database: &Database, operation: &str, body: &[u8]) -> Result<String, DynoxideError> {
    // A macro, because each operation has a request and a response type of its own.
    macro_rules! run {
        ($operation:ident) => {{
            let request = serde_json::from_slice(body).map_err(|wrong| malformed(&wrong))?;
            serde_json::to_string(&database.$operation(request)?)
                .map_err(|wrong| DynoxideError::InternalServerError(wrong.to_string()))
        }};
    }
    match operation {
        "PutItem" => run!(put_item),
        "UpdateItem" => run!(update_item),
        "GetItem" => run!(get_item),
        "Query" => run!(query),
        "CreateTable" => run!(create_table),
        "DescribeTable" => run!(describe_table),
        "UpdateTimeToLive" => run!(update_time_to_live),
        other => Err(DynoxideError::ValidationException(format!("the embedded engine does not offer {other:?}"))),
    }
}

fn malformed(wrong: &serde_json::Error) -> DynoxideError {
    DynoxideError::SerializationException(wrong.to_string())
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::types::{
        AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
    };

    use super::*;

    fn text(value: &str) -> AttributeValue {
        AttributeValue::S(value.to_owned())
    }

    #[tokio::test]
    async fn each_kind_of_write_is_synced_before_its_answer_and_a_read_needs_none() {
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine::open(&folder.path().join("x.sqlite")).unwrap();
        let client = engine.client();
        let key = AttributeDefinition::builder().attribute_name("k").attribute_type(ScalarAttributeType::S);
        let hash = KeySchemaElement::builder().attribute_name("k").key_type(KeyType::Hash);
        let create = client.create_table().table_name("rows").billing_mode(BillingMode::PayPerRequest);
        create.attribute_definitions(key.build().unwrap()).key_schema(hash.build().unwrap()).send().await.unwrap();
        let mut before = engine.syncs();
        client.put_item().table_name("rows").item("k", text("a")).send().await.unwrap();
        assert!(engine.syncs() > before, "a put");
        before = engine.syncs();
        let update = client.update_item().table_name("rows").key("k", text("a")).update_expression("SET v = :v");
        update.expression_attribute_values(":v", text("b")).send().await.unwrap();
        assert!(engine.syncs() > before, "an update");
        before = engine.syncs();
        let found = client.get_item().table_name("rows").key("k", text("a")).send().await.unwrap();
        assert_eq!((found.item.unwrap()["v"].clone(), engine.syncs()), (text("b"), before));
    }
}
