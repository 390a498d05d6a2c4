import { workerData } from 'node:worker_threads';
import { CallAudit } from '../../../../libs/audit/calls.js';
import { DirectiveHistory } from '../../../../libs/audit/directive-history.js';
import { readEvents } from '../../../../libs/audit/events.js';
import { IndexFileReader } from '../../../../libs/audit/index/file-reader.js';
import { IndexUnavailable } from '../../../../libs/audit/index/reading.js';
import { CallSampler } from '../../../../libs/audit/sample.js';
import { TaskAudit } from '../../../../libs/audit/tasks.js';
import { TraceAudit } from '../../../../libs/audit/trace.js';
import { utf8Of } from '../../../../libs/audit/utf8.js';
import { DecisionEngines } from '../../../../libs/decision-point/engines.js';
import { LogUnavailable } from '../../../../libs/event-log/port.js';
import { openReadingLog } from '../../../../libs/event-log/sqlite/reading-log.js';
import type { Refusal } from '../../../../libs/kernel/refusal.js';
import type { Result } from '../../../../libs/kernel/result.js';
import { openKeyReader } from '../../../../libs/payloads/key-reader.js';
import { KeyringUnavailable } from '../../../../libs/payloads/keyring.js';
import { codeOf } from '../../../../libs/sqlite-file/codes.js';
import { lowerOwnPriority } from '../../../../libs/threads/priority.js';
import { serve } from '../../../../libs/threads/serve.js';
import type { AuditReply, AuditRequest, AuditThreadData } from './messages.js';

/** Nice increment of this thread: when processors are scarce, decisions and their records run before evidence. */
const AUDIT_NICE_INCREMENT = 10;

function openAudit({ logFile, keysFile, indexFile }: AuditThreadData) {
  const log = openReadingLog(logFile);
  const keys = openKeyReader(keysFile);
  const index = new IndexFileReader(indexFile);
  const engines = new DecisionEngines(log);
  const directives = new DirectiveHistory(log);

  const answerTo = async (request: AuditRequest): Promise<AuditReply> => {
    switch (request.kind) {
      case 'trace': {
        const audit = new TraceAudit(log, keys, engines, index.at(request.stamp), directives);
        return replyOf(await audit.trace(request.traceId, request.now), (bytes) => bytes);
      }
      case 'replay': {
        const audit = new TraceAudit(log, keys, engines, index.at(request.stamp), directives);
        return replyOf(await audit.replay(request.traceId), utf8);
      }
      case 'calls': {
        const { query, versions, page, stamp } = request;
        const audit = new CallAudit(log, engines, index.at(stamp), directives, keys);
        return replyOf(await audit.find(query, page.limit, page.cursor, versions), utf8);
      }
      case 'tasks': {
        const { query, now, page, stamp } = request;
        const audit = new TaskAudit(log, index.at(stamp), keys);
        return replyOf(await audit.find(query, now, page.limit, page.cursor), utf8);
      }
      case 'sample': {
        const sampler = new CallSampler(log, keys, engines, index.at(request.stamp), directives);
        return answer(utf8(await sampler.sample(request.query)));
      }
      case 'events':
        return answer(utf8(await readEvents(log, directives, request.query)));
    }
  };

  return {
    answer: (requests: readonly AuditRequest[]) =>
      Promise.all(requests.map((request) => answerTo(request).catch(failureOf))),
    transferOf: (reply: unknown) => {
      const { bytes } = reply as Extract<AuditReply, { kind: 'answer' }>;
      return bytes === undefined ? [] : [bytes.buffer];
    },
    close() {
      index.close();
      keys.release();
      log.release();
    },
  };
}

const utf8 = (value: unknown): Buffer<ArrayBuffer> => utf8Of([JSON.stringify(value)]);

const answer = (bytes: Buffer<ArrayBuffer> | undefined): AuditReply => ({ kind: 'answer', bytes });

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
