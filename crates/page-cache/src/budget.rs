//! How many bytes may be pinned, and by whom they are held: one number that many share.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};

use pagelog_os::limits;

/// Bytes that may be pinned in all; shared by `Arc`.
#[derive(Debug)]
pub struct Budget {
    size: u64,
    bound: Bound,
    used: AtomicU64,
    /// Whether a refusal of the kernel has been told already.
    told: AtomicBool,
}

/// Which of the limits decided a [`Budget`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// What was configured.
    Configuration,
    /// What this process may lock (`RLIMIT_MEMLOCK`).
    LockLimit,
    /// The share of the memory that its cgroup may use.
    Cgroup,
}

/// The budget does not hold that much more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{wanted} bytes more cannot be pinned: {left} are left of the budget")]
pub struct OverBudget {
    /// The bytes that were asked for.
    pub wanted: u64,
    /// The bytes that could have been had.
    pub left: u64,
}

/// Bytes of a [`Budget`] that someone holds; given back on drop.
#[derive(Debug)]
pub struct Grant {
    budget: Arc<Budget>,
    size: u64,
}

impl Budget {
    /// The least of `configured` bytes, of `RLIMIT_MEMLOCK` and of `cgroup_percent` per cent of the cgroup's
    /// memory limit, both asked now.
    ///
    /// The share of the cgroup is what keeps the process alive: past that limit `mlock` is not refused, the
    /// process is killed, and the page cache that it reads needs room beside what is pinned. What others of this
    /// process have locked is not known here: let them take a [`Grant`].
    ///
    /// # Errors
    ///
    /// When `/proc` cannot be read.
    pub fn ask(configured: u64, cgroup_percent: u8) -> io::Result<Budget> {
        let cgroup = limits::cgroup_memory()?;
        Ok(Budget::least(
            configured,
            limits::memory_lock(),
            cgroup,
            cgroup_percent,
        ))
    }

    /// As [`Budget::ask`], of limits that are known; `None`: there is none.
    #[must_use]
    pub fn least(
        configured: u64,
        lock_limit: Option<u64>,
        cgroup_limit: Option<u64>,
        cgroup_percent: u8,
    ) -> Budget {
        let share = cgroup_limit.map(|limit| limit / 100 * u64::from(cgroup_percent.min(100)));
        let bounds = [
            (Some(configured), Bound::Configuration),
            (lock_limit, Bound::LockLimit),
            (share, Bound::Cgroup),
        ];
        let known = bounds
            .into_iter()
            .filter_map(|(size, bound)| Some((size?, bound)));
        let (size, bound) = known
            .min_by_key(|(size, _)| *size)
            .unwrap_or((configured, Bound::Configuration));
        Budget {
            size,
            bound,
            used: AtomicU64::new(0),
            told: AtomicBool::new(false),
        }
    }

    /// The bytes that may be pinned in all.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Which limit decided.
    #[must_use]
    pub fn bound(&self) -> Bound {
        self.bound
    }

    /// The bytes that are held now.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.used.load(Relaxed)
    }

    /// Takes `size` bytes, for memory that is locked elsewhere too.
    ///
    /// # Errors
    ///
    /// [`OverBudget`].
    pub fn take(self: &Arc<Budget>, size: u64) -> Result<Grant, OverBudget> {
        let mut grant = self.nothing();
        grant.grow(size)?;
        Ok(grant)
    }

    /// A grant of no bytes, which can grow.
    pub(crate) fn nothing(self: &Arc<Budget>) -> Grant {
        Grant {
            budget: Arc::clone(self),
            size: 0,
        }
    }

    /// True once: who gets it tells of the refusal.
    pub(crate) fn first_refusal(&self) -> bool {
        !self.told.swap(true, Relaxed)
    }
}

impl Grant {
    /// The bytes it holds.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Takes `more` bytes.
    ///
    /// # Errors
    ///
    /// [`OverBudget`]; what is held stays.
    pub fn grow(&mut self, more: u64) -> Result<(), OverBudget> {
        let Budget { used, size, .. } = &*self.budget;
        let within = |used: u64| used.checked_add(more).filter(|sum| sum <= size);
        used.fetch_update(Relaxed, Relaxed, within)
            .map_err(|used| OverBudget {
                wanted: more,
                left: size.saturating_sub(used),
            })?;
        self.size += more;
        Ok(())
    }

    /// Gives `less` bytes back, at most what it holds.
    pub fn shrink(&mut self, less: u64) {
        let less = less.min(self.size);
        self.size -= less;
        self.budget.used.fetch_sub(less, Relaxed);
    }

    pub(crate) fn budget(&self) -> &Budget {
        &self.budget
    }
}

impl Drop for Grant {
    fn drop(&mut self) {
        self.shrink(self.size);
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Bound::Configuration => "as configured",
            Bound::LockLimit => "the limit of this process, RLIMIT_MEMLOCK",
            Bound::Cgroup => "the share of the cgroup's memory limit",
        })
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (used, size, bound) = (self.used(), self.size, self.bound);
        write!(formatter, "{used} of {size} bytes pinned ({bound})")
    }
}
