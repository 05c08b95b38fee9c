/** What a client asked of a container when it made it. Pure. */
import type { ImperativeRequest } from '../../model/imperative/request.ts';
import { networkMode } from '../../model/network-mode.ts';
import type { ContainerOwner } from '../../state/containers/container-record.ts';
import type { RequestedEndpoint } from './endpoint-settings.ts';
import { HOST_CONFIG_NAMES } from './host-config.ts';
import { CONFIG_NAMES } from './image-config.ts';
import { canonical, isObject, type JsonObject, memberOf, objectAt, textsAt } from './json-object.ts';

const ENDPOINT_NAMES = ['IPAMConfig', 'Links', 'Aliases', 'DriverOpts', 'GwPriority'];

export interface ContainerRequest {
  readonly config: JsonObject;
  readonly hostConfig: JsonObject;
  /** By name or id of the network. Null for `none` where it is on no network, not even that. */
  readonly endpoints: Readonly<Record<string, RequestedEndpoint | null>>;
}

/** Read once each: lists ask for those of all containers. */
const read = new WeakMap<ImperativeRequest, ContainerRequest | null>();

/** Null for a container that no client made. */
export function requestOf({ request }: ContainerOwner): ContainerRequest | null {
  if (request === undefined) return null;
  const known = read.get(request);
  if (known !== undefined) return known;
  const found = readRequest(request);
  read.set(request, found);
  return found;
}

function readRequest(request: ImperativeRequest): ContainerRequest | null {
  if (!isObject(request.body)) return null;
  const { HostConfig, NetworkingConfig, ...config } = canonical(request.body, [
    'HostConfig',
    'NetworkingConfig',
    ...CONFIG_NAMES,
  ]);
  const networking = canonical(memberOf(NetworkingConfig), ['EndpointsConfig']);
  const endpoints = Object.entries(objectAt(networking, 'EndpointsConfig'));
  return {
    config,
    hostConfig: canonical(memberOf(HostConfig), HOST_CONFIG_NAMES),
    // Its form was checked when it was made.
    endpoints: Object.fromEntries(
      endpoints.map(([name, settings]) => [
        name,
        name === 'none' && settings === null
          ? null
          : (canonical(memberOf(settings), ENDPOINT_NAMES) as unknown as RequestedEndpoint),
      ]),
    ),
  };
}

/** The network as it was asked for, whatever the container joined and left since; null for what has another form in answers. */
export function askedNetworkMode(request: ContainerRequest | null): string | null {
  if (request === null) return null;
  const mode = request.hostConfig.NetworkMode;
  if (typeof mode !== 'string' || mode === '' || mode === 'default') return 'bridge';
  return networkMode(mode).type === 'container' ? null : mode;
}

/** `source:target[:mode]`, as far as they were asked for. */
export function bindsOf(request: ContainerRequest | null): readonly string[] {
  return request === null ? [] : textsAt(request.hostConfig, 'Binds');
}

/** Targets of tmpfs in the form of a mount. */
export function tmpfsMountsOf(request: ContainerRequest | null): readonly string[] {
  const mounts = request?.hostConfig.Mounts;
  if (!Array.isArray(mounts)) return [];
  return mounts.flatMap((mount) => {
    if (!isObject(mount) || mount.Type !== 'tmpfs') return [];
    return typeof mount.Target === 'string' ? [mount.Target] : [];
  });
}

export function annotationsOf(request: ContainerRequest | null): Readonly<Record<string, string>> | null {
  const entries = Object.entries(request === null ? {} : objectAt(request.hostConfig, 'Annotations'));
  return entries.length === 0 ? null : Object.fromEntries(entries.map(([name, value]) => [name, String(value)]));
}
