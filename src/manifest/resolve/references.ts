/** From the names in a container's spec to keys. */

import type { References } from '../../model/desired.ts';
import type { ContainerSpec } from '../../model/kinds/container.ts';
import { joinedContainers } from '../../model/kinds/namespace-forms.ts';
import { membershipField, membershipsOf } from '../../model/kinds/network-membership.ts';
import { DEFAULT_NETWORK, networkMode } from '../../model/network-mode.ts';
import type { Kind, ResourceKey } from '../../model/resource.ts';
import { closest } from '../../model/text/suggest.ts';
import type { ManifestIssue } from '../issue.ts';
import { type Declared, type Finding, finding, positionOf, type Universe } from './universe.ts';

export const NO_REFERENCES: References = {
  image: null,
  volumes: {},
  networks: [],
  networkContainer: null,
  links: [],
  volumesFrom: [],
  dependsOn: [],
  bases: [],
};

/** Called for a reference into an app that no source declares. */
export type OnOtherApp = (issue: ManifestIssue) => void;

class ReferenceReader {
  readonly findings: Finding[] = [];
  readonly #at: Declared<'container'>;
  readonly #universe: Universe;
  readonly #onOtherApp: OnOtherApp | undefined;

  constructor(at: Declared<'container'>, universe: Universe, onOtherApp: OnOtherApp | undefined) {
    this.#at = at;
    this.#onOtherApp = onOtherApp;
    this.#universe = universe;
  }

  read(spec: ContainerSpec): References {
    const volumes: Record<string, ResourceKey> = {};
    for (const [index, mount] of spec.volumes.entries()) {
      if (mount.type !== 'volume' || mount.source === null) continue;
      volumes[mount.target] = this.#find('volume', mount.source, 'volumes', index);
    }
    const mode = networkMode(spec.network);
    const joined = joinedContainers(spec).map(({ field, name }) => this.#find('container', name, field));
    return {
      image: this.#image(spec.image),
      volumes,
      networks: membershipsOf(spec).map(({ network }) => this.#network(network)),
      networkContainer: mode.type === 'container' ? this.#find('container', mode.name, 'network') : null,
      ...(joined.length > 0 && { namespaceContainers: joined }),
      links: spec.links.map((link, index) => this.#find('container', link.target, 'links', index)),
      volumesFrom: spec.volumesFrom.map((from, index) => this.#find('container', from.container, 'volumesFrom', index)),
      dependsOn: spec.dependsOn.map((need, index) => this.#find('container', need.container, 'dependsOn', index)),
      bases: [],
    };
  }

  #network(name: string): ResourceKey {
    return networkMode(name).type === 'bridge'
      ? DEFAULT_NETWORK
      : this.#find('network', name, membershipField(this.#at.resource, name));
  }

  /** The key of a reference. A missing one is a finding; its key is then the one it would have. */
  #find(kind: Kind, reference: string, field: string, index?: number): ResourceKey {
    const own = this.#at.candidate.app.app;
    const found = this.#universe.lookup(kind, reference, own);
    if (found) return found;
    const [first = '', second] = reference.split('/');
    this.#missing(kind, reference, field, index);
    return second === undefined ? `${kind}/${own}/${first}` : `${kind}/${first}/${second}`;
  }

  #missing(kind: Kind, reference: string, field: string, index?: number): void {
    const own = this.#at.candidate.app.app;
    const otherApp = reference.includes('/') ? (reference.split('/')[0] ?? '') : null;
    const others = otherApp === null ? [] : this.#universe.sourcesOf(otherApp);
    const message = this.#universe.describeMissing(kind, reference, own);
    const position = positionOf(this.#at, field, index);
    const found = finding(this.#at, 'TSD_MANIFEST_REFERENCE', message, position, others);
    if (otherApp !== null && others.length === 0 && this.#onOtherApp) this.#onOtherApp(found.issue);
    else this.findings.push(found);
  }

  /**
   * An image of the manifests, or null for a tag on this host. A plain word close to a declared image is taken for a
   * misspelling; `app/name` counts as a reference when the app exists. With a tag or digest it is one of a registry.
   */
  #image(written: string): ResourceKey | null {
    const own = this.#at.candidate.app.app;
    const found = /^[^/]+(\/[^/]+)?$/.test(written) ? this.#universe.lookup('image', written, own) : null;
    if (found) return found;
    const [first = '', second, ...more] = written.split('/');
    const isPath = second !== undefined && more.length === 0 && !/[:@]/.test(second);
    const inOtherApp = isPath && this.#universe.sourcesOf(first).length > 0;
    const misspelt = /^[a-z0-9-]+$/.test(written) && closest(written, this.#universe.namesIn('image', own));
    if (inOtherApp || misspelt) this.#missing('image', written, 'image');
    return null;
  }
}

/** References of one container; names that stand for nothing are findings, of other apps only without `onOtherApp`. */
export function resolveReferences(
  at: Declared<'container'>,
  spec: ContainerSpec,
  universe: Universe,
  onOtherApp?: OnOtherApp,
): { references: References; findings: readonly Finding[] } {
  const reader = new ReferenceReader(at, universe, onOtherApp);
  return { references: reader.read(spec), findings: reader.findings };
}
