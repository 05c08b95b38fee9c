/** Containers that clients join to networks, and take off them. */
import { membershipsOf, type NetworkMembership } from '../../model/kinds/network-membership.ts';
import { networkKey, networkMode, ownsNamespace } from '../../model/network-mode.ts';
import { own } from '../../model/own.ts';
import { IMPERATIVE_APP, type ResourceKey } from '../../model/resource.ts';
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import { containerSpecOf } from '../../state/containers/written-spec.ts';
import { requireImperative } from '../../supervisor/imperative/containers.ts';
import type { AskedChange, Declaration } from '../../supervisor/imperative/updates.ts';
import { type JsonObject, memberOf } from '../containers/json-object.ts';
import { requestOf } from '../containers/request.ts';
import { ANY_ENDPOINT, connectionBody, disconnectionBody } from '../create/container-body.ts';
import { checkEndpoint, type Endpoint } from '../create/endpoints.ts';
import { memberOf as jsonMember } from '../create/go-json.ts';
import { namesNow } from '../create/known-now.ts';
import { linksOf } from '../create/links.ts';
import { findContainer, findNetwork } from '../lookup.ts';
import { engineNameOf } from '../names.ts';
import { bodyOffNetwork, bodyOnNetwork, linksOnlyOn } from '../networks/endpoint-requests.ts';
import { joinError } from '../networks/join-error.ts';
import { type KnownNetwork, knownNetworks } from '../networks/known-networks.ts';
import { specOffNetwork, specOnNetwork } from '../networks/membership.ts';
import { DockerError } from '../wire/docker-error.ts';
import { type DockerCall, type DockerReply, type DockerRoute, param, route } from '../wire/route.ts';

const DONE: DockerReply = { type: 'empty', status: 200 };

const HOST_ONLY = 'container cannot be disconnected from host network or connected to host network';
const PRIVATE = 'container cannot be connected to multiple networks with one of the networks in private (none) mode';
const SHARED =
  'container sharing network namespace with another container or host cannot be connected to any other network';

type NetworkName = Pick<KnownNetwork, 'key' | 'name' | 'id'>;

const keyOf = ({ network }: NetworkMembership): ResourceKey => networkKey(IMPERATIVE_APP, network);

function isOn({ spec }: Pick<Declaration, 'spec'>, key: ResourceKey): boolean {
  return membershipsOf(spec).some((membership) => keyOf(membership) === key);
}

/** It is on the network `none`, and has not been taken off that. */
function isPrivate({ spec: { network } }: Pick<Declaration, 'spec'>, { owner }: ContainerRecord): boolean {
  const endpoints = owner && requestOf(owner)?.endpoints;
  return networkMode(network).type === 'none' && own(endpoints ?? {}, 'none') !== null;
}

/** @throws DockerError 409 for a container that is being removed, TsdError for one that a manifest declares */
function requireStaying({ docker }: DockerCall, record: ContainerRecord): void {
  requireImperative(docker, record);
  if (docker.imperative.containers.isRemoving(record.id))
    throw new DockerError(
      409,
      `container ${record.id} is marked for removal and cannot be connected or disconnected to the network`,
    );
}

/** @throws DockerError for two networks that are none, or cannot be beside another one */
function checkJoin(before: Declaration, record: ContainerRecord, network: KnownNetwork): void {
  const refuse = (message: string): never => {
    throw new DockerError(400, message);
  };
  const mode = networkMode(before.spec.network);
  if (!ownsNamespace(mode)) refuse(SHARED);
  if (network.name === 'host') refuse(HOST_ONLY);
  if (network.name === 'none' || isPrivate(before, record)) refuse(PRIVATE);
}

async function change(call: DockerCall, record: ContainerRecord, asked: Omit<AskedChange, 'by'>): Promise<void> {
  const isThere = await call.docker.imperative.updates.change(record, { ...asked, by: call.client });
  if (!isThere) throw new DockerError(404, `No such container: ${record.engineName}`);
}

