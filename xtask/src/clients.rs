//! Real Kafka clients against the broker.

use std::path::Path;

use anyhow::Result;

use crate::setup::Tools;

/// Runs the tests of every client that `tools` has against the broker at the path `broker`.
pub(crate) fn run(tools: &Tools, broker: &Path) -> Result<()> {
    let node = tools.node.as_ref().map(|node| (&node.node, &node.modules));
    anyhow::bail!(
        "the client tests have not landed yet: {:?} {node:?} {broker:?}",
        tools.kcat
    )
}
