import { z } from 'zod';
import { operation } from './operation.js';

export const getOpenApi = operation({
  id: 'getOpenApi',
  tag: 'docs',
  summary: 'This description',
  description: 'The same for every installation of a version: it says nothing about this one, so it needs no token.',
  method: 'GET',
  path: '/openapi.json',
  roles: 'public',
  problems: ['overloaded'],
  answers: { 200: z.looseObject({ openapi: z.literal('3.1.0') }) },
});

export const getAsyncApi = operation({
  id: 'getAsyncApi',
  tag: 'docs',
  summary: 'The description of the Kafka topics',
  description: 'AsyncAPI 3.0 for the topics that the service writes, if brokers are configured.',
  method: 'GET',
  path: '/asyncapi.json',
  roles: 'public',
  problems: ['overloaded'],
  answers: { 200: z.looseObject({ asyncapi: z.literal('3.0.0') }) },
});

export const getDocs = operation({
  id: 'getDocs',
  tag: 'docs',
  summary: 'Both descriptions as a page to read',
  description: 'The page needs no script, and requests nothing from anywhere.',
  method: 'GET',
  path: '/docs',
  roles: 'public',
  problems: ['overloaded'],
  answers: { 200: z.string() },
  media: 'text/html',
});
