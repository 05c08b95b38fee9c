/** What one container knows: its own aliases, and the names of the networks it is in. */
import type { PrivateAlias } from '../protocol.ts';
import type { Addresses, Zone } from './zone.ts';

export interface View {
  /** Those of its networks that are known, in gateway order. */
  readonly zones: readonly Zone[];
  readonly scope: string | null;
  readonly aliases: readonly PrivateAlias[];
  readonly ndots: number | null;
}

/**
 * The addresses of a name, of the first network that knows it; null where none does. `a.b` is looked up as a whole everywhere,
 * and then as `a` in the network `b`.
 */
export function lookUp(name: string, view: View): Addresses | null {
  return aliased(name, view) ?? inOrder(name, view) ?? qualified(name, view);
}

function aliased(name: string, { aliases, zones, scope }: View): Addresses | null {
  for (const alias of aliases) {
    if (alias.alias.toLowerCase() !== name) continue;
    const zone = zones.find(({ key }) => key === alias.network);
    const found = zone?.find(alias.name.toLowerCase(), scope) ?? null;
    if (found !== null) return found;
  }
  return null;
}

function inOrder(name: string, { zones, scope }: View): Addresses | null {
  for (const zone of zones) {
    const found = zone.find(name, scope);
    if (found !== null) return found;
  }
  return null;
}

function qualified(name: string, { zones, scope }: View): Addresses | null {
  for (let dot = name.lastIndexOf('.'); dot > 0; dot = name.lastIndexOf('.', dot - 1)) {
    const label = name.slice(dot + 1);
    // The one of its own app comes before one of the same name that all may call so.
    for (const rank of [2, 1]) {
      const zone = zones.find((each) => each.isCalled(label, scope) === rank);
      const found = zone?.find(name.slice(0, dot), scope) ?? null;
      if (found !== null) return found;
    }
  }
  return null;
}

/** The name of an address in the container's networks. */
export function pointerOf(reverse: string, { zones }: View): string | null {
  for (const zone of zones) {
    const name = zone.pointer(reverse);
    if (name !== null) return name;
  }
  return null;
}
