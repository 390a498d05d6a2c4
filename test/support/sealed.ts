import { generateKeyPairSync } from 'node:crypto';
import { CompletenessMap, MemoryLeaves } from '../../libs/transparency/completeness-map.js';
import { CHAIN_START, chained, streamKey } from '../../libs/transparency/completeness.js';
import { hashText, leafHash, type Hash } from '../../libs/transparency/hash.js';
import { noteVerifier, verifierText } from '../../libs/transparency/note.js';
import { signCheckpoint } from '../../libs/transparency/checkpoint.js';
import { GrowingTree } from '../../libs/transparency/tree.js';
import { everyEvent } from '../../libs/event-log/every-event.js';
import type { EventLog } from '../../libs/event-log/port.js';
import { canonicalJson } from '../../libs/kernel/canonical-json.js';
import { familyOf } from '../../libs/streams/catalogue.js';
import type { ProofSource } from '../../libs/bundle/proof-source.js';

const ORIGIN = 'sallyport.test/log';

/** A log that is sealed whenever somebody asks, in one checkpoint, by a key of its own. */
export function sealedLog(log: Pick<EventLog, 'readAll'>, origin = ORIGIN): ProofSource & { readonly key: string } {
  const { privateKey } = generateKeyPairSync('ed25519');
  const key = verifierText(noteVerifier(origin, privateKey));
  return {
    key,
    async sealed(streams) {
      const nodes = new Map<string, Hash>();
      const tree = GrowingTree.empty();
      const leaves = new Map<string, number>();
      const states = new Map<string, { revision: number; chain: Hash }>();
      const add = (data: string): Hash => {
        const leaf = leafHash(data);
        tree.append(leaf, (height, index, hash) => nodes.set(`${height} ${index}`, hash));
        return leaf;
      };
      let through = 0n;
      for await (const { position, stream, revision, json } of everyEvent(log)) {
        if (familyOf(stream)?.role === 'bookkeeping') continue;
        leaves.set(`${stream}@${revision}`, tree.size);
        const chain = chained(states.get(stream)?.chain ?? CHAIN_START, add(json));
        states.set(stream, { revision, chain });
        through = position;
      }
      const map = new CompletenessMap(new MemoryLeaves());
      map.update([...states].map(([stream, state]) => ({ key: streamKey(stream), ...state })));
      const mapLeaf = canonicalJson({ completeness: { root: hashText(map.root), streams: states.size } });
      add(mapLeaf);
      return {
        checkpoint: signCheckpoint({ origin, size: tree.size, root: tree.root() }, privateKey),
        size: tree.size,
        through,
        mapLeaf,
        completeness: streams.map((stream) => map.prove(stream)),
        keys: [key],
        leavesOf: (events) => events.map(({ stream, revision }) => leaves.get(`${stream}@${revision}`)),
        node: (height, index) => nodes.get(`${height} ${index}`) ?? new Uint8Array(),
      };
    },
  };
}
