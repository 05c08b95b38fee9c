/** Sizes of layers as Docker 1.4 counts them: bytes of the files that a layer brings, each inode once, without directories. */
import type { GraphDriver } from '../drivers/contract/graph.ts';
import { statWithoutLinks } from '../ffi/files/without-links.ts';

export class ContentSizes {
  /** Layers never change. */
  readonly #known = new Map<string, number>();

  /** @throws TSD_IMAGE_MISSING for a layer that is not there. */
  async of(graph: Pick<GraphDriver, 'changes'>, chainIds: readonly string[]): Promise<number> {
    let bytes = 0;
    for (const chainId of chainIds) bytes += this.#known.get(chainId) ?? (await this.#count(graph, chainId));
    return bytes;
  }

  async #count(graph: Pick<GraphDriver, 'changes'>, chainId: string): Promise<number> {
    const seen = new Set<bigint>();
    let bytes = 0n;
    for await (const { hostPath } of graph.changes(chainId)) {
      const stat = hostPath === null ? null : statWithoutLinks(hostPath);
      if (stat === null || stat.isDirectory() || seen.has(stat.ino)) continue;
      if (stat.nlink > 1n) seen.add(stat.ino);
      bytes += stat.size;
    }
    this.#known.set(chainId, Number(bytes));
    return Number(bytes);
  }
}
