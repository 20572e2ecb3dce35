//! Where tests find data that the project may not redistribute.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    dead_code,
    unreachable_pub,
    reason = "each test file uses its part"
)]

use std::path::PathBuf;

/// The data folder, or nothing (said aloud) when `BLINDSCOPE_DATA` is unset.
pub fn data() -> Option<PathBuf> {
    let path = std::env::var_os("BLINDSCOPE_DATA").map(PathBuf::from);
    if path.is_none() {
        println!("skipped: BLINDSCOPE_DATA is not set");
    }
    path
}

pub fn deit() -> Option<PathBuf> {
    data().map(|d| d.join("vit/deit-tiny-patch16-224"))
}

/// An empty folder of this test's own.
pub fn folder(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("blindscope-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).unwrap();
    path
}
