import type { JobRequest, JobsApi, JobsView } from '../../../src/api/jobs.ts';
import type { StdioSession } from '../../../src/drivers/contract/exec.ts';
import { Engine } from '../../../src/engine/engine.ts';
import { JobList } from '../../../src/supervisor/jobs/job-list.ts';
import { registerUnknownJob } from '../../../src/supervisor/jobs/unknown-job.ts';
import { ManualTime } from '../manual-time.ts';

/** The jobs of an engine of its own, which time does not change. */
export class PlainJobs implements JobsApi {
  readonly time = new ManualTime();
  readonly engine = new Engine({ clock: this.time, timers: this.time });
  readonly #list = new JobList(this.engine, this.time, { uid: 0, signal: new AbortController().signal });
  /** Jobs of the name `hang` that were cancelled. */
  cancelled = 0;

  constructor() {
    registerUnknownJob(this.engine);
    this.engine.register(
      { name: 'cat', summary: 'gives back what it reads', stdin: 'anything', stdout: 'the same' },
      async (job) => {
        for await (const chunk of job.stdin) await job.stdout.write(chunk);
        return undefined;
      },
    );
    const greeting = { text: 'what it says' };
    const env = { greeting, password: { text: 'proof', secret: true } } as const;
    this.engine.register(
      { name: 'greet', summary: 'greets', args: 'NAME [WORD…]', env, shownArgs: 1, stdout: 'a greeting' },
      async (job) => {
        if (job.args[0] === 'nobody') return job.error('there is nobody to greet');
        await job.stdout.write(`${job.env.get('greeting')} ${job.args.join(' ')}\n`);
        return undefined;
      },
    );
    const secrets = { password: { text: 'a secret', secret: true } } as const;
    this.engine.register(
      { name: 'hang', summary: 'waits to be cancelled', args: '[WORD]', env: secrets },
      async (job) => {
        await new Promise((resolve) => job.signal.addEventListener('abort', resolve));
        this.cancelled++;
        throw job.signal.reason;
      },
    );
    this.engine.register(
      { name: 'container.start', summary: 'carries out an op', args: 'KEY', instead: 'Change the manifest.' },
      () => 0,
    );
  }

  list(): JobsView {
    return this.#list.list();
  }

  run(name: string, request: JobRequest): StdioSession {
    return this.#list.run(name, request);
  }
}
