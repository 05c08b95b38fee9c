import { rm } from 'node:fs/promises';
import { join } from 'node:path';

/** The recipe of a layer. @param recipes directory of the recipes. */
export function recipePath(recipes: string, chainId: string): string {
  return join(recipes, chainId);
}

/** Forgets the recipe of a layer that is gone. */
export async function removeRecipe(recipes: string, chainId: string): Promise<void> {
  await rm(recipePath(recipes, chainId), { force: true });
}
