import { defined } from '../kernel/defined.js';
import type { EventOf } from '../streams/catalogue.js';
import { ACTIVITY, managed, named } from './control.js';
import type { Attributes, Mapped } from './ocsf.js';
import { entity } from './parts.js';

/** Publishers and the keys that sign manifests. */

const ofKey = ({ publisher, keyId }: { readonly publisher: string; readonly keyId: string }): Attributes =>
  entity('publisher key', `${publisher}/${keyId}`);

export const registered = (event: EventOf<'PublisherRegistered'>): Mapped =>
  managed(event, ACTIVITY.create, 'informational', 'A publisher was registered.', {
    ...entity('publisher', event.data.publisher, event.data.name),
  });

export const keyProposed = (event: EventOf<'PublisherKeyProposed'>): Mapped =>
  managed(event, ACTIVITY.create, 'low', 'A key of a publisher was proposed.', {
    ...ofKey(event.data),
    unmapped: defined({
      algorithm: event.data.algorithm,
      expires: event.data.notAfter === undefined ? undefined : Date.parse(event.data.notAfter),
    }),
  });

export const keyReviewed = (event: EventOf<'PublisherKeyReviewed'>): Mapped => {
  const isApproved = event.data.verdict === 'approved';
  const message = `A key of a publisher was ${event.data.verdict}.`;
  return managed(event, isApproved ? ACTIVITY.enable : named('Reject'), 'medium', message, {
    ...ofKey(event.data),
    status_code: event.data.verdict,
  });
};

export const keyRevoked = (event: EventOf<'PublisherKeyRevoked'>): Mapped =>
  managed(event, ACTIVITY.deactivate, 'high', 'A key of a publisher was revoked.', {
    ...ofKey(event.data),
    unmapped: defined({ directive_uid: event.data.directiveId }),
  });

export const revoked = (event: EventOf<'PublisherRevoked'>): Mapped =>
  managed(event, ACTIVITY.deactivate, 'high', 'A publisher was revoked with all of its keys.', {
    ...entity('publisher', event.data.publisher),
    unmapped: { directive_uid: event.data.directiveId },
  });
