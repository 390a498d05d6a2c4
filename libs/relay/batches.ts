import type { OutgoingRecord } from './port.js';

export const MAX_RECORDS = 200;
/** Below what brokers take at once by default, 1,048,588 bytes, headers included. */
export const MAX_BYTES = 900_000;
/** About what headers and framing take. */
const RECORD_BYTES = 600;

export const bytesOf = ({ key, value }: OutgoingRecord): number =>
  Buffer.byteLength(value) + Buffer.byteLength(key) + RECORD_BYTES;

/** In order, each as large as a send may be; a record that is too large by itself stands alone. */
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
