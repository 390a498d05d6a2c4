/** The log is not as its checkpoints say, so no further one may be signed. The message is one line for an operator. */
export class SealFault extends Error {
  override readonly name = 'SealFault';
}
