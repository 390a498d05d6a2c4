import type { OutgoingRecord } from './port.js';

export const MAX_RECORDS = 200;
/** Below the size that brokers accept by default, 1,048,588 bytes with headers. */
export const MAX_BYTES = 900_000;
/** About the size of headers and framing. */
const RECORD_BYTES = 600;

export const bytesOf = ({ key, value }: OutgoingRecord): number =>
  Buffer.byteLength(value) + Buffer.byteLength(key) + RECORD_BYTES;

/**
 * Batches of the items in order, each within the limits of one send; a record that exceeds them is a batch by itself.
 */
export function* batchesOf<Item>(items: readonly Item[], bytes: (item: Item) => number): Generator<Item[]> {
  let batch: Item[] = [];
  let size = 0;
  for (const item of items) {
    const more = bytes(item);
    if (batch.length > 0 && (batch.length >= MAX_RECORDS || size + more > MAX_BYTES)) {
      yield batch;
      batch = [];
      size = 0;
    }
    batch.push(item);
    size += more;
  }
  if (batch.length > 0) yield batch;
}
