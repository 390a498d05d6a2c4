import { memoryKeyStore } from '../../libs/keys/memory-key-store.js';
import { keyStoreContract } from './key-store.js';

keyStoreContract('memory', () => ({ store: memoryKeyStore() }));
