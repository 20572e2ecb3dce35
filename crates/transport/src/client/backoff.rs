//! How long to wait before the next try.

use std::time::Duration;

/// Full jitter: a wait drawn evenly from nothing to a span that doubles with each failure, so that sites which lost the
/// coordinator together do not come back together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    failures: u32,
}

impl Backoff {
    /// Spans from `first` to `longest`.
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, failures: 0 }
    }

    /// The wait after another failure. `asked` is what the other side wants at least, `random` any 32 random bits.
    pub fn wait(&mut self, asked: Duration, random: u32) -> Duration {
        let span = self.first.saturating_mul(1 << self.failures.min(20)).min(self.longest);
        self.failures = self.failures.saturating_add(1);
        asked + span.mul_f64(f64::from(random) / f64::from(u32::MAX))
    }

    /// After a success.
    pub const fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_double_up_to_the_longest() {
        let ms = Duration::from_millis;
        let mut backoff = Backoff::new(ms(100), ms(350));
        let widest: Vec<_> = (0..40).map(|_| backoff.wait(ms(5), u32::MAX)).collect();
        assert_eq!(widest[..4], [ms(105), ms(205), ms(355), ms(355)]);
        assert_eq!(widest[39], ms(355));
        assert_eq!(backoff.wait(ms(5), 0), ms(5));
        backoff.reset();
        assert_eq!(backoff.wait(Duration::ZERO, u32::MAX), ms(100));
    }
}
