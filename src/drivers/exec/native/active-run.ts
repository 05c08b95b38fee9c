import type { TaskExit, TaskHandle } from '../../contract.ts';
import type { ShimConnection } from './shim-connection.ts';

/** A run that is alive as far as we know, and the promise of its end. */
export class ActiveRun {
  readonly handle: TaskHandle;
  readonly connection: ShimConnection;
  readonly ended: Promise<TaskExit>;
  readonly #resolve: (exit: TaskExit) => void;

  constructor(handle: TaskHandle, connection: ShimConnection) {
    const { promise, resolve } = promiseWithResolver<TaskExit>();
    this.handle = handle;
    this.connection = connection;
    this.ended = promise;
    this.#resolve = resolve;
  }

  end(exit: TaskExit): void {
    this.#resolve(exit);
  }
}

function promiseWithResolver<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