async function connect(call: DockerCall): Promise<DockerReply> {
  const { docker } = call;
  const sent = await call.readBody();
  const { container, settings } = connectionBody(sent);
  const network = findNetwork(knownNetworks(docker), param(call, 'id'));
  const record = findContainer(docker.containers, container);
  requireStaying(call, record);
  const names = namesNow(docker);
  const known = names.network(network.id);
  if (known === null) throw new DockerError(404, `network ${network.name} not found`);
  const endpoint: Endpoint = { network: known, settings: settings ?? ANY_ENDPOINT };
  const words = memberOf(jsonMember(memberOf(sent as JsonObject), 'EndpointConfig') as JsonObject | undefined);
  const declare: AskedChange['declare'] = (before, current) => {
    checkJoin(before, current, network);
    if (isOn(before, network.key)) {
      if (docker.exec.running(current.id) === null) return null;
      throw new DockerError(403, `endpoint with name ${current.engineName} already exists in network ${network.name}`);
    }
    checkEndpoint(endpoint, '');
    const links = linksOf(endpoint.settings.Links, [endpoint], names);
    return {
      spec: specOnNetwork(before.spec, endpoint, links),
      request: { ...before.request, body: bodyOnNetwork(memberOf(before.request.body), network, words) },
    };
  };
  try {
    await change(call, record, { what: 'connect', declare });
  } catch (thrown) {
    const { IPv4Address = '', IPv6Address = '' } = endpoint.settings.IPAMConfig ?? {};
    throw joinError(thrown, IPv4Address || IPv6Address || null);
  }
  return DONE;
}

/** The network that a container is to leave; one that is gone may be in its declaration. @throws DockerError 404, 400 */
function networkToLeave({ docker }: DockerCall, text: string, record: ContainerRecord, force: boolean): NetworkName {
  const spec = record.owner && containerSpecOf(record.owner);
  const keys = spec === null ? [] : membershipsOf(spec).map(keyOf);
  const all = knownNetworks(docker);
  const gone = keys.find((key) => engineNameOf(key) === text && all.every((network) => network.key !== key));
  const isLoose = force || docker.exec.running(record.id) === null;
  return gone !== undefined && isLoose ? { key: gone, name: text, id: text } : findNetwork(all, text);
}

/** @throws DockerError 400, 500 */
function checkLeave(before: Declaration, record: ContainerRecord, network: NetworkName, runs: boolean): void {
  if (network.name === 'host' && networkMode(before.spec.network).type === 'host')
    throw new DockerError(400, HOST_ONLY);
  const isHere = network.name === 'none' ? isPrivate(before, record) : isOn(before, network.key);
  if (isHere) return;
  const of = runs ? 'network' : 'the network';
  throw new DockerError(500, `container ${record.id} is not connected to ${of} ${network.name}`);
}

function containerToLeave({ docker }: DockerCall, text: string, force: boolean): ContainerRecord {
  try {
    return findContainer(docker.containers, text);
  } catch (thrown) {
    if (force && thrown instanceof DockerError && thrown.status === 404)
      throw new DockerError(404, `endpoint ${text} not found`);
    throw thrown;
  }
}

async function disconnect(call: DockerCall): Promise<DockerReply> {
  const { docker } = call;
  const { container, force } = disconnectionBody(await call.readBody());
  const record = containerToLeave(call, container, force);
  const network = networkToLeave(call, param(call, 'id'), record, force);
  requireStaying(call, record);
  const declare: AskedChange['declare'] = (before, current) => {
    checkLeave(before, current, network, docker.exec.running(current.id) !== null);
    const body = memberOf(before.request.body);
    const membership = membershipsOf(before.spec).find((one) => keyOf(one) === network.key);
    const left = linksOnlyOn(body, network);
    const spec = membership === undefined ? before.spec : specOffNetwork(before.spec, membership.network, left);
    const isLast = membershipsOf(spec).length === 0;
    return { spec, request: { ...before.request, body: bodyOffNetwork(body, network, isLast) } };
  };
  await change(call, record, { what: 'disconnect', declare });
  return DONE;
}

export const networkMemberRoutes: readonly DockerRoute[] = [
  route('POST', '/networks/{id}/connect', connect),
  route('POST', '/networks/{id}/disconnect', disconnect),
];
