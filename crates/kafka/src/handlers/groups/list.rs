//! ListGroups: the groups that there are, by state and type if one asks for some.

use std::time::Instant;

use pagelog_store::answer::Answer;

use crate::codec::list_groups::ListedGroup;
use crate::codec::{ListGroupsRequest, ListGroupsResponse};
use crate::groups::Group;
use crate::handlers::connection::{Call, Refusal};

pub(in crate::handlers) fn handle(
    call: &Call,
    request: &ListGroupsRequest<'_>,
    now: Instant,
) -> Result<Answer, Refusal> {
    let groups = &call.broker.groups;
    let list = |name: &pagelog_store::GroupName| {
        groups.with(name, now, |group, turn| {
            group.advance(turn);
            listed(name.as_str(), group)
        })?
    };
    let names = groups.names();
    let all = names.iter().filter_map(list);
    let asked = all.filter(|group| {
        names_it(&request.states_filter, &group.state)
            && names_it(&request.types_filter, &group.group_type)
    });
    Ok(Answer::Now(call.respond(&ListGroupsResponse {
        groups: asked.collect(),
        ..Default::default()
    })))
}

fn listed(name: &str, group: &Group) -> Option<ListedGroup> {
    let (protocol_type, state, group_type) = match group {
        Group::Classic(group) => (group.protocol_type(), group.state_name(), "classic"),
        Group::Consumer(group) => ("consumer", group.state_name(), "consumer"),
        Group::Gone => return None,
    };
    Some(ListedGroup {
        group_id: name.to_owned(),
        protocol_type: protocol_type.to_owned(),
        state: state.to_owned(),
        group_type: group_type.to_owned(),
    })
}

/// An empty filter names everything; the case of letters does not count.
fn names_it(filter: &[&str], value: &str) -> bool {
    filter.is_empty() || filter.iter().any(|one| one.eq_ignore_ascii_case(value))
}
