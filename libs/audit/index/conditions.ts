import type { SQLInputValue } from 'node:sqlite';

/** Conditions of a query, all of which must hold, with their values. */
export class Conditions {
  private readonly texts: string[] = [];
  readonly values: SQLInputValue[] = [];

  add(text: string, ...values: readonly SQLInputValue[]): void {
    this.texts.push(text);
    this.values.push(...values);
  }

  text(): string {
    return this.texts.length === 0 ? 'true' : this.texts.join(' AND ');
  }
}
