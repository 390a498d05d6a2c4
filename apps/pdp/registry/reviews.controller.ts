import { Controller, Get, Inject, Query } from '@nestjs/common';
import { z } from 'zod';
import { awaitsReview, type CapabilityState, type VersionState } from '../../../libs/capability/state.js';
import { ControlView } from '../../../libs/control/control-view.js';
import { VersionStatus } from '../../../libs/vocabulary/words.js';
import { Access } from '../edge/access.js';
import { parseInput } from '../edge/body.js';
import { pageOf, type Page } from '../http/paging.js';
import { VersionViews, type VersionView } from './version-view.js';

const ReviewsQuery = z.object({ status: VersionStatus.default('pending') });

interface Queued {
  readonly capability: CapabilityState;
  readonly version: VersionState;
}

/** The review queue: what waits for a reviewer (`pending`, drifted versions among it), or the versions in another status. */
@Controller('v1/reviews')
export class ReviewsController {
  constructor(
    @Inject(ControlView) private readonly view: ControlView,
    @Inject(VersionViews) private readonly views: VersionViews,
  ) {}

  @Get()
  @Access('any')
  async list(@Query() query: unknown): Promise<Page<VersionView>> {
    const { status } = parseInput(ReviewsQuery, query);
    const { items, ...more } = await pageOf(
      (cursor) => this.inStatus(status, cursor),
      ({ capability, version }) => `${capability.id}@${version.version}`,
      query,
    );
    return {
      items: await Promise.all(items.map(({ capability, version }) => this.views.version(capability, version))),
      ...more,
    };
  }

  private async *inStatus(status: VersionStatus, cursor = ''): AsyncGenerator<Queued> {
    const [id = '', after = ''] = cursor.split('@');
    for await (const capability of this.view.capabilitiesFrom(id)) {
      const versions = [...capability.versions.values()].sort((a, b) => (a.version < b.version ? -1 : 1));
      for (const version of versions) {
        const given = capability.id === id && version.version <= after;
        const wanted = status === 'pending' ? awaitsReview(version) : version.status === status;
        if (wanted && !given) yield { capability, version };
      }
    }
  }
}
