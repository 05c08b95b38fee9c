/** Docker 1.4's job `version`, with the runtime of node in place of Go's. */
import { release } from 'node:os';
import type { Caller } from '../../api/served.ts';
import { API_LEVEL, gitCommit, VERSION, type VersionView } from '../../api/version.ts';
import type { Engine } from '../../engine/engine.ts';
import type { JobSpec } from '../../engine/job-spec.ts';

export const VERSION_JOB: JobSpec = {
  name: 'version',
  summary: 'says which version of what runs',
  stdout: 'a line of JSON: ApiVersion, Arch, GitCommit, KernelVersion, Os, Runtime, Version',
};

function versionView(): VersionView {
  return {
    version: VERSION,
    api: API_LEVEL,
    node: process.version,
    commit: gitCommit(),
    os: process.platform,
    arch: process.arch,
    kernel: release(),
  };
}

type Take = (view: VersionView) => void;

export function registerVersionJob(engine: Engine): void {
  engine.register(VERSION_JOB, async (job) => {
    const view = versionView();
    const take = job.payload as Take | undefined;
    if (take !== undefined) take(view);
    else await job.stdout.write(`${JSON.stringify(asDocker(view))}\n`);
    return undefined;
  });
}

function asDocker({ version, api, node, commit, os, arch, kernel }: VersionView): Readonly<Record<string, string>> {
  return {
    ApiVersion: String(api),
    Arch: arch,
    GitCommit: commit,
    KernelVersion: kernel,
    Os: os,
    Runtime: `node ${node}`,
    Version: version,
  };
}

/** What the job says, for the API. */
export async function askVersion(engine: Engine, { uid, signal }: Caller): Promise<VersionView> {
  const taken: VersionView[] = [];
  const payload: Take = (view) => void taken.push(view);
  await engine.job(VERSION_JOB.name, [], { payload, signal, by: { uid } }).run();
  return taken[0] as VersionView;
}
