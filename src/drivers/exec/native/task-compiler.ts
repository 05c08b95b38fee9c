/** What turns specifications into programs, as those who launch them see it. */
import type { ExecSpec, TaskSpec } from '../../contract/exec.ts';
import type { JoinedNamespaces } from './joined-namespaces.ts';
import type { PreparedTask } from './prepared-task.ts';
import type { OpenContainer } from './program/compile-exec.ts';

/** What was opened for a task. It stays the caller's. */
interface OpenedForTask {
  /** What the payload's terminal is of, null without one. */
  readonly devpts: number | null;
  readonly joined: JoinedNamespaces;
}

export interface TaskCompiler {
  task(spec: TaskSpec, opened: OpenedForTask): PreparedTask;
  exec(spec: ExecSpec, container: OpenContainer): PreparedTask;
}
