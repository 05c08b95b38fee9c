/** What waits for a person, and letting it through. */

import type { ApprovalView, DiffView } from '../../api/views/plan-views.ts';
import type { Actor } from '../../model/actor.ts';
import type { Clock } from '../../model/clock.ts';
import type { Desired, DesiredState } from '../../model/desired.ts';
import { append } from '../../model/lists.ts';
import { parseKey, type ResourceKey } from '../../model/resource.ts';
import { baseKey } from '../../model/update.ts';
import { type DamagedRecords, damagedRecord } from '../../reconcile/ops/containers/damaged-container.ts';
import { type VolumeUsers, volumesLeftBehind } from '../../reconcile/ops/released-volumes.ts';
import type { ContainerStore } from '../../state/containers/containers.ts';
import type { Reserve } from '../../state/files/reserve.ts';
import type { ApprovalStore } from '../../state/history/approval-store.ts';
import type { LoopStatus } from '../loop-status.ts';
import type { Sources } from '../sources/sources.ts';
import type { Timeline } from '../timeline.ts';
import { diffStates } from '../views/plan-views.ts';

interface ApprovalParts {
  readonly approvals: Pick<ApprovalStore, 'all' | 'grant'>;
  readonly containers: Pick<ContainerStore, 'all' | 'hasDamaged'>;
  readonly damaged: DamagedRecords;
  readonly data: VolumeUsers;
  readonly clock: Clock;
  readonly sources: Sources;
  readonly reserve: Reserve;
  readonly timeline: Timeline;
  readonly loop: Pick<LoopStatus, 'enqueue'>;
}

const bare = ({ resource, change }: DiffView) => ({ resource, change });

export class Approvals {
  readonly #parts: ApprovalParts;

  constructor(parts: ApprovalParts) {
    this.#parts = parts;
  }

  /** All that an approval without names lets through. */
  pending(): readonly ApprovalView[] {
    const { sources, approvals } = this.#parts;
    const { state } = sources;
    const held = sources.decisions.heldRemoval;
    const pending: ApprovalView[] = [];
    if (held) {
      const changes = diffStates(state, sources.decisions.previewRemoval());
      pending.push({ name: held.directory, kind: 'directory', message: held.message, changes: changes.map(bare) });
    }
    for (const { app, reason, state: after } of sources.decisions.previewPins()) {
      pending.push({ name: app, kind: 'app', message: reason, changes: diffStates(state, after).map(bare) });
    }
    for (const { choice, state: after } of sources.decisions.previewChoices()) {
      const { held: waits, candidate, name } = choice;
      const changes = this.#changesOf(waits.app, after);
      pending.push({ name, kind: 'choice', message: `${candidate.says}; ${waits.reason}`, changes });
    }
    for (const { key, message } of this.#damaged()) {
      pending.push({ name: key, kind: 'choice', message, changes: [{ resource: key, change: 'changed' }] });
    }
    const granted = approvals.all();
    for (const { key, released } of this.#undeclaredVolumes()) {
      if (released || granted.has(key)) continue;
      const message = 'no longer declared and onRemove is delete';
      pending.push({ name: key, kind: 'volume', message, changes: [{ resource: key, change: 'deleted' }] });
    }
    return pending;
  }

  /** @param names all that is pending without any. Returns what was approved. */
  approve(names: readonly string[], by: Actor | null): readonly string[] {
    const { sources, approvals, clock, loop, timeline, reserve } = this.#parts;
    const approved: string[] = [];
    const wanted = (...aliases: string[]): boolean =>
      names.length === 0 || aliases.some((alias) => names.includes(alias));
    const held = sources.decisions.heldRemoval;
    if (held && wanted(held.directory)) {
      sources.decisions.approveRemoval(by);
      approved.push(held.directory);
    }
    // Which of several declarations holds is never approved without a name.
    append(approved, sources.decisions.approveChoices(names, by));
    append(approved, sources.decisions.approvePins(names, by));
    for (const { key } of this.#damaged().filter(({ key: of }) => names.includes(of))) {
      timeline.override(
        key,
        'approve',
        'another container in the place of one whose record cannot be read was approved',
      );
      reserve.spendOn(() => approvals.grant(key, clock.now().wallMs));
      approved.push(key);
      loop.enqueue([key]);
    }
    for (const { key, released } of this.#undeclaredVolumes()) {
      const { app, name } = parseKey(key);
      // Released data is deleted only when somebody names it.
      if (released && names.length === 0) continue;
      // A name that was the one of an app is not meant a second time.
      if (!wanted(key, `${app}/${name}`, ...(approved.includes(name) ? [] : [name]))) continue;
      timeline.override(key, 'approve', 'the deletion of its data was approved');
      reserve.spendOn(() => approvals.grant(key, clock.now().wallMs));
      approved.push(key);
      loop.enqueue([key]);
    }
    return approved;
  }

  /** Declared containers whose record cannot be read. */
  #damaged(): { readonly key: ResourceKey; readonly message: string }[] {
    const { containers, damaged, sources } = this.#parts;
    if (!containers.hasDamaged) return [];
    return [...sources.state.resources.values()].flatMap((desired) => {
      const error = desired.kind === 'container' ? damagedRecord(damaged, desired as Desired<'container'>) : null;
      return error === null ? [] : [{ key: desired.key, message: error.message }];
    });
  }

  /** How the containers that are there would change. */
  #changesOf(app: string, { resources }: DesiredState): ApprovalView['changes'] {
    const present = new Map(
      this.#parts.containers.all().flatMap(({ owner }) => {
        return owner && parseKey(owner.key).app === app ? [[owner.key, owner.specHash] as const] : [];
      }),
    );
    const declared = [...resources.values()].filter(({ kind, app: of }) => kind === 'container' && of === app);
    const changes = declared.flatMap(({ key, specHash }) => {
      const before = present.get(key);
      if (before === specHash) return [];
      return [{ resource: key, change: before === undefined ? ('added' as const) : ('changed' as const) }];
    });
    const gone = [...present.keys()].filter((key) => !resources.has(baseKey(key)));
    return [...changes, ...gone.map((resource) => ({ resource, change: 'removed' as const }))];
  }

  /** Volumes that no manifest declares any more and whose data an approval deletes. */
  #undeclaredVolumes(): { readonly key: ResourceKey; readonly released: boolean }[] {
    const { sources, data } = this.#parts;
    const leftBehind = [...volumesLeftBehind(data).keys()].map((key) => ({ key, released: true }));
    const named = data.volumes.all().flatMap(({ owner, onRemove, released }) => {
      if (owner.type !== 'named' || sources.state.resources.has(owner.key)) return [];
      if (sources.state.untouched?.has(parseKey(owner.key).app)) return [];
      return onRemove === 'delete' || released ? [{ key: owner.key, released: released && onRemove !== 'delete' }] : [];
    });
    return [...named, ...leftBehind];
  }
}
