//! What the command writes is its owner's: features, caches, opened results, keys and logs.

/// Takes every right of the group and of others from files and folders that this process makes from now on. What is already there
/// keeps the rights that its owner gave it.
#[cfg(unix)]
pub(crate) fn keep_to_the_owner() {
    use rustix::fs::Mode;
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
}

/// Where the system has no such rights, folders decide.
#[cfg(not(unix))]
pub(crate) fn keep_to_the_owner() {}
