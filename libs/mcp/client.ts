import { z } from 'zod';
import type { JsonObject } from '../kernel/canonical-json.js';

/** A transport of either generation of the MCP SDK, as far as the interception needs it. */
export interface McpTransport {
  start(): Promise<void>;
  send(message: object, options?: object): Promise<void>;
  onmessage?: unknown;
  setProtocolVersion?: unknown;
}

/** A client of either generation of the MCP SDK (`@modelcontextprotocol/sdk` 1.x, `@modelcontextprotocol/client` 2.x). */
export interface McpClient<Transport> {
  connect(transport: Transport, options?: object): Promise<void>;
  request(request: McpRequest, resultSchema: typeof RAW, options?: McpRequestOptions): Promise<unknown>;
  getServerCapabilities(): object | undefined;
  getServerVersion(): object | undefined;
  getInstructions(): string | undefined;
  close(): Promise<void>;
  /** What it is connected to; undefined before and after. */
  readonly transport: object | undefined;
}

export interface McpRequest {
  readonly method: string;
  readonly params?: Record<string, unknown>;
  /** Members of `_meta` that are added on the wire, after the client has made its message. */
  readonly meta?: JsonObject | undefined;
}

export interface McpRequestOptions {
  readonly signal?: AbortSignal;
  readonly timeout?: number;
}

/** Accepts any result: the SDK's own schemas drop the members that they do not know. */
export const RAW = z.looseObject({});
