import { expect, test } from 'vitest';
import { runEpisode } from './episode.ts';

test('the end of a run that was taken over while others are still asked about is not forgotten', async () => {
  const run = { image: 'app', command: ['run'], network: 'none' };
  const declared = {
    images: { app: '/one.tar' },
    containers: {
      db: { ...run, restart: 'always' },
      job: { ...run, command: ['exit', '3', '4000'], restart: 'no' },
    },
  };
  const { broken, log } = await runEpisode({
    seed: 'slow adoption',
    actions: [
      { do: 'edit', app: 'blog', declared, afterMs: 0 },
      { do: 'slow', what: 'exec.adopt', ms: 5_000, times: 1, afterMs: 3_000 },
      { do: 'restart-supervisor', downMs: 0, afterMs: 0 },
      { do: 'wait', afterMs: 20_000 },
    ],
  });
  expect(broken).toBeNull();
  expect(log.filter((line) => line.includes('begin start container/blog/job'))).toHaveLength(1);
});
