/** A place that text or money can be sent to: offsets in the text. */
export interface Sink {
  readonly kind: 'url' | 'mail' | 'account';
  readonly from: number;
  readonly to: number;
}

const URL = /(?:https?:\/\/|www\.)[^\s"'<>()[\]{}|\\]{3,256}/g;
const MAIL_LOCAL = /[\w.%+-]{1,64}$/;
const MAIL_DOMAIN = /^[a-z0-9.-]{1,100}\.[a-z]{2,24}/;
const ACCOUNT = /\b(?:[a-z]{2}[0-9]{2}[a-z0-9]{10,30}|0x[0-9a-f]{40}|bc1[a-z0-9]{20,60})\b/g;
const MAX_SINKS = 512;

/** The sinks in a text in lower case that the request does not hold, the first 512. */
export function newSinks(lower: string, request: string): Sink[] {
  const sinks: Sink[] = [];
  const known = request.toLowerCase();
  const add = (kind: Sink['kind'], from: number, to: number): void => {
    if (sinks.length < MAX_SINKS && !known.includes(lower.slice(from, to))) sinks.push({ kind, from, to });
  };
  for (const { index, 0: url } of lower.matchAll(URL)) add('url', index, index + url.length);
  for (let at = lower.indexOf('@'); at >= 0 && sinks.length < MAX_SINKS; at = lower.indexOf('@', at + 1)) {
    const local = MAIL_LOCAL.exec(lower.slice(Math.max(0, at - 64), at));
    const domain = MAIL_DOMAIN.exec(lower.slice(at + 1, at + 126));
    if (local !== null && domain !== null) add('mail', at - local[0].length, at + 1 + domain[0].length);
  }
  for (const { index, 0: account } of lower.matchAll(ACCOUNT)) add('account', index, index + account.length);
  return sinks;
}

const IMAGE = /!\[[^\]\n]{0,200}\]\(\s?<?(https?:\/\/[^\s)>]{4,1000})/g;
/** A placeholder for the reader to fill in: `{data}`, `[data]`, `<data>`, `$DATA`, `BASE64_OF_IT`. */
const TO_FILL = /[?&/=][^?&=]{0,40}=?(?:%7b|\{|\[|<|\$[a-z{]|[A-Z]{3,}_[A-Z_]{2,}|[A-Z]{6,}|%s|…|\.\.\.)/;

/** Images of Markdown whose address has a place to fill in: shown, they send what was filled in. */
export function imagesToFill(text: string): Sink[] {
  const sinks: Sink[] = [];
  if (!text.includes('![')) return sinks;
  for (const { 0: image, 1: url, index } of text.matchAll(IMAGE)) {
    if (TO_FILL.test((url ?? '').replace(/^https?:\/\/[^/]{1,200}/, '')))
      sinks.push({ kind: 'url', from: index, to: index + image.length });
  }
  return sinks;
}
