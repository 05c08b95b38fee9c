/** Turns of the event loop of this process. */

/** What is known of each turn without waking the loop for it. */
export interface LoopTurns {
  /** Time that the loop has not waited for something to happen. Milliseconds from some start. */
  busyMs(): number;
  /** Calls `task` once a turn. Returns a function that ends it. */
  each(task: () => void): () => void;
}

/** An immediate without a reference is called after the loop has waited, and does not keep it from waiting. */
export const systemTurns: LoopTurns = {
  busyMs: () => performance.now() - performance.nodeTiming.idleTime,
  each(task) {
    let next: NodeJS.Immediate;
    const again = (): void => {
      next = setImmediate(() => {
        again();
        task();
      }).unref();
    };
    again();
    return () => clearImmediate(next);
  },
};
