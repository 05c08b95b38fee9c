/** What a client asked of a container when it made it. Pure. */
import type { JsonValue } from '../../model/json.ts';
import type { ContainerOwner } from '../../state/containers/container-record.ts';
import type { RequestedEndpoint } from './endpoint-settings.ts';

type JsonObject = { readonly [name: string]: JsonValue };

export interface ContainerRequest {
  readonly config: JsonObject;
  readonly hostConfig: JsonObject;
  readonly endpoints: Readonly<Record<string, RequestedEndpoint>>;
}

const isObject = (value: JsonValue | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function objectAt(object: JsonObject, name: string): JsonObject {
  const value = object[name];
  return isObject(value) ? value : {};
}

function textsAt(object: JsonObject, name: string): readonly string[] {
  const value = object[name];
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}

/** Null for a container that no client made. */
export function requestOf(owner: ContainerOwner): ContainerRequest | null {
  const { request } = owner as ContainerOwner & { readonly request?: { readonly body: JsonValue } };
  if (request === undefined || !isObject(request.body)) return null;
  const { HostConfig: _host, NetworkingConfig: _networking, ...config } = request.body;
  const endpoints = objectAt(objectAt(request.body, 'NetworkingConfig'), 'EndpointsConfig');
  return {
    config,
    hostConfig: objectAt(request.body, 'HostConfig'),
    // Its form was checked when it was made.
    endpoints: Object.fromEntries(
      Object.entries(endpoints).map(([name, settings]) => [name, (settings ?? {}) as RequestedEndpoint]),
    ),
  };
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
