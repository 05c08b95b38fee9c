/** Logins: the registry itself is asked. */
import { TsdError } from '../../model/errors/errors.ts';
import { DOCKER_HUB } from '../../model/image-reference.ts';
import type { DockerParts } from '../docker-parts.ts';
import { DockerError } from '../wire/docker-error.ts';
import { parseAs } from '../wire/parse.ts';
import { authConfig, credentialsOf } from './registry-auth.ts';

/** The registry of an address as clients keep it: `https://index.docker.io/v1/`, `registry.example:5000`. */
export function registryOf(address: string): string {
  const host = address.replace(/^https?:\/\//, '').replace(/\/.*$/, '');
  return host === '' || host === 'index.docker.io' ? DOCKER_HUB : host;
}

/** @throws DockerError 401 for a login that the registry refuses, 400 for none */
export async function login({ api }: Pick<DockerParts, 'api'>, body: unknown, signal: AbortSignal) {
  const config = parseAs(authConfig, body ?? {});
  const credentials = credentialsOf(config);
  if (credentials === null) throw new DockerError(400, 'a login needs username and password, or an identitytoken');
  const registry = registryOf(config.serveraddress ?? '');
  try {
    await api.registry.checkLogin({ registry, credentials }, signal);
  } catch (thrown) {
    if (!(thrown instanceof TsdError) || thrown.code !== 'TSD_REGISTRY_DENIED') throw thrown;
    throw new DockerError(401, `login attempt to ${registry} failed: unauthorized: ${thrown.message}`);
  }
  return { Status: 'Login Succeeded', IdentityToken: '' };
}
