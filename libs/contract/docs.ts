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
  answers: { 200: z.looseObject({ openapi: z.literal('3.1.0') }) },
});
