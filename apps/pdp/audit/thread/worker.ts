import { workerData } from 'node:worker_threads';
import { ApprovalHistories } from '../../../../libs/audit/approval-histories.js';
import { ApprovalAudit } from '../../../../libs/audit/approvals.js';
import { CallAudit } from '../../../../libs/audit/calls.js';
import { positionCursor } from '../../../../libs/audit/cursor.js';
import { DirectiveHistory } from '../../../../libs/audit/directive-history.js';
import { ExposureAudit } from '../../../../libs/audit/exposure.js';
import { readEvents } from '../../../../libs/audit/events.js';
import { heldResponses } from '../../../../libs/audit/held-responses.js';
import { IndexFileReader } from '../../../../libs/audit/index/file-reader.js';
import { IndexUnavailable } from '../../../../libs/audit/index/reading.js';
import { CALL_FORMATS, EVENT_FORMATS, type PageFormat } from '../../../../libs/audit/list-formats.js';
import { oneCall } from '../../../../libs/audit/one-call.js';
import { CallSampler } from '../../../../libs/audit/sample.js';
import { TaskAudit } from '../../../../libs/audit/tasks.js';
import { limitsFor, TraceAudit } from '../../../../libs/audit/trace.js';
import { utf8Of } from '../../../../libs/audit/utf8.js';
import { DecisionEngines } from '../../../../libs/decision-point/engines.js';
import { LogUnavailable } from '../../../../libs/event-log/port.js';
import { openReadingLog } from '../../../../libs/event-log/sqlite/reading-log.js';
import { defined } from '../../../../libs/kernel/defined.js';
import type { Refusal } from '../../../../libs/kernel/refusal.js';
import { ok, type Result } from '../../../../libs/kernel/result.js';
import { openKeyReader } from '../../../../libs/payloads/key-reader.js';
import { KeyringUnavailable } from '../../../../libs/payloads/keyring.js';
import { codeOf } from '../../../../libs/sqlite-file/codes.js';
import { lowerOwnPriority } from '../../../../libs/threads/priority.js';
import { serve } from '../../../../libs/threads/serve.js';
import { BundleSessions } from './bundle-sessions.js';
import { MetDamage } from './met-damage.js';
import type { AuditReply, AuditRequest, AuditThreadData } from './messages.js';

/** Nice increment of this thread: when processors are scarce, decisions and their records run before evidence. */
const AUDIT_NICE_INCREMENT = 10;

/** The files that evidence is read from, and what this thread keeps of them. */
interface Opened {
  readonly log: ReturnType<typeof openReadingLog>;
  readonly keys: ReturnType<typeof openKeyReader>;
  readonly index: IndexFileReader;
  readonly engines: DecisionEngines;
  readonly directives: DirectiveHistory;
  readonly approvals: ApprovalHistories;
  readonly bundles: BundleSessions;
}

function openAudit({ logFile, keysFile, indexFile }: AuditThreadData) {
  const damage = new MetDamage();
  const log = openReadingLog(logFile, damage.found);
  const keys = openKeyReader(keysFile);
  const index = new IndexFileReader(indexFile);
  const engines = new DecisionEngines(log);
  const directives = new DirectiveHistory(log);
  const approvals = new ApprovalHistories(log);
  const bundles = new BundleSessions((stamp) => ({ log, keys, index: index.at(stamp) }));
  const opened: Opened = { log, keys, index, engines, directives, approvals, bundles };
  return {
    answer: async (requests: readonly AuditRequest[]) =>
      damage.reportIn(await Promise.all(requests.map((request) => answerTo(opened, request).catch(failureOf)))),
    transferOf: (reply: unknown) => {
      const { bytes } = reply as Partial<Extract<AuditReply, { kind: 'answer' }>>;
      return bytes === undefined ? [] : [bytes.buffer];
    },
    close() {
      index.close();
      keys.release();
      log.release();
    },
  };
}

