import type { McpResponse } from './message.js';

interface Awaited {
  answer?: McpResponse;
  onAnswer?: () => void;
}

/** Answers to the owner's own requests, by `traceparent`. An answer is kept until its owner forgets the request. */
export class AwaitedAnswers {
  private readonly awaited = new Map<string, Awaited>();

  expect(traceparent: string): void {
    this.awaited.set(traceparent, {});
  }

  arrived(traceparent: string, answer: McpResponse): void {
    const waiting = this.awaited.get(traceparent);
    if (waiting === undefined) return;
    waiting.answer = answer;
    waiting.onAnswer?.();
  }

  answerTo(traceparent: string): McpResponse | undefined {
    return this.awaited.get(traceparent)?.answer;
  }

  /** Resolves with the answer when it comes; undefined if none has come when the signal is aborted. */
  lateAnswerTo(traceparent: string, signal: AbortSignal): Promise<McpResponse | undefined> {
    const waiting = this.awaited.get(traceparent);
    if (waiting === undefined || waiting.answer !== undefined || signal.aborted)
      return Promise.resolve(waiting?.answer);
    return new Promise((resolve) => {
      waiting.onAnswer = () => resolve(waiting.answer);
      signal.addEventListener('abort', () => resolve(undefined), { once: true });
    });
  }

  forget(traceparent: string): void {
    this.awaited.delete(traceparent);
  }
}
