import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { PATIENCE_MS } from './test/support/wait.ts';

/** Tests of the root levels wait for the kernel, for timers and for each other's processes more than they calculate. */
const WORKERS = availableParallelism() * 2;

/** The levels with the longest files come first: at the end all workers have something to do. */
const FIRST = ['simulation', 'fault', 'integration', 'attack', 'contract'];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ project }: TestSpecification): number => {
      const index = FIRST.indexOf(project.name);
      return index < 0 ? FIRST.length : index;
    };
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b));
  }
}

const level = (name: string, timeoutMs: number) => ({
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`],
    testTimeout: timeoutMs,
    hookTimeout: timeoutMs,
    // As `until` waits; a test that waits in vain says for what, before its own time is over.
    expect: { poll: { timeout: Math.min(PATIENCE_MS, timeoutMs / 2), interval: 10 } },
    setupFiles: ['test/support/property-seed.ts'],
    pool: 'forks' as const,
    // A guest takes most of the memory.
    maxWorkers: name === 'e2e' ? 1 : WORKERS,
    sequence: { groupOrder: name === 'e2e' ? 1 : 0 },
    // Unit tests are pure: files of one process share its modules, which halves their time.
    isolate: name !== 'unit',
  },
});

/** One project per test level (CONTRIBUTING.md gives each its time budget). Files of all levels run side by side. */
export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      level('unit', 30_000),
      level('simulation', 1_800_000),
      level('contract', 120_000),
      level('integration', 240_000),
      level('attack', 240_000),
      level('fault', 600_000),
      level('e2e', 300_000),
    ],
  },
});
