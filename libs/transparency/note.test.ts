import assert from 'node:assert/strict';
import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import * as fc from 'fast-check';
import { openCheckpoint, parseCheckpoint, signCheckpoint } from './checkpoint.js';
import { leafHash } from './hash.js';
import { noteVerifier, parseNote, parseVerifier, signNote, verifiedBy, verifierText } from './note.js';
import { parseTlogProof, provesLeaf, tlogProofText } from './tlog-proof.js';
import { rootOf } from './tree.js';
import { test } from '../../test/support/testing.js';

const ours = generateKeyPairSync('ed25519').privateKey;
const others = generateKeyPairSync('ed25519').privateKey;
const origin = 'example.com/log';
const verifier = noteVerifier(origin, ours);

test('an example of golang.org/x/mod/sumdb/note verifies', () => {
  // The verifier key and the note of the package's documentation.
  const key = parseVerifier('PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW');
  assert.ok(key !== undefined);
  const note = parseNote(
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n" +
      '— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n',
  );
  assert.ok(note.ok);
  assert.deepEqual(verifiedBy(note.value, [key]), { ok: true, value: [key] });
  assert.equal(verifierText(key), 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW');
});

test('a note of several keys names those that are known', () => {
  const text = signNote('hello\n', [
    { name: origin, privateKey: ours },
    { name: 'witness', privateKey: others },
  ]);
  const note = parseNote(text);
  assert.ok(note.ok);
  assert.equal(note.value.signatures.length, 2);
  const witness = noteVerifier('witness', others);
  assert.deepEqual(verifiedBy(note.value, [verifier, witness]), { ok: true, value: [verifier, witness] });
  assert.deepEqual(verifiedBy(note.value, [noteVerifier('nobody', others)]), { ok: true, value: [] });
  const forged = parseNote(text.replace('hello', 'hullo'));
  assert.ok(forged.ok && !verifiedBy(forged.value, [verifier]).ok);
});

test('a note of another form is refused', () => {
  const good = signNote('hello\n', [{ name: origin, privateKey: ours }]);
  assert.ok(parseNote(good).ok);
  const [text = '', signature = ''] = good.split('\n\n');
  const wrong = [
    '',
    '\n',
    text,
    `${text}\n\n`,
    `${text}\n\n${signature}`.trimEnd(),
    `${good}\n`,
    good.replace('— ', '- '),
    good.replace(`— ${origin}`, '— two words'),
    good.replace(`— ${origin}`, '— a+b'),
    good.replace('hello', 'hel\rlo'),
    good.replace('hello', 'hel\ud800lo'),
    good.replace(/.\n$/, '\n'),
    good + `— ${origin} AAAA\n`,
    good + `— ${origin} AAAAAA==\n`.repeat(100),
  ];
  for (const each of wrong) assert.ok(!parseNote(each).ok, JSON.stringify(each));
  const wrongKeys = ['', 'a+b', 'a+00000000+AAAA', verifierText(verifier).replace(/\+.{8}\+/, '+00000000+'), ' +x+y'];
  for (const each of wrongKeys) assert.equal(parseVerifier(each), undefined);
  assert.throws(() => signNote('no newline', []), TypeError);
  assert.throws(() => signNote('a\n', [{ name: 'a b', privateKey: ours }]), TypeError);
});

test('a checkpoint is of one log and one key', () => {
  const root = leafHash('a');
  const text = signCheckpoint({ origin, size: 7, root }, ours);
  const opened = openCheckpoint(text, verifier);
  assert.ok(opened.ok);
  assert.deepEqual([opened.value.origin, opened.value.size, opened.value.root], [origin, 7, root]);
  const error = (checkpoint: string, key = verifier) => {
    const result = openCheckpoint(checkpoint, key);
    return result.ok ? 'opened' : result.error;
  };
  assert.equal(error(text, noteVerifier('example.com/other', ours)), 'the checkpoint is of another log');
  assert.equal(error(text, noteVerifier(origin, others)), 'the checkpoint was signed by another key');
  assert.equal(error(text.replace('\n7\n', '\n8\n')), 'the signature of the checkpoint is wrong');
  const signed = (body: string) => signNote(body, [{ name: origin, privateKey: ours }]);
  const hash = text.split('\n')[2] ?? '';
  for (const size of ['', '07', '-1', '1e3', '9007199254740993', ' 7'])
    assert.match(error(signed(`${origin}\n${size}\n${hash}\n`)), /size/);
  for (const wrong of ['', hash.slice(1), `${hash} `]) assert.match(error(signed(`${origin}\n7\n${wrong}\n`)), /root/);
  assert.match(error(signed(`${origin}\n7\n${hash}\n\n`)), /another form|empty line/);
  const extended = parseCheckpoint(signed(`${origin}\n7\n${hash}\nmore\n`));
  assert.ok(extended.ok);
  assert.deepEqual(extended.value.extensions, ['more']);
});

test('a proof is read as it was written, and leads to its checkpoint', () => {
  const leaves = ['a', 'b', 'c'].map((each) => leafHash(each));
  const checkpoint = signCheckpoint({ origin, size: 3, root: rootOf(leaves) }, ours);
  const proof = { index: 2, hashes: [rootOf(leaves.slice(0, 2))], checkpoint };
  const text = tlogProofText(proof);
  const read = parseTlogProof(text);
  assert.ok(read.ok);
  assert.ok(provesLeaf('c', read.value));
  assert.ok(!provesLeaf('b', read.value));
  const extra = parseTlogProof(tlogProofText({ ...proof, extra: Buffer.from('x') }));
  assert.ok(extra.ok && Buffer.from(extra.value.extra ?? []).toString() === 'x');
  const wrong = [
    '',
    text.replace('@v1', '@v2'),
    text.replace('index 2', 'index 02'),
    text.replace('index 2\n', ''),
    text.replace('index 2', 'extra !!\nindex 2'),
    text.replace('index 2\n', 'index 2\nAAAA\n'),
    text.replace('index 2\n', `index 2\n${`${Buffer.alloc(32).toString('base64')}\n`.repeat(64)}`),
    text.slice(0, -2),
  ];
  for (const each of wrong) assert.ok(!parseTlogProof(each).ok, each);
});

test('no text makes a reader throw', () => {
  const base = tlogProofText({
    index: 0,
    hashes: [leafHash('a')],
    checkpoint: signCheckpoint({ origin, size: 2, root: leafHash('b') }, ours),
  });
  fc.assert(
    fc.property(fc.nat(base.length), fc.nat(8), fc.string({ unit: 'binary', maxLength: 4 }), (at, cut, put) => {
      const text = base.slice(0, at) + put + base.slice(at + cut);
      const proof = parseTlogProof(text);
      if (proof.ok) assert.equal(tlogProofText(proof.value), text);
      parseNote(text);
      parseCheckpoint(text);
      parseVerifier(text);
    }),
  );
});

test('a key of another kind is refused', () => {
  const key = createPrivateKey(generateKeyPairSync('x25519').privateKey.export({ type: 'pkcs8', format: 'pem' }));
  assert.throws(() => noteVerifier('a', key), TypeError);
});
