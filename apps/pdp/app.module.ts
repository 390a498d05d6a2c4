import { Module, type DynamicModule, type Provider } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { CallIndex } from '../../libs/audit/index/call-index.js';
import { Approver } from '../../libs/decision-point/approver.js';
import { Authorizer } from '../../libs/decision-point/authorizer.js';
import { ContentDesk } from '../../libs/decision-point/content-desk.js';
import { ControlPlane } from '../../libs/control/control-plane.js';
import { ControlView } from '../../libs/control/control-view.js';
import { Instances } from '../../libs/fleet/instances.js';
import { Signatures } from '../../libs/control/signatures.js';
import { LogTime } from '../../libs/control/log-time.js';
import { Responder } from '../../libs/decision-point/responder.js';
import { Shredder } from '../../libs/decision-point/shredder.js';
import { Tasks } from '../../libs/decision-point/tasks.js';
import { Eraser } from '../../libs/retention/eraser.js';
import { EvidenceReads } from '../../libs/retention/evidence-reads.js';
import { ApprovalsController } from './approvals/approvals.controller.js';
import { ApprovalWaits } from './approvals/approval-waits.js';
import { AuditController } from './audit/audit.controller.js';
import { BundleDownloads } from './audit/bundle-download.js';
import { AuditThread } from './audit/thread/audit-thread.js';
import { CallsController } from './calls/calls.controller.js';
import { BeatSigner } from '../../libs/feed/beat-signer.js';
import { DamageWatch } from './observability/damage-watch.js';
import { DiskWatch } from './observability/disk-watch.js';
import { DirectivesController } from './directives/directives.controller.js';
import { DirectivesHandler } from './directives/directives.handler.js';
import { DirectiveExpiry } from './directives/expiry.js';
import { TargetMatches } from './directives/matches.js';
import { WatchController } from './directives/watch.controller.js';
import { Watches } from './directives/watches.js';
import { DocsController } from './docs/docs.controller.js';
import { HealthController } from './health/health.controller.js';
import { Readiness } from './health/readiness.js';
import { MetricsController } from './observability/metrics.controller.js';
import { Scrapes } from './observability/scrapes.js';
import { PoliciesController } from './policies/policies.controller.js';
import { PoliciesHandler } from './policies/policies.handler.js';
import { PrincipalsController } from './principals/principals.controller.js';
import { PrincipalsHandler } from './principals/principals.handler.js';
import { PublishersController } from './publishers/publishers.controller.js';
import { PublishersHandler } from './publishers/publishers.handler.js';
import { DriftController } from './registry/drift.controller.js';
import { RegistryController } from './registry/registry.controller.js';
import { RegistryHandler } from './registry/registry.handler.js';
import { ReviewsController } from './registry/reviews.controller.js';
import { VersionViews } from './registry/version-view.js';
import { RetentionController } from './retention/retention.controller.js';
import { SealController } from './seal/seal.controller.js';
import type { Service } from './service.js';
import { TasksController } from './tasks/tasks.controller.js';
import { TasksHandler } from './tasks/tasks.handler.js';
import { CLOCK, EVENT_LOG, INSTALLATION_SECRET, RELAY, SEAL, SETTINGS, SIEM } from './tokens.js';

/** Wires the parts of an opened service to the HTTP interface. It holds no rules. */
@Module({})
export class AppModule {
  static for(service: Service): DynamicModule {
    const parts: Provider[] = [
      { provide: SETTINGS, useValue: service.settings },
      { provide: CLOCK, useValue: service.clock },
      { provide: EVENT_LOG, useValue: service.stores.log },
      { provide: BeatSigner, useValue: service.feed.beatSigner },
      { provide: Instances, useValue: service.feed.instances },
      { provide: Watches, useValue: service.feed.watches },
      { provide: INSTALLATION_SECRET, useValue: service.secret },
      { provide: DiskWatch, useValue: service.stores.disk },
      { provide: DamageWatch, useValue: service.stores.damage },
      { provide: RELAY, useValue: service.feed.relay },
      { provide: SEAL, useValue: service.seal },
      { provide: SIEM, useValue: service.siem },
      { provide: ControlView, useValue: service.control.view },
      { provide: LogTime, useValue: service.control.time },
      { provide: ControlPlane, useValue: service.control.plane },
      { provide: Signatures, useValue: service.control.signatures },
      { provide: ContentDesk, useValue: service.decisions.desk },
      { provide: Eraser, useValue: service.eraser },
      { provide: Shredder, useValue: service.decisions.shredder },
      { provide: Tasks, useValue: service.decisions.tasks },
      { provide: Authorizer, useValue: service.decisions.authorizer },
      { provide: Approver, useValue: service.decisions.approver },
      { provide: ApprovalWaits, useValue: service.decisions.waits },
      { provide: Responder, useValue: service.decisions.responder },
      { provide: EvidenceReads, useValue: service.reads },
      { provide: CallIndex, useValue: service.index },
      { provide: AuditThread, useValue: service.audit },
      { provide: BundleDownloads, useValue: new BundleDownloads(service.audit, service.index, service.seal) },
      { provide: Scrapes, useValue: service.metrics.scrapes },
    ];
    return {
      module: AppModule,
      imports: [CqrsModule.forRoot()],
      controllers: [
        PrincipalsController,
        RegistryController,
        DriftController,
        ReviewsController,
        PublishersController,
        PoliciesController,
        TasksController,
        CallsController,
        ApprovalsController,
        DirectivesController,
        WatchController,
        AuditController,
        RetentionController,
        SealController,
        HealthController,
        MetricsController,
        DocsController,
      ],
      providers: [
        ...parts,
        PrincipalsHandler,
        RegistryHandler,
        PublishersHandler,
        PoliciesHandler,
        DirectivesHandler,
        TasksHandler,
        DirectiveExpiry,
        TargetMatches,
        VersionViews,
        Readiness,
      ],
    };
  }
}
