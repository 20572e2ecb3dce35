//! Steps that bring an older database to today's form: the files of `migrations/`, in order.
//!
//! `sqlx::migrate!` would read the same files, and build `SQLite` a second time for the compiler to do so.

use sqlx::SqlSafeStr as _;
use sqlx::migrate::{Migration, MigrationType, Migrator};

/// All steps. What a database has gone through is compared by number and digest of the text, so a step is never changed.
pub(crate) fn migrations() -> Migrator {
    let step = |version: i64, name: &'static str, sql: &'static str| {
        Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
    };
    Migrator::with_migrations(vec![
        step(1, "log", include_str!("../migrations/0001_log.sql")),
        step(2, "blob", include_str!("../migrations/0002_blob.sql")),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_file_is_left_out() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");
        let files = std::fs::read_dir(folder).map(Iterator::count);
        assert_eq!(files.ok(), Some(migrations().iter().count()));
    }
}
