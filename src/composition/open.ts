/** First step of a start: opens the stores and the drivers. */
import { join } from 'node:path';
import type { ResetOptions } from '../api/requests.ts';
import type { Engine } from '../engine/engine.ts';
import { readSysinfo, type Sysinfo } from '../ffi/host/sysinfo.ts';
import type { Registry } from '../images/registry/registries.ts';
import { keyId, openDaemonKey } from '../images/trust/daemon-key.ts';
import { plainHash } from '../manifest/content-hash.ts';
import { describeError, toTsdError } from '../model/errors/errors.ts';
import { type LimitSupport, limitSupport } from '../reconcile/kernel-limits.ts';
import type { NetworkNames } from '../reconcile/names/network-names.ts';
import type { PathBook } from '../reconcile/path-book.ts';
import type { DaemonConfig } from '../settings/daemon-config.ts';
import { openTmpDir, type TmpDir } from '../state/files/tmp-dir.ts';
import { removeInstanceFiles } from '../state/instance-files.ts';
import { openRoot, type StateRoot } from '../state/root.ts';
import type { DefaultNetwork } from '../supervisor/default-network.ts';
import type { ImperativeResources } from '../supervisor/imperative/imperative-resources.ts';
import { initNetworkDriver } from '../supervisor/jobs/network-jobs.ts';
import { LentInterfaces } from '../supervisor/network/lent-interfaces.ts';
import { TypedLinks } from '../supervisor/network/typed-links.ts';
import type { ResolverService } from '../supervisor/resolver/resolver-service.ts';
import { ServiceManager } from '../supervisor/service-manager.ts';
import { KeptContents } from '../supervisor/sources/kept-contents.ts';
import type { Sources } from '../supervisor/sources/sources.ts';
import type { Core } from './core.ts';
import { createExecDriver } from './drivers.ts';
import { createGates, type Gates } from './gates.ts';
import { openParts } from './parts.ts';
import type { Observing } from './ports/observer.ts';
import type { Parts } from './ports/op-ports.ts';
import { requireDirectory } from './preconditions.ts';
import { createPathBook } from './readers.ts';
import { createRegistry, openTrustPolicy } from './registries.ts';
import { openSources } from './sources.ts';
import { openStores, type Stores } from './stores.ts';

export interface Opened extends Core {
  readonly config: DaemonConfig;
  readonly gates: Gates;
  readonly service: ServiceManager;
  /** Read here, once. */
  readonly sysinfo: Sysinfo;
  readonly limits: LimitSupport;
  readonly state: StateRoot;
  readonly stores: Stores;
  readonly kept: KeptContents;
  readonly paths: PathBook;
  readonly sources: Sources;
  readonly imperative: ImperativeResources;
  readonly registry: Registry;
  readonly parts: Parts;
  readonly observing: Observing;
  readonly defaultNetwork: DefaultNetwork;
  readonly names: NetworkNames;
  readonly resolver: ResolverService;
  /** Of the daemon's key, as `info` shows it. */
  readonly id: string;
  readonly reset: Reset;
}

/** Everything of this instance goes when it ends; null until a reset is requested. */
interface Reset {
  options: ResetOptions | null;
}

/** @throws TsdError; what is open then is closed by the shutdown of the engine. */
export async function open(config: DaemonConfig, core: Core): Promise<Opened> {
  const { log, engine, loopPauses, wires } = core;
  requireDirectory(config.manifests);
  const gates = createGates(config);
  const trustPolicy = openTrustPolicy(config, gates.own, ({ code, message, hint }) =>
    log.error({ code }, `${message}: no image comes in. ${hint}`),
  );
  const service = new ServiceManager(process.env, (error) =>
    log.warn(`the service manager does not listen: ${describeError(error)}`),
  );
  const { state, tmp, reset } = await openRoots(config, core);
  const stores = await openStores(state, log, engine);
  const kept = new KeptContents(stores.history, stores.contents, config.keepGenerations);
  const sysinfo = readSysinfo();
  const limits = limitSupport(sysinfo, config.discardLimits);
  const exec = createExecDriver(config, state, sysinfo);
  engine.onShutdown('exec driver', () => exec.close(), ['linkgraph.db', 'history.db']);
  const paths = createPathBook(exec, (path) => wires.emit('file', path));
  const { sources, imperative, settingsReader } = openSources({
    config,
    log,
    gates,
    stores,
    kept,
    paths,
    loopPauses,
    wires,
  });
  const registry = createRegistry(
    config,
    { root: state.root, downloads: tmp.downloads },
    trustPolicy,
    gates.own,
    engine,
  );
  const { parts, observing, defaultNetwork, names, resolver } = openParts(
    {
      config,
      state,
      tmpDir: tmp.work,
      stores,
      registry,
      trustPolicy,
      exec,
      limits,
      paths,
      settings: {
        trusted: (app) => settingsReader(sources.sourceOfApp(app)?.kind === 'watched'),
        hashes: (bytes) => [stores.secrets.reference(bytes.toString('latin1')), plainHash(bytes)],
      },
      manifests: { desired: () => sources.state, rollBack: (failed) => sources.rollbacks.ofUpdate(failed) },
      log,
      wires,
    },
    engine,
  );
  await beginNetwork(engine, config, parts, defaultNetwork);
  const id = keyId(openDaemonKey(config.trustKey ?? join(state.root, 'key.json')));
  const base = { ...core, config, gates, service, sysinfo, limits };
  const opened = { parts, observing, defaultNetwork, names, resolver };
  return { ...base, ...opened, state, stores, kept, paths, sources, imperative, registry, id, reset };
}

/** Root, run directory and the place of temporary files. A reset takes all of them away at the end. */
async function openRoots(
  config: DaemonConfig,
  { log, engine }: Core,
): Promise<{ readonly state: StateRoot; readonly tmp: TmpDir; readonly reset: Reset }> {
  const state = await openRoot(config);
  const reset: Reset = { options: null };
  let ownTmp: string | null = null;
  engine.onShutdown('root', () => {
    if (reset.options === null) return state.close();
    return removeInstanceFiles(state, { ...reset.options, elsewhere: ownTmp })
      .catch((error) => log.error(describeError(toTsdError(error))))
      .then(() => state.close());
  });
  const tmp = openTmpDir(state, config.tmpdir);
  ownTmp = tmp.own;
  return { state, tmp, reset };
}

/** Makes the default bridge, as a job. What is lent there ends with the supervisor. */
async function beginNetwork(
  engine: Engine,
  config: DaemonConfig,
  { containers, leases, network: driver, endpoints, settings: { fixedCidr } }: Opened['parts'],
  defaultNetwork: DefaultNetwork,
): Promise<void> {
  const lent = new LentInterfaces({ leases, driver, fixedCidr });
  engine.onShutdown('lent interfaces', () => lent.close(), ['network drivers', 'resolver']);
  const links = new TypedLinks({ containers, driver, endpoints });
  await initNetworkDriver(engine, { defaultNetwork, containers, lent, links, settings: config });
}
