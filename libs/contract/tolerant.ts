import { z } from 'zod';

/**
 * The type of `tolerant(schema)`. A text in a known form (an id, a digest, a word of a list) is any text; a literal stays,
 * because it tells the cases of a union apart.
 */
export type Tolerant<Schema> = Schema extends z.ZodLiteral
  ? Schema
  : Schema extends z.ZodType<string>
    ? z.ZodString
    : Schema extends z.ZodObject<infer Members>
      ? z.ZodObject<{ [Key in keyof Members]: Tolerant<Members[Key]> }>
      : Schema extends z.ZodArray<infer Item>
        ? z.ZodArray<TolerantType<Item>>
        : Schema extends z.ZodOptional<infer Inner>
          ? z.ZodOptional<TolerantType<Inner>>
          : Schema extends z.ZodUnion<infer Cases>
            ? z.ZodUnion<{ [Index in keyof Cases]: TolerantType<Cases[Index]> }>
            : Schema;

type TolerantType<Schema> = Tolerant<Schema> & z.core.$ZodType;

/**
 * An answer's schema as a client reads it, so that a client understands a service that is newer than itself: unknown members
 * are dropped, words of closed lists are any text, and no text or list has bounds.
 */
export function tolerant<Schema extends z.ZodType>(schema: Schema): Tolerant<Schema> {
  return loosened(schema) as Tolerant<Schema>;
}

function loosened(schema: z.core.$ZodType): z.ZodType {
  if (schema instanceof z.ZodObject) {
    const members = Object.entries(schema.shape);
    return z.object(Object.fromEntries(members.map(([name, member]) => [name, loosened(member)])));
  }
  if (schema instanceof z.ZodArray) return z.array(loosened(schema.element));
  if (schema instanceof z.ZodOptional) return loosened(schema.unwrap()).optional();
  if (schema instanceof z.ZodUnion && !isText(schema)) return z.union(schema.options.map(loosened));
  return isText(schema) && !(schema instanceof z.ZodLiteral) ? z.string() : (schema as z.ZodType);
}

/** Whether a schema reads nothing but texts: a form, a list of words, or a transform of them, such as a digest. */
function isText(schema: z.core.$ZodType): boolean {
  if (schema instanceof z.ZodUnion) return schema.options.every(isText);
  if (schema instanceof z.ZodPipe) return isText(schema.in);
  if (schema instanceof z.ZodLiteral) return typeof schema.value === 'string';
  return schema instanceof z.ZodString || schema instanceof z.ZodEnum;
}
