import { z } from 'zod';

/** The closed word lists of the product (`product.md`), each as a zod enum and its type. */

export const Kind = z.enum(['mcp-server', 'skill', 'plugin', 'extension']);
export type Kind = z.infer<typeof Kind>;

export const Effect = z.enum(['read', 'write', 'send', 'modify', 'deploy', 'approve']);
export type Effect = z.infer<typeof Effect>;

/** Sensitivity levels, lowest first. */
export const Level = z.enum(['public', 'internal', 'confidential', 'restricted']);
export type Level = z.infer<typeof Level>;

export const Role = z.enum(['host', 'registrar', 'reviewer', 'operator', 'auditor', 'admin', 'approver']);
export type Role = z.infer<typeof Role>;

export const VersionStatus = z.enum(['pending', 'approved', 'rejected', 'suspended', 'revoked']);
export type VersionStatus = z.infer<typeof VersionStatus>;

export const ReviewVerdict = z.enum(['approved', 'rejected']);
export type ReviewVerdict = z.infer<typeof ReviewVerdict>;

export const ResponseVerdict = z.enum(['accepted', 'quarantined', 'rejected']);
export type ResponseVerdict = z.infer<typeof ResponseVerdict>;

/**
 * Who must approve a call, weakest first: the host's word that a client did, the user of the task, somebody else. A
 * client that answers an elicitation proves no human.
 */
export const ApprovalGrade = z.enum(['client', 'user', 'other']);
export type ApprovalGrade = z.infer<typeof ApprovalGrade>;

/** Why a call needs an approval. */
export const ApprovalCause = z.enum(['tainted', 'policy', 'task', 'flow']);
export type ApprovalCause = z.infer<typeof ApprovalCause>;

export const ApprovalStatus = z.enum(['pending', 'granted', 'denied', 'expired', 'used']);
export type ApprovalStatus = z.infer<typeof ApprovalStatus>;

export const ApprovalVerdict = z.enum(['granted', 'denied']);
export type ApprovalVerdict = z.infer<typeof ApprovalVerdict>;

/** The proofs of a server's identity: as a version requires them, and as a host reports them. */
export const ServerMethod = z.enum(['package', 'tls', 'spiffe', 'mtls', 'oauth-resource', 'none']);
export type ServerMethod = z.infer<typeof ServerMethod>;

/** The algorithms of publishers' keys. */
export const KeyAlgorithm = z.enum(['ed25519', 'ecdsa-p256']);
export type KeyAlgorithm = z.infer<typeof KeyAlgorithm>;

/** The checks of a decision, in their order: the first that fails names the reason. */
export const CheckName = z.enum([
  'registered',
  'not_disabled',
  'reviewed',
  'pinned',
  'definition',
  'signature',
  'server_identity',
  'capability_scope',
  'task_scope',
  'user_authority',
  'arguments',
  'approval',
  'context',
  'credential',
]);
export type CheckName = z.infer<typeof CheckName>;

export const ReasonCode = z.enum([
  'capability_unregistered',
  'version_unregistered',
  'disabled',
  'version_pending',
  'version_rejected',
  'version_suspended',
  'version_revoked',
  'task_unknown',
  'task_closed',
  'task_expired',
  'capability_not_pinned',
  'version_not_pinned',
  'definition_missing',
  'definition_drifted',
  'signature_missing',
  'signature_invalid',
  'publisher_unknown',
  'publisher_key_expired',
  'publisher_key_revoked',
  'signature_unverifiable',
  'server_unauthenticated',
  'server_identity_mismatch',
  'operation_unknown',
  'outside_task_scope',
  'outside_user_authority',
  'policy_error',
  'arguments_invalid',
  'approval_required',
  'approval_denied',
  'context_above_sensitivity',
  'context_not_needed',
  'context_too_large',
  'filter_failed',
  'credential_unavailable',
  'internal_error',
  'view_stale',
]);
export type ReasonCode = z.infer<typeof ReasonCode>;

/** Why the signature of a manifest carries nothing. */
export const SignatureReason = ReasonCode.extract([
  'signature_missing',
  'signature_invalid',
  'publisher_unknown',
  'publisher_key_expired',
  'publisher_key_revoked',
  'signature_unverifiable',
]);
export type SignatureReason = z.infer<typeof SignatureReason>;

/** Begins the exception for one operation whose schema is not enforced. */
export const SCHEMA_UNENFORCED = 'schema_unenforced:';

/** A weakness that a reviewer accepts by name. The state of a version determines its codes. */
export const ExceptionCode = z.union([
  ReasonCode,
  z.templateLiteral([z.literal(SCHEMA_UNENFORCED), z.string().min(1).max(512)]),
]);
export type ExceptionCode = z.infer<typeof ExceptionCode>;
