import type { ResponseValidated } from './events.js';

/** Whether a response taints its task: a quarantined one was, or could have been, delivered. */
export const taints = ({ verdict }: Pick<ResponseValidated, 'verdict'>): boolean => verdict === 'quarantined';
