/** What the body of a container's creation says of its networks, as clients join it to others and take it off. Pure. */
import { canonical, type JsonObject, memberOf, objectAt, textsAt } from '../containers/json-object.ts';
import { linkAlias } from '../create/links.ts';

const NETWORKING = ['NetworkingConfig', 'HostConfig'];
const ENDPOINTS = ['EndpointsConfig'];
const LINKS = ['Links'];

/** In the place of the settings of `none`: the container is on no network, not even that. */
const NOWHERE: JsonObject = { none: null };

function endpointsIn(body: JsonObject): JsonObject {
  const networking = canonical(objectAt(canonical(body, NETWORKING), 'NetworkingConfig'), ENDPOINTS);
  return objectAt(networking, 'EndpointsConfig');
}

function withEndpoints(body: JsonObject, endpoints: JsonObject): JsonObject {
  return { ...canonical(body, NETWORKING), NetworkingConfig: { EndpointsConfig: endpoints } };
}

/** A network by the words that clients have for it. */
export interface NamedNetwork {
  readonly name: string;
  readonly id: string;
}

function without(endpoints: JsonObject, { name, id }: NamedNetwork): JsonObject {
  return Object.fromEntries(Object.entries(endpoints).filter(([key]) => key !== name && key !== id));
}

/** As if it had been created so. */
export function bodyOnNetwork(body: JsonObject, network: NamedNetwork, settings: JsonObject): JsonObject {
  const { none: _none, ...endpoints } = without(endpointsIn(body), network);
  return withEndpoints(body, { ...endpoints, [network.name]: settings });
}

/** @param isLast it is on no other network */
export function bodyOffNetwork(body: JsonObject, network: NamedNetwork, isLast: boolean): JsonObject {
  return withEndpoints(body, isLast ? NOWHERE : without(endpointsIn(body), network));
}

const linksIn = (settings: JsonObject): readonly string[] =>
  textsAt(canonical(settings, LINKS), 'Links').map(linkAlias);

/** Names of links that it has on this network alone. */
export function linksOnlyOn(body: JsonObject, network: NamedNetwork): ReadonlySet<string> {
  const endpoints = endpointsIn(body);
  const others = without(endpoints, network);
  const own = Object.entries(endpoints).filter(([key]) => !(key in others));
  const kept = [
    ...linksIn(objectAt(canonical(body, NETWORKING), 'HostConfig')),
    ...Object.values(others).flatMap((settings) => linksIn(memberOf(settings))),
  ];
  const left = own.flatMap(([, settings]) => linksIn(memberOf(settings)));
  return new Set(left.filter((alias) => !kept.includes(alias)));
}
