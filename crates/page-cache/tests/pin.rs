//! What a pin holds of its mapping and of its budget.

use std::sync::Arc;

use pagelog_os::process::Process;
use pagelog_os::{Mapping, page_size};
use pagelog_page_cache::{Budget, OverBudget, Pin, Pinned};

const PAGES: usize = 32;

fn locked() -> u64 {
    Process::Own.memory().unwrap().locked
}

/// A budget of so many pages.
fn budget(pages: usize) -> Arc<Budget> {
    Arc::new(Budget::least((pages * page_size()) as u64, None, None, 100))
}

/// One test, because what is locked is counted for the whole process.
#[test]
fn a_pin_holds_what_it_is_told_within_its_budget() {
    let page = page_size();
    let memory = Arc::new(Mapping::anonymous(PAGES * page).unwrap());
    let before = locked();
    let budget = budget(8);
    let mut pin = Pin::new(Arc::clone(&memory), &budget);

    // Each move: what is asked for, what is held, in pages.
    let moves = [
        (0..4, 0..4),
        (2..8, 2..8),
        (8..10, 8..10),
        (9..9, 9..9),
        (20..25, 20..25),
        (18..22, 18..22),
        (4..4, 4..4),
        (24..32, 24..32),
        (26..28, 26..28),
    ];
    for (asked, held) in moves {
        let outcome = pin.hold(asked.start * page..asked.end * page);
        assert!(matches!(outcome, Pinned::Whole), "{asked:?}: {outcome:?}");
        assert_eq!(pin.held().len(), held.len() * page, "{asked:?}");
        assert!(
            held.is_empty() || pin.held().start == held.start * page,
            "{asked:?}"
        );
        assert_eq!(locked() - before, (held.len() * page) as u64, "{asked:?}");
        assert_eq!(budget.used(), locked() - before);
    }

    // Past the budget the front is held.
    match pin.hold(0..20 * page) {
        Pinned::OverBudget(OverBudget { left, .. }) => assert_eq!(left, 8 * page as u64),
        other => panic!("{other:?}"),
    }
    assert_eq!(pin.held(), 0..8 * page);

    // Two share the budget; one byte is a page.
    let mut other = Pin::new(Arc::clone(&memory), &budget);
    assert!(matches!(
        other.hold(30 * page..30 * page + 1),
        Pinned::OverBudget(_)
    ));
    assert!(other.held().is_empty());
    assert!(matches!(pin.hold(0..7 * page), Pinned::Whole));
    assert!(matches!(
        other.hold(30 * page..30 * page + 1),
        Pinned::Whole
    ));
    assert_eq!(
        (locked() - before, budget.used()),
        (8 * page as u64, 8 * page as u64)
    );

    pin.let_go();
    drop(other);
    assert_eq!((locked(), budget.used()), (before, 0));
}

#[test]
#[should_panic(expected = "of a mapping of 100")]
fn a_range_outside_panics() {
    let memory = Arc::new(Mapping::anonymous(100).unwrap());
    let _ = Pin::new(memory, &budget(1)).hold(0..101);
}
