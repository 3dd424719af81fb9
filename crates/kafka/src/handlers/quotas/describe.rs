//! DescribeClientQuotas: the quotas of all entities that match.

use pagelog_store::ConfigKind;
use pagelog_store::answer::Answer;

use super::entity::Entity;
use crate::codec::ErrorCode;
use crate::codec::describe_client_quotas::{
    DescribeClientQuotasRequest, DescribeClientQuotasResponse, QuotaComponent, QuotaEntity,
    QuotaEntry, QuotaValue,
};
use crate::handlers::connection::{Call, Refusal};

/// How a name is asked for.
const EXACT: i8 = 0;
const DEFAULT: i8 = 1;
const ANY: i8 = 2;

pub(in crate::handlers) fn describe(
    call: &Call,
    request: &DescribeClientQuotasRequest,
) -> Result<Answer, Refusal> {
    let unknown = request
        .components
        .iter()
        .find(|asked| !(EXACT..=ANY).contains(&asked.match_type));
    let response = match unknown {
        Some(asked) => DescribeClientQuotasResponse {
            error: ErrorCode::INVALID_REQUEST,
            error_message: Some(format!("there is no match of type {}", asked.match_type)),
            ..Default::default()
        },
        None => DescribeClientQuotasResponse {
            entries: Some(entries(call, request)),
            ..Default::default()
        },
    };
    Ok(Answer::Now(call.respond(&response)))
}

fn entries(call: &Call, request: &DescribeClientQuotasRequest) -> Vec<QuotaEntry> {
    let kept = call.broker.store.configs(ConfigKind::Client);
    let entry = |(name, values): (String, pagelog_store::ConfigValues)| {
        let entity = Entity::read(&name).filter(|entity| matches(entity, request))?;
        let values = values.iter().filter_map(|(key, value)| {
            let value = value.parse::<f64>().ok()?.into();
            let key = key.clone();
            Some(QuotaValue { key, value })
        });
        let parts = entity.parts().map(|(kind, name)| QuotaEntity {
            entity_type: kind.to_owned(),
            entity_name: name.map(str::to_owned),
        });
        Some(QuotaEntry {
            entity: parts.collect(),
            values: values.collect(),
        })
    };
    kept.into_iter().filter_map(entry).collect()
}

fn matches(entity: &Entity, request: &DescribeClientQuotasRequest) -> bool {
    let asked = &request.components;
    let matches_one = |asked: &QuotaComponent| {
        let mut parts = entity.parts();
        parts.any(|(kind, name)| {
            let fits = match asked.match_type {
                EXACT => name.is_some() && name == asked.name.as_deref(),
                DEFAULT => name.is_none(),
                _ => true,
            };
            kind == asked.entity_type && fits
        })
    };
    let names_no_other = || {
        let known = |kind: &str| asked.iter().any(|asked| asked.entity_type == kind);
        entity.parts().all(|(kind, _)| known(kind))
    };
    asked.iter().all(matches_one) && (!request.strict || names_no_other())
}
