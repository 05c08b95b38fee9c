import { join } from 'node:path';
import { createOverlayDriver } from '../../../src/drivers/graph/overlay/overlay-driver.ts';
import type { ImageSource, LoadedImage } from '../../../src/images/image.ts';
import { loadImage } from '../../../src/images/load-image.ts';
import { loadContext } from '../../support/images.ts';
import { GraphFixture } from '../graph/fixture.ts';

/** Overlays below `root` of a directory, which is free otherwise, for each test of the file; images are loaded into them. */
export class OverlayFixture extends GraphFixture {
  constructor() {
    super({ create: (path) => createOverlayDriver(join(path, 'root')) });
  }

  at(...path: readonly string[]): string {
    return join(this.root, ...path);
  }

  context(): ReturnType<typeof loadContext> {
    return loadContext(this.graph, this.at('tmp'));
  }

  load(source: ImageSource): Promise<LoadedImage> {
    return loadImage(source, this.context());
  }
}
