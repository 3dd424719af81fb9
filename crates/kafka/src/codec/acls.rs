//! DescribeAcls, CreateAcls, DeleteAcls: who may do what; this broker has no list of it.

use super::ErrorCode;
use super::schema::{api, message};

message! {
    /// Which rules are meant: a question of its own, and what is to be deleted.
    pub struct AclFilter {
        /// The kind of resource.
        resource_type: i8 [0..],
        /// Its name; None: any.
        resource_name: Option<String> [0..],
        /// How the name is meant.
        pattern_type: i8 [0..],
        /// Whom the rule is for; None: anybody.
        principal: Option<String> [0..],
        /// From where; None: from anywhere.
        host: Option<String> [0..],
        /// What is done.
        operation: i8 [0..],
        /// Allowed or denied.
        permission_type: i8 [0..],
    }
}

/// The rules that a filter names are asked for by the filter itself.
pub type DescribeAclsRequest = AclFilter;

message! {
    /// The rules.
    pub struct DescribeAclsResponse {
        /// How long the client should hold back.
        throttle_ms: i32 [0..],
        /// Why there is no list.
        error: ErrorCode [0..],
        /// The same in words.
        error_message: Option<String> [0..],
        /// By resource.
        resources: Vec<DescribeAclsResource> [0..],
    }
}

message! {
    /// The rules for one resource.
    pub struct DescribeAclsResource {
        /// Its kind.
        resource_type: i8 [0..],
        /// Its name.
        resource_name: String [0..],
        /// How the name is meant.
        pattern_type: i8 [0..],
        /// The rules.
        acls: Vec<AclDescription> [0..],
    }
}

message! {
    /// A rule.
    pub struct AclDescription {
        /// Whom it is for.
        principal: String [0..],
        /// From where.
        host: String [0..],
        /// What is done.
        operation: i8 [0..],
        /// Allowed or denied.
        permission_type: i8 [0..],
    }
}

message! {
    /// Make these rules.
    pub struct CreateAclsRequest {
        /// The rules.
        creations: Vec<AclCreation> [0..],
    }
}

message! {
    /// A rule to make.
    pub struct AclCreation {
        /// The kind of resource.
        resource_type: i8 [0..],
        /// Its name.
        resource_name: String [0..],
        /// How the name is meant.
        pattern_type: i8 [0..],
        /// Whom it is for.
        principal: String [0..],
        /// From where.
        host: String [0..],
        /// What is done.
        operation: i8 [0..],
        /// Allowed or denied.
        permission_type: i8 [0..],
    }
}

message! {
    /// What became of the rules.
    pub struct CreateAclsResponse {
        /// How long the client should hold back.
        throttle_ms: i32 [0..],
        /// In the order of the request.
        results: Vec<AclCreationResult> [0..],
    }
}

message! {
    /// What became of one rule.
    pub struct AclCreationResult {
        /// Why it was not made.
        error: ErrorCode [0..],
        /// The same in words.
        error_message: Option<String> [0..],
    }
}

message! {
    /// Delete the rules that match.
    pub struct DeleteAclsRequest {
        /// What matches.
        filters: Vec<AclFilter> [0..],
    }
}

message! {
    /// What was deleted.
    pub struct DeleteAclsResponse {
        /// How long the client should hold back.
        throttle_ms: i32 [0..],
        /// In the order of the request.
        results: Vec<DeleteAclsFilterResult> [0..],
    }
}

message! {
    /// What one filter matched.
    pub struct DeleteAclsFilterResult {
        /// Why nothing was deleted.
        error: ErrorCode [0..],
        /// The same in words.
        error_message: Option<String> [0..],
        /// The rules.
        matching: Vec<DeleteAclsMatchingAcl> [0..],
    }
}

message! {
    /// A rule that matched.
    pub struct DeleteAclsMatchingAcl {
        /// Why it was not deleted.
        error: ErrorCode [0..],
        /// The same in words.
        error_message: Option<String> [0..],
        /// The kind of resource.
        resource_type: i8 [0..],
        /// Its name.
        resource_name: String [0..],
        /// How the name is meant.
        pattern_type: i8 [0..],
        /// Whom it is for.
        principal: String [0..],
        /// From where.
        host: String [0..],
        /// What is done.
        operation: i8 [0..],
        /// Allowed or denied.
        permission_type: i8 [0..],
    }
}

api!(DescribeAcls: DescribeAclsRequest => DescribeAclsResponse);
api!(CreateAcls: CreateAclsRequest => CreateAclsResponse);
api!(DeleteAcls: DeleteAclsRequest => DeleteAclsResponse);
