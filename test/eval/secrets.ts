import { CURRENT_PACK, packOf } from '../../libs/content/detect/packs.js';
import { readCorpus } from './corpora.js';
import { sampleOf, SECRET_FORMATS, seeded, type Random, type SecretSample } from './secret-formats.js';
import { wilson, type Share } from './wilson.js';

/** One line of a report. */
export interface EvalRow {
  readonly name: string;
  readonly recall: Share;
  readonly precision: Share;
}

const SAMPLES = 20;
const SEED = 20_261_130;

/** Texts in which secrets travel. `{}` is the secret with its context. */
const CARRIERS = [
  '{}',
  'APP_ENV=production\n{}\nPORT=8080\n',
  '{"id": 17, "note": {json}, "at": "2026-01-05T10:00:00Z"}',
  'service:\n  name: shop\n  settings:\n    {}\n',
  '#!/bin/sh\nset -eu\nexport NODE_ENV=production\n{}\nnpm start\n',
  '2026-01-05T10:00:00.123Z WARN retry 3 of 5: {} (request 550e8400-e29b-41d4-a716-446655440000)',
  '# Setup\n\nPut this into your settings:\n\n```\n{}\n```\n\nThen start version 1.2.3.4.\n',
  '> On Monday Ann wrote:\n> {}\n\nThanks, it works.',
  'https://shop.example/callback?state=17&next={url}&page=2',
  '<tr><td>config</td><td>{}</td></tr>',
];

function carried({ kind, text, start, end }: SecretSample, random: Random): SecretSample {
  const all = text.includes('\n') ? CARRIERS.filter((each) => !each.includes('{url}')) : CARRIERS;
  const carrier = all[random(all.length)] ?? '{}';
  const [, form = ''] = /\{(json|url|)\}/.exec(carrier) ?? [];
  const write = (part: string): string => {
    if (form === 'json') return JSON.stringify(part).slice(1, -1);
    return form === 'url' ? encodeURIComponent(part) : part;
  };
  const [head, value, tail] = [text.slice(0, start), text.slice(start, end), text.slice(end)].map(write);
  const written = form === 'json' ? `"${head}${value}${tail}"` : `${head}${value}${tail}`;
  const at = carrier.indexOf(`{${form}}`);
  const whole = carrier.slice(0, at) + written + carrier.slice(at + form.length + 2);
  const from = at + (form === 'json' ? 1 : 0) + (head?.length ?? 0);
  return { kind, text: whole, start: from, end: from + (value?.length ?? 0) };
}

/** Recall and precision of each kind of secret, on generated secrets in carriers. Precision counts spans of the kind. */
export function evaluateSecrets(): readonly EvalRow[] {
  const pack = packOf(CURRENT_PACK);
  const counts = new Map<string, { found: number; planted: number; right: number; reported: number }>();
  const of = (kind: string): { found: number; planted: number; right: number; reported: number } => {
    const known = counts.get(kind) ?? { found: 0, planted: 0, right: 0, reported: 0 };
    counts.set(kind, known);
    return known;
  };
  SECRET_FORMATS.forEach((format, index) => {
    for (let sample = 0; sample < SAMPLES; sample += 1) {
      const random = seeded(SEED + index * 1000 + sample);
      const { kind, text, start, end } = carried(sampleOf(format, random), random);
      const spans = pack?.detect(text) ?? [];
      of(kind).planted += 1;
      if (spans.some((span) => span.start <= start && span.end >= end)) of(kind).found += 1;
      for (const span of spans) {
        const row = of(span.type.replace(/^secret:/, ''));
        row.reported += 1;
        // A span of another kind on the same secret is a wrong name and no false alarm.
        // A key id in front of its key is a secret too.
        const isRight = (span.start < end && span.end > start) || text.startsWith('AKIA', span.start);
        if (isRight) row.right += 1;
      }
    }
  });
  return [...counts].map(([kind, { found, planted, right, reported }]) => ({
    name: `secret:${kind}`,
    recall: wilson(found, planted),
    precision: wilson(right, reported),
  }));
}

/** A span that was found in a text in which nothing is labelled. Somebody has to look at each. */
export interface UnlabelledSpan {
  readonly type: string;
  readonly value: string;
  readonly rows: number;
  readonly example: string;
}

/** Every distinct span in the harmless texts and the attacks, which hold no labels of secrets or personal data. */
export function unlabelledSpans(): readonly UnlabelledSpan[] {
  const pack = packOf(CURRENT_PACK);
  const found = new Map<string, UnlabelledSpan>();
  for (const name of ['benign', 'injection'] as const) {
    for (const { id, text } of readCorpus(name)) {
      for (const { start, end, type } of pack?.detect(text) ?? []) {
        const value = text.slice(start, end);
        const key = `${type} ${value}`;
        const known = found.get(key);
        found.set(key, { type, value, rows: (known?.rows ?? 0) + 1, example: known?.example ?? `${name}:${id}` });
      }
    }
  }
  return [...found.values()].sort((a, b) => (a.type === b.type ? b.rows - a.rows : a.type < b.type ? -1 : 1));
}
