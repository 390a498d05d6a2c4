import type { Hit, Searched } from './hit.js';

/** Keys of an imitated configuration. Keys of several kinds near each other are a policy for an agent. */
const SETTINGS = {
  asks: /\b(?:ask|confirm)[a-z_ -]{0,24}["'>]{0,2}\s?[:=>]\s?["']?(?:false|off|never|none|no|disabled)\b/g,
  refuses:
    /\b(?:refus(?:e|al|als)|declin(?:e|es)|disclaimers?)[a-z_-]{0,12}["'>]{0,2}\s?[:=>]\s?["']?(?:false|off|never|none|no|disabled)\b|\b(?:forbidden|denied|blocked|banned|disallowed|prohibited)[-_ ]?(?:phrases|replies|answers|responses|modes|outputs|refusals)\b/g,
  role: /\b(?:role|mode|persona|privileges?|access|permissions?)["'>]{0,2}\s?[:=>]\s?["']?(?:superuser|root|unrestricted|permissive|god|dan|jailbroken|unlimited|unfiltered|all)\b/g,
  subject:
    /\b(?:assistant|agent|llm|ai|model|chatbot|copilot)[-_ ]?(?:policy|config|configuration|settings|mode|rules|override|directives?)\b/g,
  order: /\b(?:goal|task|run|command|objective|directive|action|execute)s?["'>]{0,2}\s?[:=>]\s?["']?[a-z]/g,
} as const;

type Setting = keyof typeof SETTINGS;

const NEAR = 600;
const MAX_FOUND = 256;

/** Configurations that switch off refusals or questions of an agent (policy puppetry). Linear: each kind is found once. */
export function configHits({ view, mention }: Searched): Hit[] {
  if (!/[:=>]/.test(view.lower)) return [];
  const found = (Object.keys(SETTINGS) as Setting[]).flatMap((name) =>
    [...view.lower.matchAll(SETTINGS[name])]
      .slice(0, MAX_FOUND)
      .map(({ 0: text, index }) => ({ name, from: index, to: index + text.length })),
  );
  if (found.length < 2) return [];
  found.sort((a, b) => a.from - b.from);
  const hits: Hit[] = [];
  for (let at = 0; at < found.length; at += 1) {
    const first = found[at]!;
    let last = at;
    const names = new Set<Setting>([first.name]);
    while (last + 1 < found.length && found[last + 1]!.from - first.from <= NEAR && !isPolicy(names)) {
      last += 1;
      names.add(found[last]!.name);
    }
    if (!isPolicy(names)) continue;
    const severity = mention(first.from) ? 'low' : 'high';
    hits.push({ detector: 'agent_config', kind: 'override', severity, from: first.from, to: found[last]!.to });
    at = last;
  }
  return hits;
}

function isPolicy(names: ReadonlySet<Setting>): boolean {
  if (names.has('refuses')) return names.has('asks') || names.has('role') || names.has('subject');
  return names.has('asks') && names.has('order') && (names.has('role') || names.has('subject'));
}
