//! What only the edge of a program may take from its surroundings: time, randomness, and how it is told to stop.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chacha20::ChaCha20Rng;
use rand_core::SeedableRng as _;
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use blindscope_store::Environment;
use blindscope_transport::Stop;

/// The clock, milliseconds since 1970.
pub fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

/// An address of this machine that nobody listens on.
///
/// # Errors
/// [`Error::Defect`] where there is none.
pub(crate) fn free_port() -> Result<String> {
    let bound = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    bound
        .map(|address| address.to_string())
        .map_err(|_| Error::Defect { what: "a free port of this machine" })
}

/// What the environment says under names that begin so. Keys may be among it.
pub(crate) fn environment(prefix: &str) -> Environment {
    #[allow(clippy::disallowed_methods, reason = "this is the edge")]
    let all = std::env::vars_os();
    let named = all.filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
    let ours = named.filter(|(name, _)| name.starts_with(prefix));
    ours.filter_map(|(name, value)| Some((name, Zeroizing::new(value.into_string().ok()?)))).collect()
}

/// A generator seeded by the operating system.
///
/// # Errors
/// [`Error::Entropy`] where the system gives no randomness.
pub fn rng() -> Result<ChaCha20Rng> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *seed).map_err(|_| Error::Entropy)?;
    Ok(ChaCha20Rng::from_seed(*seed))
}

/// The threads on which a command's network and disk work runs.
///
/// # Errors
/// [`Error::Defect`] when the system gives no threads.
pub fn runtime() -> Result<tokio::runtime::Runtime> {
    let built = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    built.map_err(|_| Error::Defect { what: "the start of threads" })
}

/// Between two questions whether to go on waiting.
const LOOK: Duration = Duration::from_millis(100);

/// Waits for `work`; nothing once `stopped`, which is asked ten times a second, says so: the work is dropped then.
///
/// # Errors
/// Those of `work`.
pub async fn unless<T>(
    mut stopped: impl FnMut() -> bool,
    work: impl Future<Output = Result<T>>,
) -> Result<Option<T>> {
    let told = async {
        while !stopped() {
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::select! {
        done = work => done.map(Some),
        () = told => Ok(None),
    }
}

/// Stops a service when the process is asked to end (Ctrl-C, SIGTERM). A second time ends it at once.
pub fn stop_on_signal(stop: &Stop) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        tracing::warn!("signals cannot be caught; they end the process at once");
        return;
    };
    let stop = stop.clone();
    tokio::spawn(async move {
        for first in [true, false] {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if first {
                tracing::info!("stopping");
                stop.stop();
            }
        }
        std::process::exit(130);
    });
}

/// Stops a service when its standard input ends: whoever started it is gone, killed perhaps, and could not say so.
pub fn stop_when_input_ends(stop: &Stop) {
    let stop = stop.clone();
    std::thread::spawn(move || {
        // What is said is not listened to, and an input that cannot be read is one that ended.
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        tracing::info!("standard input ended, stopping");
        stop.stop();
    });
}
