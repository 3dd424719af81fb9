//! A refused `mlock`: one line with the limit and the remedy, and the program goes on.

use std::fmt::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pagelog_os::{Mapping, Populate, page_size};
use pagelog_page_cache::{
    Budget, Means, Pin, PinAhead, Pinned, STEP_SIZE, State, Target, WarmOptions, Warmer,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CapabilitySet, capabilities, set_capabilities};
use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber, span};

/// Keeps the text of every warning.
#[derive(Clone, Default)]
struct Warnings(Arc<Mutex<Vec<String>>>);

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, _: &Field, value: &dyn std::fmt::Debug) {
        write!(self.0, "{value:?} ").unwrap();
    }
}

impl Subscriber for Warnings {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == tracing::Level::WARN
    }
    fn event(&self, event: &Event<'_>) {
        let mut text = Text(String::new());
        event.record(&mut text);
        self.0.lock().unwrap().push(text.0);
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

/// From here on this thread, and those it starts, may lock `bytes`.
fn limit_to(bytes: u64) {
    let mut sets = capabilities(None).unwrap();
    sets.effective.remove(CapabilitySet::IPC_LOCK);
    set_capabilities(None, sets).unwrap();
    let maximum = getrlimit(Resource::Memlock).maximum;
    let limit = Rlimit {
        current: Some(bytes),
        maximum,
    };
    setrlimit(Resource::Memlock, limit).unwrap();
}

/// One test, because limit and log are the whole process's.
#[test]
fn a_refusal_is_one_line_and_everything_goes_on() {
    let warnings = Warnings::default();
    tracing::subscriber::set_global_default(warnings.clone()).unwrap();
    let limit = 4 * page_size() as u64;
    limit_to(limit);
    assert_eq!(Budget::ask(u64::MAX, 50).unwrap().size(), limit);

    // A budget that knows nothing of the limit, as when others of the process have locked too.
    let budget = Arc::new(Budget::least(1 << 30, None, None, 50));
    let size = 8 * STEP_SIZE;
    let memory = Arc::new(Mapping::anonymous(size as usize).unwrap());
    let options = WarmOptions {
        pin: Some(PinAhead {
            budget: Arc::clone(&budget),
            window: size,
        }),
        ..WarmOptions::whole(0..size)
    };
    let target = Target::memory(Arc::clone(&memory), Means::Populate(Populate::Write));
    let warmer = Warmer::start(target, options, |_| ()).unwrap();
    let progress = warmer.wait(size, Duration::from_secs(60));
    assert_eq!((progress.state, progress.pinned), (State::Done, 0));
    assert!(memory.is_loaded(0..size as usize).unwrap());
    drop(warmer);

    let mut pin = Pin::new(Arc::clone(&memory), &budget);
    match pin.hold(0..size as usize) {
        Pinned::Refused(Some(refused)) => assert_eq!(refused.limit, Some(limit)),
        other => panic!("{other:?}"),
    }
    assert!(matches!(
        pin.hold(0..2 * size as usize / 2),
        Pinned::Refused(None)
    ));
    assert_eq!((pin.held(), budget.used()), (0..0, 0));
    // Another pin, of what the limit allows, is none the worse.
    assert!(matches!(
        Pin::new(memory, &budget).hold(0..1),
        Pinned::Whole
    ));

    let told = warnings.0.lock().unwrap();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].contains(&limit.to_string()) && told[0].contains("ulimit -l"),
        "{told:?}"
    );
}
