import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { SupervisorClient } from '../../../src/api/client.ts';
import { type ApiServer, serveApi } from '../../../src/api/server.ts';
import type { TsdError } from '../../../src/model/errors/errors.ts';
import { PlainSupervisor } from './plain-supervisor.ts';

export interface Served {
  readonly supervisor: PlainSupervisor;
  readonly server: ApiServer;
  readonly client: SupervisorClient;
  readonly directory: string;
  readonly socketPath: string;
  readonly host: string;
  readonly bugs: TsdError[];
  end(): Promise<void>;
}

/** A real server on a socket of its own, before a supervisor of plain data. */
export async function serve(options: { readonly receiveTimeoutMs?: number } = {}): Promise<Served> {
  const directory = mkdtempSync('/tmp/tsd-test-api-');
  const socketPath = join(directory, 'api.sock');
  const host = `unix://${socketPath}`;
  const supervisor = new PlainSupervisor();
  const bugs: TsdError[] = [];
  let server: ApiServer | null = null;
  try {
    server = await serveApi({
      api: () => supervisor,
      hosts: [host],
      group: null,
      onBug: (bug) => bugs.push(bug),
      ...options,
    });
  } catch (thrown) {
    rmSync(directory, { recursive: true, force: true });
    throw thrown;
  }
  const running = server;
  const end = async () => {
    await running.close();
    rmSync(directory, { recursive: true, force: true });
  };
  return { supervisor, server: running, client: new SupervisorClient(host), directory, socketPath, host, bugs, end };
}
