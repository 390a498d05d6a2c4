import type { DirectiveFollower } from '../../libs/host/directives/follower.js';
import { startInstance, type InstanceOptions } from './instance.js';

/** A process with some instances of a host in it. Told what to do, and tells what it sees, over IPC. */

export type Order =
  { readonly kind: 'start'; readonly count: number; readonly instance: InstanceOptions } | { readonly kind: 'stop' };

export type Seen =
  | { readonly kind: 'ready' }
  /** From here on this instance refuses what a directive of this epoch stops; milliseconds since the Unix epoch. */
  | { readonly kind: 'refuses'; readonly instanceId: string; readonly epoch: number; readonly atMs: number }
  | { readonly kind: 'failed'; readonly why: string };

const READY_MS = 60_000;
const followers: DirectiveFollower[] = [];
const tell = (seen: Seen): void => void process.send?.(seen);

async function start({ count, instance }: Extract<Order, { kind: 'start' }>): Promise<void> {
  followers.push(...(await Promise.all(Array.from({ length: count }, () => startInstance(instance)))));
  await Promise.all(followers.map((follower) => follower.ready(READY_MS)));
  for (const follower of followers) {
    let known = follower.state().epoch ?? 0;
    follower.onChange(({ epoch = 0, instanceId }) => {
      const atMs = performance.timeOrigin + performance.now();
      for (; known < epoch; known += 1) tell({ kind: 'refuses', instanceId, epoch: known + 1, atMs });
    });
  }
  tell({ kind: 'ready' });
}

process.on('message', (order: Order) => {
  if (order.kind === 'start') {
    start(order).catch((error: unknown) => tell({ kind: 'failed', why: String(error) }));
    return;
  }
  void Promise.all(followers.map((follower) => follower.close())).then(() => process.disconnect());
});
process.on('disconnect', () => process.exit());
