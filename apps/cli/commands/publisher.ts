import { InvalidArgumentError, type Command } from 'commander';
import type { Json } from '../../../libs/kernel/canonical-json.js';
import { defined } from '../../../libs/kernel/defined.js';
import { algorithmOfPem } from '../../../libs/trust/dsse.js';
import { everyPage, path } from '../client.js';
import { collect, describe, readInput, serviceAction, type Exits } from '../command.js';
import { at, list, printable, table } from '../print.js';
import { verdictOf, type VerdictOptions } from '../verdict.js';
import { UsageError, type World } from '../world.js';

interface ReviewOptions extends VerdictOptions {
  readonly reason: string;
}

/** Commands about publishers: their keys, and the capabilities that they may sign for. */
export function addPublisher(program: Command, world: World, exits: Exits): void {
  const publisher = program.command('publisher').description('Publishers, and the keys that sign manifests');
  addRegister(publisher, world, exits);
  addKeys(publisher, world, exits);
  addRevoke(publisher, world, exits);
  addShow(publisher, world, exits);
  addSigners(publisher, world, exits);
}

function addRegister(publisher: Command, world: World, exits: Exits): void {
  const register = describe(publisher, 'register <id>', {
    about: 'Register a publisher',
    example: 'sallyport publisher register acme --name "Acme Tools"',
  }).requiredOption('--name <name>', 'its name for people');
  serviceAction<{ name: string }>(register, world, exits, 'registrar', async ({ call, args, options, show }) => {
    const id = args[0] ?? '';
    const answer = await call('POST', path('publishers'), { id, name: options.name });
    show(answer, () => [printable(`registered ${id}. Next: sallyport publisher add-key ${id} <file> --key-id <id>`)]);
  });
}

interface KeyOptions {
  readonly keyId: string;
  readonly notAfter?: string;
}

function addKeys(publisher: Command, world: World, exits: Exits): void {
  const add = describe(publisher, 'add-key <id> <file>', {
    about: 'Propose a public key (PEM); it counts once another principal has approved it',
    example: 'sallyport publisher add-key acme acme.pub.pem --key-id k1 --not-after 2027-11-30T00:00:00Z',
  })
    .requiredOption('--key-id <id>', 'a name for the key, given once')
    .option('--not-after <time>', 'from then on it signs nothing', instant);
  serviceAction<KeyOptions>(add, world, exits, 'registrar', async ({ call, args, options, show }) => {
    const [id = '', file = ''] = args;
    const publicKey = await readInput(world, file);
    const algorithm = algorithmOfPem(publicKey);
    if (algorithm === undefined)
      throw new UsageError(`${file} needs the PEM of one public key, Ed25519 or ECDSA P-256 (\`sallyport keygen\`)`);
    const { keyId, notAfter } = options;
    const body = defined({ keyId, algorithm, publicKey, notAfter });
    const answer = await call('POST', path('publishers', id, 'keys'), body);
    show(answer, () => [
      printable(`key ${id}/${keyId}: ${at(answer, 'status')}`),
      printable(`Next, by another principal: sallyport publisher review-key ${id} ${keyId} --approve --reason …`),
    ]);
  });

  const review = withVerdict(
    describe(publisher, 'review-key <id> <keyId>', {
      about: 'Approve or reject a key that another principal proposed',
      example: 'sallyport publisher review-key acme k1 --approve --reason "compared the fingerprint by phone"',
    }),
  );
  serviceAction<ReviewOptions>(review, world, exits, 'reviewer', async ({ call, args, options, show }) => {
    const [id = '', keyId = ''] = args;
    const answer = await call('POST', path('publishers', id, 'keys', keyId, 'review'), reviewOf(options));
    show(answer, () => [printable(`key ${id}/${keyId}: ${at(answer, 'status')}`)]);
  });

  const revoke = describe(publisher, 'revoke-key <id> <keyId>', {
    about: 'Revoke a key permanently: running tasks stop at once, unless another key carries the version',
    example: 'sallyport publisher revoke-key acme k1 --reason "the laptop was stolen"',
  }).requiredOption('--reason <text>', 'why; it is part of the record');
  serviceAction<{ reason: string }>(revoke, world, exits, 'operator', async ({ call, args, options, show }) => {
    const [id = '', keyId = ''] = args;
    const answer = await call('POST', path('publishers', id, 'keys', keyId, 'revoke'), { reason: options.reason });
    show(answer, () => [printable(`key ${id}/${keyId}: ${at(answer, 'status')}`)]);
  });
}

