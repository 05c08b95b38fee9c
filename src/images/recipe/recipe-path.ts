import { rmSync } from 'node:fs';
import { join } from 'node:path';

/** The recipe of a layer. @param recipes directory of the recipes. */
export function recipePath(recipes: string, chainId: string): string {
  return join(recipes, chainId);
}

/** Forgets the recipe of a layer that is gone. */
export function removeRecipe(recipes: string, chainId: string): void {
  rmSync(recipePath(recipes, chainId), { force: true });
}
