import { lowerCeilings } from './ceilings.js';
import { countByTurn, readProse } from './findings.js';

// Prints what the house test of plain English counts: `npm run prose`. With a folder or file behind it, each place in it:
// `npm run prose -- libs/audit`. `npm run prose -- --lower` lowers the ceilings to today's counts.
const [under] = process.argv.slice(2);
const lower = under === '--lower';
const prose = readProse(lower ? '' : under);
const { findings, documents, comments } = prose;
for (const { path, line, turn, text } of under === undefined || lower ? [] : findings)
  console.log(`${path}:${line}: [${turn}] …${text}…`);
const rooms = new Map<string, number>();
for (const { path } of findings) {
  const room = path.split('/').slice(0, 2).join('/');
  rooms.set(room, (rooms.get(room) ?? 0) + 1);
}
if (under === undefined) console.log(Object.fromEntries([...rooms].sort(([, one], [, other]) => other - one)));
console.log(countByTurn(findings));
console.log({ total: findings.length, documents, comments });
if (lower) lowerCeilings(prose);