function addRevoke(publisher: Command, world: World, exits: Exits): void {
  const revoke = describe(publisher, 'revoke <id>', {
    about: 'Revoke a publisher and all of its keys permanently',
    example: 'sallyport publisher revoke acme --reason "sold to somebody else"',
  }).requiredOption('--reason <text>', 'why; it is part of the record');
  serviceAction<{ reason: string }>(revoke, world, exits, 'operator', async ({ call, args, options, show }) => {
    const answer = await call('POST', path('publishers', args[0] ?? '', 'revoke'), { reason: options.reason });
    show(answer, () => publisherLines(answer));
  });
}

function addShow(publisher: Command, world: World, exits: Exits): void {
  const showOne = describe(publisher, 'show [id]', {
    about: 'List the publishers, or show one with its keys',
    example: 'sallyport publisher show acme',
  });
  serviceAction(showOne, world, exits, 'registrar', async ({ call, args, show }) => {
    const [id] = args;
    if (id !== undefined) {
      const answer = await call('GET', path('publishers', id));
      show(answer, () => publisherLines(answer));
      return;
    }
    const answer = await everyPage(call, path('publishers'));
    show(answer, () => list(answer, 'items').flatMap(publisherLines));
  });
}

function addSigners(publisher: Command, world: World, exits: Exits): void {
  const propose = describe(publisher, 'allow <capability>', {
    about: 'Propose the publishers that may sign for a capability; it holds once another principal has approved it',
    example: 'sallyport publisher allow filesystem --publisher acme --reason "they took it over"',
  })
    .option('--publisher <id>', 'one who may sign (repeatable); none at all: nobody', collect, [])
    .requiredOption('--reason <text>', 'why; it is part of the record');
  serviceAction<{ publisher: readonly string[]; reason: string }>(
    propose,
    world,
    exits,
    'registrar',
    async ({ call, args, options, show }) => {
      const id = args[0] ?? '';
      const body = { publishers: options.publisher, reason: options.reason };
      const answer = await call('PUT', path('capabilities', id, 'publishers'), body);
      show(answer, () => [
        printable(`${id}: proposed ${options.publisher.join(', ') || 'nobody'}`),
        printable(`Next, by another principal: sallyport publisher review ${id} --approve --reason …`),
      ]);
    },
  );

  const review = withVerdict(
    describe(publisher, 'review <capability>', {
      about: 'Approve or reject a change of the publishers of a capability',
      example: 'sallyport publisher review filesystem --approve --reason "asked the owner"',
    }),
  );
  serviceAction<ReviewOptions>(review, world, exits, 'reviewer', async ({ call, args, options, show }) => {
    const id = args[0] ?? '';
    const answer = await call('POST', path('capabilities', id, 'publishers', 'review'), reviewOf(options));
    const names = list(answer, 'publishers').map((each) => at(each));
    show(answer, () => [printable(`${id}: ${names.join(', ') || 'nobody'} may sign`)]);
  });
}

const withVerdict = (command: Command): Command =>
  command
    .option('--approve', 'it counts from now on')
    .option('--reject', 'it never counts')
    .requiredOption('--reason <text>', 'why; it is part of the record');

const reviewOf = (options: ReviewOptions) => ({ verdict: verdictOf(options), reason: options.reason });

function instant(text: string): string {
  const time = new Date(text);
  if (Number.isNaN(time.getTime())) throw new InvalidArgumentError('needs a time, as 2027-11-30T00:00:00Z');
  return time.toISOString();
}

function publisherLines(publisher: Json): string[] {
  const signs = list(publisher, 'capabilities').map((each) => at(each));
  return [
    printable(`${at(publisher, 'id')} (${at(publisher, 'name')}): ${at(publisher, 'status')}`),
    printable(`  may sign for ${signs.join(', ') || 'nothing'}`),
    ...table(
      list(publisher, 'keys').map((key) => [
        `  ${at(key, 'keyId')}`,
        at(key, 'status'),
        at(key, 'algorithm'),
        at(key, 'notAfter') === '' ? '' : `until ${at(key, 'notAfter')}`,
        `proposed by ${at(key, 'proposedBy')}`,
      ]),
    ),
  ];
}
