import assert from 'node:assert/strict';
import { safePointer } from '../../libs/content/safe-pointer.js';
import { allowedCall, OVERRIDE, respondTo, reviewedWith } from '../support/quarantine.js';
import { startService, type Answered, type TestService } from '../support/service.js';
import { activatePolicy } from '../support/world.js';
import { after, before, describe, test } from '../support/testing.js';

let service: TestService;
before(async () => {
  service = await startService();
  await reviewedWith(service, 'quote', 'quote');
  await activatePolicy(service);
});
after(() => service.stop());

/** Every place of a response that can hold text, with its path. A finding has `*` for names that the server chose. */
const PLACES: readonly (readonly [string, Answered, string])[] = [
  ['a text block', { result: { content: [{ type: 'text', text: OVERRIDE }] } }, '/content/0/text'],
  [
    'annotations of a block',
    { result: { content: [{ type: 'text', text: 'a', _meta: { note: OVERRIDE } }] } },
    '/content/0/_meta/note',
  ],
  [
    'structured content',
    { result: { content: [], structuredContent: { a: [{ b: OVERRIDE }] } } },
    '/structuredContent/a/0/b',
  ],
  [
    'a key of structured content',
    { result: { structuredContent: { [OVERRIDE]: 1 } } },
    `/structuredContent/${OVERRIDE}`,
  ],
  [
    'JSON in a string',
    { result: { structuredContent: { a: JSON.stringify({ b: JSON.stringify({ c: `x\n${OVERRIDE}` }) }) } } },
    '/structuredContent/a',
  ],
  [
    'escapes in JSON in a text',
    { result: { content: [{ type: 'text', text: `{"a":"${OVERRIDE.replace('gnore', '\\u0067nore')}"}` }] } },
    '/content/0/text',
  ],
  [
    'a resource link',
    { result: { content: [{ type: 'resource_link', uri: 'a:b', name: 'a', description: OVERRIDE }] } },
    '/content/0/description',
  ],
  [
    'an embedded resource',
    { result: { content: [{ type: 'resource', resource: { uri: 'a:b', text: OVERRIDE } }] } },
    '/content/0/resource/text',
  ],
  [
    'an embedded resource in base64',
    {
      result: {
        content: [
          {
            type: 'resource',
            resource: { uri: 'a:b', mimeType: 'text/plain', blob: Buffer.from(OVERRIDE).toString('base64') },
          },
        ],
      },
    },
    '/content/0/resource/blob',
  ],
  [
    'bytes that are an active document',
    {
      result: {
        content: [
          {
            type: 'resource',
            resource: { uri: 'a:b', mimeType: 'text/html', blob: Buffer.from(`<p>${OVERRIDE}</p>`).toString('base64') },
          },
        ],
      },
    },
    '/content/0/resource/blob',
  ],
  ['the contents of a resource', { result: { contents: [{ uri: 'a:b', text: OVERRIDE }] } }, '/contents/0/text'],
  [
    'a message of a prompt',
    { result: { messages: [{ role: 'user', content: { type: 'text', text: OVERRIDE } }] } },
    '/messages/0/content/text',
  ],
  ['the description of a prompt', { result: { description: OVERRIDE, messages: [] } }, '/description'],
  ["a tool's own error", { result: { isError: true, content: [{ type: 'text', text: OVERRIDE }] } }, '/content/0/text'],
  ['the message of an error', { error: { code: 1, message: OVERRIDE } }, '/message'],
  ['the data of an error', { error: { code: 1, message: 'no', data: { deep: [OVERRIDE] } } }, '/data/deep/0'],
  [
    'the instructions of a server',
    { result: { instructions: OVERRIDE, serverInfo: { name: 'a', version: '1' } } },
    '/instructions',
  ],
  ['the description of a tool', { result: { tools: [{ name: 'a', description: OVERRIDE }] } }, '/tools/0/description'],
];

describe('an instruction is found in', () => {
  for (const [name, response, path] of PLACES) {
    test(name, async () => {
      const call = await allowedCall(service, 'quote');
      const answer = await respondTo(service, call, response);
      assert.equal(answer.verdict, 'quarantined', JSON.stringify(answer));
      // A sentence may begin in the name of its member.
      const found = answer.findings.filter(({ kind }: Answered) => kind === 'override');
      const safe = safePointer(path, new Set());
      assert.ok(found.some((finding: Answered) => finding.path === safe));
      assert.equal(answer.content.quarantined, true);
      const { flagged } = answer.content;
      assert.ok(flagged.length > 0);
      assert.ok(flagged.some((flag: Answered) => flag.path === undefined || flag.path === path));
      const { parts } = answer.content;
      const shown = JSON.stringify(parts.filter(({ type }: Answered) => type !== 'blob'));
      assert.doesNotMatch(shown, /all previous instructions/);
    });
  }
});
