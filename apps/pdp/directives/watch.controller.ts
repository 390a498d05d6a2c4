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
    // The request may have waited for a position until its client was gone. No event would then report the close.
    if (reply.raw.closed) return void reply.hijack();
    const watcher = watcherOver(reply);
    reply.raw.once('close', () => this.watches.closed(watcher));
    await this.watches.watch(caller, { sinceEpoch, instanceId }, watcher);
  }
}

/** The id that a browser's EventSource sends when it reconnects. */
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
      // A proxy that buffers the answer would delay the directives that stop a host.
      'x-accel-buffering': 'no',
      // The client's next request takes another connection, so an ended watch does not delay a shutdown.
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
      // A slow client does not read, so it would not read the end of the stream either.
      if (why === 'slow') raw.destroy();
      else raw.end();
    },
  };
}

const frames = new WeakMap<Sent, string>();

/** A frame is written once for all watchers. */
function frameOf(sent: Sent): string {
  const known = frames.get(sent);
  if (known !== undefined) return known;
  const frame = `event: ${sent.kind}\nid: ${sent.beat.epoch}\ndata: ${sent.text}\n\n`;
  frames.set(sent, frame);
  return frame;
}
