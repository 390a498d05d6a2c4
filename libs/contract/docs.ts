import { z } from 'zod';
import { operation } from './operation.js';

const docs = { tag: 'docs', method: 'GET', roles: 'public', problems: ['overloaded'] } as const;

export const getOpenApi = operation({
  ...docs,
  id: 'getOpenApi',
  summary: 'This description',
  description: 'The same for every installation of a version: it says nothing about this one, so it needs no token.',
  path: '/openapi.json',
  answers: { 200: z.looseObject({ openapi: z.literal('3.1.0') }) },
});

export const getAsyncApi = operation({
  ...docs,
  id: 'getAsyncApi',
  summary: 'The description of the Kafka topics',
  description: 'AsyncAPI 3.0 for the topics that the service writes, if brokers are configured.',
  path: '/asyncapi.json',
  answers: { 200: z.looseObject({ asyncapi: z.literal('3.0.0') }) },
});

export const getDocs = operation({
  ...docs,
  id: 'getDocs',
  summary: 'Both descriptions as a page to read',
  description: 'The page needs no script, and requests nothing from anywhere.',
  path: '/docs',
  answers: { 200: z.string() },
  media: 'text/html',
});
