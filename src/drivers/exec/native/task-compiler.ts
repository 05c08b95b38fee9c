/** What turns specifications into programs, as those who launch them see it. */
import type { ExecSpec, TaskSpec } from '../../contract/exec.ts';
import type { PreparedTask } from './prepared-task.ts';
import type { OpenContainer } from './program/compile-exec.ts';

/** `devpts` is what the payload's terminal is of, null without one. */
export interface TaskCompiler {
  task(spec: TaskSpec, devpts: number | null): PreparedTask;
  exec(spec: ExecSpec, container: OpenContainer): PreparedTask;
}
