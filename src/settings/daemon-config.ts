/** The daemon's settings, merged and checked: flag > TSDOCKER_* > config file. */
import { join } from 'node:path';
import type { HttpAddress } from '../api/http-address.ts';
import type { TsdError } from '../model/errors/errors.ts';
import { type ConfigSources, environment, flags, type Origin, problem, readConfigFile } from './config-sources.ts';
import { type Settings, settingsSchema } from './setting-values.ts';

/** Checked settings of one daemon. Paths are absolute; null means that nothing was asked for. */
export interface DaemonConfig
  extends Omit<
    Settings,
    | 'host'
    | 'bridge'
    | 'bip'
    | 'fixedCidr'
    | 'storageDriver'
    | 'pidfile'
    | 'trustPolicy'
    | 'trustKey'
    | 'trustBase'
    | 'tmpdir'
    | 'selinuxEnabled'
    | 'imageBudget'
    | 'logBudget'
    | 'metrics'
    | 'web'
  > {
  /** Where settings were looked for; it may be missing. */
  readonly configFile: string;
  readonly hosts: readonly string[];
  readonly pidfile: string | null;
  /** An existing bridge to use instead of making `defaultBridge`. */
  readonly bridge: string | null;
  /** `-b none`: containers get no network unless they name one. */
  readonly disableNetwork: boolean;
  readonly bip: string | null;
  readonly fixedCidr: string | null;
  readonly storageDriver: string | null;
  readonly metrics: HttpAddress | null;
  readonly web: HttpAddress | null;
  readonly trustPolicy: string | null;
  readonly trustKey: string | null;
  readonly trustBase: URL | null;
  readonly tmpdir: string | null;
  /** Bytes. */
  readonly imageBudget: number | null;
  readonly logBudget: number | null;
}

const DEFAULT_CONFIG_FILE = '/etc/tsdocker/daemon.yaml';

/** Merges and checks the settings. All problems come at once, each naming the flag, variable or file position. */
export function loadDaemonConfig(
  sources: ConfigSources,
):
  | { readonly config: DaemonConfig; readonly errors: null }
  | { readonly config: null; readonly errors: readonly TsdError[] } {
  const merged: Record<string, unknown> = {};
  const origins = new Map<string, Origin>();
  const configFile = sources.configFile ?? DEFAULT_CONFIG_FILE;
  const file = readConfigFile(configFile, sources);
  if (file.errors.length > 0) return { config: null, errors: file.errors };
  for (const layer of [file.values, environment(sources.env), flags(sources.flags)]) {
    for (const [name, { value, origin }] of layer) {
      merged[name] = value;
      origins.set(name, origin);
    }
  }
  const result = settingsSchema.safeParse(merged);
  if (result.success) return { config: finish(result.data, configFile), errors: null };
  const errors = result.error.issues.flatMap((issue) => {
    if (issue.code !== 'unrecognized_keys') return [problem(origins.get(String(issue.path[0])), issue.message)];
    return issue.keys.map((key) => problem(origins.get(key), `there is no setting ${key}`));
  });
  return { config: null, errors };
}

function finish(given: Settings, configFile: string): DaemonConfig {
  const {
    host,
    bridge,
    bip,
    fixedCidr,
    storageDriver,
    pidfile,
    trustPolicy,
    trustKey,
    trustBase,
    tmpdir,
    selinuxEnabled: _never,
    imageBudget,
    logBudget,
    metrics,
    web,
    ...settings
  } = given;
  return {
    ...settings,
    configFile,
    // Docker's rule: masquerading needs iptables rules, which are disabled then.
    ipMasq: settings.ipMasq && settings.iptables,
    logLevel: settings.debug ? 'debug' : settings.logLevel,
    hosts: host.length > 0 ? host : [`unix://${join(settings.runDir, 'tsdocker.sock')}`],
    pidfile: pidfile === undefined ? join(settings.runDir, 'tsdocker.pid') : pidfile === '' ? null : pidfile,
    bridge: bridge === undefined || bridge === 'none' ? null : bridge,
    disableNetwork: bridge === 'none',
    bip: bip ?? null,
    fixedCidr: fixedCidr ?? null,
    storageDriver: storageDriver ?? null,
    metrics: metrics ?? null,
    web: web ?? null,
    trustPolicy: trustPolicy ?? null,
    trustKey: trustKey ?? null,
    trustBase: trustBase ?? null,
    tmpdir: tmpdir ?? null,
    imageBudget: imageBudget ?? null,
    logBudget: logBudget ?? null,
  };
}
