/** Work in steps, so that a caller can do something else between them. Its value is the result. */
export type Steps<Result> = Generator<void, Result, void>;

/** Does all steps at once. */
export function atOnce<Result>(steps: Steps<Result>): Result {
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
  }
}

/** Maps items, a few in each step. */
export function* mapInSteps<Item, Value>(
  items: Iterable<Item>,
  size: number,
  map: (item: Item) => Value,
): Steps<Value[]> {
  const values: Value[] = [];
  for (const item of items) {
    values.push(map(item));
    if (values.length % size === 0) yield;
  }
  return values;
}
