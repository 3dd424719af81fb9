//! The log's options: its segments, its route, and what is made ready ahead of the appends.

use std::num::NonZeroU64;

use pagelog_commit_log::{LogOptions, Route, Warm};
use pagelog_flush::Policy;

use super::{in_u32, in_usize, together};
use crate::settings::Settings;
use crate::settings::error::SettingsError;
use crate::settings::kind::size;
use crate::settings::table;

pub(super) fn options(settings: &Settings, policy: Policy) -> Result<LogOptions, SettingsError> {
    let payload_size_max = in_u32(settings.number(&table::KAFKA_MESSAGE_MAX_BYTES));
    let segment_size = segment_size(settings, payload_size_max)?;
    let route = route(settings, policy, payload_size_max);
    Ok(LogOptions {
        spares_max: in_usize(settings.number(&table::SEGMENT_SPARES)),
        warm: warm(settings, policy),
        prewrite: match policy {
            Policy::Sync => settings.number(&table::PREWRITE_BYTES),
            Policy::Interval(_) => 0,
        },
        ..LogOptions::new(segment_size, route, payload_size_max)
    })
}

/// What the mapped route has made ready. Under `sync` what warming made dirty is written as it goes: else the next sync would.
fn warm(settings: &Settings, policy: Policy) -> Option<Warm> {
    const FLUSH_EVERY: Option<NonZeroU64> = NonZeroU64::new(4 << 20);
    let number = |setting| settings.number(setting);
    let window = match settings.text(&table::WARM) {
        "off" => return None,
        "whole" => None,
        _ => Some(number(&table::WARM_WINDOW_BYTES)),
    };
    Some(Warm {
        window,
        bytes_per_second: NonZeroU64::new(number(&table::WARM_BYTES_PER_SECOND)),
        flush_every: FLUSH_EVERY.filter(|_| policy == Policy::Sync),
        pin_window: number(&table::PIN_WINDOW_BYTES),
        pin_max: number(&table::PIN_BYTES),
    })
}

/// A segment is whole pages, and holds the largest batch.
fn segment_size(settings: &Settings, payload_size_max: u32) -> Result<u64, SettingsError> {
    let segment_size = settings.number(&table::SEGMENT_BYTES);
    let least = LogOptions::segment_size_min(payload_size_max);
    if segment_size < least {
        return Err(together(format!(
            "{} cannot hold {}: allowed is a segment of at least {least} bytes, or smaller batches",
            settings.shown(&table::SEGMENT_BYTES),
            settings.shown(&table::KAFKA_MESSAGE_MAX_BYTES),
        )));
    }
    if !segment_size.is_multiple_of(4096) {
        let shown = settings.shown(&table::SEGMENT_BYTES);
        return Err(together(format!(
            "{shown} is no multiple of 4096: segments are whole pages"
        )));
    }
    Ok(segment_size)
}

fn route(settings: &Settings, policy: Policy, payload_size_max: u32) -> Route {
    let route = match (settings.text(&table::LOG_ROUTE), policy) {
        ("auto", Policy::Sync) | ("staged", _) => staged(settings, payload_size_max),
        (_, _) => return Route::Mapped,
    };
    let asked = settings.number(&table::RING_BYTES);
    if let Route::Staged { ring_size } = route
        && ring_size as u64 > asked
    {
        tracing::info!(
            "the ring is raised from {} to {}, to hold the largest batch",
            size(asked),
            size(ring_size as u64)
        );
    }
    route
}

/// With the ring as it was set, or as large as the largest batch needs it.
pub(super) fn staged(settings: &Settings, payload_size_max: u32) -> Route {
    let asked = settings.number(&table::RING_BYTES);
    let needed = LogOptions::ring_size_min(payload_size_max).next_multiple_of(4096);
    Route::Staged {
        ring_size: usize::try_from(asked.max(needed)).unwrap_or(usize::MAX),
    }
}
