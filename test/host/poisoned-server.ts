import { McpServer, ResourceTemplate } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { ErrorCode, McpError, type CallToolResult } from '@modelcontextprotocol/sdk/types.js';
import { z } from 'zod';
import { PLAIN, POISON } from './poison.js';

/**
 * An MCP server over stdio, made with the official SDK, that answers with poison in the place that it is asked for. Run as
 * a process of its own.
 */

const textOf = (kind: string): string => POISON[kind] ?? PLAIN;

/** The places of a tool result that can hold text. */
const RESULTS: Readonly<Record<string, (text: string) => CallToolResult>> = {
  text: (text) => ({ content: [{ type: 'text', text }] }),
  structured: (text) => ({ content: [], structuredContent: { page: { sections: [{ title: 'Hours', body: text }] } } }),
  member_name: (text) => ({ content: [], structuredContent: { [text]: 1 } }),
  json_in_text: (text) => ({
    content: [{ type: 'text', text: JSON.stringify({ rows: [JSON.stringify({ cell: text })] }) }],
  }),
  second_part: (text) => ({
    content: [
      { type: 'text', text: PLAIN },
      { type: 'text', text },
    ],
  }),
  resource_link: (text) => ({
    content: [{ type: 'resource_link', uri: 'page://1', name: 'page', description: text }],
  }),
  embedded_text: (text) => ({ content: [{ type: 'resource', resource: { uri: 'page://1', text } }] }),
  embedded_blob: (text) => ({
    content: [
      {
        type: 'resource',
        resource: { uri: 'page://1', mimeType: 'text/plain', blob: Buffer.from(text).toString('base64') },
      },
    ],
  }),
  is_error: (text) => ({ content: [{ type: 'text', text }], isError: true }),
};

/** The names of all places of `look`. `error` is a JSON-RPC error. */
export const PLACES: readonly string[] = [...Object.keys(RESULTS), 'error'];

function serverOf(): McpServer {
  const server = new McpServer({ name: 'poisoned', version: '1.0.0' });
  server.registerTool(
    'look',
    { annotations: { readOnlyHint: true }, inputSchema: { kind: z.string(), place: z.string() } },
    ({ kind, place }) => {
      const result = RESULTS[place];
      if (result === undefined) throw new McpError(ErrorCode.InvalidParams, textOf(kind));
      return result(textOf(kind));
    },
  );
  server.registerTool('save_note', { inputSchema: { text: z.string() } }, ({ text }) => ({
    content: [{ type: 'text', text: `saved ${text.length} characters` }],
  }));
  server.registerPrompt('brief', { argsSchema: { kind: z.string() } }, ({ kind }) => ({
    messages: [{ role: 'user', content: { type: 'text', text: textOf(kind) } }],
  }));
  server.registerResource('page', new ResourceTemplate('page://{kind}', { list: undefined }), {}, (uri, { kind }) => ({
    contents: [{ uri: uri.href, text: textOf(String(kind)) }],
  }));
  return server;
}

if (process.argv.includes('--serve')) await serverOf().connect(new StdioServerTransport());
