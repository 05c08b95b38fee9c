import { expect, test } from 'vitest';
import type { ContainerView } from '../../../src/api/views/resource-views.ts';
import { containerMetrics } from '../../../src/supervisor/metrics/container-metrics.ts';

const view = (name: string, rest: Partial<ContainerView> = {}) =>
  ({
    app: 'blog',
    name,
    phase: 'Running',
    ready: true,
    restarts: 2,
    exitCode: null,
    startedAt: '2026-01-02T03:04:05.000Z',
    ...rest,
  }) as ContainerView;

const usage = { cpuSeconds: 1.5, memoryBytes: 4096, pids: 3 };

test('each container has its series, without unknown values', async () => {
  const text = await containerMetrics({
    views: () => [view('web'), view('od"d\\', { phase: 'Exited', ready: false, exitCode: 3, startedAt: null })],
    usage: ({ name }) => (name === 'web' ? usage : null),
    network: () => null,
  });
  const series = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  const odd = 'app="blog",name="od\\"d\\\\"';
  expect(series.sort()).toEqual(
    [
      'tsdocker_container_phase{app="blog",name="web",phase="Running"} 1',
      'tsdocker_container_ready{app="blog",name="web"} 1',
      'tsdocker_container_start_time_seconds{app="blog",name="web"} 1767323045',
      'tsdocker_container_memory_bytes{app="blog",name="web"} 4096',
      'tsdocker_container_pids{app="blog",name="web"} 3',
      'tsdocker_container_restarts_total{app="blog",name="web"} 2',
      'tsdocker_container_cpu_seconds_total{app="blog",name="web"} 1.5',
      `tsdocker_container_phase{${odd},phase="Exited"} 1`,
      `tsdocker_container_ready{${odd}} 0`,
      `tsdocker_container_last_exit_code{${odd}} 3`,
      `tsdocker_container_restarts_total{${odd}} 2`,
    ].sort(),
  );
  expect(text.match(/^# TYPE /gm)).toHaveLength(10);
});

test('reading many containers does not block the event loop', async () => {
  let turns = 0;
  let looking = true;
  const count = (): void => {
    turns++;
    if (looking) setImmediate(count);
  };
  setImmediate(count);
  const takesTime = () => {
    const end = performance.now() + 5;
    while (performance.now() < end);
    return usage;
  };
  const views = Array.from({ length: 10 }, (_, index) => view(`web${index}`));
  await containerMetrics({ views: () => views, usage: takesTime, network: () => null });
  looking = false;
  expect(turns).toBeGreaterThanOrEqual(10);
});
