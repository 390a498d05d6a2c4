import { Controller, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { watchDirectives } from '../../../libs/contract/directives.js';
import type { Sent, Watcher } from '../../../libs/feed/broadcast.js';
import type { Asked } from '../edge/asked.js';
import { parseInput } from '../edge/body.js';
import { Handles } from '../http/handles.js';
import { Watches } from './watches.js';

/** The live feed of directives as server-sent events (WHATWG HTML, 9.2). */
@Controller()
export class WatchController {
  constructor(@Inject(Watches) private readonly watches: Watches) {}

  @Handles(watchDirectives)
  async watch(
    { query, caller }: Asked<typeof watchDirectives>,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const { sinceEpoch = lastEventId(request), instanceId } = query;
    if (request.method === 'HEAD') return void reply.send();
    // It may have waited for a position until its client had gone: then nobody would ever say that it is closed.
    if (reply.raw.closed) return void reply.hijack();
    const watcher = watcherOver(reply);
    reply.raw.once('close', () => this.watches.closed(watcher));
    await this.watches.watch(caller, { sinceEpoch, instanceId }, watcher);
  }
}

/** What a browser's EventSource sends when it comes back. */
function lastEventId({ headers }: FastifyRequest): number | undefined {
  return parseInput(watchDirectives.query, { sinceEpoch: headers['last-event-id'] }).sinceEpoch;
}

function watcherOver(reply: FastifyReply): Watcher {
  const { raw } = reply;
  const begin = (): void => {
    reply.hijack();
    raw.writeHead(200, {
      ...(reply.getHeaders() as Record<string, string>),
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      // A proxy that collects the answer would hold back what stops a host.
      'x-accel-buffering': 'no',
      // Whatever comes after a watch comes on another connection: one that has ended holds up no shutdown.
      connection: 'close',
    });
  };
  return {
    send(sent, taken) {
      if (!raw.headersSent) begin();
      raw.write(frameOf(sent), (error) => {
        if (error === undefined || error === null) taken();
      });
    },
    end(why) {
      if (!raw.headersSent) begin();
      // Whoever does not read would not read the end either.
      if (why === 'slow') raw.destroy();
      else raw.end();
    },
  };
}

const frames = new WeakMap<Sent, string>();

/** Written once for all. */
function frameOf(sent: Sent): string {
  const known = frames.get(sent);
  if (known !== undefined) return known;
  const frame = `event: ${sent.kind}\nid: ${sent.beat.epoch}\ndata: ${sent.text}\n\n`;
  frames.set(sent, frame);
  return frame;
}
