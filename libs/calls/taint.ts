import type { ResponseValidated } from './events.js';

/** Whether a response taints its task: it held an instruction, delivered or not. Any other rejection taints nothing. */
export const taints = ({ handling }: Pick<ResponseValidated, 'handling'>): boolean => handling !== undefined;
