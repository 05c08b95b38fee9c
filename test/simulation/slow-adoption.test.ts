import { expect, test } from 'vitest';
import { runEpisode } from './episode.ts';

test('the end of an adopted run is recorded while other adoptions are still pending', async () => {
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

test('a late shim delays neither a start nor a full observe, and never has two payloads', async () => {
  const run = { image: 'app', command: ['run'], network: 'none', restart: 'always' };
  const declared = { images: { app: '/one.tar' }, containers: { db: run, web: run } };
  const { broken, log } = await runEpisode({
    seed: 'late shim',
    actions: [
      { do: 'edit', app: 'blog', declared, afterMs: 0 },
      { do: 'slow', what: 'exec.adopt', ms: 60_000, times: 1, afterMs: 3_000 },
      { do: 'restart-supervisor', downMs: 0, afterMs: 0 },
      { do: 'exit', key: 'container/blog/db', code: 1, oom: false, afterMs: 11_000 },
      { do: 'exit', key: 'container/blog/web', code: 1, oom: false, afterMs: 0 },
      { do: 'edit', app: 'shop', declared, afterMs: 0 },
      { do: 'wait', afterMs: 80_000 },
    ],
  });
  expect(broken).toBeNull();
  const answered = 63_000;
  const starts = log.filter((line) => line.includes('begin start'));
  const restarts = starts.filter((line) => line.includes('restart 1')).map((line) => Number.parseFloat(line));
  expect(restarts).toHaveLength(2);
  expect(Math.min(...restarts)).toBeLessThan(15_000);
  expect(Math.max(...restarts)).toBeGreaterThanOrEqual(answered);
  const ofShop = starts.filter((line) => line.includes('container/shop/')).map((line) => Number.parseFloat(line));
  expect(ofShop).toHaveLength(2);
  expect(Math.max(...ofShop)).toBeLessThan(answered);
});
