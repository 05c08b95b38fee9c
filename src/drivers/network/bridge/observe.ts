/** Which published ports are in effect, from what is seen in the packet filter and in this process. Pure. */
import type { PublishedPort } from '../../contract/network.ts';
import { type Element, identityOf } from './firewall/ruleset.ts';
import { type Listener, listenerKey, type Publication, portOfElement } from './publication.ts';

/** Returns the ports that the rules publish, for a container whose endpoint this process does not know yet. */
export function portsOfElements(elements: readonly Element[]): PublishedPort[] {
  return elements.flatMap((element) => portOfElement(element) ?? []);
}

/** The address rules of a container lead to; null when it has none. */
export function addressOfElements(elements: readonly Element[]): string | null {
  return elements.find((element) => portOfElement(element) !== null)?.value?.[0] ?? null;
}

/**
 * The ports of which every part, elements and listeners, is there.
 * @param partsOf what it takes to publish one port.
 */
export function effectivePorts(
  ports: readonly PublishedPort[],
  partsOf: (port: PublishedPort) => Publication,
  present: { readonly elements: readonly Element[]; readonly listeners: readonly Listener[] },
): PublishedPort[] {
  const elements = new Set(present.elements.map(identityOf));
  const listeners = new Set(present.listeners.map(listenerKey));
  return ports.filter((port) => {
    const parts = partsOf(port);
    return (
      parts.elements.every((element) => elements.has(identityOf(element))) &&
      parts.listeners.every((listener) => listeners.has(listenerKey(listener)))
    );
  });
}
