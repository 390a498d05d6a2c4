/** Bytes of one context item, if the manifest names no other limit. */
export const DEFAULT_CONTEXT_BYTES = 65_536;
