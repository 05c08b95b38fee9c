/** Registries as the settings describe them, and the policy that judges what comes from them. */
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { DaemonConfig } from '../daemon-config.ts';
import { systemClock } from '../ffi/boot-clock.ts';
import { AuthFile, authFilePath } from '../images/registry/auth-file.ts';
import { INSECURE_BY_DEFAULT } from '../images/registry/endpoints.ts';
import { Registry } from '../images/registry/registry.ts';
import { TrustPolicyFile } from '../images/trust/policy.ts';

/** Shared with Docker first, then our own. */
const CERTIFICATE_DIRECTORIES = ['/etc/docker/certs.d', '/etc/tsdocker/certs.d'];
const DEFAULT_TRUST_POLICY = '/etc/tsdocker/trust-policy.yaml';

/** @throws TSD_TRUST_POLICY when it cannot be used: better no start than one that lets everything in. */
export function openTrustPolicy({ trustPolicy }: DaemonConfig): TrustPolicyFile {
  const policy = new TrustPolicyFile(trustPolicy ?? DEFAULT_TRUST_POLICY, trustPolicy === null);
  policy.read();
  return policy;
}

export function createRegistry(
  config: DaemonConfig,
  { root, downloads }: { readonly root: string; readonly downloads: string },
  policy: TrustPolicyFile,
): Registry {
  return new Registry({
    settings: {
      mirrors: config.registryMirror,
      insecure: [...INSECURE_BY_DEFAULT, ...config.insecureRegistry],
      certificates: CERTIFICATE_DIRECTORIES,
    },
    downloads,
    records: join(root, 'distribution'),
    logins: new AuthFile(authFilePath(process.env, homedir())),
    policy,
    clock: systemClock,
  });
}
