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

/** Wrong settings. The message is one line that names each, and never quotes a value. */
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

/** The values of each group, and what is wrong, one line for each wrong setting. A group with a fault has no values. */
export interface ReadGroups<Groups extends Readonly<Record<string, SettingGroup>>> {
  readonly values: { readonly [Name in keyof Groups]: ValuesOf<Groups[Name]> };
  readonly faults: readonly string[];
}

/** Reads groups of settings. `values` counts only if there are no faults. */
export function readGroups<Groups extends Readonly<Record<string, SettingGroup>>>(
  groups: Groups,
  environment: Environment,
): ReadGroups<Groups> {
  const faults: string[] = [];
  const valueOf = ({ name, schema, default: fallback }: Setting): unknown => {
    const text = environment[name] ?? fallback;
    if (text === undefined) return undefined;
    const parsed = schema.safeParse(text);
    if (!parsed.success) faults.push(`${name}: ${parsed.error.issues[0]?.message ?? 'is malformed'}`);
    return parsed.data;
  };
  const values = Object.entries(groups).map(([name, group]) => [
    name,
    Object.fromEntries(Object.entries(group).map(([member, each]) => [member, valueOf(each)])),
  ]);
  return { values: Object.fromEntries(values) as ReadGroups<Groups>['values'], faults };
}
