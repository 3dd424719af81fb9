//! The limit on open files: raised as far as the system lets it, since every connection is one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Open files that are not connections: segments, logs, the poller's own.
const OTHER_FILES: u64 = 1024;

/// Raises the soft limit to the hard one, with a word when `connections_max` does not fit under it.
pub(crate) fn raise_open_files(connections_max: usize) {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    let result = setrlimit(Resource::Nofile, raised);
    let limit = getrlimit(Resource::Nofile).current;
    if let Some(limit) = limit.filter(|limit| *limit < connections_max as u64 + OTHER_FILES) {
        let refusal = result
            .err()
            .map(|error| format!(" (raising it failed: {error})"))
            .unwrap_or_default();
        tracing::warn!(
            "the limit on open files is {limit}{refusal}: too few for net.connections.max = {connections_max}; \
             raise it (ulimit -n, LimitNOFILE=), or lower the setting"
        );
    }
}
