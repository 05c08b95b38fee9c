import { expect, test } from 'vitest';
import { runEpisode } from './episode.ts';

test('parts of a container are no orphans during a slow creation', async () => {
  const declared = {
    images: { app: '/one.tar' },
    containers: { web: { image: 'app', command: ['run'], restart: 'always' } },
  };
  const { broken } = await runEpisode({
    seed: 'slow disk',
    actions: [
      { do: 'edit', app: 'blog', declared: { images: { app: '/one.tar' } }, afterMs: 0 },
      { do: 'slow', what: 'disk.sync', ms: 60_000, times: 2, afterMs: 1_000 },
      { do: 'edit', app: 'blog', declared, afterMs: 0 },
    ],
  });
  expect(broken).toBeNull();
});
