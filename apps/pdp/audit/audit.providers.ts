import type { Provider } from '@nestjs/common';
import type { Service } from '../service.js';

export function auditProviders(_service: Service): Provider[] {
  return [];
}
