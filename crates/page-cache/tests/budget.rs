//! Which limit decides, and that many takers never take more than there is.

use std::sync::Arc;

use pagelog_page_cache::{Bound, Budget, OverBudget};

#[test]
fn the_least_limit_decides() {
    let check = |lock_limit, cgroup_limit, percent, size, bound| {
        let budget = Budget::least(1_000, lock_limit, cgroup_limit, percent);
        assert_eq!((budget.size(), budget.bound()), (size, bound));
    };
    check(None, None, 50, 1_000, Bound::Configuration);
    check(Some(999), None, 50, 999, Bound::LockLimit);
    check(Some(0), Some(0), 50, 0, Bound::LockLimit);
    check(Some(5_000), Some(1_500), 50, 750, Bound::Cgroup);
    check(None, Some(1_500), 100, 1_000, Bound::Configuration);
    check(None, Some(500), 255, 500, Bound::Cgroup);
    check(None, Some(u64::MAX), 100, 1_000, Bound::Configuration);
}

#[test]
fn what_is_asked_of_this_machine_is_no_more_than_configured() {
    assert!(Budget::ask(4_096, 25).unwrap().size() <= 4_096);
}

#[test]
fn grants_come_out_of_the_budget_and_go_back() {
    let budget = Arc::new(Budget::least(100, None, None, 0));
    let mut first = budget.take(60).unwrap();
    assert_eq!(
        budget.take(41).unwrap_err(),
        OverBudget {
            wanted: 41,
            left: 40
        }
    );
    let second = budget.take(40).unwrap();
    assert_eq!(
        budget.to_string(),
        "100 of 100 bytes pinned (as configured)"
    );
    first.grow(1).unwrap_err();
    first.shrink(10);
    first.grow(5).unwrap();
    assert_eq!((first.size(), budget.used()), (55, 95));
    first.grow(u64::MAX).unwrap_err();
    first.shrink(1_000);
    assert_eq!((first.size(), budget.used()), (0, 40));
    drop(second);
    assert_eq!(budget.used(), 0);
}

#[test]
fn takers_at_once_never_hold_more_than_there_is() {
    let budget = Arc::new(Budget::least(10, None, None, 0));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..2_000 {
                    if let Ok(grant) = budget.take(4) {
                        assert!(budget.used() <= 10 && grant.size() == 4);
                    }
                }
            });
        }
    });
    assert_eq!(budget.used(), 0);
}
