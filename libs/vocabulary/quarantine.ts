import { z } from 'zod';

/**
 * The handling of a response that holds an instruction: the host gets it as quoted evidence, or only after somebody
 * released it, or never. A reviewer chooses it for a version, and `SALLYPORT_QUARANTINE` for all others.
 */
export const Handling = z.enum(['quote', 'hold', 'refuse']);
export type Handling = z.infer<typeof Handling>;
