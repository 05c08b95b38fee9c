import { defineConfig } from 'vitest/config';

const level = (name: string, timeoutMs: number, parallel: boolean) => ({
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`],
    testTimeout: timeoutMs,
    hookTimeout: timeoutMs,
    fileParallelism: parallel,
    pool: 'forks' as const,
    // Unit tests are pure: files of one process share its modules, which halves their time.
    isolate: name !== 'unit',
  },
});

/** One project per test level (CONTRIBUTING.md gives each its time budget). */
export default defineConfig({
  test: {
    projects: [
      level('unit', 30_000, true),
      level('simulation', 1_800_000, false),
      level('contract', 60_000, false),
      level('integration', 120_000, false),
      level('fault', 300_000, false),
      level('e2e', 300_000, false),
    ],
  },
});
