import { constants, getPriority, setPriority } from 'node:os';

/**
 * Raises the nice value of the calling thread, so that the threads that decide and record go first when processors are
 * scarce. Linux only: elsewhere the system call would mean the whole process.
 */
export function lowerOwnPriority(niceIncrement: number): void {
  if (process.platform !== 'linux') return;
  setPriority(Math.min(getPriority() + niceIncrement, constants.priority.PRIORITY_LOW));
}
