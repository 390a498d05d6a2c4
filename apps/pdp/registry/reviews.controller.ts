import { Controller, Get, Inject, Query } from '@nestjs/common';
import { z } from 'zod';
import { ControlView } from '#libs/decision-point/control-view.js';
import { VersionStatus } from '#libs/vocabulary/words.js';
import { Access } from '../http/access.js';
import { parseInput } from '../http/body.js';
import { pageOf, type Page } from '../http/paging.js';
import { VersionViews, type VersionView } from './version-view.js';

const ReviewsQuery = z.object({ status: VersionStatus.default('pending') });

/** The review queue: versions in one status, pending ones unless asked otherwise. */
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
    const versions = this.view
      .capabilities()
      .filter((capability) => capability !== undefined)
      .flatMap((capability) => [...capability.versions.values()].map((version) => ({ capability, version })))
      .filter(({ version }) => version.status === status);
    const { items, ...more } = pageOf(
      versions,
      ({ capability, version }) => `${capability.id}@${version.version}`,
      query,
    );
    return {
      items: await Promise.all(items.map(({ capability, version }) => this.views.version(capability, version))),
      ...more,
    };
  }
}
