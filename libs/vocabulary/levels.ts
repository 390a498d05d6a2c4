import { Level } from './words.js';

const LEVELS = Level.options;

/** Whether a level is more sensitive than another. */
export const isAbove = (level: Level, other: Level): boolean => LEVELS.indexOf(level) > LEVELS.indexOf(other);

/** The more sensitive one of two levels. */
export const higher = (one: Level, other: Level): Level => (isAbove(other, one) ? other : one);
