import { z } from 'zod';
import { Level } from '../../../libs/vocabulary/words.js';
import { setting } from './setting.js';

/** Which labels content has that nobody labelled. */
export const CONTENT = {
  flowMode: setting(
    'SALLYPORT_FLOW',
    z.enum(['detect', 'strict']),
    'detect',
    'Labels of arguments from earlier content of their task: `detect` labels what is repeated verbatim, `strict` gives an argument without a stated level the highest label that the task has seen.',
    'With `detect`, content that an agent has rephrased crosses without its label. With `strict`, most calls after a confidential response need labels or an approval.',
  ),
  contextLevel: setting(
    'SALLYPORT_CONTEXT_LEVEL',
    Level,
    'confidential',
    'The level of a context item that has none: `public`, `internal`, `confidential` or `restricted`.',
    'If it is lower than the content of hosts that state no level, that content crosses to servers that must not see it.',
  ),
};
