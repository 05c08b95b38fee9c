import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect } from 'vitest';
import type { GraphDriver, LayerTarget } from '../../../src/drivers/contract/graph.ts';
import { temporaryDirectory } from '../../support/images.ts';

/** How a suite gets a driver, and a root directory that it works on. */
export interface Tested {
  readonly create: (root: string) => GraphDriver;
  readonly makeRoot?: () => ReturnType<typeof temporaryDirectory>;
}

export const id = (name: string): string => name.padEnd(64, '0');

export const writes =
  (...files: readonly (readonly [path: string, text: string])[]) =>
  async ({ path }: LayerTarget): Promise<void> => {
    for (const [file, text] of files) writeFileSync(join(path, file), text);
  };

export const never = async (): Promise<void> => {
  throw new Error('fill must not be called');
};

/** A driver and its root directory for each test of the file. */
export class GraphFixture {
  #temporary: ReturnType<typeof temporaryDirectory> | null = null;
  #graph: GraphDriver | null = null;

  constructor({ create, makeRoot = temporaryDirectory }: Tested) {
    beforeEach(() => {
      this.#temporary = makeRoot();
      this.#graph = create(this.root);
    });
    afterEach(() => {
      this.#graph?.close();
      this.#temporary?.remove();
    });
  }

  get root(): string {
    return this.#temporary?.path ?? '';
  }

  get graph(): GraphDriver {
    return this.#graph as GraphDriver;
  }

  base(): Promise<void> {
    return this.graph.createLayer(id('base'), null, writes(['a', '1'], ['b', '2']));
  }

  /** `kind /path` of each, sorted. */
  async changesOf(layer: string): Promise<string[]> {
    const found: string[] = [];
    for await (const { kind, path, hostPath } of this.graph.changes(layer)) {
      expect(hostPath !== null && existsSync(hostPath)).toBe(kind !== 'deleted');
      found.push(`${kind} /${path.toString()}`);
    }
    return found.sort();
  }
}
