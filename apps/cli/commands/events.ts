import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Option, type Command } from 'commander';
import { describe, type Exits } from '../command.js';
import { jsonText, printable } from '../print.js';
import { EXIT, UsageError, type World } from '../world.js';

const FORMATS = ['elasticsearch', 'json-schema', 'schema-registry'] as const;

interface SchemaOptions {
  readonly format: (typeof FORMATS)[number];
  readonly out?: string;
}

/** Commands about the events that are published to Kafka. They need no service. */
export function addEvents(program: Command, world: World, exits: Exits): void {
  const events = program.command('events').description('The events that the service publishes to Kafka');
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
