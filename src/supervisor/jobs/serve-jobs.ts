/** Docker 1.4's jobs that serve the API: sockets are there early, and what is asked waits until the start is over. */
import { type ApiServer, type ApiServerOptions, serveApi } from '../../api/server.ts';
import { VERSION } from '../../api/version.ts';
import type { Engine } from '../../engine/engine.ts';
import type { JobSpec } from '../../engine/job-spec.ts';
import { TsdError } from '../../model/errors/errors.ts';
import { deferred } from './call-streams.ts';

const AT_START = 'It runs at the start of the supervisor.';

const SERVE_API: JobSpec = {
  name: 'serveapi',
  summary: 'answers on sockets until the supervisor ends',
  args: 'ADDRESS…',
  env: {
    Version: { text: 'of the supervisor' },
    SocketGroup: { text: 'group that owns the sockets' },
    BufferRequests: { text: '1: requests wait for acceptconnections' },
  },
  instead: AT_START,
  endless: true,
};

const ACCEPT_CONNECTIONS: JobSpec = {
  name: 'acceptconnections',
  summary: 'lets in the requests that wait, and tells the service manager that the supervisor is ready',
  instead: AT_START,
};

export const SERVE_JOBS: readonly JobSpec[] = [SERVE_API, ACCEPT_CONNECTIONS];

export interface ServeJobsParts extends Pick<ApiServerOptions, 'api' | 'other' | 'onBug'> {
  readonly onReady: () => void;
}

export function registerServeJobs(engine: Engine, { api, other, onBug, onReady }: ServeJobsParts): void {
  let server: ApiServer | null = null;
  engine.register(SERVE_API, async (job) => {
    const group = job.env.get('SocketGroup');
    server = await serveApi({
      api,
      other,
      onBug,
      hosts: job.args,
      group: group === '' ? null : group,
      waits: job.env.getBool('BufferRequests'),
    });
    (job.payload as (server: ApiServer) => void)(server);
    await server.closed;
    return undefined;
  });
  engine.register(ACCEPT_CONNECTIONS, () => {
    if (server === null) throw new TsdError('TSD_BUG', 'there are no sockets yet: serveapi comes first');
    server.accept();
    onReady();
    return undefined;
  });
}

/** Resolves when the sockets are there. @throws TsdError for one that another process has. */
export async function beginServing(
  engine: Engine,
  { hosts, group }: Pick<ApiServerOptions, 'hosts' | 'group'>,
): Promise<ApiServer> {
  const { promise, resolve, reject } = deferred<ApiServer>();
  const env = { Version: VERSION, SocketGroup: group ?? '', BufferRequests: '1' };
  engine.job(SERVE_API.name, hosts, { env, payload: resolve }).run().catch(reject);
  return await promise;
}

export async function acceptConnections(engine: Engine): Promise<void> {
  await engine.job(ACCEPT_CONNECTIONS.name).run();
}
