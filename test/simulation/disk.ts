/** What survives a killed supervisor and a reboot. */
import type { ContainerRecord } from '../../src/state/containers/container-record.ts';
import { openHistory } from '../../src/state/history/history.ts';
import type { ImageRecord } from '../../src/state/images/image-record.ts';
import { LinkGraph } from '../../src/state/link-graph.ts';
import type { VolumeRecord } from '../../src/state/volumes/volume-record.ts';

export interface ExitOnDisk {
  readonly exitCode: number | null;
  readonly oomKilled: boolean;
  readonly finishedAtMs: number;
}

export interface LayerOnDisk {
  readonly parent: string | null;
  readonly type: 'layer' | 'snapshot';
}

export class Disk {
  readonly containers = new Map<string, ContainerRecord>();
  readonly images = new Map<string, ImageRecord>();
  readonly volumes = new Map<string, VolumeRecord>();
  /** Ids of data directories. */
  readonly volumeData = new Set<string>();
  /** Image id by `repository:tag`. */
  readonly names = new Map<string, string>();
  readonly layers = new Map<string, LayerOnDisk>();
  /** Directories of the exec driver, one a container. */
  readonly runs = new Set<string>();
  /** `<container id> <run>` of every run whose payload began: the shim reserves the record's room before. */
  readonly begun = new Set<string>();
  /** Exit records by `<container id> <run>`. */
  readonly exits = new Map<string, ExitOnDisk>();
  /** The real stores: SQLite in memory. A killed process leaves whole transactions. */
  readonly history = openHistory(':memory:');
  readonly links = new LinkGraph(':memory:');

  close(): void {
    this.history.close();
    this.links.close();
  }
}
