import type { Operation } from './operation.js';
import { OPERATIONS } from './operations.js';

/** The table of operations in docs/reference/http.md, in Markdown. `npm run docs:http` writes it. */
export function operationsTable(): string {
  const rows = OPERATIONS.map((each) => {
    const rpc = each.rpc ?? each.rpcStream;
    return `| \`${each.method} ${each.path}\` | ${rolesOf(each)} | ${each.summary} | ${rpc === undefined ? '–' : `\`${rpc}\``} |`;
  });
  return ['| operation | roles | what it does | gRPC |', '|---|---|---|---|', ...rows].join('\n');
}

function rolesOf({ roles }: Operation): string {
  if (roles === 'public') return 'no token';
  return roles === 'any' ? 'every principal' : roles.join(', ');
}
