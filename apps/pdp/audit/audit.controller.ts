import { Controller } from '@nestjs/common';

@Controller('v1/audit')
export class AuditController {}