async function answerTo(opened: Opened, request: AuditRequest): Promise<AuditReply> {
  const { log, keys, engines, directives, approvals } = opened;
  switch (request.kind) {
    case 'trace': {
      const { traceId, now, page } = request;
      return replyOf(await tracesOf(opened, request).trace(traceId, now, page.cursor), (bytes) => bytes);
    }
    case 'replay':
      return replyOf(await tracesOf(opened, request).replay(request.traceId, request.page.cursor), utf8);
    case 'bundle':
    case 'bundle_step':
    case 'bundle_end':
      return { kind: 'step', step: await opened.bundles.step(request) };
  }
  const index = opened.index.at(request.stamp);
  switch (request.kind) {
    case 'call': {
      const sources = { log, keys, engines, directives, approvals, index };
      return replyOf(await oneCall(sources, request.callId, request.task), (bytes) => bytes);
    }
    case 'calls':
      return listedCalls(new CallAudit(log, keys, engines, index, directives), request);
    case 'tasks':
      return replyOf(await new TaskAudit(log, index, keys).find(request), utf8);
    case 'approvals': {
      const { query, now, page } = request;
      const audit = new ApprovalAudit(log, index, keys, engines, directives);
      return replyOf(await audit.find(query, now, page.limit, page.cursor), utf8);
    }
    case 'responses':
      return replyOf(await heldResponses({ log, index }, request), utf8);
    case 'exposure': {
      const { query, page } = request;
      const exposure = new ExposureAudit(log, keys, engines, index, directives);
      return replyOf(await exposure.find(query, page.limit, page.cursor), utf8);
    }
    case 'sample': {
      const sampler = new CallSampler(log, keys, engines, index, directives);
      return answer(utf8(await sampler.sample(request.query)));
    }
    case 'events':
      return listedEvents({ log, directives, index }, request);
  }
}

const tracesOf = (
  { log, keys, engines, index, directives }: Opened,
  { stamp, page }: Extract<AuditRequest, { kind: 'trace' | 'replay' }>,
): TraceAudit => new TraceAudit(log, keys, engines, index.at(stamp), directives, limitsFor(page.limit));

async function listedEvents(
  sources: Parameters<typeof readEvents>[0],
  { query, until, isFirst }: Extract<AuditRequest, { kind: 'events' }>,
): Promise<AuditReply> {
  const found = await readEvents(sources, query, until);
  if (!found.ok) return { kind: 'refused', refusal: found.error };
  const { events, next } = found.value;
  const page = defined({ items: events, next: next === undefined ? undefined : positionCursor(next) });
  return listed(ok(page), EVENT_FORMATS[query.format ?? 'json'], isFirst);
}

async function listedCalls(
  audit: CallAudit,
  { query, page, isFirst }: Extract<AuditRequest, { kind: 'calls' }>,
): Promise<AuditReply> {
  const { format = 'json', ...conditions } = query;
  return listed(await audit.find(conditions, page.limit, page.cursor), CALL_FORMATS[format], isFirst);
}

const utf8 = (value: unknown): Buffer<ArrayBuffer> => utf8Of([JSON.stringify(value)]);

const answer = (bytes: Buffer<ArrayBuffer> | undefined): Extract<AuditReply, { kind: 'answer' }> => ({
  kind: 'answer',
  bytes,
});

/** A page of a list, as the format writes it. */
function listed<Item>(
  found: Result<{ readonly items: readonly Item[]; readonly next?: string }, Refusal>,
  format: PageFormat<Item>,
  isFirst: boolean,
): AuditReply {
  if (!found.ok) return { kind: 'refused', refusal: found.error };
  const { items, next } = found.value;
  return { ...answer(utf8Of([isFirst ? format.head : '', format.page(items, next)])), next };
}

function replyOf<Value>(
  result: Result<Value | undefined, Refusal>,
  write: (value: Value) => Buffer<ArrayBuffer>,
): AuditReply {
  if (!result.ok) return { kind: 'refused', refusal: result.error };
  return answer(result.value === undefined ? undefined : write(result.value));
}

/** Only what a later request may find mended. Any other error is a bug, and ends the thread. */
function failureOf(error: unknown): AuditReply {
  const failed = (failure: 'log' | 'keys' | 'index') =>
    ({ kind: 'failed', failure, detail: (error as Error).message }) as const;
  if (error instanceof LogUnavailable) return failed('log');
  if (error instanceof KeyringUnavailable) return failed('keys');
  if (error instanceof IndexUnavailable) return failed('index');
  throw error;
}

lowerOwnPriority(AUDIT_NICE_INCREMENT);
serve({ open: () => openAudit(workerData as AuditThreadData), reasonOf: codeOf });
