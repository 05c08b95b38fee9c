import { describe, it } from 'vitest';
import { createBtrfsDriver } from '../../../src/drivers/graph/btrfs/btrfs-driver.ts';
import { createOverlayDriver } from '../../../src/drivers/graph/overlay/overlay-driver.ts';
import { createVfsDriver } from '../../../src/drivers/graph/vfs/vfs-driver.ts';
import { canMountBtrfs, temporaryBtrfs } from '../../support/btrfs.ts';
import { graphDriverSuite } from './suite.ts';

graphDriverSuite('overlay', createOverlayDriver);
graphDriverSuite('vfs', createVfsDriver);
if (canMountBtrfs()) graphDriverSuite('btrfs', createBtrfsDriver, temporaryBtrfs);
else
  describe('graph driver btrfs', () => it.skip('needs btrfs in the kernel, loop devices and mkfs.btrfs (btrfs-progs)'));
