//! Services that tests of shared stores need: a schema of its own in the PostgreSQL server that `BLINDSCOPE_POSTGRES` names, and an object
//! store in this process.
#![allow(
    clippy::disallowed_methods,
    clippy::missing_errors_doc,
    clippy::panic,
    clippy::unwrap_used,
    reason = "of tests, which stop by panic"
)]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{Connection as _, PgConnection, Row as _};

use crate::s3::ObjectServer;

/// Where the server is unless the environment says otherwise.
const SERVER: &str = "postgres://postgres@127.0.0.1:5432/test";

/// Both. Dropped, nothing is left of them.
#[derive(Debug)]
pub struct Services {
    /// With its password, where it has one.
    server: String,
    /// As a setting, and what goes into the environment with it.
    shown: String,
    password: Option<String>,
    schema: String,
    objects: ObjectServer,
    bucket: PathBuf,
}

impl Services {
    /// Both, objects below `root`; nothing, said aloud, where there is no PostgreSQL, unless `BLINDSCOPE_SERVICES` is `required`.
    pub async fn start(root: &Path) -> Option<Self> {
        let server = std::env::var("BLINDSCOPE_POSTGRES").unwrap_or_else(|_| SERVER.to_owned());
        Self::at(&server, None, root).await
    }

    /// As [`Self::start`], with the server at this address, `postgres://USER@…`, and its password.
    pub async fn at(shown: &str, password: Option<&str>, root: &Path) -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let server =
            password.map_or_else(|| shown.to_owned(), |is| shown.replacen('@', &format!(":{is}@"), 1));
        let mut connection = match PgConnection::connect(&server).await {
            Ok(connection) => connection,
            Err(error) if std::env::var("BLINDSCOPE_SERVICES").as_deref() != Ok("required") => {
                println!("LEFT OUT: there is no PostgreSQL at {server}: {error}");
                return None;
            }
            Err(error) => panic!("BLINDSCOPE_SERVICES=required, and no PostgreSQL at {server}: {error}"),
        };
        let schema = format!("test_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        // One of a process that had the same number and was killed.
        run(&mut connection, &format!("DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}"))
            .await;
        let buckets = root.join("buckets");
        let bucket = buckets.join("bucket");
        std::fs::create_dir_all(&bucket).unwrap();
        let objects = ObjectServer::start(&buckets, ([127, 0, 0, 1], 0).into()).unwrap();
        let (shown, password) = (shown.to_owned(), password.map(str::to_owned));
        Some(Self { server, shown, password, schema, objects, bucket })
    }

    /// The schema's address, as a setting.
    pub fn store(&self) -> String {
        self.within(&self.shown)
    }

    fn within(&self, server: &str) -> String {
        // Connections go by the schema's name, so that a test can cut its own.
        format!("{server}?options[search_path]={schema}&application_name={schema}", schema = self.schema)
    }

    /// The bucket's address, as a setting.
    pub fn blobs(&self) -> String {
        "s3://bucket/study".to_owned()
    }

    /// What the environment says of both.
    pub fn environment(&self) -> Vec<(String, String)> {
        let password = self.password.iter().map(|is| ("PGPASSWORD".to_owned(), is.clone()));
        self.objects.environment().into_iter().chain(password).collect()
    }

    /// Where the objects are, as files.
    pub fn objects(&self) -> PathBuf {
        self.bucket.join("study")
    }

    /// A connection to the schema, beside the store's.
    pub async fn connect(&self) -> PgConnection {
        // Under another name: what is cut is the store's.
        PgConnection::connect(
            &self.within(&self.server).replace("application_name=", "application_name=beside_"),
        )
        .await
        .unwrap()
    }

    /// Ends every connection of the store but this one that is at a statement of which `part` is a part, in the middle of whatever it does;
    /// how many it were.
    pub async fn cut(&self, connection: &mut PgConnection, part: &str) -> u64 {
        let all = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
            WHERE pid <> pg_backend_pid() AND application_name = $1 AND strpos(query, $2) > 0";
        let asked = sqlx::query(all).bind(&self.schema).bind(part);
        asked.fetch_one(connection).await.unwrap().get::<i64, _>(0) as u64
    }

    /// As if the leader had been stopped for longer than its lease holds.
    pub async fn let_the_lease_run_out(&self) {
        run(&mut self.connect().await, "UPDATE lease SET until = '-infinity'").await;
    }

    /// Who leads, by what it says of itself, and its term.
    pub async fn leader(&self) -> (String, i64) {
        let asked = sqlx::query("SELECT holder, term FROM lease");
        let row = asked.fetch_one(&mut self.connect().await).await.unwrap();
        (row.get(0), row.get(1))
    }
}

/// Runs statements.
pub async fn run(connection: &mut PgConnection, sql: &str) {
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(connection).await.unwrap();
}

impl Drop for Services {
    fn drop(&mut self) {
        let (server, sql) = (self.server.clone(), format!("DROP SCHEMA {} CASCADE", self.schema));
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                // A schema that is left over does no harm, nor does one that has gone with its server.
                if let Ok(mut connection) = PgConnection::connect(&server).await {
                    run(&mut connection, &sql).await;
                }
            });
        });
        let _ = dropping.join();
    }
}
