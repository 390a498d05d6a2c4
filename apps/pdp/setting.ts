import { z } from 'zod';

/** What a setting is, and the ways to say one. */
/** A whole number within bounds. */
export const whole = (least: number, most: number) =>
  z
    .string()
    .regex(/^\d+$/, 'needs a whole number')
    .transform(Number)
    .refine((value) => value >= least && value <= most, `needs a number from ${least} to ${most}`);

export interface Setting {
  readonly schema: z.ZodType<unknown, string>;
  readonly default: string | undefined;
  readonly meaning: string;
  readonly danger: string;
}

export const setting = <Schema extends z.ZodType<unknown, string>>(
  schema: Schema,
  fallback: string | undefined,
  meaning: string,
  danger: string,
) => ({ schema, default: fallback, meaning, danger }) satisfies Setting;

/** A wrong setting; the message is one line that names it. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';
}
