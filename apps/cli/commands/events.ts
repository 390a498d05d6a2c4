import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Option, type Command } from 'commander';
import type { Json } from '../../../libs/kernel/canonical-json.js';
import { path } from '../client.js';
import { describe, serviceAction, type Exits } from '../command.js';
import { printListing, withListing, type Listing, type ListingOptions } from '../listing.js';
import { at, dig, jsonLine, jsonText, printable } from '../print.js';
import { damageOf, isDamaged } from '../report/call-report.js';
import { sentenceOf } from '../report/timeline.js';
import { fromOption, toOption } from '../since.js';
import { EXIT, UsageError, type World } from '../world.js';

const FORMATS = ['elasticsearch', 'json-schema', 'schema-registry'] as const;

interface SchemaOptions {
  readonly format: (typeof FORMATS)[number];
  readonly out?: string;
}

interface EventsOptions extends ListingOptions {
  readonly types?: string;
  readonly capability?: string;
  readonly actor?: string;
  readonly stream?: string;
  readonly after?: string;
  readonly from?: string;
  readonly to?: string;
}

/** Commands about events: those in the log, and the schemas of those that are published to Kafka. */
export function addEvents(program: Command, world: World, exits: Exits): void {
  const events = describe(program, 'events', {
    about: 'List the events of the log, in its order',
    example:
      'sallyport events --types DirectiveIssued,DirectiveLifted --from 7d\n' +
      'sallyport events --stream capability-filesystem --all --format jsonl',
  })
    .option('--types <types>', 'of these event types, comma-separated')
    .option('--capability <id>', 'about one capability')
    .option('--actor <name>', 'recorded by one principal')
    .option('--stream <stream>', 'of one stream')
    .option('--after <position>', 'after one position')
    .option('--from <time>', 'not before this time: 2h, 7d, 2026-11-29 or RFC 3339', fromOption)
    .option('--to <time>', 'not after this time', toOption);
  serviceAction<EventsOptions>(withListing(events), world, exits, 'auditor', async (session) => {
    const { types, capability, actor, stream, after, from, to } = session.options;
    await printListing(session, { ...LISTING, conditions: { types, capability, actor, stream, after, from, to } });
  });
  addSchema(events, world, exits);
}

const textAt =
  (name: string) =>
  (event: Json): string =>
    at(event, name);

const LISTING: Omit<Listing, 'conditions'> = {
  target: path('audit', 'events'),
  pageItems: 1000,
  none: 'no such event',
  rowOf: (event) =>
    isDamaged(event)
      ? [at(event, 'position'), damageOf(event)]
      : [at(event, 'position'), at(event, 'time'), at(event, 'actor'), at(event, 'type'), sentenceOf(event)],
  columns: {
    position: textAt('position'),
    time: textAt('time'),
    type: textAt('type'),
    actor: textAt('actor'),
    stream: textAt('stream'),
    revision: textAt('revision'),
    traceId: textAt('traceId'),
    id: textAt('id'),
    data: (event) => jsonLine(dig(event, 'data')),
    damage: (event) => (isDamaged(event) ? damageOf(event) : ''),
  },
};

function addSchema(events: Command, world: World, exits: Exits): void {
  describe(events, 'schema', {
    about: 'Print the schemas of published events for a store, or write them as files',
    example: 'sallyport events schema --format elasticsearch --out schemas',
  })
    .addOption(
      new Option('--format <format>', 'an index template, JSON Schemas (draft 7), or requests to a schema registry')
        .choices(FORMATS)
        .default('json-schema'),
    )
    .option('--out <folder>', 'write one file for each document; without it, one JSON object on stdout')
    .action(async ({ format, out }: SchemaOptions) => {
      const documents = await documentsOf(format);
      if (out === undefined) world.out(`${jsonText(documents)}\n`);
      else world.out(`${printable(writeFiles(resolve(world.cwd, out), documents))}\n`);
      exits.code = EXIT.done;
    });
}

/** The documents of a format by their names. */
async function documentsOf(format: SchemaOptions['format']): Promise<Readonly<Record<string, object>>> {
  if (format === 'elasticsearch') {
    const { indexTemplate } = await import('../../../libs/published/elasticsearch.js');
    return { 'sallyport-events': indexTemplate() };
  }
  const { dataSchemaUri, publishedSchemas } = await import('../../../libs/published/schemas.js');
  const schemas = publishedSchemas().map(({ name, schema }) => {
    const $schema = 'http://json-schema.org/draft-07/schema#';
    return [name, { $schema, $id: dataSchemaUri(name, undefined), title: name, ...schema }] as const;
  });
  if (format === 'json-schema') return Object.fromEntries(schemas);
  return Object.fromEntries(
    schemas.map(([name, schema]) => [name, { schemaType: 'JSON', schema: JSON.stringify(schema) }]),
  );
}

function writeFiles(folder: string, documents: Readonly<Record<string, object>>): string {
  try {
    mkdirSync(folder, { recursive: true });
    for (const [name, document] of Object.entries(documents)) {
      writeFileSync(join(folder, `${name}.json`), `${JSON.stringify(document, undefined, 2)}\n`);
    }
  } catch (error) {
    throw new UsageError(`--out: cannot write there (${(error as NodeJS.ErrnoException).code ?? 'unknown error'})`);
  }
  return `wrote ${Object.keys(documents).length} files to ${folder}`;
}
