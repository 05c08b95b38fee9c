/** Registries as the settings describe them, and the policy that judges what comes from them. */
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Engine } from '../engine/engine.ts';
import { systemTimers } from '../engine/timers.ts';
import { systemClock } from '../ffi/boot-clock.ts';
import type { Gate } from '../ffi/files/gate.ts';
import { AuthFile, authFilePath } from '../images/registry/auth-file.ts';
import { type EndpointSettings, INSECURE_BY_DEFAULT } from '../images/registry/endpoints.ts';
import { Registry } from '../images/registry/registries.ts';
import { TrustPolicyFile } from '../images/trust/policy.ts';
import { fetchBase } from '../images/trust/trust-base.ts';
import { TrustStore } from '../images/trust/trust-store.ts';
import { TsdError } from '../model/errors/errors.ts';
import type { DaemonConfig } from '../settings/daemon-config.ts';
import type { Logger } from '../supervisor/log.ts';
import { trustJobs } from '../supervisor/requests/trust-jobs.ts';

/** Shared with Docker first, then our own. */
export const CERTIFICATE_DIRECTORIES = ['/etc/docker/certs.d', '/etc/tsdocker/certs.d'];
export const DEFAULT_TRUST_POLICY = '/etc/tsdocker/trust-policy.yaml';

/**
 * @param onRefused called for a policy that is refused: no image is accepted then, and running containers stay
 * @throws TSD_TRUST_POLICY when it cannot be used: better no start than one that lets everything in.
 */
export function openTrustPolicy(
  { trustPolicy }: Pick<DaemonConfig, 'trustPolicy'>,
  gate: Gate,
  onRefused: (error: TsdError) => void,
): TrustPolicyFile {
  const policy = new TrustPolicyFile(trustPolicy ?? DEFAULT_TRUST_POLICY, trustPolicy === null, gate);
  try {
    policy.read();
  } catch (error) {
    if (!(error instanceof TsdError && error.code === 'TSD_UNTRUSTED')) throw error;
    onRefused(error);
  }
  return policy;
}

function endpointSettings(config: DaemonConfig, gate: Gate): EndpointSettings {
  return {
    mirrors: config.registryMirror,
    insecure: [...INSECURE_BY_DEFAULT, ...config.insecureRegistry],
    certificates: CERTIFICATE_DIRECTORIES,
    gate,
  };
}

/** @throws TSD_TRUST_STORE for statements that cannot be used. */
export function openTrustStore(config: DaemonConfig, root: string, gate: Gate, log: Logger): TrustStore {
  const { trustBase } = config;
  const fetch = (url: URL) => (signal: AbortSignal) => fetchBase(url, endpointSettings(config, gate), signal);
  return new TrustStore({
    directory: join(root, 'trust'),
    base: trustBase === null ? null : { name: trustBase.href, fetch: fetch(trustBase) },
    clock: systemClock,
    timers: systemTimers,
    log: (text) => log.warn(text),
  });
}

export function createRegistry(
  config: DaemonConfig,
  { root, downloads }: { readonly root: string; readonly downloads: string },
  policy: TrustPolicyFile,
  gate: Gate,
  engine: Engine,
): Registry {
  return new Registry({
    settings: endpointSettings(config, gate),
    trustJobs: config.trustBase === null ? null : trustJobs(engine),
    downloads,
    records: join(root, 'distribution'),
    logins: new AuthFile(authFilePath(process.env, homedir()), gate),
    policy,
    clock: systemClock,
  });
}
