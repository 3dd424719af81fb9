//! AlterClientQuotas: changes how much clients may send and receive (KIP-546).

use super::schema::{api, message};
use super::{Double, ErrorCode};

message! {
    /// Change these quotas.
    pub struct AlterClientQuotasRequest {
        /// By entity.
        entries: Vec<QuotaAlteration> [0..],
        /// Whether to say only what would become of it.
        validate_only: bool [0..],
    }
}

message! {
    /// Changes of one entity.
    pub struct QuotaAlteration {
        /// Its parts.
        entity: Vec<AlteredEntity> [0..],
        /// The changes.
        ops: Vec<QuotaOperation> [0..],
    }
}

message! {
    /// A part of an entity.
    pub struct AlteredEntity {
        /// user, client-id or ip.
        entity_type: String [0..],
        /// Its name; None: the default.
        entity_name: Option<String> [0..],
    }
}

message! {
    /// One change.
    pub struct QuotaOperation {
        /// What is limited.
        key: String [0..],
        /// To how much.
        value: Double [0..],
        /// Whether it is not limited any more.
        remove: bool [0..],
    }
}

message! {
    /// What became of it.
    pub struct AlterClientQuotasResponse {
        /// How long the client should hold back.
        throttle_ms: i32 [0..],
        /// In the order of the request.
        entries: Vec<AlteredQuota> [0..],
    }
}

message! {
    /// What became of one entity.
    pub struct AlteredQuota {
        /// Why nothing was changed.
        error: ErrorCode [0..],
        /// The same in words.
        error_message: Option<String> [0..],
        /// Its parts.
        entity: Vec<AlteredQuotaEntity> [0..],
    }
}

message! {
    /// A part of an entity.
    pub struct AlteredQuotaEntity {
        /// user, client-id or ip.
        entity_type: String [0..],
        /// Its name; None: the default.
        entity_name: Option<String> [0..],
    }
}

api!(AlterClientQuotas: AlterClientQuotasRequest => AlterClientQuotasResponse);
