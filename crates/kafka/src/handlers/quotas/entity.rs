//! Whom a quota is for, and how that is spelled as the name of a configuration.

use crate::codec::ErrorCode;
use crate::handlers::changes::Refused;

const USER: &str = "user";
const CLIENT_ID: &str = "client-id";

/// Whom a quota is for; at least one of both is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Entity {
    pub(super) user: Option<Name>,
    pub(super) client_id: Option<Name>,
}

/// One of them by name, or all that have no quota of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Name {
    Default,
    Of(String),
}

impl Entity {
    /// The entity of these parts.
    pub(super) fn of_parts<'a>(
        parts: impl Iterator<Item = (&'a str, Option<&'a str>)>,
    ) -> Result<Entity, Refused> {
        let invalid = |message: String| Err((ErrorCode::INVALID_REQUEST, message));
        let mut entity = Entity::default();
        for (kind, name) in parts {
            let name = name.map_or(Name::Default, |name| Name::Of(name.to_owned()));
            let part = match kind {
                USER => &mut entity.user,
                CLIENT_ID => &mut entity.client_id,
                _ => {
                    return invalid(format!(
                        "quotas for {kind} are not enforced here; known are {USER} and {CLIENT_ID}"
                    ));
                }
            };
            if part.replace(name).is_some() {
                return invalid(format!("{kind} is named twice"));
            }
        }
        if entity == Entity::default() {
            return invalid(format!("a quota is for a {USER}, a {CLIENT_ID}, or both"));
        }
        Ok(entity)
    }

    /// Its parts, as the protocol names them.
    pub(super) fn parts(&self) -> impl Iterator<Item = (&'static str, Option<&str>)> {
        let parts = [(USER, &self.user), (CLIENT_ID, &self.client_id)];
        parts.into_iter().filter_map(|(kind, name)| {
            Some(match name.as_ref()? {
                Name::Default => (kind, None),
                Name::Of(name) => (kind, Some(name.as_str())),
            })
        })
    }

    /// `user=…,client-id=…`, where a name is given as `:` and itself and a default as nothing.
    pub(super) fn spell(&self) -> String {
        let part = |(kind, name): (&str, Option<&str>)| match name {
            None => format!("{kind}="),
            Some(name) => format!("{kind}=:{}", escape(name)),
        };
        let parts: Vec<String> = self.parts().map(part).collect();
        parts.join(",")
    }

    /// What [`Entity::spell`] gave; `None` for anything else.
    pub(super) fn read(spelled: &str) -> Option<Entity> {
        let mut parts = Vec::new();
        for part in spelled.split(',') {
            let (kind, name) = part.split_once('=')?;
            let name = name.strip_prefix(':').map(unescape);
            parts.push((kind, name));
        }
        let parts = parts.iter().map(|(kind, name)| (*kind, name.as_deref()));
        Entity::of_parts(parts).ok()
    }
}

fn escape(name: &str) -> String {
    name.replace('%', "%25").replace(',', "%2C")
}

fn unescape(name: &str) -> String {
    name.replace("%2C", ",").replace("%25", "%")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_spelled_is_read() {
        for (user, client_id) in [
            (Some(None), None),
            (None, Some(None)),
            (None, Some(Some("a"))),
            (Some(Some("a,b=%2C%")), Some(Some(""))),
            (Some(None), Some(Some("client-id=x"))),
        ] {
            let user = user.map(|name| (USER, name));
            let client_id = client_id.map(|name| (CLIENT_ID, name));
            let parts = user.into_iter().chain(client_id);
            let entity = Entity::of_parts(parts).expect("known parts");
            assert_eq!(Entity::read(&entity.spell()), Some(entity));
        }
        assert_eq!(Entity::read("nonsense"), None);
        assert_eq!(Entity::read("ip=:1"), None);
    }

    #[test]
    fn nobody_twice_and_somebody_at_least() {
        for parts in [&[][..], &[(USER, None), (USER, Some("a"))], &[("ip", None)]] {
            let refused = Entity::of_parts(parts.iter().copied()).expect_err("not allowed");
            assert_eq!(refused.0, ErrorCode::INVALID_REQUEST);
        }
    }
}
