/** What a container's declaration says after it has joined or left a network. Pure. */
import { type ContainerSpec, containerSchema } from '../../model/kinds/container.ts';
import { membershipsOf, type NetworkMembership } from '../../model/kinds/network-membership.ts';
import { refuse } from '../create/context.ts';
import { type Endpoint, networkReference, writtenEndpoint } from '../create/endpoints.ts';
import type { LinkedTo } from '../create/links.ts';

type NetworkFields = Pick<ContainerSpec, 'network' | 'networks' | 'address' | 'links'>;

/** As a manifest writes them: what is not set is left out. */
function written(memberships: readonly NetworkMembership[]): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    memberships.map(({ network, ...settings }) => [
      network,
      Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== null)),
    ]),
  );
}

const writtenLinks = ({ links }: ContainerSpec): readonly string[] =>
  links.map(({ target, alias }) => `${target}:${alias}`);

/** @throws DockerError 400 */
function fieldsOf(spec: ContainerSpec, fields: Readonly<Record<string, unknown>>): NetworkFields {
  const read = containerSchema.safeParse({ image: spec.image, ...fields });
  if (read.success) {
    const { network, networks, address, links } = read.data;
    return { network, networks, address, links };
  }
  const [issue] = read.error.issues;
  return refuse(`invalid endpoint settings: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`);
}

/** The network that it was on first keeps the first interface, and the default route. */
function firstStays(memberships: readonly NetworkMembership[]): readonly NetworkMembership[] {
  if (memberships.some(({ priority }) => priority > 0)) return memberships;
  return memberships.map((membership, index) => (index === 0 ? { ...membership, priority: 1 } : membership));
}

/** @throws DockerError 400 for settings that no interface can have */
export function specOnNetwork(spec: ContainerSpec, endpoint: Endpoint, links: readonly LinkedTo[]): ContainerSpec {
  const present = written(firstStays(membershipsOf(spec)));
  const networks = { ...present, [networkReference(endpoint.network)]: writtenEndpoint(endpoint) };
  const aliases = new Set(links.map(({ alias }) => alias));
  const others = spec.links.filter(({ alias }) => !aliases.has(alias));
  const texts = [...writtenLinks({ ...spec, links: others }), ...links.map(({ text }) => text)];
  return { ...spec, ...fieldsOf(spec, { networks, links: texts }) };
}

/**
 * @param network as the specification names it
 * @param linksLeft names of links that it has on that network alone
 */
export function specOffNetwork(spec: ContainerSpec, network: string, linksLeft: ReadonlySet<string>): ContainerSpec {
  const memberships = membershipsOf(spec).filter((membership) => membership.network !== network);
  const links = spec.links.filter(({ alias }) => !linksLeft.has(alias));
  if (memberships.length === 0) return { ...spec, network: 'none', networks: null, address: null, links };
  const fields = fieldsOf(spec, { networks: written(memberships), links: writtenLinks({ ...spec, links }) });
  return { ...spec, ...fields };
}
