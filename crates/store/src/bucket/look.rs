//! A look at a bucket before a coordinator starts.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use object_store::{ObjectStore as _, ObjectStoreExt as _};

use super::Access;
use super::client::io_error;
use crate::{Error, Result};
use blindscope_federation::Blob;

/// How long a bucket that is away is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// Lists, writes, reads and deletes one object of its own below `preflight/`, where no coordinator looks: all that a coordinator does.
///
/// # Errors
/// [`Error::Io`] with what the service says to the first of these that it refuses.
pub(crate) async fn look(access: &Access, holder: &str) -> Result<()> {
    /// Numbers the next look of this process.
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let client = access.client(PATIENCE)?;
    let folder = access.prefix("preflight");
    let name = std::path::PathBuf::from(access.name());
    let failed = |op| {
        let name: &Path = &name;
        move |e| Error::io(op, name, 0)(io_error(e))
    };
    client.list_with_delimiter(Some(&folder)).await.map_err(failed("list bucket"))?;
    let (who, number) = (Blob::of(holder.as_bytes()).digest, NEXT.fetch_add(1, Ordering::Relaxed));
    let key = folder.join(format!("{who}-{}-{number}", std::process::id()));
    client.put(&key, "?".into()).await.map_err(failed("write into bucket"))?;
    let read = client.get_range(&key, 0..1).await.map_err(failed("read from bucket"));
    client.delete(&key).await.map_err(failed("delete from bucket"))?;
    read.map(drop)
}
