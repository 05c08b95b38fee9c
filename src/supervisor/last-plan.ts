/** The latest plan that had something to do, with what came of it. */
import type { PassReport } from '../reconcile/loop/controller.ts';

export interface LastPlanView {
  /** `<generation>.<pass>` as in the log. */
  readonly reconcile: string;
  /** RFC 3339, when its last op ended. */
  readonly at: string;
  readonly generation: number;
  readonly ops: readonly {
    readonly id: string;
    readonly resource: string;
    readonly cause: string;
    readonly status: 'done' | 'failed' | 'skipped';
    readonly ms: number;
    readonly message: string;
  }[];
}

/** More than a person reads. */
const MAX_OPS = 500;

export class LastPlan {
  #view: LastPlanView | null = null;

  get view(): LastPlanView | null {
    return this.#view;
  }

  /** @param atMs now, Unix time */
  pass({ pass, plan, results }: PassReport, atMs: number): void {
    if (results.length === 0) return;
    this.#view = {
      reconcile: `${plan.generation}.${pass}`,
      at: new Date(atMs).toISOString(),
      generation: plan.generation,
      ops: results.slice(0, MAX_OPS).map(({ op, status, ms, error, skipped }) => ({
        id: op.id,
        resource: op.key,
        cause: op.cause.message,
        status,
        ms: Math.round(ms * 10) / 10,
        message: error?.message ?? skipped ?? '',
      })),
    };
  }
}
