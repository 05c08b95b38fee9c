/** Makes a job of each call of the facade, and serves the facade by these jobs. */
import type { Caller, ServedApi } from '../../api/served.ts';
import type { SupervisorApi } from '../../api/supervisor.ts';
import type { Engine } from '../../engine/engine.ts';
import type { JobSpec } from '../../engine/job-spec.ts';
import type { Clock } from '../../model/clock.ts';
import { callsFor, registerCalls, specsOf } from './call.ts';
import { BUILD_CALLS, IMAGE_FILE_CALLS, REGISTRY_CALLS } from './image-calls.ts';
import { JobList } from './job-list.ts';
import { SUPERVISOR_CALLS } from './supervisor-calls.ts';
import { askVersion } from './version-job.ts';

export const SUPERVISOR_JOBS: readonly JobSpec[] = specsOf(SUPERVISOR_CALLS);
export const IMAGE_JOBS: readonly JobSpec[] = [BUILD_CALLS, IMAGE_FILE_CALLS, REGISTRY_CALLS].flatMap(specsOf);

export function registerSupervisorJobs(engine: Engine, api: SupervisorApi): void {
  registerCalls(engine, api, SUPERVISOR_CALLS);
}

export function registerImageJobs(engine: Engine, { builds, imageFiles, registry }: SupervisorApi): void {
  registerCalls(engine, builds, BUILD_CALLS);
  registerCalls(engine, imageFiles, IMAGE_FILE_CALLS);
  registerCalls(engine, registry, REGISTRY_CALLS);
}

/** Returns the facade for one requester: each call is a job. */
export function servedBy(engine: Engine, clock: Clock): (caller: Caller) => ServedApi {
  const supervisor = callsFor<SupervisorApi>(engine, SUPERVISOR_CALLS);
  const builds = callsFor(engine, BUILD_CALLS);
  const imageFiles = callsFor(engine, IMAGE_FILE_CALLS);
  const registry = callsFor(engine, REGISTRY_CALLS);
  return (caller) =>
    Object.defineProperties(supervisor(caller), {
      builds: { get: () => builds(caller) },
      imageFiles: { get: () => imageFiles(caller) },
      registry: { get: () => registry(caller) },
      jobs: { get: () => new JobList(engine, clock, caller) },
      version: { value: () => askVersion(engine, caller) },
    }) as ServedApi;
}
