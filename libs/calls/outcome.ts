import { isJsonObject } from '../kernel/canonical-json.js';
import { defined } from '../kernel/defined.js';
import { digestOf, type Digest } from '../kernel/digest.js';
import type { OutcomeRecorded } from './events.js';
import type { OutcomeRequest } from './requests.js';

/** The free texts of an outcome, by the names of its commitments. They are the host's own words. */
export type OutcomeTexts = Readonly<{ summary?: string; reference?: string; reason?: string }>;

type Told = Pick<OutcomeRequest, 'effect' | 'control'>;

/** The texts of an outcome, which are content. */
export function outcomeTexts({ effect, control }: Told): OutcomeTexts {
  return defined({ summary: effect?.summary, reference: effect?.reference, reason: control?.reason });
}

/** An outcome without its texts, as an event holds it. */
export function withoutTexts({ effect, control }: Told): Pick<OutcomeRecorded, 'effect' | 'control'> {
  return defined({
    effect: effect === undefined ? undefined : { type: effect.type },
    control: control === undefined ? undefined : defined({ decision: control.decision, by: control.by }),
  });
}

/** The digest by which a request is recognised that version 1 of the event recorded. */
export function plainDigest(callId: string, { taskId, status, effect, control }: OutcomeRequest): Digest {
  return digestOf({ callId, taskId, status, ...defined({ effect, control }) });
}

/** Version 1 held the texts in the clear. Readers of today get them from `recordedTexts` alone. */
export function outcomeFromV1(data: unknown): unknown {
  if (!isJsonObject(data)) return data;
  const { effect: _effect, control: _control, ...rest } = data;
  return { ...rest, ...withoutTexts(data), requestDigest: digestOf(data) };
}

/** The texts that an event of version 1 holds in the clear; undefined for later versions. */
export function recordedTexts(event: {
  readonly schemaVersion: number;
  readonly data: unknown;
}): OutcomeTexts | undefined {
  return event.schemaVersion === 1 ? outcomeTexts(event.data as Told) : undefined;
}
