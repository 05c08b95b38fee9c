import { createOverlayDriver } from '../../../src/drivers/graph/overlay/overlay-driver.ts';
import { createVfsDriver } from '../../../src/drivers/graph/vfs/vfs-driver.ts';
import { graphDriverSuite } from './suite.ts';

for (const { name, create } of [
  { name: 'overlay', create: createOverlayDriver },
  { name: 'vfs', create: createVfsDriver },
]) {
  graphDriverSuite(name, create);
}
