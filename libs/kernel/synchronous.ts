/** Anything that can be awaited. */
interface Thenable {
  then(...callbacks: never[]): unknown;
}

/** Whether a value can be awaited, or may hold what can as a member. */
type MayWait<Value> = Value extends Thenable
  ? true
  : Value extends object
    ? [Extract<Value[keyof Value], Thenable>] extends [never]
      ? false
      : true
    : false;

/**
 * The value itself if nothing in it waits; else a type that the value does not have, so that the call does not compile.
 * `any` and `unknown` may be anything, so they have no such type either.
 */
export type Synchronous<Value> = unknown extends Value
  ? never
  : true extends MayWait<Value>
    ? 'a section in one turn must not wait'
    : Value;

/**
 * Runs a section that reads live state and decides on it, in one turn of the event loop: nothing else runs in between,
 * so all that it reads belongs together. A section that is `async`, or that returns a promise or an object with one,
 * does not compile. The section returns what to append; the caller appends it and waits after that.
 */
export function inOneTurn<Section extends () => unknown>(
  section: Section & (() => Synchronous<ReturnType<Section>>),
): ReturnType<Section> {
  return section() as ReturnType<Section>;
}
