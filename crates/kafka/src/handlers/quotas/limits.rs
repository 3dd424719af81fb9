//! The quotas that hold now, and the buckets of those who are under one.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pagelog_store::{ConfigKind, Store};

use super::bucket::Bucket;
use super::entity::{Entity, Name};
use super::{ANONYMOUS, CONSUMER_BYTE_RATE, PRODUCER_BYTE_RATE};
use crate::handlers::muted::Muted;

/// So many buckets are kept; past it all are begun anew, which forgives each of them at most one wait.
const BUCKETS_MAX: usize = 10_000;

/// All quotas of a broker.
#[derive(Debug, Default)]
pub(in crate::handlers) struct Quotas {
    /// Nobody has any: what every request looks at.
    any: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    rates: Vec<(Entity, Rates)>,
    buckets: HashMap<(Direction, String), Arc<Bucket>>,
}

/// Bytes a second; `None`: no limit.
#[derive(Clone, Copy, Debug, Default)]
struct Rates {
    produce: Option<f64>,
    fetch: Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Direction {
    Produce,
    Fetch,
}

/// What limits one connection.
#[derive(Clone, Debug)]
pub(in crate::handlers) struct Throttle {
    produce: Option<Arc<Bucket>>,
    fetch: Option<Arc<Bucket>>,
    muted: Arc<Muted>,
}

impl Quotas {
    /// Those that are kept in `store`.
    pub(in crate::handlers) fn of(store: &Store) -> Quotas {
        let quotas = Quotas::default();
        quotas.reload(store);
        quotas
    }

    /// Takes over what is kept in `store` now.
    pub(super) fn reload(&self, store: &Store) {
        let kept = store.configs(ConfigKind::Client);
        let rates = kept.iter().filter_map(|(name, values)| {
            let rate = |key| {
                let rate = values.get(key)?.parse::<f64>().ok()?;
                (rate > 0.0).then_some(rate)
            };
            let rates = Rates {
                produce: rate(PRODUCER_BYTE_RATE),
                fetch: rate(CONSUMER_BYTE_RATE),
            };
            Some((Entity::read(name)?, rates))
        });
        let mut state = self.lock();
        state.rates = rates.collect();
        state.buckets.clear();
        self.any.store(!state.rates.is_empty(), Ordering::Release);
    }

    /// What limits a client; `None`, without a lock, if there are no quotas at all.
    pub(in crate::handlers) fn throttle(
        &self,
        client_id: Option<&str>,
        muted: &Arc<Muted>,
        now: Instant,
    ) -> Option<Throttle> {
        if !self.any.load(Ordering::Acquire) {
            return None;
        }
        let mut state = self.lock();
        let client_id = client_id.unwrap_or_default();
        let produce = state.bucket(Direction::Produce, client_id, now);
        let fetch = state.bucket(Direction::Fetch, client_id, now);
        (produce.is_some() || fetch.is_some()).then(|| Throttle {
            produce,
            fetch,
            muted: Arc::clone(muted),
        })
    }

    /// A panic under the lock leaves at worst some buckets missing.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn bucket(
        &mut self,
        direction: Direction,
        client_id: &str,
        now: Instant,
    ) -> Option<Arc<Bucket>> {
        let (shared_by, rate) = self.strongest(direction, client_id)?;
        if self.buckets.len() >= BUCKETS_MAX {
            self.buckets.clear();
        }
        let bucket = self
            .buckets
            .entry((direction, shared_by))
            .or_insert_with(|| Arc::new(Bucket::new(rate, now)));
        Some(Arc::clone(bucket))
    }

    /// The rate that counts, and who shares it: those whom the quota names, each alone where it names a default.
    fn strongest(&self, direction: Direction, client_id: &str) -> Option<(String, f64)> {
        let user = || Some(Name::Of(ANONYMOUS.to_owned()));
        let client = || Some(Name::Of(client_id.to_owned()));
        let default = || Some(Name::Default);
        // The order is that of KIP-546.
        let candidates = [
            (user(), client()),
            (user(), default()),
            (user(), None),
            (default(), client()),
            (default(), default()),
            (default(), None),
            (None, client()),
            (None, default()),
        ];
        candidates.into_iter().find_map(|(user, client_id_part)| {
            let entity = Entity {
                user,
                client_id: client_id_part,
            };
            let (_, rates) = self.rates.iter().find(|(known, _)| *known == entity)?;
            let rate = match direction {
                Direction::Produce => rates.produce,
                Direction::Fetch => rates.fetch,
            };
            let shared_by = match &entity.client_id {
                Some(Name::Default) => format!("{}:{client_id}", entity.spell()),
                _ => entity.spell(),
            };
            Some((shared_by, rate?))
        })
    }
}

impl Throttle {
    /// Takes note of bytes that the client has sent. How long it is to hold back, and is not read from.
    pub(in crate::handlers) fn produced(&self, bytes: u64, now: Instant) -> Duration {
        self.take(self.produce.as_deref(), bytes, now)
    }

    /// Takes note of bytes that the client is sent.
    pub(in crate::handlers) fn fetched(&self, bytes: u64, now: Instant) -> Duration {
        self.take(self.fetch.as_deref(), bytes, now)
    }

    /// The most bytes that one fetch should bring.
    pub(in crate::handlers) fn fetch_bytes_max(&self) -> u64 {
        self.fetch
            .as_ref()
            .map_or(u64::MAX, |bucket| bucket.burst())
    }

    fn take(&self, bucket: Option<&Bucket>, bytes: u64, now: Instant) -> Duration {
        let wait = bucket.map_or(Duration::ZERO, |bucket| bucket.take(bytes, now));
        if !wait.is_zero() {
            self.muted.until(now, wait);
        }
        wait
    }
}

/// A wait as answers carry it.
pub(in crate::handlers) fn in_ms(wait: Duration) -> i32 {
    i32::try_from(wait.as_millis()).unwrap_or(i32::MAX)
}
