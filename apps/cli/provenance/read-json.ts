import { readFileSync, statSync } from 'node:fs';
import { isJsonObject, ownValue, type Json, type JsonObject } from '../../../libs/kernel/canonical-json.js';

const MAX_JSON_BYTES = 64 * 1024 * 1024;

/** The JSON object in a file; undefined if there is none. */
export function readJson(file: string): JsonObject | undefined {
  try {
    if (statSync(file).size > MAX_JSON_BYTES) return undefined;
    const value = JSON.parse(readFileSync(file, 'utf8')) as Json;
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** A member that is a text of 1 to 512 characters. */
export function textOf(value: Json | undefined, key: string): string | undefined {
  const text = isJsonObject(value) ? ownValue(value, key) : undefined;
  return typeof text === 'string' && text !== '' && text.length <= 512 ? text : undefined;
}
