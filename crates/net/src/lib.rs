//! Listeners, connections, reactors, timers; moves frames in and ropes out.
