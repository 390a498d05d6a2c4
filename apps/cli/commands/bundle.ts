import { resolve } from 'node:path';
import { Option, type Command } from 'commander';
import { path, query } from '../client.js';
import { describe, serviceAction, type Exits } from '../command.js';
import { download } from '../download.js';
import { printable } from '../print.js';
import type { World } from '../world.js';

interface BundleOptions {
  readonly out: string;
  readonly content: string;
}

/** Adds the command that exports a bundle. */
export function addBundle(program: Command, world: World, exits: Exits): void {
  const bundle = describe(program, 'bundle <traceId>', {
    about: 'Export the evidence of a trace as one file, which `sallyport verify` checks',
    example: 'sallyport bundle 4bf92f3577b34da6a3ce929d0e0e4736 --out trace.json',
  })
    .requiredOption('--out <file>', 'the file to write')
    .addOption(
      new Option('--content <content>', 'omit leaves arguments, responses and other content out')
        .choices(['include', 'omit'])
        .default('include'),
    );
  serviceAction<BundleOptions>(bundle, world, exits, 'auditor', async ({ service, args, options, show }) => {
    const { out, content } = options;
    const target = path('audit', 'traces', args[0] ?? '', 'bundle') + query({ content });
    const { bytes, headers } = await download(service, target, resolve(world.cwd, out));
    const unsealedEvents = Number(headers.get('sallyport-unsealed-events'));
    show({ file: out, bytes, unsealedEvents }, () => [
      printable(`wrote ${out} (${bytes} bytes)`),
      ...(unsealedEvents > 0
        ? [
            `it lacks the newest ${unsealedEvents} events of the trace: no checkpoint has them yet, so export it again later`,
          ]
        : []),
      printable(`next: sallyport verify ${out} --key <the key of the log>`),
    ]);
  });
}
