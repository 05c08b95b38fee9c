import { describe, it } from 'vitest';
import { type GraphDriverEntry, openGraphDriver } from '../../../src/drivers/graph/open.ts';
import { GRAPH_DRIVERS } from '../../../src/drivers/registry.ts';
import { canMountBtrfs, temporaryBtrfs } from '../../support/btrfs.ts';
import { CP_DRIVER } from './cp-driver.ts';
import type { Tested } from './fixture.ts';
import { graphDriverSuite } from './suite.ts';

const DRIVERS: Readonly<Record<string, GraphDriverEntry>> = { ...GRAPH_DRIVERS, cp: CP_DRIVER };

/** As a supervisor opens the one that is asked for. */
const opened =
  (requested: string): Tested['create'] =>
  (root) =>
    openGraphDriver({ drivers: DRIVERS, root, requested, options: [], graphIds: new Set() });

for (const name of ['overlay', 'vfs', 'cp']) graphDriverSuite(name, opened(name));
if (canMountBtrfs()) graphDriverSuite('btrfs', opened('btrfs'), temporaryBtrfs);
else
  describe('graph driver btrfs', () => it.skip('needs btrfs in the kernel, loop devices and mkfs.btrfs (btrfs-progs)'));
