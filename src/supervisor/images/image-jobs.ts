import type { Engine } from '../../engine/engine.ts';

/** What people ask of images, by the names of the jobs of Docker 1.4's engine; `prune` is ours. */
const JOBS = [
  'build',
  'commit',
  'export',
  'image_delete',
  'image_export',
  'import',
  'load',
  'prune',
  'pull',
  'push',
  'tag',
] as const;

/** Runs each of them as a job of the engine, so that it is logged, refused once the engine is shut down, and waited for then. */
export class ImageJobs {
  readonly #engine: Engine;

  constructor(engine: Engine) {
    this.#engine = engine;
    for (const name of JOBS) {
      engine.register(name, async (job) => {
        await (job.payload as () => Promise<void>)();
        return undefined;
      });
    }
  }

  /** @throws what the work throws, and TSD_ENGINE_SHUTDOWN. */
  async run<T>(name: (typeof JOBS)[number], args: readonly string[], work: () => Promise<T>): Promise<T> {
    const results: T[] = [];
    const payload = async (): Promise<void> => {
      results.push(await work());
    };
    await this.#engine.job(name, args, { payload }).run();
    return results[0] as T;
  }
}
