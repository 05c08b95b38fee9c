/** Volumes that clients remove. */
import type { DesiredState } from '../../model/desired.ts';
import { isImperative } from '../../model/imperative/request.ts';
import type { ResourceKey } from '../../model/resource.ts';
import type { ApprovalStore } from '../../state/history/approval-store.ts';
import type { VolumeStore } from '../../state/volumes/volumes.ts';
import { type ChangePorts, carryOut } from './desired-changes.ts';
import type { ImperativeResources } from './imperative-resources.ts';

export interface ImperativeVolumePorts extends ChangePorts {
  readonly imperative: ImperativeResources;
  desired(): DesiredState;
  readonly volumes: Pick<VolumeStore, 'named'>;
  readonly approvals: Pick<ApprovalStore, 'grant' | 'withdraw'>;
}

export class ImperativeVolumes {
  readonly #ports: ImperativeVolumePorts;

  constructor(ports: ImperativeVolumePorts) {
    this.#ports = ports;
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
    for (const { kind, references } of this.#ports.desired().resources.values())
      if (kind === 'container' && Object.values(references.volumes).includes(key)) return true;
    return false;
  }
}
