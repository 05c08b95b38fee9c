/** Volumes that clients make by name, and remove. */

import { treeSize } from '../../drivers/graph/tree-size.ts';
import type { Desired, DesiredState } from '../../model/desired.ts';
import { TsdError } from '../../model/errors/errors.ts';
import { type ImperativeRequest, isImperative } from '../../model/imperative/request.ts';
import { append } from '../../model/lists.ts';
import type { ResourceKey } from '../../model/resource.ts';
import type { ApprovalStore } from '../../state/history/approval-store.ts';
import type { VolumeRecord } from '../../state/volumes/volume-record.ts';
import type { VolumeStore } from '../../state/volumes/volumes.ts';
import { type ChangePorts, carryOut } from './desired-changes.ts';
import type { ImperativeResources } from './imperative-resources.ts';
import { volumeNamed } from './volumes.ts';

export interface ImperativeVolumePorts extends ChangePorts {
  readonly imperative: ImperativeResources;
  desired(): DesiredState;
  readonly volumes: Pick<VolumeStore, 'named'>;
  readonly approvals: Pick<ApprovalStore, 'grant' | 'withdraw'>;
}

export interface PrunedVolumes {
  readonly gone: readonly ResourceKey[];
  readonly bytes: number;
}

export class ImperativeVolumes {
  readonly #ports: ImperativeVolumePorts;

  constructor(ports: ImperativeVolumePorts) {
    this.#ports = ports;
  }

  /** Makes a volume; one of that name that is there is the answer. */
  async create(name: string, request: ImperativeRequest): Promise<VolumeRecord> {
    const { imperative, volumes } = this.#ports;
    const declared = volumeNamed(name, request);
    const { key } = declared;
    if (imperative.get(key) === undefined || volumes.named(key) === undefined) {
      await carryOut(this.#ports, {
        keys: [key],
        make: () => imperative.change([imperative.get(key) ?? declared]),
        isDone: () => volumes.named(key)?.released === false,
        takeBack: () => imperative.change([], [key]),
      });
    }
    const record = volumes.named(key);
    if (record) return record;
    throw new TsdError('TSD_BUG', `${key} was made and is gone`, { key });
  }

  /** As {@link removeUnused}, and measures what they take. */
  async prune(keys: readonly ResourceKey[]): Promise<PrunedVolumes> {
    let bytes = 0;
    const gone: ResourceKey[] = [];
    for (const key of keys) {
      const volume = this.#ports.volumes.named(key);
      const size = volume === undefined || this.#isUsed(key) ? 0 : await treeSize(volume.path);
      const removed = await this.removeUnused([key]);
      append(gone, removed);
      if (removed.length > 0) bytes += size;
    }
    return { gone, bytes };
  }

  /** Removes with their data those that no container uses. @param which `anonymous` spares those with a name */
  async removeUnused(
    keys: readonly ResourceKey[],
    which: 'anonymous' | 'all' = 'all',
  ): Promise<readonly ResourceKey[]> {
    const { imperative } = this.#ports;
    const gone = [...new Set(keys)].filter((key) => {
      const request = isImperative(key) ? imperative.get(key)?.request : undefined;
      return request !== undefined && (which === 'all' || request.autoRemove) && !this.#isUsed(key);
    });
    await Promise.all(gone.map((key) => this.#remove(key)));
    return gone;
  }

  /** Asked for by name: that is the approval without which no data is deleted. */
  async #remove(key: ResourceKey): Promise<void> {
    const { imperative, approvals, volumes, clock, loop } = this.#ports;
    const desired = imperative.get(key);
    if (desired === undefined) return;
    await carryOut(this.#ports, {
      keys: [key],
      make: () => {
        if (volumes.named(key)) approvals.grant(key, clock.now().wallMs);
        imperative.change([], [key]);
      },
      isDone: () => volumes.named(key) === undefined && loop.inFlight(key) === undefined,
      takeBack: () => {
        approvals.withdraw(key);
        if (imperative.get(key) === undefined) imperative.change([desired]);
      },
    });
  }

  #isUsed(key: ResourceKey): boolean {
    return this.usersOf(key).length > 0;
  }

  /** Containers that mount a volume. */
  usersOf(key: ResourceKey): readonly Desired[] {
    const declared = [...this.#ports.desired().resources.values()];
    return declared.filter(({ references }) => Object.values(references.volumes).includes(key));
  }
}
