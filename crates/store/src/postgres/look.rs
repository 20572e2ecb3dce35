//! A look at a database before a coordinator starts. It changes nothing.

use std::time::Duration;

use sqlx::{Connection as _, PgConnection, Row as _};
use tokio::time::timeout;

use super::options;
use crate::entries::Owner;
use crate::{Error, Result};

/// How long a database that is away is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whether there is a schema, whether this user may make tables in it, and whether a coordinator has made them.
const SCHEMA: &str = "
SELECT current_schema() IS NOT NULL, coalesce(has_schema_privilege(current_schema(), 'CREATE'), false),
    to_regclass('lease') IS NOT NULL";

/// Who leads there now; nobody, or a schema that no coordinator has used yet.
///
/// # Errors
/// [`Error::Setting`] for an address that is none, a schema that is not there or that this user may not use; [`Error::Owner`] for the
/// log of another study; [`Error::Database`] where the server refuses, or does not answer for some seconds.
pub(crate) async fn look(url: &str, owner: &Owner<'_>) -> Result<Option<String>> {
    let late = |_| Error::Database {
        op: "reach database",
        source: sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()),
    };
    timeout(PATIENCE, ask(url, owner)).await.map_err(late)?
}

async fn ask(url: &str, owner: &Owner<'_>) -> Result<Option<String>> {
    let mut connection =
        PgConnection::connect_with(&options(url)?).await.map_err(Error::database("reach database", 0))?;
    let fail = || Error::database("look at database", 0);
    let schema = sqlx::query(SCHEMA).fetch_one(&mut connection).await.map_err(fail())?;
    let (there, allowed, used) = (schema.get(0), schema.get(1), schema.get(2));
    match (there, allowed, used) {
        (false, ..) => return wrong(url, "make the schema that it names first: CREATE SCHEMA NAME"),
        (_, false, false) => {
            return wrong(url, "let this user make tables there: GRANT CREATE ON SCHEMA NAME TO USER");
        }
        (.., false) => return Ok(None),
        _ => {}
    }
    let owned =
        sqlx::query("SELECT role, study FROM owner").fetch_optional(&mut connection).await.map_err(fail())?;
    owned.map_or(Ok(()), |row| owner.check(row.get(0), row.get(1)))?;
    let leads = sqlx::query("SELECT holder FROM lease WHERE until > clock_timestamp()");
    let leader = leads.fetch_optional(&mut connection).await.map_err(fail())?;
    // What was asked is known; nobody waits for the server to hear that it is over.
    drop(connection);
    Ok(leader.map(|row| row.get(0)))
}

fn wrong<T>(url: &str, repair: &'static str) -> Result<T> {
    Err(Error::Setting { what: "store", found: url.to_owned(), repair })
}
