//! DescribeConfigs: every configuration of a topic or of the broker, where it comes from, and what it means.

use pagelog_store::answer::Answer;

use super::known::{Entry, Known, Synonym};
use super::resource::Resource;
use crate::codec::describe_configs::{
    DescribeConfigsEntry, DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResponse,
    DescribeConfigsResult, DescribeConfigsSynonym,
};
use crate::handlers::changes::Refused;
use crate::handlers::connection::{Call, Refusal};

pub(in crate::handlers) fn describe(
    call: &Call,
    request: &DescribeConfigsRequest,
) -> Result<Answer, Refusal> {
    let known = Known::of(call);
    let results = request.resources.iter().map(|asked| {
        let mut result = DescribeConfigsResult {
            resource_type: asked.resource_type,
            resource_name: asked.resource_name.clone(),
            ..Default::default()
        };
        match entries(call, &known, asked) {
            Ok(entries) => {
                let shown = entries.into_iter().map(|entry| show(entry, request));
                result.configs = shown.collect();
            }
            Err((error, message)) => {
                result.error = error;
                result.error_message = Some(message);
            }
        }
        result
    });
    Ok(Answer::Now(call.respond(&DescribeConfigsResponse {
        results: results.collect(),
        ..Default::default()
    })))
}

fn entries(
    call: &Call,
    known: &Known<'_>,
    asked: &DescribeConfigsResource,
) -> Result<Vec<Entry>, Refused> {
    let mut entries = match Resource::find(call, asked.resource_type, &asked.resource_name)? {
        Resource::Topic(topic) => known.topic(topic.config().values()),
        Resource::Broker(key) if key.name.is_empty() => known.all_brokers(),
        Resource::Broker(_) => known.broker(),
    };
    if let Some(keys) = &asked.keys {
        entries.retain(|entry| keys.iter().any(|key| key == entry.name));
    }
    Ok(entries)
}

fn show(entry: Entry, request: &DescribeConfigsRequest) -> DescribeConfigsEntry {
    let synonym = |synonym: Synonym| DescribeConfigsSynonym {
        name: synonym.name.to_owned(),
        value: Some(synonym.value),
        source: synonym.source as i8,
    };
    let synonyms = match request.include_synonyms {
        true => entry.synonyms.into_iter().map(synonym).collect(),
        false => Vec::new(),
    };
    let documentation = entry.documentation.to_owned();
    DescribeConfigsEntry {
        name: entry.name.to_owned(),
        value: entry.value,
        read_only: entry.is_read_only,
        source: entry.source as i8,
        is_sensitive: entry.is_sensitive,
        synonyms,
        config_type: entry.config_type as i8,
        documentation: request.include_documentation.then_some(documentation),
    }
}
