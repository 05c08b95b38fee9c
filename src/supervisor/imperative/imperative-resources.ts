/** What clients of the Docker API made: part of the desired state beside the manifests, and in no generation. */
import type { Desired, DesiredState } from '../../model/desired.ts';
import type { ContainerOverride } from '../../model/imperative/override.ts';
import type { ResourceKey } from '../../model/resource.ts';
import { overridden } from './overridden.ts';

export class ImperativeResources {
  readonly #resources: Map<ResourceKey, Desired>;
  readonly #overrides: Map<ResourceKey, ContainerOverride>;
  readonly #onChange: (keys: readonly ResourceKey[]) => void;
  /** The last merge: the loop takes the same object for the same state. */
  #merged: { readonly of: DesiredState; readonly state: DesiredState } | null = null;

  /**
   * @param restored what the records of an earlier supervisor declare
   * @param onChange called after each change
   * @param overrides what they say that clients changed of containers of manifests
   */
  constructor(
    restored: Iterable<Desired>,
    onChange: (keys: readonly ResourceKey[]) => void,
    overrides: Iterable<readonly [ResourceKey, ContainerOverride]> = [],
  ) {
    this.#overrides = new Map(overrides);
    this.#resources = new Map([...restored].map((desired) => [desired.key, desired]));
    this.#onChange = onChange;
  }

  get(key: ResourceKey): Desired | undefined {
    return this.#resources.get(key);
  }

  all(): readonly Desired[] {
    return [...this.#resources.values()];
  }

  /** Declares resources, in place of those of the same keys, and forgets others, in one step. */
  change(declared: readonly Desired[], gone: readonly ResourceKey[] = []): void {
    for (const key of gone) this.#resources.delete(key);
    for (const desired of declared) this.#resources.set(desired.key, Object.freeze(desired));
    this.#merged = null;
    this.#onChange([...declared.map(({ key }) => key), ...gone]);
  }

  override(key: ResourceKey): ContainerOverride | undefined {
    return this.#overrides.get(key);
  }

  setOverride(key: ResourceKey, override: ContainerOverride | undefined): void {
    if (override === undefined) this.#overrides.delete(key);
    else this.#overrides.set(key, override);
    this.#merged = null;
    this.#onChange([key]);
  }

  dropOverrides(isOver: (key: ResourceKey) => boolean): void {
    for (const key of [...this.#overrides.keys()]) if (isOver(key)) this.setOverride(key, undefined);
  }

  /** Returns what manifests declare and what clients made, as one state. */
  with(state: DesiredState): DesiredState {
    if (this.#resources.size === 0 && this.#overrides.size === 0) return state;
    if (this.#merged?.of !== state) {
      const resources = new Map([...state.resources, ...this.#resources]);
      for (const [key, override] of this.#overrides) {
        const declared = resources.get(key);
        if (declared) resources.set(key, overridden(declared, override));
      }
      this.#merged = { of: state, state: Object.freeze({ ...state, resources }) };
    }
    return this.#merged.state;
  }
}
