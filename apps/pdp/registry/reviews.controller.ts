import { Controller, Inject } from '@nestjs/common';
import { awaitsReview, type CapabilityState, type VersionState } from '../../../libs/capability/state.js';
import { listReviews, type VersionView } from '../../../libs/contract/registry.js';
import { ControlView } from '../../../libs/control/control-view.js';
import type { VersionStatus } from '../../../libs/vocabulary/words.js';
import type { Asked } from '../edge/asked.js';
import { Handles } from '../http/handles.js';
import { pageOf, type Page } from '../http/paging.js';
import { VersionViews } from './version-view.js';

interface Queued {
  readonly capability: CapabilityState;
  readonly version: VersionState;
}

/**
 * The review queue: versions that wait for a reviewer (`pending`, drifted versions included), or versions in another
 * status.
 */
@Controller()
export class ReviewsController {
  constructor(
    @Inject(ControlView) private readonly view: ControlView,
    @Inject(VersionViews) private readonly views: VersionViews,
  ) {}

  @Handles(listReviews)
  async list({ query: { status }, page }: Asked<typeof listReviews>): Promise<Page<VersionView>> {
    const { items, ...more } = await pageOf(
      (cursor) => this.inStatus(status, cursor),
      ({ capability, version }) => `${capability.id}@${version.version}`,
      page,
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
