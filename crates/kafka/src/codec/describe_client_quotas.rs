//! DescribeClientQuotas: how much clients may send and receive (KIP-546).

use super::schema::{api, message};
use super::{Double, ErrorCode};

message! {
    /// Which quotas there are.
    pub struct DescribeClientQuotasRequest {
        /// Of those that match all of these.
        components: Vec<QuotaComponent> [0..],
        /// Whether to leave out those that name more than was asked for.
        strict: bool [0..],
    }
}

message! {
    /// What matches.
    pub struct QuotaComponent {
        /// A part of an entity: user, client-id or ip.
        entity_type: String [0..],
        /// 0: this very name, 1: the default, 2: any name.
        match_type: i8 [0..],
        /// The name.
        name: Option<String> [0..],
    }
}

message! {
    /// The quotas.
    pub struct DescribeClientQuotasResponse {
        /// How long the client should hold back.
        throttle_ms: i32 [0..],
        /// Why there is no list.
        error: ErrorCode [0..],
        /// The same in words.
        error_message: Option<String> [0..],
        /// By entity.
        entries: Option<Vec<QuotaEntry>> [0..],
    }
}

message! {
    /// The quotas of one entity.
    pub struct QuotaEntry {
        /// Its parts.
        entity: Vec<QuotaEntity> [0..],
        /// Its quotas.
        values: Vec<QuotaValue> [0..],
    }
}

message! {
    /// A part of an entity.
    pub struct QuotaEntity {
        /// user, client-id or ip.
        entity_type: String [0..],
        /// Its name; None: the default.
        entity_name: Option<String> [0..],
    }
}

message! {
    /// One quota.
    pub struct QuotaValue {
        /// What is limited.
        key: String [0..],
        /// To how much.
        value: Double [0..],
    }
}

api!(DescribeClientQuotas: DescribeClientQuotasRequest => DescribeClientQuotasResponse);
