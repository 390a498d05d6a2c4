/**
 * The Open Cybersecurity Schema Framework, as far as the events of Sallyport need it: four classes, and the numbers of
 * their activities. Source: the public OCSF schema, 1.9.0-dev of July 2026.
 */
export const OCSF_VERSION = '1.9.0-dev';

/** The classes, with the number and the caption of each activity that an event may have. */
export const CLASSES = {
  apiActivity: {
    uid: 6003,
    categoryUid: 6,
    name: 'API Activity',
    activities: { read: [2, 'Read'], other: [99, 'Other'] },
  },
  authorizeSession: {
    uid: 3003,
    categoryUid: 3,
    name: 'Authorize Session',
    activities: { assignPrivileges: [1, 'Assign Privileges'] },
  },
  entityManagement: {
    uid: 3004,
    categoryUid: 3,
    name: 'Entity Management',
    activities: {
      create: [1, 'Create'],
      read: [2, 'Read'],
      update: [3, 'Update'],
      delete: [4, 'Delete'],
      move: [5, 'Move'],
      enroll: [6, 'Enroll'],
      enable: [8, 'Enable'],
      disable: [9, 'Disable'],
      deactivate: [11, 'Deactivate'],
      suspend: [12, 'Suspend'],
      resume: [13, 'Resume'],
      other: [99, 'Other'],
    },
  },
  detectionFinding: {
    uid: 2004,
    categoryUid: 2,
    name: 'Detection Finding',
    activities: { create: [1, 'Create'], close: [3, 'Close'] },
  },
} as const;

export type OcsfClass = (typeof CLASSES)[keyof typeof CLASSES];

/** `severity_id`, and its caption as `severity`. */
export const SEVERITIES = {
  informational: [1, 'Informational'],
  low: [2, 'Low'],
  medium: [3, 'Medium'],
  high: [4, 'High'],
  critical: [5, 'Critical'],
} as const;
export type SeverityWord = keyof typeof SEVERITIES;

/** Profiles widen a class by attributes. An event names those that it uses in `metadata.profiles`. */
export type Profile = 'ai_operation' | 'cloud' | 'host' | 'record_integrity' | 'security_control' | 'trace';

export const ACTION = { allowed: 1, denied: 2 } as const;

export const DISPOSITION = {
  allowed: 1,
  blocked: 2,
  quarantined: 3,
  corrected: 11,
  alert: 19,
  accessRevoked: 24,
  rejected: 25,
  unauthorized: 26,
} as const;

/** A JSON object of OCSF attributes. */
export type Attributes = Readonly<Record<string, unknown>>;

/** The part of an OCSF event that its type decides. `ocsfOf` adds what every event has. */
export interface Mapped {
  readonly class: OcsfClass;
  /** The number of the activity, and its name. The name of activity 99 is ours. */
  readonly activity: readonly [number, string];
  readonly severity: SeverityWord;
  /** One sentence of our own words and of codes from closed lists. */
  readonly message: string;
  /** The profiles that the attributes need. `ocsfOf` adds `record_integrity`. */
  readonly profiles: readonly Profile[];
  readonly attributes: Attributes;
}

/** An OCSF event, ready to be written as JSON. */
export interface OcsfEvent extends Attributes {
  readonly activity_id: number;
  readonly category_uid: number;
  readonly class_uid: number;
  readonly type_uid: number;
  readonly severity_id: number;
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly metadata: Attributes & { readonly uid: string };
}

/** Every OCSF event of ours begins so as JSON. */
export const OCSF_BEGIN = '{"activity_id":';
