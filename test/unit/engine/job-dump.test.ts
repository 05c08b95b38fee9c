import { expect, test } from 'vitest';
import { Engine } from '../../../src/engine/engine.ts';
import { dumpOf } from '../../../src/engine/job-dump.ts';
import { ManualTime } from '../../support/manual-time.ts';

test('the dump of a job has its stage and since when it runs, and nothing secret', async () => {
  const time = new ManualTime();
  const engine = new Engine({ clock: time, timers: time });
  let end = (): void => {};
  const spec = {
    name: 'login',
    summary: 'tries a login',
    shownArgs: 1,
    env: { REGISTRY: { text: 'the registry' }, PASSWORD: { text: 'the password', secret: true as const } },
  };
  engine.register(spec, (job) => {
    job.stage = 'asks the registry';
    return new Promise((resolve) => {
      end = () => resolve(0);
    });
  });
  const env = { REGISTRY: 'example.com', PASSWORD: 'hunter2', OTHER: 'hunter3' };
  const running = engine.job('login', ['bob', 'hunter1'], { env }).run();
  await time.advance(1_500);
  const [job] = engine.jobs();
  expect(job && dumpOf(job, time.now())).toEqual({
    job: 'login(bob, …)',
    env: ['REGISTRY=example.com', 'PASSWORD=…', 'OTHER=…'],
    since: new Date(time.now().wallMs - 1_500).toISOString(),
    ms: 1_500,
    stage: 'asks the registry',
    calledOff: false,
  });
  end();
  await running;
});
