//! A thousand connections that stay idle or send a byte a second, beside an honest round.

use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::{AREA, FederationOptions, finish, records, round};
use crate::bench::{Better, Figure};
use blindscope_node::Result;
use blindscope_node::admin::jobs::Admin;
use blindscope_node::processes::Processes;
use blindscope_node::rehearsal;

const CONNECTIONS: usize = 1000;
const BYTES: u64 = 300_000;

pub(super) async fn figures(options: &FederationOptions) -> Result<Vec<Figure>> {
    let study = options.study("slow", rehearsal::project(3, 2, 3)).await?;
    let admin = study.admin()?;
    let before = percentile(&study, &admin, "before", options.rounds).await?;
    let address = study.address()?;
    let mut crowd = JoinSet::new();
    for number in 0..CONNECTIONS {
        crowd.spawn(linger(address.clone(), number % 2 == 0));
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let among = percentile(&study, &admin, "among", options.rounds).await?;
    crowd.abort_all();
    let ratio =
        Figure::of(AREA, "slow-connections-p99", "x", Better::Lower, &[among / before]).must(2.0, 1.2);
    Ok(vec![ratio])
}

async fn percentile(study: &Processes, admin: &Admin, name: &str, rounds: u64) -> Result<f64> {
    let spec = round::of_bytes(&study.study()?, name, rounds.max(3), BYTES)?;
    let job = admin.submit(&spec).await?;
    finish(admin, name).await?;
    let mut times = round::times(&records(admin).await?, job);
    times.sort_by(f64::total_cmp);
    let place = (0.99 * (times.len().saturating_sub(1)) as f64).round() as usize;
    Ok(times.get(place).copied().unwrap_or(f64::NAN))
}

/// Connects, and again whenever it is closed; sends nothing, or a byte a second.
async fn linger(address: String, speaks: bool) {
    loop {
        if let Ok(mut stream) = TcpStream::connect(&address).await {
            // The first byte of a TLS handshake, for ever.
            while !speaks || stream.write_all(&[0x16]).await.is_ok() {
                tokio::time::sleep(Duration::from_secs(1)).await;
                if !speaks && is_closed(&stream) {
                    break;
                }
            }
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn is_closed(stream: &TcpStream) -> bool {
    // The server never speaks first: anything that can be read is an alert or the end.
    stream.try_read(&mut [0; 16]).is_ok() || stream.peer_addr().is_err()
}
