import type { Clock } from '../../../libs/kernel/time.js';
import { TokenBucket } from '../../../libs/kernel/token-bucket.js';

const HOUR_S = 3600;

/**
 * A host over its quota must still receive and acknowledge stops, so requests about directives have their own quota.
 */
export type Purpose = 'calls' | 'directives';

export interface Asked {
  readonly bytes: number;
  /** 0 for bytes that were not announced. */
  readonly requests?: 0 | 1;
  readonly purpose?: Purpose;
}

/** Undefined if there is no quota. */
interface Budget {
  readonly requests: TokenBucket | undefined;
  readonly bytes: TokenBucket | undefined;
}

/** The quotas of each host. A burst may use the requests of one second and the bytes of one hour at once. */
export class Quotas {
  private readonly budgets = new Map<string, Budget>();

  constructor(
    private readonly clock: Pick<Clock, 'monotonicMs'>,
    private readonly limits: { readonly hostRequestsPerS: number; readonly hostBytesPerHour: number },
  ) {}

  /** Takes a request from the quota of a host for its purpose. False if the quota is used up; it then takes nothing. */
  admit(host: string, { bytes, requests = 1, purpose = 'calls' }: Asked): boolean {
    const budget = this.budgetOf(`${purpose} ${host}`);
    if (budget.requests?.has(requests) === false || budget.bytes?.has(bytes) === false) return false;
    budget.requests?.take(requests);
    budget.bytes?.take(bytes);
    return true;
  }

  /** Hosts are principals, so the budgets are few. */
  private budgetOf(key: string): Budget {
    const known = this.budgets.get(key);
    if (known !== undefined) return known;
    const { hostRequestsPerS, hostBytesPerHour } = this.limits;
    const budget = {
      requests: this.bucket(hostRequestsPerS, hostRequestsPerS),
      bytes: this.bucket(hostBytesPerHour, hostBytesPerHour / HOUR_S),
    };
    this.budgets.set(key, budget);
    return budget;
  }

  private bucket(capacity: number, perS: number): TokenBucket | undefined {
    return capacity === 0 ? undefined : new TokenBucket(capacity, perS, () => this.clock.monotonicMs());
  }
}
