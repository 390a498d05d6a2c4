import { Level } from './words.js';

const LEVELS = Level.options;

export const isAbove = (level: Level, other: Level): boolean => LEVELS.indexOf(level) > LEVELS.indexOf(other);

export const higher = (one: Level, other: Level): Level => (isAbove(other, one) ? other : one);
