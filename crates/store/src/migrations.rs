//! Steps that bring an older database to today's form: the files of `migrations/`, in order. The first two are the same steps in the two
//! databases' own words, which differ in types and triggers; the third is about several processes, which SQLite does not serve.
//!
//! `sqlx::migrate!` would read the same files, and build `SQLite` a second time for the compiler to do so.

use sqlx::SqlSafeStr as _;
use sqlx::migrate::{Migration, MigrationType, Migrator};

/// Whose words.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Dialect {
    Sqlite,
    #[cfg(any(feature = "scale", test))]
    Postgres,
}

/// All steps. What a database has gone through is compared by number and digest of the text, so a step is never changed.
pub(crate) fn migrations(dialect: Dialect) -> Migrator {
    let step = |version: i64, name: &'static str, sql: &'static str| {
        Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
    };
    Migrator::with_migrations(match dialect {
        Dialect::Sqlite => vec![
            step(1, "log", include_str!("../migrations/sqlite/0001_log.sql")),
            step(2, "blob", include_str!("../migrations/sqlite/0002_blob.sql")),
        ],
        #[cfg(any(feature = "scale", test))]
        Dialect::Postgres => vec![
            step(1, "log", include_str!("../migrations/postgres/0001_log.sql")),
            step(2, "blob", include_str!("../migrations/postgres/0002_blob.sql")),
            step(3, "lease", include_str!("../migrations/postgres/0003_lease.sql")),
        ],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_file_is_left_out() {
        for (dialect, name) in [(Dialect::Sqlite, "sqlite"), (Dialect::Postgres, "postgres")] {
            let folder = format!("{}/migrations/{name}", env!("CARGO_MANIFEST_DIR"));
            let files = std::fs::read_dir(folder).map(Iterator::count);
            assert_eq!(files.ok(), Some(migrations(dialect).iter().count()), "{name}");
        }
    }
}
