import { canonicalJson } from '#libs/kernel/canonical-json.js';

/** Both sides said what they asked the server with, and it was not the same: the answers cannot be compared. */
export function probeDiffers(pinned: unknown, observed: unknown): boolean {
  return pinned !== undefined && observed !== undefined && canonicalJson(pinned) !== canonicalJson(observed);
}
