import type { Clock } from '../../../libs/kernel/time.js';

interface Budget {
  requests: number;
  bytes: number;
  filledMs: number;
}

const HOUR_MS = 3_600_000;

/** A host that asks too much must still hear of stops, and tell that it has: what is about directives has as much again. */
export type Purpose = 'calls' | 'directives';

export interface Asked {
  readonly bytes: number;
  /** 0 for bytes that turn up later. */
  readonly requests?: 0 | 1;
  readonly purpose?: Purpose;
}

/** Requests and bytes of each host as token buckets: a second's worth of requests and an hour's worth of bytes at once. */
export class Quotas {
  private readonly budgets = new Map<string, Budget>();

  constructor(
    private readonly clock: Clock,
    private readonly limits: { readonly hostRequestsPerS: number; readonly hostBytesPerHour: number },
  ) {}

  /** Takes a request from what the host has left for its purpose, if it has. The names are of principals, so they are few. */
  admit(host: string, { bytes, requests = 1, purpose = 'calls' }: Asked): boolean {
    const { hostRequestsPerS, hostBytesPerHour } = this.limits;
    if (hostRequestsPerS === 0 && hostBytesPerHour === 0) return true;
    const budget = this.refilled(`${purpose} ${host}`);
    if (hostRequestsPerS > 0 && budget.requests < requests) return false;
    if (hostBytesPerHour > 0 && budget.bytes < bytes) return false;
    budget.requests -= requests;
    budget.bytes -= Number.isFinite(bytes) ? bytes : 0;
    return true;
  }

  private refilled(key: string): Budget {
    const { hostRequestsPerS, hostBytesPerHour } = this.limits;
    const nowMs = this.clock.monotonicMs();
    const budget = this.budgets.get(key) ?? { requests: hostRequestsPerS, bytes: hostBytesPerHour, filledMs: nowMs };
    const passedMs = nowMs - budget.filledMs;
    budget.requests = Math.min(hostRequestsPerS, budget.requests + (passedMs * hostRequestsPerS) / 1000);
    budget.bytes = Math.min(hostBytesPerHour, budget.bytes + (passedMs * hostBytesPerHour) / HOUR_MS);
    budget.filledMs = nowMs;
    this.budgets.set(key, budget);
    return budget;
  }
}
