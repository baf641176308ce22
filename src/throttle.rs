//! Throttles: how much of something each of many may do in a time.
//!
//! A throttle is a leaky bucket for each of them (the crate `governor`): it refills at a steady rate and holds a burst.
//! What it knows of someone is a number in a map, made when they first come.

use std::hash::{BuildHasher, Hash, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

/// Holds each `K` to a rate; without one, nobody.
pub struct Throttle<K: Clone + Eq + Hash>(Option<DefaultKeyedRateLimiter<K>>);

/// Holds network addresses to a rate, however many there are, in a memory that does not grow.
///
/// Some that are unlucky share a bucket, so what is refused here must be something that nobody is entitled to.
pub struct AddressThrottle {
    buckets: Throttle<u16>,
    hasher: RandomState,
}

/// More than the rate allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Excess {
    /// There is room for it after so many seconds, at least one.
    Now { seconds: u32 },
    /// It is more than the burst.
    Ever,
}

/// Some 20 bytes each.
const ADDRESS_BUCKETS: u64 = 1 << 14;

impl<K: Clone + Eq + Hash> Throttle<K> {
    /// A throttle that lets through `per_second`, and `burst` at once after a quiet time. Zero is no limit.
    pub fn new(per_second: u32, burst: u32) -> Self {
        let quota = NonZeroU32::new(per_second)
            .map(|rate| Quota::per_second(rate).allow_burst(NonZeroU32::new(burst).unwrap_or(rate)));
        Self(quota.map(RateLimiter::keyed))
    }

    /// Lets `count` of `who` through, or says why not; what is refused takes no room from the rest.
    ///
    /// # Errors
    /// When it is more than there is room for.
    pub fn pass(&self, who: &K, count: u32) -> Result<(), Excess> {
        let (Some(limiter), Some(count)) = (&self.0, NonZeroU32::new(count)) else {
            return Ok(());
        };
        match limiter.check_key_n(who, count) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(until)) => {
                let wait = until.wait_time_from(DefaultClock::default().now());
                // The next whole second, so that whoever comes then is not too early.
                let seconds = u32::try_from(wait.as_secs()).map_or(u32::MAX, |whole| whole.saturating_add(1));
                Err(Excess::Now { seconds })
            }
            Err(_) => Err(Excess::Ever),
        }
    }

    /// Forgets all whose buckets are full again: they are as if they had never come.
    pub fn forget_quiet(&self) {
        if let Some(limiter) = &self.0 {
            limiter.retain_recent();
        }
    }
}

impl AddressThrottle {
    /// As [`Throttle::new`].
    pub fn new(per_second: u32, burst: u32) -> Self {
        Self { buckets: Throttle::new(per_second, burst), hasher: RandomState::new() }
    }

    /// As [`Throttle::pass`]; an address of IPv6 stands for its /64, which is the least that anyone is given.
    ///
    /// # Errors
    /// When it is more than there is room for.
    pub fn pass(&self, address: IpAddr) -> Result<(), Excess> {
        let bucket = self.hasher.hash_one(network(address)) % ADDRESS_BUCKETS;
        self.buckets.pass(&(bucket as u16), 1)
    }
}

/// The network that a caller at this address has for itself.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Slow enough that nothing comes back while a test runs.
    const SLOW: u32 = 1;

    #[test]
    fn each_has_a_burst_of_its_own() {
        let throttle = Throttle::new(SLOW, 1_000);
        assert_eq!(throttle.pass(&'a', 1_000), Ok(()));
        let Err(Excess::Now { seconds }) = throttle.pass(&'a', 1_000) else { panic!("there is no room") };
        assert!((990..=1_001).contains(&seconds), "{seconds}");
        assert_eq!(throttle.pass(&'b', 1_000), Ok(()));
    }

    #[test]
    fn what_is_refused_takes_no_room() {
        let throttle = Throttle::new(SLOW, 1_000);
        assert_eq!(throttle.pass(&(), 500), Ok(()));
        assert!(matches!(throttle.pass(&(), 900), Err(Excess::Now { .. })));
        assert_eq!(throttle.pass(&(), 500), Ok(()));
    }

    #[test]
    fn more_than_the_burst_never_passes() {
        assert_eq!(Throttle::new(SLOW, 10).pass(&(), 11), Err(Excess::Ever));
    }

    #[test]
    fn a_rate_of_zero_is_no_limit() {
        let throttle = Throttle::new(0, 1);
        assert!((0..1_000).all(|_| throttle.pass(&(), u32::MAX).is_ok()));
    }

    #[test]
    fn whoever_has_been_quiet_is_forgotten() {
        let throttle = Throttle::new(10_000_000, 1);
        throttle.pass(&1, 1).expect("the first passes");
        let known = || throttle.0.as_ref().map(|limiter| limiter.len());
        assert_eq!(known(), Some(1));
        while known() != Some(0) {
            throttle.forget_quiet();
        }
    }

    #[test]
    fn addresses_of_one_network_share_a_bucket() {
        let network = |text: &str| network(text.parse().expect("an address"));
        assert_eq!(network("2001:db8:1:2::1"), network("2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
    }

    #[test]
    fn a_million_addresses_take_no_more_memory_than_the_buckets() {
        let throttle = AddressThrottle::new(SLOW, 1);
        for address in 0..1_000_000 {
            let _ = throttle.pass(IpAddr::V4(address.into()));
        }
        let known = throttle.buckets.0.as_ref().map(|limiter| limiter.len());
        assert!(known.is_some_and(|known| known as u64 <= ADDRESS_BUCKETS), "{known:?}");
    }
}
