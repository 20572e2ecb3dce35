//! What a server grants its callers.

use std::time::Duration;

/// Limits of a server. The defaults serve a study of a hundred sites on one machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Connections that have not shown a certificate yet. One more closes the oldest of them: an honest handshake
    /// takes milliseconds, so the oldest is the least likely to be one.
    pub handshakes: usize,
    /// How long a handshake may take.
    pub handshake: Duration,
    /// Connections of one certificate.
    pub connections: usize,
    /// Calls under way on one connection.
    pub calls: u32,
    /// Uploads whose body is being taken, of all callers; more wait, unread.
    pub uploads: usize,
    /// Uploads of one certificate; more are refused.
    pub uploads_each: usize,
    /// Bytes of an upload's header or of a document.
    pub header: usize,
    /// Bytes under way on one call, by HTTP/2's flow control, what a caller can make the server hold, whether its upload is
    /// being taken or waits.
    pub window: u32,
    /// How long the head of an upload may take, and what every upload may dawdle.
    pub grace: Duration,
    /// Bytes a second that an upload must keep, from its first, after the grace.
    pub rate: u64,
    /// The longest a poll is held.
    pub poll: Duration,
    /// How long the handler may take to answer anything else.
    pub answer: Duration,
    /// Silence after which a connection is asked for a sign of life; it gets as long again to give it.
    pub keepalive: Duration,
    /// How long calls under way may go on when the server stops.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshakes: 2048,
            handshake: Duration::from_secs(10),
            connections: 8,
            calls: 32,
            uploads: 64,
            uploads_each: 4,
            header: 64 << 10,
            window: 512 << 10,
            grace: Duration::from_secs(10),
            rate: 16 << 10,
            poll: Duration::from_secs(30),
            answer: Duration::from_mins(2),
            keepalive: Duration::from_secs(20),
            drain: Duration::from_secs(10),
        }
    }
}

/// Bytes that all callers of one study together can make the server hold, one upload each.
const HELD: usize = 64 << 20;
/// Shortest and longest window: less is slow over long lines, more is faster over none.
const WINDOWS: (usize, usize) = (64 << 10, 512 << 10);

impl Limits {
    /// The same for so many callers that may all upload at a time: the more there are, the less each has under way.
    #[must_use]
    pub fn for_callers(self, callers: usize) -> Self {
        let window = (HELD / callers.max(1)).clamp(WINDOWS.0, WINDOWS.1);
        Self { window: u32::try_from(window).unwrap_or(u32::MAX), ..self }
    }

    /// When the byte after `received` must have come, counted from the start of the body.
    ///
    /// A caller that keeps the rate is never cut; one that sends nothing is cut after the grace.
    pub(crate) fn due(&self, received: u64) -> Duration {
        self.grace + Duration::from_millis(received.saturating_mul(1000) / self.rate.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_callers_have_less_under_way_each() {
        let window = |callers| Limits::default().for_callers(callers).window;
        assert_eq!((window(0), window(3), window(128)), (512 << 10, 512 << 10, 512 << 10));
        assert_eq!((window(512), window(1024), window(100_000)), (128 << 10, 64 << 10, 64 << 10));
    }

    #[test]
    fn the_due_time_follows_the_rate() {
        let limits = Limits { grace: Duration::from_secs(2), rate: 1000, ..Limits::default() };
        assert_eq!(limits.due(0), Duration::from_secs(2));
        assert_eq!(limits.due(500), Duration::from_millis(2500));
        assert!(limits.due(u64::MAX) > Duration::from_secs(1 << 40));
    }
}
