import { z } from 'zod';

/** One setting: its environment variable, its shape and default, why it exists and what is dangerous about it. */
export interface Setting<
  Schema extends z.ZodType<unknown, string> = z.ZodType<unknown, string>,
  Default extends string | undefined = string | undefined,
> {
  readonly name: string;
  readonly schema: Schema;
  /** The default as the environment would spell it. */
  readonly default: Default;
  readonly meaning: string;
  readonly danger: string;
}

/** A wrong setting. The message is one line that names it and never quotes its value. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';
}

export const setting = <Schema extends z.ZodType<unknown, string>, Default extends string | undefined>(
  name: string,
  schema: Schema,
  fallback: Default,
  meaning: string,
  danger: string,
): Setting<Schema, Default> => ({ name, schema, default: fallback, meaning, danger });

/** The schema of a whole number within bounds. */
export const whole = (least: number, most: number) =>
  z
    .string()
    .regex(/^\d+$/, 'expected a whole number')
    .transform(Number)
    .refine((value) => value >= least && value <= most, `expected a number from ${least} to ${most}`);

/** Settings by the member of `Settings` that each becomes. */
export type SettingGroup = Readonly<Record<string, Setting>>;

/** The values of a group once it is read. A setting without a default may be undefined. */
export type ValuesOf<Group extends SettingGroup> = {
  readonly [Member in keyof Group]: Group[Member] extends Setting<infer Schema, infer Default>
    ? z.infer<Schema> | (undefined extends Default ? undefined : never)
    : never;
};

export type Environment = Readonly<Record<string, string | undefined>>;

/** Reads a group of settings. Throws `SettingsError` at the first that is malformed. */
export function readGroup<Group extends SettingGroup>(group: Group, environment: Environment): ValuesOf<Group> {
  const values = Object.entries(group).map(([member, { name, schema, default: fallback }]) => {
    const text = environment[name] ?? fallback;
    if (text === undefined) return [member, undefined];
    const parsed = schema.safeParse(text);
    if (!parsed.success) throw new SettingsError(`${name}: ${parsed.error.issues[0]?.message ?? 'is malformed'}`);
    return [member, parsed.data];
  });
  return Object.fromEntries(values) as ValuesOf<Group>;
}
