/** How many questions may wait for servers at a time. */

/** Of one container, as Docker has it, and of all. */
const MOST_OF_ONE = 1024;
const MOST = 8192;

/**
 * Whether one more question of a container may wait. Each container may have as many as there is room left for: that one
 * finds room however many others take all they can. Of eight that do, each has 910, and 910 are free.
 */
export function mayWait(ofContainer: number, ofAll: number): boolean {
  return ofContainer < Math.min(MOST_OF_ONE, MOST - ofAll);
}
