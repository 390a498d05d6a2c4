import { memoryKeyring } from '../../libs/payloads/memory-keyring.js';
import { keyringContract } from './keyring.js';

keyringContract('memory', async () => {
  const keyring = memoryKeyring();
  return { keyring, dispose: () => keyring.close() };
});
