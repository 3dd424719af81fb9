//! Power loss: the real append and flush code over a storage that remembers what the device holds. Appenders run, the power is cut
//! between any two storage operations, and whoever opens what is left must find every acknowledged entry, once and in order.
//!
//! Each test prints its seed. Threads interleave as they like, so a seed repeats the choices of the storage and the appenders, not the schedule.

mod explore;
mod journal;
mod setup;
mod workload;

use explore::{Outcome, Sabotage, explore};
use journal::Violation;
use setup::{
    MAPPED_INTERVAL, MAPPED_SYNC, PREWRITTEN_SYNC, STAGED_INTERVAL, STAGED_SYNC, Setup,
    WARMED_INTERVAL, WARMED_SYNC,
};

/// Images that each of the four setups is tried with; together more than ten thousand.
const IMAGES_EACH: usize = 2_700;

/// Most of what can go wrong there does so within one life.
const IMAGES_WRITTEN_AHEAD: usize = 1_000;

/// A thread for each segment makes a round slow.
const IMAGES_WARMED: usize = 300;

const ALL: [&Setup; 4] = [
    &STAGED_SYNC,
    &MAPPED_SYNC,
    &MAPPED_INTERVAL,
    &STAGED_INTERVAL,
];

fn assert_nothing_is_lost(setup: &Setup, usual_seed: u64) {
    assert_nothing_is_lost_of(setup, usual_seed, IMAGES_EACH);
}

fn assert_nothing_is_lost_of(setup: &Setup, usual_seed: u64, images_least: usize) {
    let seed = pagelog_testing::seed(usual_seed);
    let mut images = 0;
    let mut torn = 0;
    for round in 0.. {
        let outcome = explore(setup, seed + round, Sabotage::None);
        if let Some(violation) = outcome.violations.first() {
            panic!("{}, seed {}: {violation}", setup.name, seed + round);
        }
        images += outcome.images;
        torn += outcome.with_cut_tail;
        if images >= images_least {
            break;
        }
    }
    println!("{}: {images} images, {torn} with a torn tail", setup.name);
    assert!(
        torn > images / 50,
        "hardly any image was torn: the test proves little"
    );
}

#[test]
fn staged_and_synced_loses_nothing_acknowledged() {
    assert_nothing_is_lost(&STAGED_SYNC, 1_000);
}

/// Zeros go to blocks that nobody has written to, a page ahead of the next entry and before any power cut.
#[test]
fn staged_and_written_ahead_loses_nothing_acknowledged() {
    assert_nothing_is_lost_of(&PREWRITTEN_SYNC, 7_000, IMAGES_WRITTEN_AHEAD);
}

#[test]
fn mapped_and_synced_loses_nothing_acknowledged() {
    assert_nothing_is_lost(&MAPPED_SYNC, 2_000);
}

/// Under interval flush a power cut may take what the last sync did not reach; what it reached stays, and the death of the process takes nothing.
#[test]
fn mapped_by_interval_loses_nothing_below_the_durable_mark() {
    assert_nothing_is_lost(&MAPPED_INTERVAL, 3_000);
}

/// As by the mapped route, but that the death of the process takes what waited in the ring: only what is written was ever readable.
#[test]
fn staged_by_interval_loses_nothing_below_the_durable_mark() {
    assert_nothing_is_lost(&STAGED_INTERVAL, 4_000);
}

/// Warming touches pages ahead of the appenders and writes them to the disk, whatever they hold: of a file that is used again, old bytes too.
#[test]
fn mapped_and_warmed_loses_nothing_acknowledged() {
    assert_nothing_is_lost_of(&WARMED_SYNC, 5_000, IMAGES_WARMED);
}

#[test]
fn mapped_and_warmed_by_interval_loses_nothing_below_the_durable_mark() {
    assert_nothing_is_lost_of(&WARMED_INTERVAL, 6_000, IMAGES_WARMED);
}

/// Runs with the sabotage until the checker notices, and says how many images that took.
fn rounds_until_noticed(setup: &Setup, sabotage: Sabotage) -> usize {
    let seed = pagelog_testing::seed(9_000);
    let mut images = 0;
    for round in 0..60 {
        let Outcome {
            images: more,
            violations,
            ..
        } = explore(setup, seed + round, sabotage);
        images += more;
        if let Some(lost) = violations
            .iter()
            .find(|violation| matches!(violation, Violation::Lost { .. }))
        {
            println!(
                "{} with {sabotage:?}: noticed within {images} images: {lost}",
                setup.name
            );
            return images;
        }
    }
    panic!(
        "{} with {sabotage:?}: not noticed in {images} images",
        setup.name
    );
}

#[test]
fn leaving_the_sync_out_is_noticed() {
    for setup in ALL {
        rounds_until_noticed(setup, Sabotage::MuteSyncs);
    }
}

#[test]
fn answering_before_the_sync_is_noticed() {
    for setup in ALL {
        rounds_until_noticed(setup, Sabotage::AcknowledgeWritten);
    }
}
