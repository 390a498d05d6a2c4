import { UsageError } from './world.js';

/** The options of a command that reviews something. */
export interface VerdictOptions {
  readonly approve?: boolean;
  readonly reject?: boolean;
}

/** The verdict that the options give. Throws `UsageError` unless they give exactly one. */
export function verdictOf({ approve = false, reject = false }: VerdictOptions): 'approved' | 'rejected' {
  if (approve === reject) throw new UsageError('give --approve or --reject');
  return approve ? 'approved' : 'rejected';
}
