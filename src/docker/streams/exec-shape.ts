import { type ExecInstance, isRunning } from './exec-instances.ts';

/** What a client sees of a program in a container. */
export function execShape(instance: ExecInstance) {
  const { id, request, session, exitCode } = instance;
  const [entrypoint = '', ...rest] = request.argv;
  return {
    ID: id,
    Running: isRunning(instance),
    ExitCode: exitCode,
    ProcessConfig: {
      tty: request.tty,
      entrypoint,
      arguments: rest,
      privileged: request.privileged,
      ...(request.user !== '' && { user: request.user }),
    },
    OpenStdin: request.stdin,
    OpenStderr: request.stderr,
    OpenStdout: request.stdout,
    CanRemove: exitCode !== null,
    ContainerID: request.containerId,
    DetachKeys: request.detachKeys,
    Pid: session?.pid ?? 0,
  };
}
